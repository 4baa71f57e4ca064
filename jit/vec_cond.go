package jit

import "math/bits"

// Conditions, made so that what they need least stands on the left: a comparison with a constant has it on the right, a
// field out of a word is compared where it lies, and a number in network order with its constant swapped.

// compare is the condition a pred b, unsigned.
func (g *nodes) compare(pred uint32, a, b nodeID) nodeID {
	if _, ok := g.isConst(a); ok {
		a, b, pred = b, a, swapped[pred]
	}
	if yes, known := decided(pred, g.known[a], g.known[b]); known {
		return g.truth(yes)
	}
	if a == b {
		return g.truth(pred == predEQ || pred == predLE || pred == predGE)
	}
	k, constant := g.isConst(b)
	if constant && g.at(a).op == opFlag {
		return g.compareFlag(pred, g.at(a).a, k)
	}
	if constant && (pred == predEQ || pred == predNE) {
		if id, ok := g.equalTo(pred, a, k); ok {
			return id
		}
	}
	return g.intern(node{op: opCmp, a: a, b: b, k: pred}, bounds{})
}

// decided tells whether the bounds of both sides decide a comparison, and how.
func decided(pred uint32, a, b bounds) (yes, known bool) {
	switch pred {
	case predLT:
		return a.hi < b.lo, a.hi < b.lo || a.lo >= b.hi
	case predLE:
		return a.hi <= b.lo, a.hi <= b.lo || a.lo > b.hi
	case predGE, predGT:
		yes, known = decided(opposed(pred), a, b)
		return !yes, known
	case predEQ:
		single := a.lo == a.hi && b.lo == b.hi && a.lo == b.lo
		return single, single || a.hi < b.lo || a.lo > b.hi
	}
	yes, known = decided(predEQ, a, b)
	return !yes, known
}

// compareFlag compares a condition, as 0 or 1, with a constant; the bounds did not decide it.
func (g *nodes) compareFlag(pred uint32, cond nodeID, k uint32) nodeID {
	one, _ := decided(pred, bounds{1, 1}, bounds{k, k})
	if one {
		return cond
	}
	return g.negate(cond)
}

// equalTo finds a simpler condition than a == k, or a != k.
func (g *nodes) equalTo(pred uint32, a nodeID, k uint32) (nodeID, bool) {
	n := *g.at(a)
	c, withConst := uint32(0), false
	if n.op == opAdd || n.op == opXor || n.op == opAnd {
		c, withConst = g.isConst(n.b)
	}
	switch {
	case n.op == opLoad && n.n&bigEndian != 0:
		n.n ^= bigEndian
		return g.compare(pred, g.intern(n, g.known[a]), g.constant(reverse(k, n.n))), true
	case n.op == opSwap:
		return g.compare(pred, n.a, g.constant(bits.ReverseBytes32(k))), true
	case n.op == opAdd && withConst:
		return g.compare(pred, n.a, g.constant(k-c)), true
	case n.op == opXor && withConst:
		return g.compare(pred, n.a, g.constant(k^c)), true
	case n.op == opAnd && withConst && k&^c != 0:
		return g.truth(pred == predNE), true
	case n.op == opAnd && withConst:
		if x, shift, ok := g.field(n.a, c); ok {
			return g.compare(pred, g.binary(opAnd, x, g.constant(shift(c))), g.constant(shift(k))), true
		}
	}
	if n.op == opAnd && k == 0 {
		return g.test(n.a, n.b, pred == predNE), true
	}
	return noNode, false
}

// field looks under a mask: the masked number is a part of another, and what it is compared with can be moved there.
func (g *nodes) field(x nodeID, mask uint32) (whole nodeID, move func(uint32) uint32, ok bool) {
	n := *g.at(x)
	switch n.op {
	case opShr:
		if s, constant := g.isConst(n.b); constant && mask<<s>>s == mask {
			return n.a, func(k uint32) uint32 { return k << s }, true
		}
	case opLoad:
		if n.n&bigEndian != 0 && mask <= g.known[x].hi {
			n.n ^= bigEndian
			return g.intern(n, g.known[x]), func(k uint32) uint32 { return reverse(k, n.n) }, true
		}
	case opSwap:
		return n.a, bits.ReverseBytes32, true
	}
	return noNode, nil, false
}

// reverse swaps the bytes of a number of n bytes.
func reverse(k uint32, n uint8) uint32 { return bits.ReverseBytes32(k) >> (32 - 8*n) }

// test is the condition that a and b have a bit in common, or that they have none.
func (g *nodes) test(a, b nodeID, some bool) nodeID {
	if _, ok := g.isConst(a); ok {
		a, b = b, a
	}
	k, constant := g.isConst(b)
	n := *g.at(a)
	if constant {
		k &= uint32(1<<bits.Len32(g.known[a].hi) - 1)
		if c, nested := g.isConst(n.b); n.op == opAnd && nested {
			return g.test(n.a, g.constant(k&c), some)
		}
		if k == 0 {
			return g.truth(!some)
		}
		if x, move, ok := g.field(a, k); ok {
			return g.test(x, g.constant(move(k)), some)
		}
		b = g.constant(k)
	}
	op := opNoTest
	if some {
		op = opTest
	}
	if !constant && a > b {
		a, b = b, a
	}
	return g.intern(node{op: op, a: a, b: b}, bounds{})
}

// compareSigned is the condition a pred b of signed numbers.
func (g *nodes) compareSigned(pred uint32, a, b nodeID) nodeID {
	x, constA := g.isConst(a)
	y, constB := g.isConst(b)
	const sign = 1 << 31
	switch {
	case constA && constB:
		yes, _ := decided(pred, bounds{x ^ sign, x ^ sign}, bounds{y ^ sign, y ^ sign})
		return g.truth(yes)
	case constA:
		a, b, pred = b, a, swapped[pred]
	}
	if g.known[a].hi < sign && g.known[b].hi < sign {
		return g.compare(pred, a, b)
	}
	return g.intern(node{op: opCmpSigned, a: a, b: b, k: pred}, bounds{})
}

// negate is the condition that holds where another does not.
func (g *nodes) negate(cond nodeID) nodeID {
	n := *g.at(cond)
	switch n.op {
	case opTrue, opFalse:
		return g.truth(n.op == opFalse)
	case opCmp, opCmpSigned:
		n.k = opposed(n.k)
	case opTest:
		n.op = opNoTest
	case opNoTest:
		n.op = opTest
	case opBoth:
		return g.either(g.negate(n.a), g.negate(n.b))
	case opEither:
		return g.both(g.negate(n.a), g.negate(n.b))
	}
	return g.intern(n, bounds{})
}

func (g *nodes) both(a, b nodeID) nodeID {
	switch {
	case g.at(a).op == opFalse || g.at(b).op == opTrue || a == b:
		return a
	case g.at(a).op == opTrue || g.at(b).op == opFalse:
		return b
	}
	return g.intern(node{op: opBoth, a: a, b: b}, bounds{})
}

func (g *nodes) either(a, b nodeID) nodeID {
	switch {
	case g.at(a).op == opTrue || g.at(b).op == opFalse || a == b:
		return a
	case g.at(a).op == opFalse || g.at(b).op == opTrue:
		return b
	}
	return g.intern(node{op: opEither, a: a, b: b}, bounds{})
}
