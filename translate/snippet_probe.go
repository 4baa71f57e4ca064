package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// SnippetAccess is how a snippet gets at the bytes of the packet.
type SnippetAccess uint8

const (
	// AccessDirect loads between two pointers of which the verifier knows that they point at a packet.
	AccessDirect SnippetAccess = iota
	// AccessProbe reads by the helper function probe_read_kernel from what is just an address in the memory of the kernel, as
	// programs at functions of the kernel find packets: skb->head + skb->mac_header, say. Programs need the licence GPL and
	// Linux 5.5 for it. Calls destroy R0 to R5, so these are all the snippet's, and the two pointers, Working[1] and
	// Working[2] must be R6 to R9. The stack is in use for 144 bytes below StackOffset.
	AccessProbe
)

// keptByCalls are the registers that calls leave alone.
var keptByCalls = setOf(ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9)

// checkProbe says what makes no sense for AccessProbe.
func (o *SnippetOptions) checkProbe() error {
	for _, r := range []struct {
		name string
		reg  ebpf.Register
	}{{"PacketStart", o.PacketStart}, {"PacketEnd", o.PacketEnd}, {"Working[1]", o.Working[1]}, {"Working[2]", o.Working[2]}} {
		if !keptByCalls.has(r.reg) {
			return fmt.Errorf("snippet: %s is %s, which calls destroy; for AccessProbe it is one of r6 to r9", r.name, r.reg)
		}
	}
	return nil
}

// probing reads a packet between two addresses.
type probing struct{ pointers }

func (s *probing) holds() registers {
	w := s.Working
	return registers{
		regA: w[1], regX: w[2], regTmp: w[0], regKept: w[0], regZero: w[3], copyA: w[0], copyX: w[3], regResult: s.Result, lost: byCalls,
	}
}

// slot is where bytes are read to, above the scratch words and the copies.
func (s *probing) slot() int16 { return -int16((s.StackOffset+7)&^7) - 8 }

// stackOfProbes is how many bytes of the stack are in use, below StackOffset.
const stackOfProbes = 144

// mostProbed is how far from the start of a packet its bytes may be: an immediate operand has room for it.
const mostProbed = 1 << 30

func (s *probing) ends(k uint32, size int) bool { return uint64(s.place(k))+uint64(size) > mostProbed }

func (s *probing) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	off := int32(s.place(k))
	s.captured(e, regTop)
	e.goUnless(ebpf.JSGe.Imm(regTop, off+int32(size)), miss)
	e.b.Emit(ebpf.Mov.Imm(regAt, off))
	s.read(e, dst, size, miss)
}

// loadIndexed: no sum of an address and 32 bits is looked at before it is known that it lies in the packet.
func (s *probing) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	e.b.Emit(ebpf.Mov.Imm32(regAt, k), ebpf.Add.Reg32(regAt, index))
	if reach == withWindows && s.Windows {
		e.outOfWindow(regAt, uint32(s.NetOff), miss)
	}
	s.captured(e, regTop)
	e.b.Emit(ebpf.Sub.Imm(regTop, int32(size)))
	e.goUnless(ebpf.JSGe.Reg(regTop, regAt), miss)
	s.read(e, dst, size, miss)
}

// captured puts the length of the packet into dst: 64 bits, negative where the end is in front of the start.
func (s *probing) captured(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Mov.Reg(dst, s.PacketEnd), ebpf.Sub.Reg(dst, s.PacketStart))
}

// read loads what is at regAt in the packet.
func (s *probing) read(e *emitter, dst ebpf.Register, size int, miss ebpf.Label) {
	e.b.Emit(ebpf.Mov.Reg(ebpf.R3, s.PacketStart), ebpf.Add.Reg(ebpf.R3, regAt))
	e.probeRead(s.slot(), size)
	e.goUnless(ebpf.JEq.Imm(ebpf.R0, 0), miss)
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, s.slot()))
	e.toHost(dst, size)
}

func (s *probing) hook() *hook {
	return &hook{
		ends:       s.ends,
		place:      func(k uint32) (uint32, bool) { return s.place(k), true },
		most:       mostProbed,
		ownFar:     true,
		packetOnly: true,
		hatype:     s.hatype,
	}
}

// ahead: what is behind the packet only the user of the snippet knows.
func (*probing) ahead() bool { return false }

func (*probing) asking() registerSet { return setOf(ebpf.R0, ebpf.R1) }

// refuses: what is behind the packet can be read too.
func (*probing) refuses() bool { return false }

func (s *probing) within(e *emitter, base ebpf.Register, bytes int64) {
	e.asked(base, bytes, func(dst ebpf.Register) { s.captured(e, dst) })
}

func (s *probing) copyTo(e *emitter, to int16, base ebpf.Register, off int64, n int, miss ebpf.Label) {
	e.probeCopy(to, s.PacketStart, base, off, n, miss)
}

func (s *probing) layout(p cbpf.Program, twin bool) layout {
	at := s.pointers.layout(p, twin)
	at.pinned = at.pinned&^byCalls | setOf(ebpf.R10)
	at.copier = s
	at.lostByLoads, at.bases = 0, 0
	at.stack = s.slot()
	at.most = min(s.StackOffset+stackOfProbes, ebpf.StackSize)
	return at
}
