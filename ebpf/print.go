package ebpf

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Dialect is a way to write instructions.
type Dialect uint8

// The dialects. Both write a well-formed instruction (see Instruction.Malformed) so that its text names every field that
// counts; registers 11 to 15 may occur in it, as they do in what the kernel makes of a program. Any other slot is
//
//	.insn 0xbf21050000000000 ; r1 = r2
//
// with its 8 bytes in little-endian encoding order and, as a comment, what it looks like.
const (
	// LLVM is the dialect of llvm-objdump, plus what version 14 of it leaves out: `r0 = *(u16 *)skb[r7 + 4]` has its
	// constant, `call pc+5` and `call kernel-function#9` are not helper calls.
	LLVM Dialect = iota
	// Xlated is the dialect of `bpftool prog dump xlated` and of the kernel verifier's log.
	Xlated
)

// Print returns the listing of the program: one line an instruction, numbered by its pc. A wide constant is one line and
// skips a number.
func Print(p Program, d Dialect) string {
	var b strings.Builder
	_ = Fprint(&b, p, d) // a Builder takes everything
	return b.String()
}

// Fprint writes what Print returns.
func Fprint(w io.Writer, p Program, d Dialect) error {
	format := "%8d:\t%s\n"
	if d == Xlated {
		format = "%4d: %s\n"
	}
	for pc := 0; pc < len(p); {
		text, slots := p.Line(pc, d)
		if _, err := fmt.Fprintf(w, format, pc, text); err != nil {
			return err
		}
		pc += slots
	}
	return nil
}

// String is the listing in the dialect LLVM.
func (p Program) String() string { return Print(p, LLVM) }

// Line is the text of the instruction at pc, an index into p, and the number of slots it takes: 2 for a wide constant.
func (p Program) Line(pc int, d Dialect) (text string, slots int) {
	i := p[pc]
	if i.Op == OpLoadWide {
		value, ok := p.Wide(pc)
		if text, whole := d.wide(i, value); ok && whole && i.printable() {
			return d.tag(i) + text, 2
		}
		return raw(i), 1
	}
	text = d.text(i)
	switch {
	case text == "":
		return raw(i), 1
	case !i.printable():
		return raw(i) + " ; " + d.tag(i) + text, 1
	}
	return d.tag(i) + text, 1
}

// printable reports whether the text of the instruction loses nothing.
func (i Instruction) printable() bool {
	reason := i.Malformed()
	return reason == "" || reason == ReasonBadRegister
}

func raw(i Instruction) string {
	return fmt.Sprintf(".insn 0x%x", Encode(Program{i}, binary.LittleEndian))
}

// tag is what stands before the text: bpftool shows the opcode.
func (d Dialect) tag(i Instruction) string {
	if d == Xlated {
		return fmt.Sprintf("(%02x) ", uint8(i.Op))
	}
	return ""
}

// text is the instruction, "" for an unknown one. Wide constants are the business of wide.
func (d Dialect) text(i Instruction) string {
	info := i.Op.Info()
	dst, src := operand(i.Dst, info), operand(i.Src, info)
	switch info.Form {
	case FormALUImm:
		return fmt.Sprintf("%s %s %d", dst, aluSign(i, info), i.Imm)
	case FormALUReg:
		return fmt.Sprintf("%s %s %s%s", dst, aluSign(i, info), cast(i), src)
	case FormNeg:
		return fmt.Sprintf("%s = -%s", dst, dst)
	case FormEnd:
		return fmt.Sprintf("%s = %s%d %s", i.Dst, info.Sign, i.Imm, i.Dst)
	case FormLoad:
		return fmt.Sprintf("%s = %s", i.Dst, d.memory(info, i.Src, i.Off))
	case FormStoreImm:
		return fmt.Sprintf("%s = %d", d.memory(info, i.Dst, i.Off), i.Imm)
	case FormStoreReg:
		return fmt.Sprintf("%s = %s", d.memory(info, i.Dst, i.Off), i.Src)
	case FormLoadAbs:
		return fmt.Sprintf("r0 = *(%s *)skb[%d]", memoryType(info), i.Imm)
	case FormLoadInd:
		return fmt.Sprintf("r0 = *(%s *)skb[%s]", memoryType(info), d.index(i))
	case FormJump, FormJumpLong:
		return fmt.Sprintf("%s %s", info.Sign, d.distance(i))
	case FormCondImm:
		return fmt.Sprintf("if %s %s %s goto %s", dst, info.Sign, d.right(i.Imm), d.distance(i))
	case FormCondReg:
		return fmt.Sprintf("if %s %s %s goto %s", dst, info.Sign, src, d.distance(i))
	case FormCall:
		return "call " + d.callee(i)
	case FormExit:
		return info.Sign
	}
	return ""
}

