package difftest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

var craftedOnce = sync.OnceValue(Crafted)

// GenPacket makes a random packet that is hard on p: as long as one of its loads needs, or a byte less or more, and with
// the values that its comparisons look for, so that paths go deep. p is valid. Data is the caller's.
func GenPacket(r *rand.Rand, p cbpf.Program) cbpf.Packet {
	data := genData(r, genLength(r, p))
	if r.IntN(8) != 0 {
		steer(r, p, data)
	}
	return cbpf.Packet{Data: data, WireLen: genWireLen(r, len(data)), Meta: genMeta(r, data)}
}

// maxGenerated is the most bytes of a generated packet: what a jumbo frame has.
const maxGenerated = 9018

// genLength draws the length of a packet from the ends of the loads of p.
func genLength(r *rand.Rand, p cbpf.Program) int {
	ends := []int{0}
	longest := 0
	for _, ins := range p {
		info := cbpf.Info(ins.Op)
		if info.Size == 0 || ins.K > maxGenerated-100 {
			continue
		}
		end := int(ins.K) + info.Size
		if info.Form == cbpf.FormInd {
			ends = append(ends, end+20, end+40) // X is a length of a header
			longest = max(longest, end+60)
		}
		ends = append(ends, end)
		longest = max(longest, end)
	}
	switch r.IntN(8) {
	case 0:
		return r.IntN(128)
	case 1, 2:
		return max(0, ends[r.IntN(len(ends))]-1+r.IntN(3))
	case 3:
		return longest
	default:
		return min(maxGenerated, longest+r.IntN(80))
	}
}

// genData makes so many bytes, of one kind or another.
func genData(r *rand.Rand, n int) []byte {
	data := make([]byte, n)
	switch r.IntN(8) {
	case 0: // zeros
	case 1:
		copy(data, bytes.Repeat([]byte{0xff}, n))
	case 2:
		for i := range data {
			data[i] = byte(r.Uint32())
		}
	default:
		packets := craftedOnce()
		copy(data, packets[r.IntN(len(packets))].Data)
		for range r.IntN(3) {
			if n > 0 {
				data[r.IntN(n)] = byte(r.Uint32())
			}
		}
	}
	return data
}

// genWireLen is the captured length, mostly; or more.
func genWireLen(r *rand.Rand, n int) uint32 {
	switch r.IntN(16) {
	case 0:
		return 1<<31 - 1
	case 1, 2, 3:
		return uint32(n + r.IntN(1500))
	default:
		return uint32(n)
	}
}

// genMeta makes properties that the kernel could have of the packet: none of a device or of a tag that is not there.
func genMeta(r *rand.Rand, data []byte) cbpf.Meta {
	m := MetaFor(LinkEthernet, data)
	m.Mark, m.RxHash = r.Uint32(), r.Uint32()
	m.Queue, m.CPU = uint16(r.IntN(8)), uint32(r.IntN(4))
	if r.IntN(8) == 0 {
		m.HasDev, m.IfIndex, m.HaType = false, 0, 0
	}
	if r.IntN(3) == 0 {
		m.VlanPresent, m.VlanTCI, m.VlanTPID = true, uint16(r.Uint32()), etherVLAN
	}
	switch r.IntN(8) {
	case 0: // as a hook above the link layer has it
		m.Head, m.NetOff = frame(ether{proto: etherIPv4}), 0
	case 1: // as a socket without a link layer has it
		m.NoLink, m.NetOff = true, 0
	}
	return m
}

// operand is what steer knows of a register: a number and where it came from. Where the bytes of the packet at [at,
// at+size) stand for it, it is their big-endian value, masked and then shifted right.
type operand struct {
	known    bool
	value    uint32
	at, size int // size is 0 where it is no packet bytes
	mask     uint32
	shift    uint32
}

// steerer walks through a program to make a packet that goes far. It understands what headers are checked with (loads,
// masks, shifts) and gives up on other arithmetic: whatever it believes, it only decides what a good packet may be.
type steerer struct {
	*rand.Rand
	p    cbpf.Program
	data []byte
	goal int // pc to come to
	a, x operand
	mem  [cbpf.ScratchWords]operand
}

// steer follows p through data, and where packet bytes are compared it draws a way and changes the bytes so.
func steer(r *rand.Rand, p cbpf.Program, data []byte) {
	s := steerer{Rand: r, p: p, data: data, goal: r.IntN(len(p)), a: operand{known: true}, x: operand{known: true}}
	for pc := 0; pc < len(p); {
		info := cbpf.Info(p[pc].Op)
		switch info.Form {
		case cbpf.FormRetK, cbpf.FormRetA:
			return
		case cbpf.FormJump:
			pc += 1 + int(p[pc].K)
		case cbpf.FormCondK, cbpf.FormCondX:
			pc = s.branch(pc, info)
		default:
			if !s.step(p[pc].K, info) {
				return
			}
			pc++
		}
	}
}

