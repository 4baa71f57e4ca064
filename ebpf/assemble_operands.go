package ebpf

import (
	"bytes"
	"math"
	"strconv"
)

// registerName reads a word as a register; wide is false for w0 to w15, the low halves. Registers 11 to 15 are readable,
// lest what Print writes be not.
func registerName(w []byte) (r Register, wide, ok bool) {
	if len(w) < 2 || len(w) > 3 || w[0] != 'r' && w[0] != 'w' || !isDigit(w[1]) {
		return 0, false, false
	}
	n := w[1] - '0'
	if len(w) == 3 {
		if n != 1 || w[2] < '0' || w[2] > '5' {
			return 0, false, false
		}
		n = 10 + w[2] - '0'
	}
	return Register(n), w[0] == 'r', true
}

// register reads a register, with or without the % of the dialect Mnemonic.
func (a *assembler) register() (r Register, wide bool) {
	a.accept('%')
	a.peek()
	from := a.pos
	r, wide, ok := registerName(a.word())
	if !ok {
		a.pos = from
		a.expected("a register, r0 to r10,")
	}
	return r, wide
}

// whole reads a register of 64 bits.
func (a *assembler) whole() Register { return a.operand(true) }

// operand reads a register of the given width.
func (a *assembler) operand(wide bool) Register {
	a.peek()
	from := a.pos
	r, w := a.register()
	a.width(from, w, wide)
	return r
}

// width refuses a register whose name is of the wrong width.
func (a *assembler) width(at int, is, want bool) {
	switch {
	case is && !want:
		a.fail(ReasonSyntax, at, "a 32-bit operation takes registers w0 to w10")
	case !is && want:
		a.fail(ReasonSyntax, at, "a 64-bit operation takes registers r0 to r10")
	}
}

// isRegister reports whether a register comes next.
func (a *assembler) isRegister() bool {
	from := a.pos
	defer func() { a.pos = from }()
	if a.accept('%') {
		return true
	}
	_, _, ok := registerName(a.word())
	return ok
}

// constant reads the constant of arithmetic or of a comparison. That of a 64-bit operation has its sign extended, and
// bits says whether one that looks different after that is meant.
func (a *assembler) constant(wide, bits bool) int32 {
	n := a.number()
	if wide && !n.neg && n.size >= math.MaxUint64-math.MaxInt32 {
		return int32(n.size)
	}
	if wide && !bits {
		if !n.neg && n.size > math.MaxInt32 {
			a.fail(ReasonNumber, n.at, "the sign of a 64-bit operation's constant is extended: -2147483648 to 2147483647; a move of more is written with ll behind it")
		}
		return a.int32(n)
	}
	return a.bits32(n)
}

// place reads a register and an offset of at most 32 bits: `r1 + 12`, `r1 +12`, `r1-4`, `r1`.
func (a *assembler) place() (base Register, off num) {
	base = a.whole()
	switch a.peek() {
	case '+':
		a.pos++
		off = a.number()
	case '-':
		off = a.subtracted()
	}
	return base, off
}

// subtracted reads a number behind its minus sign, which may have spaces after it.
func (a *assembler) subtracted() num {
	a.pos++
	off := a.number()
	off.neg = !off.neg
	return off
}

// memoryType reads `u16 *)`.
func (a *assembler) memoryType() (size int, signed bool) {
	a.peek()
	from := a.pos
	w := string(a.word())
	for n, names := range memoryTypes {
		if names.unsigned != "" && (w == names.unsigned || w == names.signed) {
			a.expect('*')
			a.expect(')')
			return n, w == names.signed
		}
	}
	a.pos = from
	a.expected("a type, u8 to u64 or s8 to s32,")
	return 8, false
}

// memory reads what follows the first star of `*(u16 *)(r1 + 12)`.
func (a *assembler) memory() (size int, signed bool, base Register, off int16) {
	a.expect('(')
	size, signed = a.memoryType()
	a.expect('(')
	base, n := a.place()
	a.expect(')')
	return size, signed, base, a.int16(n)
}

// target reads where a jump goes. The distance goes to the field that the instruction, to be appended next, has for it.
func (a *assembler) target(i *Instruction) {
	c := a.peek()
	from := a.pos
	if c == 'p' && bytes.HasPrefix(a.text[a.pos:a.end], []byte("pc")) {
		if rest := a.text[a.pos+2 : a.end]; len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
			a.pos += 2
			c = rest[0]
		}
	}
	switch {
	case c == '+' || c == '-':
		n := a.number()
		if i.Op == OpJumpLong || i.Op == OpCall {
			i.Imm = a.int32(n)
		} else {
			i.Off = a.int16(n)
		}
	case isDigit(c):
		a.fail(ReasonSyntax, from, "a distance needs its sign: +"+string(a.text[from:from+1])+"...")
	default:
		name := a.word()
		if len(name) == 0 {
			a.expected("a label or a distance")
			return
		}
		a.uses = append(a.uses, labelUse{len(a.prog), a.line, from - a.start + 1, string(name)})
	}
}

// emit appends the instruction.
func (a *assembler) emit(i Instruction) { a.prog = append(a.prog, i) }

// emitWide appends a wide constant.
func (a *assembler) emitWide(dst, kind Register, value uint64) {
	a.emit(Instruction{Op: OpLoadWide, Dst: dst, Src: kind, Imm: int32(value)})
	a.emit(Instruction{Imm: int32(value >> 32)})
}

// memOp is the function memOp, for instructions that may not exist.
func (a *assembler) memOp(size int, mode uint8, class Class, at int) Opcode {
	op := memOp(size, mode, class)
	if op.Info().Form == FormInvalid {
		a.fail(ReasonBadOpcode, at, strconv.Itoa(size)+" bytes")
	}
	return op
}
