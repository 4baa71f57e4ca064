package ebpf

import (
	"encoding/binary"
	"io"
	"strconv"
)

// Dialect is a way to write instructions.
type Dialect uint8

// The dialects. All write a well-formed instruction (see Instruction.Malformed) so that its text names every field that
// counts; registers 11 to 15 may occur in it, as they do in what the kernel makes of a program. Any other slot is
//
//	.insn 0xbf21050000000000 ; r1 = r2
//
// with its 8 bytes in little-endian encoding order and, as a comment, what it looks like. Assemble reads them all.
const (
	// LLVM is the dialect of llvm-objdump, plus what version 14 of it leaves out: `r0 = *(u16 *)skb[r7 + 4]` has its
	// constant, `call pc+5` and `call kernel-function#9` are not helper calls, 32-bit atomic operations name `w2`.
	LLVM Dialect = iota
	// Xlated is the dialect of `bpftool prog dump xlated` and of the kernel verifier's log.
	Xlated
	// Mnemonic is the dialect of uBPF and bpf_conformance: `ldxh %r0, [%r1+12]`.
	Mnemonic
)

func (d Dialect) String() string {
	switch d {
	case Xlated:
		return "xlated"
	case Mnemonic:
		return "mnemonic"
	}
	return "llvm"
}

// Print returns the listing of the program: one line an instruction, numbered by its pc. A wide constant is one line and
// skips a number.
func Print(p Program, d Dialect) string { return string(AppendText(nil, p, d)) }

// Fprint writes what Print returns.
func Fprint(w io.Writer, p Program, d Dialect) error {
	_, err := w.Write(AppendText(nil, p, d))
	return err
}

// AppendText appends to b what Print returns.
func AppendText(b []byte, p Program, d Dialect) []byte {
	for pc := 0; pc < len(p); {
		line, slots := p.appendNumbered(b, pc, d)
		b = append(line, '\n')
		pc += slots
	}
	return b
}

// appendNumbered appends a line of the listing, without its end.
func (p Program) appendNumbered(b []byte, pc int, d Dialect) (line []byte, slots int) {
	width, after := 8, ":\t"
	if d == Xlated {
		width, after = 4, ": "
	}
	return p.appendLine(append(appendPadded(b, pc, width), after...), pc, d)
}

// appendPadded appends the number, with spaces before it up to the width.
func appendPadded(b []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			break
		}
		limit *= 10
	}
	const spaces = "        "
	return strconv.AppendInt(append(b, spaces[:width-1]...), int64(n), 10)
}

// String is the listing in the dialect LLVM.
func (p Program) String() string { return Print(p, LLVM) }

// Line is the text of the instruction at pc, an index into p, and the number of slots it takes: 2 for a wide constant.
func (p Program) Line(pc int, d Dialect) (text string, slots int) {
	b, slots := p.appendLine(nil, pc, d)
	return string(b), slots
}

// appendLine appends what Line returns.
func (p Program) appendLine(b []byte, pc int, d Dialect) (line []byte, slots int) {
	i := p[pc]
	if i.Op == OpLoadWide {
		value, ok := p.Wide(pc)
		if ok && i.printable() && d.shows(i, value) {
			return d.appendWide(d.appendTag(b, i), i, value), 2
		}
		return appendRaw(b, i), 1
	}
	if i.printable() {
		return d.appendInstruction(d.appendTag(b, i), i), 1
	}
	b = appendRaw(b, i)
	if i.Op.Info().Form == FormInvalid || i.Op.Info().Form == FormAtomic {
		return b, 1
	}
	return d.appendInstruction(d.appendTag(append(b, " ; "...), i), i), 1
}

// printable reports whether the text of the instruction loses nothing.
func (i Instruction) printable() bool {
	reason := i.Malformed()
	return reason == "" || reason == ReasonBadRegister
}

func raw(i Instruction) string { return string(appendRaw(nil, i)) }

const hexDigits = "0123456789abcdef"

