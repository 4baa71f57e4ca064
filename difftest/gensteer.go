package difftest

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

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
	case cbpf.FormMSH: // not changed by comparisons: lengths of headers come from genData
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

// load reads the packet; what lies outside it is unknown.
func (s *steerer) load(at uint32, size int) operand {
	if uint64(at)+uint64(size) > uint64(len(s.data)) {
		return operand{}
	}
	o := operand{known: true, at: int(at), size: size, mask: uint32(1<<(8*size) - 1)}
	o.value = s.bytes(o)
	return o
}

// move copies between scratch and registers: what is known of a value goes with it.
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

// branch returns where a comparison goes. A comparison of something unknown may go either way: nothing is lost when the
// packet then goes the other.
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

// pickPC is the target of a comparison that came out as taken.
func pickPC(taken bool, jt, jf int) int {
	if taken {
		return jt
	}
	return jf
}

// compare is a comparison of the machine; both sides are unsigned.
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
	near := s.Uint32N(2) // off by one and by two
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

// word is the value of all bytes of an operand, not masked.
func (s *steerer) word(o operand) uint32 {
	var word [4]byte
	copy(word[4-o.size:], s.data[o.at:o.at+o.size])
	return binary.BigEndian.Uint32(word[:])
}
