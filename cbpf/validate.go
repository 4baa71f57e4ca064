package cbpf

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Faults of a program: the rules of the kernel, bpf_check_classic and check_load_and_stores in net/core/filter.c
// (Linux 6.18). ReasonEmpty and ReasonTooManyInsns are two more.
const (
	ReasonUnknownOpcode    Reason = "unknown opcode"
	ReasonDivisionByZero   Reason = "division by zero"
	ReasonShiftTooFar      Reason = "shift too far"
	ReasonNoSuchWord       Reason = "no such word of scratch memory"
	ReasonJumpOutside      Reason = "jump past the end"
	ReasonJumpBackwards    Reason = "jump backwards"
	ReasonUnknownExtension Reason = "unknown extension"
	ReasonNoReturn         Reason = "program does not end with a return"
	ReasonUnsetWord        Reason = "scratch memory read before it is written"
)

// maxViolations bounds what Validate reports. A program that breaks more rules than that is no program.
const maxViolations = 100

// Validate reports whether the kernel's classic checker accepts a program. If not, the error is an Errors with every
// violation in order of pc, up to a hundred. Unreachable code is judged like any other.
//
// An accepted program may still fail to load: the kernel limits the memory of a socket and the reach of the jumps after
// its own conversion.
func Validate(p Program) error { return validate(p, func(*validator, int, bpf.RawInstruction) {}) }

// validate applies the rules of Validate, and one more to each instruction.
func validate(p Program, more func(v *validator, pc int, ins bpf.RawInstruction)) error {
	v := validator{prog: p, unset: 0xffff, masks: make([]uint16, len(p))}
	switch {
	case len(p) == 0:
		v.fail(-1, ReasonEmpty, "1 to %d are accepted", MaxInsns)
	case len(p) > MaxInsns:
		v.fail(-1, ReasonTooManyInsns, "%d, %d are the most", len(p), MaxInsns)
	}
	for pc := 0; pc < len(p) && len(v.errs) < maxViolations; pc++ {
		v.check(pc, p[pc])
		more(&v, pc, p[pc])
		v.flow(pc, p[pc])
	}
	if last := len(p) - 1; last >= 0 && !isReturn(p[last].Op) {
		v.fail(last, ReasonNoReturn, "the last instruction must be `ret #k` or `ret`")
	}
	return v.errs.asError()
}

func isReturn(code uint16) bool { return code == OpRetK || code == OpRetA }

// validator holds the state of one pass over a program, with that of the scratch dataflow.
type validator struct {
	prog  Program
	errs  Errors
	unset uint16   // the words that may be unset at the pc being checked, one bit a word; the kernel keeps the complement
	masks []uint16 // for each pc, the words that may be unset on a jump to it
}

func (v *validator) fail(pc int, r Reason, format string, args ...any) {
	if len(v.errs) < maxViolations {
		v.errs = append(v.errs, &Error{Reason: r, PC: pc, Detail: fmt.Sprintf(format, args...)})
	}
}

// check applies the rules that look at one instruction alone.
func (v *validator) check(pc int, ins bpf.RawInstruction) {
	info := Info(ins.Op)
	if info == nil {
		v.fail(pc, ReasonUnknownOpcode, "0x%x%s", ins.Op, adviceOnOpcode(ins.Op))
		return
	}
	switch info.Form {
	case FormImm:
		v.checkImm(pc, ins, info)
	case FormMem:
		if ins.K >= ScratchWords {
			v.fail(pc, ReasonNoSuchWord, "M[%d], M[%d] is the last", ins.K, ScratchWords-1)
		}
	case FormJump:
		v.checkTarget(pc, "target", uint64(ins.K))
	case FormCondK, FormCondX:
		v.checkTarget(pc, "jt", uint64(ins.Jt))
		v.checkTarget(pc, "jf", uint64(ins.Jf))
	case FormAbs:
		if ext, ok := Extension(ins.K); ok && ext.String() == "" {
			v.fail(pc, ReasonUnknownExtension, "offset 0x%x is extension %d, and there are the multiples of 4 up to %d",
				ins.K, uint32(ext), uint32(Exts[len(Exts)-1].Ext))
		}
	}
}

// adviceOnOpcode says of an opcode that there is not what may be meant by it.
func adviceOnOpcode(code uint16) string {
	info := Info(code<<8 | code>>8)
	switch {
	case code == retX.Code:
		return ", ret x; use txa and ret"
	case info != nil && code > 0xff:
		return fmt.Sprintf("; it would be %s in the other order of bytes", info.Name)
	case code&classBits == classLdx && Info(code&^classBits|classLd) != nil:
		return fmt.Sprintf("; X cannot be loaded so: use %s and tax", Info(code&^classBits|classLd).Name)
	}
	return ""
}

// checkImm applies the rules on constant operands. Only arithmetic has any: Fn is 0 for the other opcodes.
func (v *validator) checkImm(pc int, ins bpf.RawInstruction, info *OpInfo) {
	switch info.Fn {
	case Div, Mod:
		if ins.K == 0 {
			v.fail(pc, ReasonDivisionByZero, "%s #0; the verdict would be 0: ret #0", info.Name)
		}
	case Lsh, Rsh:
		if ins.K >= 32 {
			v.fail(pc, ReasonShiftTooFar, "%s #%d, 31 is the most; a longer one would leave 0: ld #0", info.Name, ins.K)
		}
	}
}

// checkTarget checks a jump over skip instructions. To the kernel one backwards goes far forward, past the end; those who
// wrote it, as tcpdump does for protochain, mean the negative number.
func (v *validator) checkTarget(pc int, name string, skip uint64) {
	target := uint64(pc) + 1 + skip
	back := pc + 1 + int(int32(skip))
	switch {
	case target < uint64(len(v.prog)):
	case back >= 0 && back <= pc:
		v.fail(pc, ReasonJumpBackwards, "to (%03d); the kernel takes forward ones only; unroll the loop to a depth that is enough: --unroll N", back)
	default:
		v.fail(pc, ReasonJumpOutside, "%s %d, the last instruction is %d", name, target, len(v.prog)-1)
	}
}

// flow follows which words of scratch memory may be unset, in one pass, as the kernel does: a word is unset at pc if it
// is on any way there. Behind a jump only the jumps to a place count, so that what none reaches has every word set;
// behind a return it is as in front of it, though nothing flows there.
func (v *validator) flow(pc int, ins bpf.RawInstruction) {
	v.unset |= v.masks[pc]
	info := Info(ins.Op)
	if info == nil {
		return
	}
	switch info.Form {
	case FormMem:
		word := uint16(1) << (ins.K % ScratchWords)
		switch {
		case ins.K >= ScratchWords: // already refused
		case info.Writes&Mem != 0:
			v.unset &^= word
		case v.unset&word != 0:
			v.fail(pc, ReasonUnsetWord, "M[%d]; a store must come first on every way to it", ins.K)
		}
	case FormJump:
		v.join(uint64(pc) + 1 + uint64(ins.K))
		v.unset = 0
	case FormCondK, FormCondX:
		v.join(uint64(pc) + 1 + uint64(ins.Jt))
		v.join(uint64(pc) + 1 + uint64(ins.Jf))
		v.unset = 0
	}
}

// join carries what is unset to the target of a jump; one outside of the program is refused already.
func (v *validator) join(target uint64) {
	if target < uint64(len(v.masks)) {
		v.masks[target] |= v.unset
	}
}
