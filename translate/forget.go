package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// What programs do so that the kernel's verifier comes to an end with them.

// The verifier follows all paths of a program, and gives up after a million instructions. Where paths meet it goes on with
// one of them only if it knows no more on the other; but it knows each constant and each range that A, X or M[k] had on
// the way, and what comparisons have taught it. So a program with more paths than can be followed one by one forgets: a zero
// that the verifier takes for an unknown number is mixed into A and X wherever they get a value, copies of them are
// compared, and M[k] lies at places of the stack whose contents the verifier does not follow, the upper halves of 8 bytes.
// So it knows the same of all values on all paths, which is nothing.
//
// To forget where paths meet would not do: the verifier looks at what it knew right before. As long as it does not matter
// later that is no hindrance; but at legacy loads it takes everything to matter.

// makeZero makes the zero out of the unknown number that begin left in regZero.
func (e *emitter) makeZero() {
	e.b.Emit(ebpf.Mov.Reg32(e.regA, e.regZero), ebpf.Xor.Reg32(e.regZero, e.regA))
}

// mixZero makes the verifier take a register for an unknown number.
func (e *emitter) mixZero(r ebpf.Register) {
	if e.forget {
		e.renewZero()
		e.b.Emit(ebpf.Xor.Reg32(r, e.regZero))
	}
}

// renewZero sees to it that regZero holds the zero, where no register keeps it.
func (e *emitter) renewZero() {
	if e.newZero != nil {
		e.newZero()
	}
}

// The copies of A and X that are compared, for programs. No target with a verifier has anything in these registers from one
// classic instruction to the next.
const (
	regCopyA = ebpf.R2
	regCopyX = ebpf.R3
)

// compared returns a register to compare in the place of A or X: that itself, or the copy of which the verifier may learn.
func (e *emitter) compared(r ebpf.Register) ebpf.Register {
	if !e.forget {
		return r
	}
	e.renewZero()
	e.b.Emit(ebpf.Mov.Reg32(e.copyA, r), ebpf.Xor.Reg32(e.copyA, e.regZero))
	return e.copyA
}

// comparedBoth does so for both.
func (e *emitter) comparedBoth() (a, x ebpf.Register) {
	if !e.forget {
		return e.regA, e.regX
	}
	a = e.compared(e.regA)
	if e.copyX != e.regZero {
		e.b.Emit(ebpf.Mov.Reg32(e.copyX, e.regZero))
	}
	e.b.Emit(ebpf.Xor.Reg32(e.copyX, e.regX))
	return a, e.copyX
}

// scratchOffset is the place of M[k], counted from the frame pointer: below M[k-1], as in the kernel's own translation.
// Words that the verifier shall not follow are the upper halves of 8 bytes each. In snippets, whose words others place, they are
// unknown numbers before they get there.
func (e *emitter) scratchOffset(k uint32) int16 {
	if e.forget && e.newZero == nil {
		return -8*int16(k) - 4
	}
	return -4*(int16(k)+1) - int16(e.taken)
}

// The verifier sets a second limit. Of each comparison on a path it puts one way aside, the jump, until it has followed the
// other to its end, and gives up with more ways put aside than asideMost. With 4096 loads in a row that allows for two
// comparisons a load. So in programs that come near the limit no comparison jumps to a miss: it jumps over a jump there, and
// the verifier, done with the miss at once, goes on with nothing put aside. Of the ways through a load that lead on, the
// first one that the verifier follows has two other comparisons at most.
const (
	asideMost = 8192 // BPF_COMPLEXITY_LIMIT_JMP_SEQ
	loadJumps = 5    // the most comparisons on any way through a load
)

// goUnless goes to the label, which may be e.drop, unless the condition holds.
func (e *emitter) goUnless(cond ebpf.Instruction, to ebpf.Label) {
	if e.crowded {
		e.only(cond, to)
		return
	}
	invert(&cond)
	e.goIf(cond, to)
}

// only is goUnless for code that is full of comparisons by itself.
func (e *emitter) only(cond ebpf.Instruction, elsewhere ebpf.Label) {
	on := e.b.NewLabel()
	e.b.Branch(cond, on)
	e.goIf(ebpf.Jump(), elsewhere)
	e.b.Place(on)
}

// grown is the most slots that kernels are known to make of an instruction when they load it (bpf_gen_ld_abs and
// bpf_convert_ctx_access in net/core/filter.c, bpf_do_misc_fixups in kernel/bpf/verifier.c, Linux 6.18), and one more.
func grown(ins ebpf.Instruction) int {
	switch info := ins.Op.Info(); info.Form {
	case ebpf.FormLoadAbs, ebpf.FormLoadInd:
		return 8 // a call, and an end if that fails
	case ebpf.FormLoad:
		return 4 // of the context: by way of a pointer that may be 0
	case ebpf.FormCall:
		return 4 // what the helper function does
	case ebpf.FormALUReg:
		if info.ALU == ebpf.Div || info.ALU == ebpf.Mod {
			return 5 // a division, or what it yields for 0
		}
	}
	return 1
}
