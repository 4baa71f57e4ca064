package ebpf

import "math/bits"

const max32 = 1<<32 - 1

// arithmetic follows one operation. Of most only the width of the result is known.
func (c *checker) arithmetic(pc int, ins Instruction, info *OpInfo) error {
	a, b := c.operands(ins)
	if ins.Off != 0 && b.kind != number {
		return fault(ReasonLeak, pc, "sign extension")
	}
	dst := &c.cur.regs[ins.Dst]
	switch {
	case info.ALU == Mov && info.Wide && ins.Off == 0:
		*dst = b
		return nil
	case info.ALU == Mov && b.kind == number:
		a = b
	case info.Wide && (info.ALU == Add || info.ALU == Sub) && !c.plainSum(a, b):
		v, ok := c.sum(a, b, info.ALU)
		if !ok && a.kind.intoPacket() && b.kind == number && a.kind != endPtr {
			return fault(ReasonFar, pc, "%d bytes away is the most", farOffset-1)
		}
		if !ok && info.ALU == Sub && a.kind > number && b.kind > number && a.kind != endPtr {
			return fault(ReasonLeak, pc, "the distance of two pointers")
		}
		if !ok {
			return fault(ReasonPointer, pc, "%s", info.Sign)
		}
		if c.facts.stray == 0 && (v.kind.intoPacket() && v.hi >= farOffset || c.boundless(a, b)) {
			c.facts.stray = pc
		}
		*dst = v
		return nil
	case info.Form == FormNeg || info.Form == FormEnd:
		b = constant(0)
	}
	switch {
	case a.kind == number && b.kind == number:
	case info.ALU == Mov, info.Form == FormNeg, info.Form == FormEnd:
		return fault(ReasonLeak, pc, "%s", describe(ins))
	default:
		return fault(ReasonPointer, pc, "%s", info.Sign)
	}
	*dst = c.result(ins, info, a, b)
	dst.linked = c.info.kernel && info.Wide && info.ALU == Add && info.Form == FormALUImm && a.sym != 0 && dst.sym != 0
	return nil
}

// boundless reports whether one of two operands is a pointer, not into the packet, and the other an unknown number that may be
// larger than the kernel's verifier lets it be there.
func (c *checker) boundless(a, b value) bool {
	if a.kind == number {
		a, b = b, a
	}
	return c.info.kernel && a.kind > number && !a.kind.intoPacket() && b.kind == number && b.sym != 0 && b.hi >= farOffset
}

// plainSum reports whether two operands are added like any others. Names of numbers outlive additions only where the
// captured length is a number that they are compared with; the kernel's verifier gives its numbers new ones.
func (c *checker) plainSum(a, b value) bool {
	return c.info.kernel && a.kind == number && b.kind == number
}

// result is what is known of a number that an operation yields. It is never more than what the kernel's verifier knows, of
// Linux 6.18 and before, where that judges the program.
func (c *checker) result(ins Instruction, info *OpInfo, a, b value) value {
	limit := uint64(anyResult)
	if !info.Wide {
		limit = max32
		a, b = c.lowHalf(a), c.lowHalf(b)
	}
	switch {
	case c.info.kernel && beyondVerifier(info, b), info.Form == FormEnd && ins.Imm == 64:
		return c.anything()
	case info.Form == FormEnd:
		return c.unknown(0, 1<<ins.Imm-1)
	case info.Form == FormNeg || ins.Off != 0:
		return c.unknown(0, limit)
	case info.ALU == Mov:
		return b
	case a.sym == 0 && b.sym == 0 && foldable(info, b):
		return constant(narrow(combine(info, uint64(a.off), uint64(b.off)), info))
	}
	if lo, hi, ok := bounds(info, a, b, limit); ok {
		return c.unknown(lo, hi)
	}
	return c.unknown(0, limit)
}

