package ebpf

import (
	"bytes"
	"strconv"
)

// storeTo reads `*(u32 *)(r1 + 4) = r2`, or with a constant.
func (a *assembler) storeTo() {
	from := a.pos
	a.expect('*')
	size, signed, base, off := a.memory()
	if signed {
		a.fail(ReasonSyntax, from, "a store has no sign: u8 to u64")
	}
	a.expect('=')
	if !a.isRegister() {
		imm := a.constant(size == 8, false)
		a.emit(Instruction{Op: a.memOp(size, modeMem, ClassST, from), Dst: base, Off: off, Imm: imm})
		return
	}
	at := a.pos
	src, wide := a.register()
	if size == 8 {
		a.width(at, wide, true)
	}
	a.emit(Store(size, base, off, src))
}

// loadFrom reads what follows the star of `r1 = *(u32 *)(r2 + 4)`. LLVM writes narrow ones with w1 too.
func (a *assembler) loadFrom(dst Register, wide bool, from int) {
	at := a.pos
	a.expect('(')
	size, signed := a.memoryType()
	if size == 8 || signed {
		a.width(from, wide, true)
	}
	if a.acceptText("skb") {
		a.packetLoad(dst, size, signed, from)
		return
	}
	a.expect('(')
	base, off := a.place()
	a.expect(')')
	mode := uint8(modeMem)
	if signed {
		mode = modeMemSX
	}
	a.emit(Instruction{Op: a.memOp(size, mode, ClassLDX, at), Dst: dst, Src: base, Off: a.int16(off)})
}

// packetLoad reads `[12]` or `[r7 + 4]`.
func (a *assembler) packetLoad(dst Register, size int, signed bool, from int) {
	if dst != R0 || signed || size == 8 {
		a.fail(ReasonSyntax, from, "a load from skb is r0 = u8, u16 or u32")
		size = 1
	}
	a.expect('[')
	i := LoadAbs(size, 0)
	if a.isRegister() {
		base, off := a.place()
		i = LoadInd(size, base, uint32(a.bits32(off)))
	} else {
		i.Imm = a.bits32(a.number())
	}
	a.expect(']')
	a.emit(i)
}

// lock reads what follows `lock *`.
func (a *assembler) lock() {
	from := a.pos - 1
	size, signed, base, off := a.memory()
	sign, at := a.operator()
	for _, row := range atomics {
		if row.sign != "" && row.sign == string(sign) {
			a.atomic(from, size, signed, row.op, base, off, a.narrowOperand(size))
			return
		}
	}
	a.noOperator(at, sign, aluOperators)
}

// narrowOperand reads a register that may be written as r or w where less than 8 bytes are moved.
func (a *assembler) narrowOperand(size int) Register {
	a.peek()
	from := a.pos
	r, wide := a.register()
	if size == 8 {
		a.width(from, wide, true)
	}
	return r
}

// atomic emits an operation whose parts have been read.
func (a *assembler) atomic(at, size int, signed bool, op AtomicOp, dst Register, off int16, src Register) {
	if signed {
		a.fail(ReasonSyntax, at, "an atomic operation has no sign: u8 to u64")
	}
	a.emit(Atomic(size, op, dst, off, src))
}

// atomicByName finds the operations that are written as calls.
var atomicByName = func() map[string]AtomicOp {
	m := map[string]AtomicOp{}
	for op, call := range atomicCalls {
		for _, names := range [][2]string{call.llvm, call.xlated} {
			m[names[0]], m[names[1]] = op, op
		}
	}
	return m
}()

// atomicCall reads the operands of `r2 = atomic_fetch_add((u64 *)(r1 + 8), r2)`, `w2 = xchg32_32(r1 + 8, w2)` and the like,
// whose name begins at the given place.
func (a *assembler) atomicCall(at int, name string, result Register, wide bool) {
	op := atomicByName[name]
	call, row := atomicCalls[op], atomicRow[op]
	size, signed := 4, false
	if name == call.llvm[1] || name == call.xlated[1] {
		size = 8
	}
	a.expect('(')
	typed := a.accept('(')
	if typed {
		size, signed = a.memoryType()
		a.expect('(')
	}
	base, n := a.place()
	off := a.int16(n)
	if typed {
		a.expect(')')
	}
	if name != call.name(LLVM, size == 8) && name != call.name(Xlated, size == 8) && !row.sized {
		a.fail(ReasonSyntax, at, name+" is not for "+strconv.Itoa(size)+" bytes")
	}
	if size == 8 {
		a.width(at, wide, true)
	}
	dst, src := base, result
	switch row.result {
	case dstResult:
		dst, src = result, base
	case r0Result:
		a.same(result, R0)
		a.sameOperand(size, R0)
		a.expect(',')
		src = a.narrowOperand(size)
	case srcResult:
		a.sameOperand(size, result)
	default:
		a.expect(',')
		src = a.narrowOperand(size)
	}
	a.expect(')')
	a.atomic(at, size, signed, op, dst, off, src)
}

// sameOperand reads a comma and an operand that can only be the given register.
func (a *assembler) sameOperand(size int, want Register) {
	a.expect(',')
	a.same(a.narrowOperand(size), want)
}

func (a *assembler) same(r, want Register) {
	if r != want {
		a.fail(ReasonSyntax, a.pos, "only "+want.String()+" can be the operand here")
	}
}

// spaceCast reads `(r2, 0, 1)`.
func (a *assembler) spaceCast(dst Register, wide bool, from int) {
	a.width(from, wide, true)
	a.expect('(')
	i := Mov.Reg(dst, a.whole())
	a.spaces(&i)
	a.expect(')')
	a.emit(i)
}

// spaces reads `, 0, 1`: the two address spaces of a cast.
func (a *assembler) spaces(i *Instruction) {
	a.expect(',')
	to := a.within(a.number(), 0, 0xffff)
	a.expect(',')
	i.Off, i.Imm = 1, int32(to<<16|a.within(a.number(), 0, 0xffff))
}

// address reads a wide constant that becomes an address: `map[id:7]`.
func (a *assembler) address(dst Register) {
	a.peek()
	from := a.pos
	for k := len(wideKinds) - 1; k >= 0; k-- {
		kind := &wideKinds[k]
		if !bytes.HasPrefix(a.text[from:a.end], []byte(kind.before)) {
			continue
		}
		a.pos = from + len(kind.before)
		low := a.within(a.number(), -1<<31, 1<<32-1)
		if !bytes.HasPrefix(a.text[a.pos:a.end], []byte(kind.after)) {
			a.pos = from
			continue
		}
		a.pos += len(kind.after)
		var high int64
		if kind.upper {
			high = a.within(a.number(), 0, 1<<32-1)
		}
		a.emitWide(dst, kind.kind, uint64(high)<<32|uint64(uint32(low)))
		return
	}
	a.expected("a value")
}

// condition reads what follows `if`.
func (a *assembler) condition() {
	a.peek()
	dst, wide := a.register()
	sign, at := a.operator()
	op, ok := jumpBySign[string(sign)]
	if !ok {
		a.noOperator(at, sign, jumpOperators)
		return
	}
	i := Instruction{Op: Opcode(uint8(op) | uint8(ClassJMP)), Dst: dst}
	if !wide {
		i.Op = Opcode(uint8(op) | uint8(ClassJMP32))
	}
	if a.isRegister() {
		i.Op |= srcReg
		i.Src = a.operand(wide)
	} else {
		i.Imm = a.constant(wide, a.tag >= 0)
	}
	if !a.acceptText("goto") {
		a.expected("goto")
		return
	}
	a.branch(i)
}
