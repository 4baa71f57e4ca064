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
type socket struct {
	skbHeaders
	forget bool
}

// maxPathInsns is how many classic instructions on all paths together are sure to be followed: each becomes at most 6.
const maxPathInsns = 1_000_000 / 8

// Registers of socket programs: the legacy loads want the context in r6 and write r0.
const (
	regCtx  = ebpf.R6
	regZero = ebpf.R9 // the zero that the verifier does not see through
)

func newSocket(_ cbpf.Program, p paths, opts Options) access {
	return socket{skbHeaders{uint32(opts.NetOff)}, p.visits > maxPathInsns}
}

func (socket) holds() registers {
	return registers{regA: ebpf.R0, regX: ebpf.R7, regTmp: ebpf.R5, regKept: ebpf.R8, lost: byCalls}
}

func (socket) entry(e *emitter) { e.b.Emit(ebpf.Mov.Reg(regCtx, ebpf.R1)) }

func (s socket) begin(e *emitter) {
	if s.forget {
		e.b.Emit(
			ebpf.Load(4, regZero, regCtx, ebpf.SkbLen),
			ebpf.Mov.Reg32(e.regA, regZero),
			ebpf.Xor.Reg32(regZero, e.regA),
		)
	}
}

func (s socket) join(e *emitter) {
	if s.forget {
		e.b.Emit(ebpf.Xor.Reg32(e.regA, regZero), ebpf.Xor.Reg32(e.regX, regZero))
	}
}

// scratchOffset puts the words where the verifier shall not follow them into the upper halves of 8 bytes each.
func (s socket) scratchOffset(k uint32) int16 {
	if s.forget {
		return -8*int16(k) - 4
	}
	return wordBelow(k)
}

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
	e.b.Emit(ebpf.Load(4, dst, regCtx, ebpf.SkbLen))
}

func (socket) field(e *emitter, dst ebpf.Register, off int16) {
	e.b.Emit(ebpf.Load(4, dst, regCtx, off))
}

func (socket) hatype() (uint16, bool) { return 0, false }

func (s socket) hook() *hook {
	return &hook{ends: neverEnds, place: func(uint32) (uint32, bool) { return 0, false }, opaque: true, hatype: s.hatype}
}

func (socket) layout(cbpf.Program, bool) layout { return layout{pinned: setOf(regCtx)} }
