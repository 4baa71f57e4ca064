package ebpf

// Instruction is the exact image of one 8-byte slot. Two instructions are equal when their bytes are. A 64-bit constant
// takes two slots; the second has Op 0 and only Imm set.
type Instruction struct {
	Op  Opcode
	Dst Register // 4 bits
	Src Register // 4 bits
	Off int16    // jumps: slots counted from the next one
	Imm int32
}

// Program is a list of slots. An index into it is a pc.
type Program []Instruction

// SlotSize is the size of one slot in bytes.
const SlotSize = 8

// The constructors below read like assembly: Add.Imm32(R0, 4) is `w0 += 4`.

// Imm makes the 64-bit operation with a constant, whose sign is extended.
func (op ALUOp) Imm(dst Register, imm int32) Instruction {
	return Instruction{Op: Opcode(uint8(op) | uint8(ClassALU64)), Dst: dst, Imm: imm}
}

// Reg makes the 64-bit operation with a register.
func (op ALUOp) Reg(dst, src Register) Instruction {
	return Instruction{Op: Opcode(uint8(op) | srcReg | uint8(ClassALU64)), Dst: dst, Src: src}
}

// Imm32 makes the 32-bit operation with a constant. It zeroes the upper half of dst.
func (op ALUOp) Imm32(dst Register, imm uint32) Instruction {
	return Instruction{Op: Opcode(uint8(op) | uint8(ClassALU32)), Dst: dst, Imm: int32(imm)}
}

// Reg32 makes the 32-bit operation with a register. It zeroes the upper half of dst.
func (op ALUOp) Reg32(dst, src Register) Instruction {
	return Instruction{Op: Opcode(uint8(op) | srcReg | uint8(ClassALU32)), Dst: dst, Src: src}
}

// Neg32 makes `dst = -dst` on 32 bits.
func Neg32(dst Register) Instruction {
	return Instruction{Op: Opcode(uint8(Neg) | uint8(ClassALU32)), Dst: dst}
}

// ToBE makes the conversion between host and big-endian order of the low 16, 32 or 64 bits; the bits above are zeroed.
func ToBE(dst Register, bits int32) Instruction {
	return Instruction{Op: opToBE, Dst: dst, Imm: bits}
}

// Imm makes the 64-bit comparison with a constant, whose sign is extended.
func (op JumpOp) Imm(dst Register, imm int32) Instruction {
	return Instruction{Op: Opcode(uint8(op) | uint8(ClassJMP)), Dst: dst, Imm: imm}
}

// Reg makes the 64-bit comparison with a register.
func (op JumpOp) Reg(dst, src Register) Instruction {
	return Instruction{Op: Opcode(uint8(op) | srcReg | uint8(ClassJMP)), Dst: dst, Src: src}
}

// Imm32 makes the comparison of the low 32 bits with a constant.
func (op JumpOp) Imm32(dst Register, imm uint32) Instruction {
	return Instruction{Op: Opcode(uint8(op) | uint8(ClassJMP32)), Dst: dst, Imm: int32(imm)}
}

// Reg32 makes the comparison of the low 32 bits of two registers.
func (op JumpOp) Reg32(dst, src Register) Instruction {
	return Instruction{Op: Opcode(uint8(op) | srcReg | uint8(ClassJMP32)), Dst: dst, Src: src}
}

// Load makes `dst = *(size *)(src + off)`, size 1, 2, 4 or 8 bytes in host order, zero-extended.
func Load(size int, dst, src Register, off int16) Instruction {
	return Instruction{Op: memOp(size, modeMem, ClassLDX), Dst: dst, Src: src, Off: off}
}

// Store makes `*(size *)(dst + off) = src`, size 1, 2, 4 or 8 bytes in host order.
func Store(size int, dst Register, off int16, src Register) Instruction {
	return Instruction{Op: memOp(size, modeMem, ClassSTX), Dst: dst, Src: src, Off: off}
}

// StoreImm makes `*(size *)(dst + off) = imm`, size 1, 2, 4 or 8 bytes in host order; 8 bytes extend the sign of imm.
func StoreImm(size int, dst Register, off int16, imm int32) Instruction {
	return Instruction{Op: memOp(size, modeMem, ClassST), Dst: dst, Off: off, Imm: imm}
}

// LoadAbs makes `r0 = *(size *)skb[k]`, size 1, 2 or 4 bytes in big-endian order. R6 must hold the context.
func LoadAbs(size int, k uint32) Instruction {
	return Instruction{Op: memOp(size, modeAbs, ClassLD), Imm: int32(k)}
}

// LoadInd makes `r0 = *(size *)skb[src + k]`, likewise.
func LoadInd(size int, src Register, k uint32) Instruction {
	return Instruction{Op: memOp(size, modeInd, ClassLD), Src: src, Imm: int32(k)}
}

// CallHelper makes the call of a helper function by its number (enum bpf_func_id in linux/bpf.h).
func CallHelper(id int32) Instruction { return Instruction{Op: OpCall, Imm: id} }

// Return makes `exit`: the program ends with the value of R0.
func Return() Instruction { return Instruction{Op: OpExit} }

// Jump makes `goto`, for Builder.Branch to aim.
func Jump() Instruction { return Instruction{Op: OpJump} }

// memOp composes the opcode of a load or store. It panics on a size that does not exist: that is a bug of the caller.
func memOp(size int, mode uint8, class Class) Opcode {
	for i, s := range sizes {
		if s == size {
			return Opcode(uint8(i)<<3 | mode | uint8(class))
		}
	}
	panic("ebpf: no loads or stores of this size")
}

// Target returns the pc that a jump at pc aims at. ok is false for instructions that do not jump.
func (i Instruction) Target(pc int) (target int, ok bool) {
	switch i.Op.Info().Form {
	case FormJump, FormCondImm, FormCondReg, FormMayGoto:
		return pc + 1 + int(i.Off), true
	case FormJumpLong:
		return pc + 1 + int(i.Imm), true
	}
	return 0, false
}