// beyondVerifier reports whether the kernel's verifier knows nothing of the result of an operation, not even that it has 32 bits
// (is_safe_to_compute_dst_reg_range in kernel/bpf/verifier.c, Linux 6.18).
func beyondVerifier(info *OpInfo, b value) bool {
	switch {
	case info.Form == FormEnd, info.Form == FormNeg:
		return true
	case info.ALU == Div, info.ALU == Mod:
		return true
	case info.ALU == Lsh, info.ALU == Rsh, info.ALU == Arsh:
		return b.lo != b.hi || b.lo >= uint64(info.bits())
	}
	return false
}

// lowHalf is what is known of the low 32 bits of a number.
func (c *checker) lowHalf(v value) value {
	switch {
	case v.hi <= max32:
		return v
	case v.sym == 0:
		return constant(uint64(uint32(v.off)))
	}
	return c.unknown(0, max32)
}

// foldable reports whether the result of the operation on two known numbers is known.
func foldable(info *OpInfo, b value) bool {
	switch info.ALU {
	case Add, Sub, Mul, Or, And, Xor:
		return true
	case Lsh, Rsh, Arsh:
		return b.lo < uint64(info.bits())
	}
	return false
}

// bounds are those of the result of an operation whose operands and result are below the limit, 2^32 or 2^64; ok is false
// where there are no better ones.
func bounds(info *OpInfo, a, b value, limit uint64) (lo, hi uint64, ok bool) {
	width := uint64(info.bits())
	switch info.ALU {
	case Add:
		return a.lo + b.lo, a.hi + b.hi, a.hi <= limit-b.hi
	case Sub:
		return a.lo - b.hi, a.hi - b.lo, a.lo >= b.hi
	case Mul:
		return a.lo * b.lo, a.hi * b.hi, max(a.hi, b.hi) <= limit>>(width/2)
	case And:
		return 0, min(a.hi, b.hi), true
	case Or, Xor:
		return 0, 1<<bits.Len64(a.hi|b.hi) - 1, true
	case Rsh:
		return a.lo >> b.lo, a.hi >> b.lo, b.lo == b.hi && b.lo < width
	case Lsh:
		fits := b.lo == b.hi && b.lo < width && a.hi <= 1<<(width-1-b.lo)
		return a.lo << b.lo, a.hi << b.lo, fits
	}
	return 0, 0, false
}

// sum follows 64-bit addition and subtraction, the only operations that pointers take part in.
func (c *checker) sum(a, b value, op ALUOp) (value, bool) {
	if op == Add && a.kind == number {
		a, b = b, a
	}
	switch {
	case op == Sub && a.kind.intoPacket() && b.kind.intoPacket():
		return c.anything(), true
	case b.kind != number || a.kind == endPtr:
		return value{}, false
	case a.kind.intoPacket():
		return c.shift(a, b, op)
	case b.sym == 0 && op == Sub:
		return c.plus(a, -b.off), true
	case b.sym == 0:
		return c.plus(a, b.off), true
	case op == Add && a.sym == 0 && a.kind != number:
		return value{kind: a.kind, sym: b.sym, off: a.off + b.off}, true
	case op == Add && a.kind == number && a.sym == 0:
		return c.plus(b, a.off), true
	case a.kind == number:
		return c.anything(), true
	}
	return value{kind: a.kind, sym: c.name()}, true
}

// plus adds a constant. A number that might wrap becomes a new unknown one; offsets of pointers are kept small enough.
func (c *checker) plus(a value, n int64) value {
	const far = 1 << 40
	if a.kind != number {
		if sum := a.off + n; -far < n && n < far && -far < sum && sum < far {
			a.off = sum
			return a
		}
		return value{kind: a.kind, sym: c.name()}
	}
	if a.sym == 0 {
		return constant(uint64(a.off + n))
	}
	up := n >= 0 && a.hi+uint64(n) >= a.hi
	down := n < 0 && n > -far && a.lo >= uint64(-n)
	if n >= far || a.off >= far || a.off <= -far || !up && !down {
		return c.anything()
	}
	return value{kind: number, sym: a.sym, off: a.off + n, lo: a.lo + uint64(n), hi: a.hi + uint64(n)}
}
