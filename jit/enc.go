package jit

import "math"

// The encodings that the compiler needs, by mnemonic. Operands stand in Intel order: destination first.

// alu is one of the eight operations that share their encoding: the middle three bits of the opcode.
type alu byte

const (
	aluAdd alu = 0
	aluOr  alu = 1
	aluAnd alu = 4
	aluSub alu = 5
	aluXor alu = 6
	aluCmp alu = 7
)

func (a *asm) aluReg(wide bool, op alu, dst operand, src reg) {
	a.rm(form{op: []byte{byte(op)<<3 | 1}, wide: wide}, src, dst)
}

// aluMem is the operation with a register as destination and the r/m operand as source.
func (a *asm) aluMem(wide bool, op alu, dst reg, src operand) {
	a.rm(form{op: []byte{byte(op)<<3 | 3}, wide: wide}, dst, src)
}

func (a *asm) aluImm(wide bool, op alu, dst operand, imm int32) {
	if fits8(imm) {
		a.rm(form{op: []byte{0x83}, wide: wide}, reg(op), dst)
		a.bytes(byte(imm))
		return
	}
	a.rm(form{op: []byte{0x81}, wide: wide}, reg(op), dst)
	a.imm32(imm)
}

func (a *asm) move(wide bool, dst, src reg) {
	a.rm(form{op: []byte{0x89}, wide: wide}, src, direct(dst))
}

func (a *asm) testReg(wide bool, x operand, r reg) {
	a.rm(form{op: []byte{0x85}, wide: wide}, r, x)
}

func (a *asm) testImm(wide bool, x operand, imm int32) {
	a.rm(form{op: []byte{0xf7}, wide: wide}, 0, x)
	a.imm32(imm)
}

// movImm sets a register to a constant, in the shortest way that leaves the flags alone.
func (a *asm) movImm(dst reg, n uint64) {
	switch {
	case n <= math.MaxUint32:
		if dst >= r8 {
			a.bytes(0x41)
		}
		a.bytes(0xb8 | byte(dst&7))
		a.imm32(int32(n))
	case int64(n) >= math.MinInt32 && int64(n) < 0:
		a.rm(form{op: []byte{0xc7}, wide: true}, 0, direct(dst))
		a.imm32(int32(n))
	default:
		a.bytes(0x48|byte(dst>>3), 0xb8|byte(dst&7))
		a.imm64(n)
	}
}

// load reads n bytes, zero-extended to 64 bits.
func (a *asm) load(n int, dst reg, src operand) {
	switch n {
	case 1:
		a.rm(form{op: []byte{0x0f, 0xb6}, byte: true}, dst, src)
	case 2:
		a.rm(form{op: []byte{0x0f, 0xb7}}, dst, src)
	default:
		a.rm(form{op: []byte{0x8b}, wide: n == 8}, dst, src)
	}
}

// loadSigned reads n bytes, sign-extended to 32 or 64 bits.
func (a *asm) loadSigned(wide bool, n int, dst reg, src operand) {
	switch n {
	case 1:
		a.rm(form{op: []byte{0x0f, 0xbe}, wide: wide, byte: true}, dst, src)
	case 2:
		a.rm(form{op: []byte{0x0f, 0xbf}, wide: wide}, dst, src)
	default:
		a.rm(form{op: []byte{0x63}, wide: wide}, dst, src)
	}
}

// sized is the form of an operation on n bytes whose opcode is op, and op-1 for bytes.
func sized(n int, op byte) form {
	switch n {
	case 1:
		return form{op: []byte{op - 1}, byte: true}
	case 2:
		return form{op: []byte{op}, prefix: 0x66}
	}
	return form{op: []byte{op}, wide: n == 8}
}

func (a *asm) store(n int, dst operand, src reg) { a.rm(sized(n, 0x89), src, dst) }

func (a *asm) storeImm(n int, dst operand, imm int32) {
	a.rm(sized(n, 0xc7), 0, dst)
	switch n {
	case 1:
		a.bytes(byte(imm))
	case 2:
		a.bytes(byte(imm), byte(imm>>8))
	default:
		a.imm32(imm)
	}
}

func (a *asm) lea(dst reg, src operand) { a.rm(form{op: []byte{0x8d}, wide: true}, dst, src) }

// leaSum adds two registers into a third and leaves the flags alone.
func (a *asm) leaSum(dst, x, y reg) {
	const disp8, sib = 0x40, byte(rsp)
	a.bytes(0x48|byte(dst>>3)<<2|byte(y>>3)<<1|byte(x>>3), 0x8d, disp8|byte(dst&7)<<3|sib, byte(y&7)<<3|byte(x&7), 0)
}

// shift is one of the shifts and rotations: the extension of their opcode.
type shift byte

const (
	rotateRight shift = 1
	shiftLeft   shift = 4
	shiftRight  shift = 5
	shiftArith  shift = 7
)

func (a *asm) shiftImm(wide bool, op shift, dst reg, n byte) {
	a.rm(form{op: []byte{0xc1}, wide: wide}, reg(op), direct(dst))
	a.bytes(n)
}

// shiftCL shifts by the low bits of CL: five of them, or six for 64 bits.
func (a *asm) shiftCL(wide bool, op shift, dst reg) {
	a.rm(form{op: []byte{0xd3}, wide: wide}, reg(op), direct(dst))
}

// rotate16 rotates the low 16 bits to the right by n, leaving the others alone.
func (a *asm) rotate16(dst reg, n byte) {
	a.rm(form{op: []byte{0xc1}, prefix: 0x66}, reg(rotateRight), direct(dst))
	a.bytes(n)
}

func (a *asm) bswap(wide bool, dst reg) {
	rex := byte(0x40) | byte(dst>>3)
	if wide {
		rex |= 8
	}
	if rex != 0x40 {
		a.bytes(rex)
	}
	a.bytes(0x0f, 0xc8|byte(dst&7))
}

func (a *asm) imul(wide bool, dst reg, src operand) {
	a.rm(form{op: []byte{0x0f, 0xaf}, wide: wide}, dst, src)
}

func (a *asm) imulImm(wide bool, dst reg, src operand, imm int32) {
	a.rm(form{op: []byte{0x69}, wide: wide}, dst, src)
	a.imm32(imm)
}

func (a *asm) neg(wide bool, dst reg) { a.rm(form{op: []byte{0xf7}, wide: wide}, 3, direct(dst)) }

// div divides RDX:RAX (EDX:EAX) by a register: quotient to RAX, remainder to RDX. It faults on zero.
func (a *asm) div(wide bool, by reg) { a.rm(form{op: []byte{0xf7}, wide: wide}, 6, direct(by)) }

// idiv does the same with signs, and faults on a quotient that does not fit, too.
func (a *asm) idiv(wide bool, by reg) { a.rm(form{op: []byte{0xf7}, wide: wide}, 7, direct(by)) }

// signToRDX fills RDX (EDX) with the sign of RAX (EAX): cqo (cdq).
func (a *asm) signToRDX(wide bool) {
	if wide {
		a.bytes(0x48)
	}
	a.bytes(0x99)
}

// xadd exchanges a register with memory and adds, at once for all processors.
func (a *asm) xadd(dst operand, src reg) {
	a.rm(form{op: []byte{0x0f, 0xc1}, wide: true, prefix: 0xf0}, src, dst)
}

// lsl loads the limit of a segment.
func (a *asm) lsl(dst, selector reg) { a.rm(form{op: []byte{0x0f, 0x03}}, dst, direct(selector)) }

func (a *asm) ret() { a.bytes(0xc3) }