func appendRaw(b []byte, i Instruction) []byte {
	b = append(b, ".insn 0x"...)
	var slot [SlotSize]byte
	for _, c := range AppendTo(slot[:0], Program{i}, binary.LittleEndian) {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

// appendTag appends what stands before the text: bpftool shows the opcode.
func (d Dialect) appendTag(b []byte, i Instruction) []byte {
	if d != Xlated {
		return b
	}
	return append(b, '(', hexDigits[i.Op>>4], hexDigits[i.Op&15], ')', ' ')
}

// appendInstruction appends the text of an instruction that is not of FormInvalid. Wide constants are the business of
// appendWide.
func (d Dialect) appendInstruction(b []byte, i Instruction) []byte {
	if d == Mnemonic {
		return appendMnemonic(b, i)
	}
	info := i.Op.Info()
	switch info.Form {
	case FormALUImm, FormALUReg, FormNeg, FormEnd:
		return appendArithmetic(b, i, info)
	case FormLoad:
		return d.appendMemory(append(i.Dst.appendTo(b), " = "...), info, i.Src, i.Off)
	case FormStoreImm:
		return appendInt(append(d.appendMemory(b, info, i.Dst, i.Off), " = "...), i.Imm)
	case FormStoreReg:
		return i.Src.appendTo(append(d.appendMemory(b, info, i.Dst, i.Off), " = "...))
	case FormAtomic:
		return d.appendAtomic(b, i, info)
	case FormLoadAbs, FormLoadInd:
		return d.appendPacketLoad(b, i, info)
	case FormJump, FormJumpLong, FormMayGoto:
		return d.appendDistance(append(append(b, info.Sign...), ' '), i)
	case FormCondImm, FormCondReg:
		return d.appendCondition(b, i, info)
	case FormCall:
		return d.appendCallee(append(b, "call "...), i)
	}
	return append(b, info.Sign...) // exit
}

func appendInt(b []byte, n int32) []byte { return strconv.AppendInt(b, int64(n), 10) }

// appendSigned is appendInt with the sign of positive numbers too.
func appendSigned(b []byte, n int) []byte {
	if n >= 0 {
		b = append(b, '+')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func (r Register) appendTo(b []byte) []byte { return strconv.AppendUint(append(b, 'r'), uint64(r), 10) }

// appendOperand appends the register as arithmetic and comparisons write it: w for the low half.
func appendOperand(b []byte, r Register, wide bool) []byte {
	if wide {
		return r.appendTo(b)
	}
	return strconv.AppendUint(append(b, 'w'), uint64(r), 10)
}

// appendArithmetic appends `r1 += 5`, `w1 s/= w2`, `r1 = (s8)r2`, `r1 = -r1` or `r1 = be16 r1`.
func appendArithmetic(b []byte, i Instruction, info *OpInfo) []byte {
	if info.Form == FormEnd {
		b = append(append(i.Dst.appendTo(b), " = "...), info.Sign...)
		return i.Dst.appendTo(append(appendInt(b, i.Imm), ' '))
	}
	b = append(appendOperand(b, i.Dst, info.Wide), ' ')
	if info.Form == FormNeg {
		return appendOperand(append(b, "= -"...), i.Dst, info.Wide)
	}
	if i.SpaceCast() {
		b = i.Src.appendTo(append(b, "= addr_space_cast("...))
		return append(appendSpaces(append(b, ", "...), i), ')')
	}
	if i.SignedDivision() {
		b = append(b, 's')
	}
	b = append(append(b, info.Sign...), ' ')
	if info.Form == FormALUImm {
		return appendInt(b, i.Imm)
	}
	if bits := i.MoveBits(); bits != 0 {
		b = append(strconv.AppendInt(append(b, "(s"...), int64(bits), 10), ')')
	}
	return appendOperand(b, i.Src, info.Wide)
}

// appendSpaces appends the two address spaces of a cast.
func appendSpaces(b []byte, i Instruction) []byte {
	b = strconv.AppendUint(b, uint64(uint32(i.Imm)>>16), 10)
	return strconv.AppendUint(append(b, ", "...), uint64(uint16(i.Imm)), 10)
}

// appendCondition appends `if r1 > 5 goto +2`.
func (d Dialect) appendCondition(b []byte, i Instruction, info *OpInfo) []byte {
	b = append(appendOperand(append(b, "if "...), i.Dst, info.Wide), ' ')
	b = append(append(b, info.Sign...), ' ')
	switch {
	case info.Form == FormCondReg:
		b = appendOperand(b, i.Src, info.Wide)
	case d == Xlated:
		b = strconv.AppendUint(append(b, "0x"...), uint64(uint32(i.Imm)), 16)
	default:
		b = appendInt(b, i.Imm)
	}
	return d.appendDistance(append(b, " goto "...), i)
}

// appendDistance appends the number of slots between a jump and its target, counted from the slot after the jump.
func (d Dialect) appendDistance(b []byte, jump Instruction) []byte {
	if d == Xlated {
		b = append(b, "pc"...)
	}
	n, _ := jump.Target(-1)
	return appendSigned(b, n)
}

func (d Dialect) appendCallee(b []byte, i Instruction) []byte {
	switch {
	case i.Src == CallKindLocal:
		return appendSigned(append(b, "pc"...), int(i.Imm))
	case i.Src == CallKindKernel:
		b = append(b, "kernel-function#"...)
	case d == Xlated:
		b = append(append(b, HelperName(i.Imm)...), '#')
	}
	return appendInt(b, i.Imm)
}