// step does what is no jump; false where the program ends, as far as it can tell.
func (s *steerer) step(k uint32, info *cbpf.OpInfo) bool {
	dst := &s.a
	if info.Writes == cbpf.X {
		dst = &s.x
	}
	switch info.Form {
	case cbpf.FormAbs:
		*dst = s.load(k, info.Size)
		return dst.known || k > maxGenerated
	case cbpf.FormInd:
		*dst = operand{}
		if s.x.known {
			*dst = s.load(s.x.value+k, info.Size)
			return dst.known
		}
	case cbpf.FormMSH:
		b := s.load(k, 1)
		*dst = operand{known: true, value: 4 * (b.value & 0xf)}
		return b.known
	case cbpf.FormMem:
		s.move(k, info, dst)
	default:
		s.calculate(k, info, dst)
	}
	return true
}

func (s *steerer) load(at uint32, size int) operand {
	if uint64(at)+uint64(size) > uint64(len(s.data)) {
		return operand{}
	}
	o := operand{known: true, at: int(at), size: size, mask: uint32(1<<(8*size) - 1)}
	o.value = s.bytes(o)
	return o
}

func (s *steerer) move(k uint32, info *cbpf.OpInfo, dst *operand) {
	switch {
	case info.Reads == cbpf.Mem:
		*dst = s.mem[k]
	case info.Reads == cbpf.X:
		s.mem[k] = s.x
	default:
		s.mem[k] = s.a
	}
}

// calculate keeps track of masks and shifts by constants; every other result is unknown.
func (s *steerer) calculate(k uint32, info *cbpf.OpInfo, dst *operand) {
	switch {
	case info.Reads == 0 && info.Form == cbpf.FormImm:
		*dst = operand{known: true, value: k}
	case info.Writes == cbpf.X && info.Reads == cbpf.A: // tax
		s.x = s.a
	case info.Reads == cbpf.X && info.Writes == cbpf.A: // txa
		s.a = s.x
	case info.Code == cbpf.OpAndK:
		dst.value &= k
		dst.mask &= k << dst.shift
	case info.Code == cbpf.OpRshK:
		dst.value >>= k
		dst.shift += k
	default:
		*dst = operand{}
	}
}

// branch returns where a comparison goes.
func (s *steerer) branch(pc int, info *cbpf.OpInfo) int {
	ins := s.p[pc]
	jt, jf := pc+1+int(ins.Jt), pc+1+int(ins.Jf)
	right := operand{known: true, value: ins.K}
	if info.Form == cbpf.FormCondX {
		right = s.x
	}
	want := s.wanted(pc, jt, jf)
	if !s.a.known || !right.known {
		return pickPC(want, jt, jf)
	}
	if s.a.size > 0 {
		s.set(s.example(info.Fn, right.value, want))
	}
	return pickPC(compare(info.Fn, s.a.value, right.value), jt, jf)
}

// wanted draws a way that does not miss the goal; at the goal any, and a new goal behind it.
func (s *steerer) wanted(pc, jt, jf int) bool {
	if pc >= s.goal {
		s.goal = pc + 1 + s.IntN(len(s.p)-pc-1)
		return s.IntN(2) == 0
	}
	if passT, passF := jt > s.goal, jf > s.goal; passT != passF {
		return passF
	}
	return s.IntN(2) == 0
}

func pickPC(taken bool, jt, jf int) int {
	if taken {
		return jt
	}
	return jf
}

func compare(fn uint16, a, b uint32) bool {
	switch fn {
	case cbpf.Eq:
		return a == b
	case cbpf.Gt:
		return a > b
	case cbpf.Ge:
		return a >= b
	default:
		return a&b != 0
	}
}

// example is a value for which a comparison with k comes out as wanted, where there is one.
func (s *steerer) example(fn uint16, k uint32, want bool) uint32 {
	near := s.Uint32N(2)
	switch {
	case compare(fn, s.a.value, k) == want:
		return s.a.value
	case fn == cbpf.Eq && want, fn == cbpf.Gt && !want, fn == cbpf.Ge && want:
		return k
	case fn == cbpf.Set && want:
		return k & -(k >> near << near)
	case fn == cbpf.Set:
		return 0
	case fn == cbpf.Ge:
		return k - 1
	default:
		return k + 1 + near
	}
}

// set changes the packet so that A is the value, as far as its mask allows.
func (s *steerer) set(value uint32) {
	if value == s.a.value {
		return
	}
	var word [4]byte
	field := s.word(s.a)
	binary.BigEndian.PutUint32(word[:], field&^s.a.mask|value<<s.a.shift&s.a.mask)
	copy(s.data[s.a.at:], word[4-s.a.size:])
	s.a.value = s.bytes(s.a)
}

// bytes is the value that the packet has now for an operand.
func (s *steerer) bytes(o operand) uint32 { return s.word(o) & o.mask >> o.shift }

func (s *steerer) word(o operand) uint32 {
	var word [4]byte
	copy(word[4-o.size:], s.data[o.at:o.at+o.size])
	return binary.BigEndian.Uint32(word[:])
}
