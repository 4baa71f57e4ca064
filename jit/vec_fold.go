package jit

import (
	"math"
	"math/bits"
)

// Arithmetic on nodes, made so that what can be known beforehand is not computed: constants, neutral operands, chains of the
// same operation, and bounds.

// commutes tells which operations may exchange their operands.
func commutes(op nodeOp) bool {
	switch op {
	case opAdd, opMul, opAnd, opOr, opXor, opMin:
		return true
	}
	return false
}

// binary makes an arithmetic node of two operands, or finds a simpler one that is equal.
func (g *nodes) binary(op nodeOp, a, b nodeID) nodeID {
	x, constA := g.isConst(a)
	y, constB := g.isConst(b)
	if constA && constB {
		return g.constant(evaluate(op, x, y))
	}
	if constA && commutes(op) {
		a, b, y, constB = b, a, x, true
	}
	if constB {
		if id, ok := g.simplify(op, a, y); ok {
			return id
		}
	}
	if !constB && commutes(op) && a > b {
		a, b = b, a
	}
	if op == opMin && g.known[a].hi <= g.known[b].lo {
		return a
	}
	return g.intern(node{op: op, a: a, b: b}, rangeOf(op, g.known[a], g.known[b]))
}

// simplify finds what a op k is equal to, if that is simpler than the operation.
func (g *nodes) simplify(op nodeOp, a nodeID, k uint32) (nodeID, bool) {
	in, hi := *g.at(a), g.known[a].hi
	inner, nested := uint32(0), false
	if in.op == op && op != opSub && op != opDiv && op != opMod {
		inner, nested = g.isConst(in.b)
	}
	switch {
	case k == 0 && (op == opAdd || op == opSub || op == opOr || op == opXor || op == opShl || op == opShr || op == opSar):
		return a, true
	case k == 0 && (op == opAnd || op == opMul || op == opMin || op == opDiv):
		return g.constant(0), true
	case k == 0 && op == opMod:
		return a, true
	case k == 1 && (op == opMul || op == opDiv):
		return a, true
	case op == opAnd && k == math.MaxUint32:
		return a, true
	case op == opAnd && k&(k+1) == 0 && hi <= k:
		return a, true
	case op == opMin && hi <= k:
		return a, true
	case op == opSub:
		return g.binary(opAdd, a, g.constant(-k)), true
	case (op == opShr || op == opShl) && k > 31:
		return g.constant(0), true
	case op == opShr && hi>>k == 0:
		return g.constant(0), true
	case k&(k-1) == 0 && op == opMul:
		return g.binary(opShl, a, g.constant(uint32(bits.TrailingZeros32(k)))), true
	case k&(k-1) == 0 && op == opDiv:
		return g.binary(opShr, a, g.constant(uint32(bits.TrailingZeros32(k)))), true
	case k&(k-1) == 0 && op == opMod:
		return g.binary(opAnd, a, g.constant(k-1)), true
	case nested && (op == opAdd || op == opAnd || op == opOr || op == opXor || op == opMul || op == opMin):
		return g.binary(op, in.a, g.constant(evaluate(op, inner, k))), true
	case nested && (op == opShl || op == opShr) && inner+k < 32:
		return g.binary(op, in.a, g.constant(inner+k)), true
	}
	return noNode, false
}

// evaluate is the operation on constants. Shifts by 32 and more yield what the vector instructions do.
func evaluate(op nodeOp, x, y uint32) uint32 {
	switch op {
	case opAdd:
		return x + y
	case opSub:
		return x - y
	case opMul:
		return x * y
	case opAnd:
		return x & y
	case opOr:
		return x | y
	case opXor:
		return x ^ y
	case opShl:
		return x << y
	case opShr:
		return x >> y
	case opSar:
		return uint32(int32(x) >> y)
	case opMin:
		return min(x, y)
	case opDiv:
		if y == 0 {
			return 0
		}
		return x / y
	case opMod:
		if y == 0 {
			return x
		}
		return x % y
	}
	panic("jit: no arithmetic")
}

// rangeOf bounds what an operation yields.
func rangeOf(op nodeOp, a, b bounds) bounds {
	fill := func(n uint32) uint32 { return uint32(1<<bits.Len32(n) - 1) }
	constant := b.lo == b.hi
	switch {
	case op == opAdd && a.hi+b.hi >= a.hi:
		return bounds{a.lo + b.lo, a.hi + b.hi}
	case op == opSub && a.lo >= b.hi:
		return bounds{a.lo - b.hi, a.hi - b.lo}
	case op == opMul && uint64(a.hi)*uint64(b.hi) <= math.MaxUint32:
		return bounds{a.lo * b.lo, a.hi * b.hi}
	case op == opAnd:
		return bounds{0, min(a.hi, b.hi)}
	case op == opOr:
		return bounds{max(a.lo, b.lo), fill(a.hi | b.hi)}
	case op == opXor:
		return bounds{0, fill(a.hi | b.hi)}
	case op == opShl && constant && bits.Len32(a.hi)+int(b.hi) <= 32:
		return bounds{a.lo << b.lo, a.hi << b.lo}
	case op == opShr && constant:
		return bounds{a.lo >> b.lo, a.hi >> b.lo}
	case op == opShr, op == opDiv:
		return bounds{0, a.hi}
	case op == opMod && b.lo > 0:
		return bounds{0, min(a.hi, b.hi-1)}
	case op == opMod:
		return bounds{0, a.hi}
	case op == opMin:
		return bounds{min(a.lo, b.lo), min(a.hi, b.hi)}
	}
	return anyNumber
}
