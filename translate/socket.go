package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// socket reads the packet with the legacy loads, which do all that the classic ones do: they are bounded by the packet,
// paged data and the LL and NET windows included, and end the program with verdict 0 outside of it.
type socket struct {
	netOff uint32 // where to look for the network header first
}

func newSocket(_ cbpf.Program, opts Options) access { return socket{uint32(opts.NetOff)} }

// The legacy loads want the context in r6 and write r0.
func (socket) holds() registers {
	return registers{
		regA: ebpf.R0, regX: ebpf.R7, regTmp: ebpf.R5, regKept: ebpf.R8, regCtx: ebpf.R6, regZero: ebpf.R9, copyA: regCopyA, copyX: regCopyX,
		lost: byCalls,
	}
}

func (socket) entry(e *emitter) { e.b.Emit(ebpf.Mov.Reg(e.regCtx, ebpf.R1)) }

func (socket) begin(e *emitter) {
	if e.forget {
		e.b.Emit(ebpf.Load(4, e.regZero, e.regCtx, ebpf.SkbLen))
	}
}

// ends: the legacy loads find out for themselves.
func (socket) ends(uint32, int) bool { return false }

// loadFixed uses the legacy load where a miss is what that does by itself; elsewhere a helper function reads the bytes.
func (socket) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	if miss == e.drop {
		e.legacy(dst, ebpf.LoadAbs(size, k))
		return
	}
	e.readFixed(dst, size, k, miss)
}

func (socket) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	if miss == e.drop && reach == withWindows {
		e.legacy(dst, ebpf.LoadInd(size, index, k))
		return
	}
	e.readIndexed(dst, index, size, k, reach, miss)
}

func (socket) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Load(4, dst, e.regCtx, ebpf.SkbLen))
}

func (socket) property(e *emitter, dst ebpf.Register, ext cbpf.Ext) bool {
	return e.skbField(dst, e.regCtx, ext)
}

func (socket) hatype() (uint16, bool) { return 0, false }

func (s socket) hook() *hook {
	return &hook{ends: s.ends, place: func(uint32) (uint32, bool) { return 0, false }, ownIndexed: true, hatype: s.hatype}
}

func (s socket) layout(cbpf.Program, bool) layout {
	return layout{pinned: setOf(s.holds().regCtx), stack: plainStack, halves: true}
}
