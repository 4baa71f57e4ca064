package ebpf

import (
	"encoding/binary"
	"math/bits"
)

// arithmetic executes the operation on dst and b (RFC 9669, section 4.1). The sign of a constant has been extended to 64
// bits; operations on 32 bits drop the upper half of both operands and zero that of the result.
func (m *machine) arithmetic(i *Instruction, info *OpInfo, b uint64) {
	switch info.ALU {
	case Mov:
		if i.Off != 0 {
			b = m.extended(i, b)
		}
	case Div, Mod:
		b = quotient(i, info, m.get(i.Dst), b)
	default:
		b = combine(info, m.get(i.Dst), b)
	}
	m.put(i.Dst, narrow(b, info))
}

// extended is the value of a move that is not a plain one.
func (m *machine) extended(i *Instruction, b uint64) uint64 {
	if i.SpaceCast() {
		m.fail(ReasonBadOpcode, "address spaces are for the kernel")
	}
	return signExtend(b, i.MoveBits())
}

// quotient is what Div and Mod yield, with signs or without.
func quotient(i *Instruction, info *OpInfo, a, b uint64) uint64 {
	if i.SignedDivision() {
		return divideSigned(info.ALU, signed(a, info), signed(b, info))
	}
	return divide(info.ALU, narrow(a, info), narrow(b, info))
}

// combine is the operation on 64 bits, or on the low 32 of them with an undefined upper half.
func combine(info *OpInfo, a, b uint64) uint64 {
	shift := b & 31
	if info.Wide {
		shift = b & 63
	}
	switch info.ALU {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Or:
		return a | b
	case And:
		return a & b
	case Xor:
		return a ^ b
	case Lsh:
		return a << shift
	case Rsh:
		return narrow(a, info) >> shift
	}
	return uint64(signed(a, info) >> shift) // Arsh
}

// divide is a / b or a % b. Dividing by zero yields 0, the remainder is a then.
func divide(op ALUOp, a, b uint64) uint64 {
	switch {
	case op == Div && b == 0:
		return 0
	case op == Div:
		return a / b
	case b == 0:
		return a
	}
	return a % b
}

// divideSigned is divide with signs, rounding towards zero. The most negative number divided by -1 is itself, in Go too.
func divideSigned(op ALUOp, a, b int64) uint64 {
	switch {
	case op == Div && b == 0:
		return 0
	case op == Div:
		return uint64(a / b)
	case b == 0:
		return uint64(a)
	}
	return uint64(a % b)
}

// reverses reports whether a FormEnd reverses the bytes on this host.
func reverses(op Opcode) bool { return op == opBswap || (op == opToBE) != hostIsBig }

var hostIsBig = isBig(binary.NativeEndian)

// swap keeps the low bits of v, 16, 32 or 64 of them, and reverses their bytes if asked to.
func swap(v uint64, width int, reverse bool) uint64 {
	if reverse {
		return bits.ReverseBytes64(v) >> (64 - width)
	}
	return v << (64 - width) >> (64 - width)
}

// narrow zeroes the upper half of the result of a 32-bit operation.
func narrow(v uint64, info *OpInfo) uint64 {
	if info.Wide {
		return v
	}
	return uint64(uint32(v))
}

// signed is the operand as a number with a sign.
func signed(v uint64, info *OpInfo) int64 {
	if info.Wide {
		return int64(v)
	}
	return int64(int32(v))
}

// signExtend extends the sign of the low bits of v; 0 bits stand for all of it.
func signExtend(v uint64, width int) uint64 {
	if width == 0 {
		return v
	}
	return uint64(int64(v<<(64-width)) >> (64 - width))
}

// holds reports whether the comparison of a and b does (RFC 9669, section 4.3).
func holds(info *OpInfo, a, b uint64) bool {
	sa, sb := signed(a, info), signed(b, info)
	a, b = narrow(a, info), narrow(b, info)
	switch info.Jump {
	case JEq:
		return a == b
	case JNe:
		return a != b
	case JGt:
		return a > b
	case JGe:
		return a >= b
	case JLt:
		return a < b
	case JLe:
		return a <= b
	case JSGt:
		return sa > sb
	case JSGe:
		return sa >= sb
	case JSLt:
		return sa < sb
	case JSLe:
		return sa <= sb
	}
	return a&b != 0 // JSet
}
