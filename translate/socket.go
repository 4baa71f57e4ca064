package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// socket reads the packet with the legacy loads, which do all that the classic ones do: they are bounded by the packet,
// paged data and the LL and NET windows included, and end the program with verdict 0 outside of it.
type socket struct{}

// Registers of socket programs: the legacy loads want the context in r6 and write r0.
const (
	regCtx  = ebpf.R6
	regKept = ebpf.R8 // holds A while a load into X uses r0
)

func newSocket(cbpf.Program, Options) access { return socket{} }

func (socket) entry(e *emitter) { e.b.Emit(ebpf.Mov.Reg(regCtx, ebpf.R1)) }

func (socket) ends(uint32, int) bool { return false }

func (socket) loadAbs(e *emitter, size int, k uint32) { e.b.Emit(ebpf.LoadAbs(size, k)) }

func (socket) loadInd(e *emitter, size int, k uint32) { e.b.Emit(ebpf.LoadInd(size, regX, k)) }

func (socket) loadMSH(e *emitter, k uint32) {
	e.b.Emit(
		ebpf.Mov.Reg32(regKept, regA),
		ebpf.LoadAbs(1, k),
		ebpf.Mov.Reg32(regX, regA),
		ebpf.Mov.Reg32(regA, regKept),
	)
}

func (socket) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Load(4, dst, regCtx, ebpf.SkbLen))
}

func (socket) field(e *emitter, dst ebpf.Register, off int16) {
	e.b.Emit(ebpf.Load(4, dst, regCtx, off))
}

func (socket) hatype() (uint16, bool) { return 0, false }
