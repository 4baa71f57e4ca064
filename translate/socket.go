package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// socket reads the packet with the legacy loads, which do all that the classic ones do: they are bounded by the packet,
// paged data and the LL and NET windows included, and end the program with verdict 0 outside of it.
//
// The kernel's verifier follows all paths of a program, and gives up after a million instructions. Where paths meet it
// goes on with one of them only if it knows no more on the other; but it knows each constant and each range that A, X or
// M[k] had on the way. So a program with more paths than can be followed one by one forgets at each join: a zero that
// the verifier takes for an unknown number is mixed into A and X, and M[k] lies at places of the stack whose contents it
// does not follow.
type socket struct{ forget bool }

// maxPathInsns is how many classic instructions on all paths together are sure to be followed: each becomes at most 6.
const maxPathInsns = 1_000_000 / 8

// Registers of socket programs: the legacy loads want the context in r6 and write r0.
const (
	regCtx  = ebpf.R6
	regKept = ebpf.R8 // holds A while a load into X uses r0
	regZero = ebpf.R9 // the zero that the verifier does not see through
)

func newSocket(_ cbpf.Program, p paths, _ Options) access {
	return socket{forget: p.visits > maxPathInsns}
}

func (s socket) entry(e *emitter) {
	e.b.Emit(ebpf.Mov.Reg(regCtx, ebpf.R1))
	if s.forget {
		e.b.Emit(
			ebpf.Load(4, regZero, regCtx, ebpf.SkbLen),
			ebpf.Mov.Reg32(regA, regZero),
			ebpf.Xor.Reg32(regZero, regA),
		)
	}
}

func (s socket) join(e *emitter) {
	if s.forget {
		e.b.Emit(ebpf.Xor.Reg32(regA, regZero), ebpf.Xor.Reg32(regX, regZero))
	}
}

// scratchOffset puts the words where the verifier shall not follow them into the upper halves of 8 bytes each.
func (s socket) scratchOffset(k uint32) int16 {
	if s.forget {
		return -8*int16(k) - 4
	}
	return wordBelow(k)
}

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