// operand is a register as arithmetic and comparisons write it: w for the low half.
func operand(r Register, info *OpInfo) string {
	if info.Wide {
		return r.String()
	}
	return fmt.Sprintf("w%d", uint8(r))
}

func aluSign(i Instruction, info *OpInfo) string {
	if i.SignedDivision() {
		return "s" + info.Sign
	}
	return info.Sign
}

// cast is what stands before the source of a move that extends the sign.
func cast(i Instruction) string {
	if bits := i.MoveBits(); bits != 0 {
		return fmt.Sprintf("(s%d)", bits)
	}
	return ""
}

func memoryType(info *OpInfo) string {
	if info.Signed {
		return fmt.Sprintf("s%d", info.Size*8)
	}
	return fmt.Sprintf("u%d", info.Size*8)
}

func (d Dialect) memory(info *OpInfo, base Register, off int16) string {
	if d == Xlated {
		return fmt.Sprintf("*(%s *)(%s %+d)", memoryType(info), base, off)
	}
	return fmt.Sprintf("*(%s *)(%s)", memoryType(info), sum(base, int64(off)))
}

// sum is `r1 + 4` or `r1 - 4`.
func sum(base Register, off int64) string {
	if off < 0 {
		return fmt.Sprintf("%s - %d", base, -off)
	}
	return fmt.Sprintf("%s + %d", base, off)
}

// index is the place that LoadInd reads.
func (d Dialect) index(i Instruction) string {
	switch {
	case d == Xlated:
		return fmt.Sprintf("%s + %d", i.Src, i.Imm)
	case i.Imm == 0:
		return i.Src.String()
	}
	return sum(i.Src, int64(i.Imm))
}

// right is the constant of a comparison.
func (d Dialect) right(imm int32) string {
	if d == Xlated {
		return fmt.Sprintf("0x%x", uint32(imm))
	}
	return fmt.Sprint(imm)
}

// distance is the number of slots between a jump and its target, counted from the slot after the jump.
func (d Dialect) distance(jump Instruction) string {
	n, _ := jump.Target(-1)
	if d == Xlated {
		return fmt.Sprintf("pc%+d", n)
	}
	return fmt.Sprintf("%+d", n)
}

func (d Dialect) callee(i Instruction) string {
	switch {
	case i.Src == CallKindLocal:
		return fmt.Sprintf("pc%+d", i.Imm)
	case i.Src == CallKindKernel:
		return fmt.Sprintf("kernel-function#%d", i.Imm)
	case d == Xlated:
		return fmt.Sprintf("%s#%d", helperName(i.Imm), i.Imm)
	}
	return fmt.Sprint(i.Imm)
}

// wide is the load of a wide constant. whole is false where the form leaves out bits that are set.
func (d Dialect) wide(i Instruction, value uint64) (text string, whole bool) {
	if d == LLVM {
		if i.Src == WideConstant {
			return fmt.Sprintf("%s = %d ll", i.Dst, int64(value)), true
		}
		return fmt.Sprintf("ld_pseudo %s, %d, %d", i.Dst, uint8(i.Src), int64(value)), true
	}
	low, high := uint32(value), uint32(value>>32)
	what, whole := "", true
	switch i.Src {
	case WideMapFD:
		what, whole = fmt.Sprintf("map[id:%d]", low), high == 0
	case WideMapValue:
		what = fmt.Sprintf("map[id:%d][0]+%d", low, high)
	case WideVariable:
		what = fmt.Sprintf("btf[id:%d]+%d", low, high)
	case WideFunction:
		what, whole = fmt.Sprintf("subprog[%+d]", int32(low)), high == 0
	case WideMapIndex:
		what, whole = fmt.Sprintf("map[idx:%d]", low), high == 0
	case WideMapIndexValue:
		what = fmt.Sprintf("map[idx:%d]+%d", low, high)
	default:
		what = fmt.Sprintf("0x%x", value)
	}
	return fmt.Sprintf("%s = %s", i.Dst, what), whole
}
