package ebpf

import "strconv"

// The statements of the dialects LLVM and Xlated.

// statement reads an instruction of any dialect.
func (a *assembler) statement() {
	switch a.peek() {
	case '*':
		a.storeTo()
		return
	case '<':
		a.unknown()
		return
	}
	from := a.pos
	w := a.word()
	if dst, wide, ok := registerName(w); ok {
		a.assignment(dst, wide, from)
		return
	}
	switch string(w) {
	case "if":
		a.condition()
	case "goto":
		a.branch(Instruction{Op: OpJump})
	case "gotol":
		a.branch(Instruction{Op: OpJumpLong})
	case "lock":
		if a.accept('*') {
			a.lock()
		} else {
			a.mnemonic(from, w)
		}
	case "call":
		a.call()
	case "exit":
		if a.exit < 0 {
			a.exit = len(a.prog)
		}
		a.emit(Return())
	case "store_release":
		a.atomicCall(from, "store_release", R0, true)
	case "ld_pseudo":
		a.pseudo()
	case ".insn":
		a.insn()
	default:
		a.mnemonic(from, w)
	}
}

// unknown is what llvm-objdump writes for what it does not know.
func (a *assembler) unknown() {
	if !a.acceptText("<unknown>") {
		a.expected("an instruction")
		return
	}
	hint := "only its bytes say what it is, and they are not here"
	if a.code != nil {
		hint = "the bytes beside it are the instruction: .insn 0x" + string(a.code)
	}
	a.fail(ReasonNoMeaning, a.pos-len("<unknown>"), hint)
}

// insn reads the 16 digits of a raw slot.
func (a *assembler) insn() {
	n := a.number()
	if digits := a.pos - n.at; digits != 2+2*SlotSize || a.text[n.at] != '0' {
		a.fail(ReasonNumber, n.at, "a slot is 0x and 16 digits, its 8 bytes")
		return
	}
	var b [SlotSize]byte
	for k := range b {
		b[k] = byte(n.size >> (56 - 8*k))
	}
	a.emit(Instruction{
		Op:  Opcode(b[0]),
		Dst: Register(b[1] & 15),
		Src: Register(b[1] >> 4),
		Off: int16(uint16(b[2]) | uint16(b[3])<<8),
		Imm: int32(uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24),
	})
}

// branch reads the target of the jump.
func (a *assembler) branch(i Instruction) {
	a.target(&i)
	a.emit(i)
}

// pseudo reads `r2, 1, 7`: a wide constant of another kind than a number.
func (a *assembler) pseudo() {
	dst := a.whole()
	a.expect(',')
	kind := a.within(a.number(), 0, uint64(WideMapIndexValue))
	a.expect(',')
	a.emitWide(dst, Register(kind), a.bits64(a.number()))
}

// assignment reads what follows the register at the beginning of a line.
func (a *assembler) assignment(dst Register, wide bool, from int) {
	class := ClassALU64
	if !wide {
		class = ClassALU32
	}
	sign, at := a.operator()
	op, ok := aluBySign[string(sign)]
	signedOff := int16(0)
	if !ok && len(sign) > 1 && sign[0] == 's' {
		if op, ok = aluBySign[string(sign[1:])]; op != Div && op != Mod {
			ok = false
		}
		signedOff = 1
	}
	if !ok {
		a.noOperator(at, sign, aluOperators)
		return
	}
	if op == Mov && !a.isNumber() && !a.isRegister() {
		a.value(dst, wide, from)
		return
	}
	i := Instruction{Op: Opcode(uint8(op) | uint8(class)), Dst: dst, Off: signedOff}
	switch {
	case a.isRegister():
		i.Op |= srcReg
		i.Src = a.operand(wide)
	case op == Mov && a.tag == int(OpLoadWide):
		a.emitWide(dst, WideConstant, a.bits64(a.number()))
		return
	case op == Mov && wide:
		a.move(dst)
		return
	default:
		i.Imm = a.constant(wide, false)
	}
	a.emit(i)
}

// isNumber reports whether a number comes next.
func (a *assembler) isNumber() bool {
	c := a.peek()
	if c == '-' && a.pos+1 < a.end {
		c = a.text[a.pos+1]
	}
	return isDigit(c)
}

// move reads the constant of a 64-bit move, which may be wide.
func (a *assembler) move(dst Register) {
	from := a.pos
	n := a.number()
	after := a.pos
	if a.peek() == 'l' && string(a.word()) == "ll" {
		a.emitWide(dst, WideConstant, a.bits64(n))
		return
	}
	a.pos = from
	imm := a.constant(true, false)
	a.pos = after
	a.emit(Mov.Imm(dst, imm))
}

// value reads what else may stand behind `r1 =`.
func (a *assembler) value(dst Register, wide bool, from int) {
	switch a.peek() {
	case '*':
		a.pos++
		a.loadFrom(dst, wide, from)
		return
	case '-':
		a.pos++
		a.negate(dst, wide)
		return
	case '(':
		a.pos++
		a.extend(dst, wide)
		return
	}
	a.peek()
	at := a.pos
	w := a.word()
	if swap, ok := swaps[string(w)]; ok {
		a.width(from, wide, true)
		if a.whole() != dst {
			a.fail(ReasonSyntax, at, "the bytes of a register are swapped in place")
		}
		swap.Dst = dst
		a.emit(swap)
		return
	}
	name := string(w)
	switch _, isAtomic := atomicByName[name]; {
	case isAtomic:
		a.atomicCall(at, name, dst, wide)
	case name == "addr_space_cast":
		a.spaceCast(dst, wide, from)
	default:
		a.width(from, wide, true)
		a.pos = at
		a.address(dst)
	}
}

// swaps are the byte swaps by their name and width.
var swaps = func() map[string]Instruction {
	m := map[string]Instruction{}
	for _, op := range []Opcode{opToLE, opToBE, opBswap} {
		for _, bits := range []int32{16, 32, 64} {
			m[op.Info().Sign+strconv.Itoa(int(bits))] = Instruction{Op: op, Imm: bits}
		}
	}
	return m
}()

// negate reads the operand of `r1 = -r1`.
func (a *assembler) negate(dst Register, wide bool) {
	at := a.pos
	if a.operand(wide) != dst {
		a.fail(ReasonSyntax, at, "a register is negated in place")
	}
	op := Opcode(uint8(Neg) | uint8(ClassALU64))
	if !wide {
		op = Neg32(dst).Op
	}
	a.emit(Instruction{Op: op, Dst: dst})
}

// extend reads `s8)r2`.
func (a *assembler) extend(dst Register, wide bool) {
	from := a.pos
	i := Mov.Reg32(dst, 0)
	if wide {
		i = Mov.Reg(dst, 0)
	}
	switch w := a.word(); string(w) {
	case "s8":
		i.Off = 8
	case "s16":
		i.Off = 16
	case "s32":
		i.Off = 32
	default:
		a.pos = from
		a.expected("s8, s16 or s32")
	}
	a.expect(')')
	i.Src = a.operand(wide)
	a.emit(i)
}
