package jit

import (
	"math"
	"math/bits"
)

// costPick is what a look-up in registers costs, in cycles.
const costPick = 2

// way is a way to ask whether a number is in a set, with an estimate of what it costs in cycles for all lanes.
type way struct {
	cost int
	make func() nodeID
}

// member is how to ask whether x is in one of the stretches, which are sorted and do not touch; or, where that is cheaper,
// whether it is in none of those between them.
func (g *graph) member(x nodeID, set []span) way {
	best := g.inside(x, set)
	if w := g.inside(x, between(set, span(g.known[x]))); w.cost < best.cost {
		return way{w.cost, func() nodeID { return g.negate(w.make()) }}
	}
	return best
}

// between lists the stretches of all that are not in the set.
func between(set []span, all span) (rest []span) {
	from := all.lo
	for i, s := range set {
		if s.lo > from {
			rest = append(rest, span{from, s.lo - 1})
		}
		if from = s.hi + 1; i == len(set)-1 && s.hi < all.hi {
			rest = append(rest, span{from, all.hi})
		}
	}
	return rest
}

func (g *graph) inside(x nodeID, set []span) way {
	best := g.oneByOne(x, set)
	if len(set) < 2 {
		return best
	}
	for _, w := range []way{g.bitmap(x, set), g.hashed(x, set)} {
		if w.make != nil && w.cost < best.cost {
			best = w
		}
	}
	return best
}

// oneByOne compares with each stretch.
func (g *graph) oneByOne(x nodeID, set []span) way {
	known, cost := g.known[x], 0
	for _, s := range set {
		if cost += 2; s.lo != s.hi && s.lo > known.lo && s.hi < known.hi {
			cost++
		}
	}
	return way{cost, func() nodeID {
		cond := g.truth(false)
		for _, s := range set {
			cond = g.either(cond, g.within(x, s))
		}
		return cond
	}}
}

// within is the condition that x is in one stretch.
func (g *graph) within(x nodeID, s span) nodeID {
	known := g.known[x]
	switch {
	case s.lo == s.hi:
		return g.compare(predEQ, x, g.constant(s.lo))
	case s.lo <= known.lo:
		return g.compare(predLE, x, g.constant(s.hi))
	case s.hi >= known.hi:
		return g.compare(predGE, x, g.constant(s.lo))
	}
	return g.compare(predLE, g.binary(opSub, x, g.constant(s.lo)), g.constant(s.hi-s.lo))
}

// The longest table of bits, in numbers: 8 KiB.
const bitmapMost = 1 << 16

// bitmap looks the number up in a table of bits. A short one fits into registers.
func (g *graph) bitmap(x nodeID, set []span) way {
	base := set[0].lo &^ 31
	last := set[len(set)-1].hi
	if last-base >= bitmapMost {
		return way{}
	}
	words := g.shape.lanes
	for uint32(words)*32 <= last-base {
		words *= 2
	}
	const shiftAndTest, rangeCheck = 4, 2
	cost := shiftAndTest + costPick
	if words > g.shape.tables {
		cost = shiftAndTest + g.shape.gather
	}
	if g.known[x].hi-base >= uint32(words)*32 || g.known[x].lo < base {
		cost += rangeCheck
	}
	return way{cost, func() nodeID {
		table := make([]uint32, words)
		for _, s := range set {
			for k := s.lo - base; k <= s.hi-base; k++ {
				table[k/32] |= 1 << (k % 32)
			}
		}
		at := uint32(g.pool.table(table))
		from := g.binary(opSub, x, g.constant(base))
		word := g.binary(opShr, from, g.constant(5))
		if words <= g.shape.tables {
			word = g.intern(node{op: opPick, n: uint8(words), a: word, k: at}, anyNumber)
		} else {
			word = g.binary(opAnd, word, g.constant(uint32(words-1)))
			word = g.intern(node{op: opRead, a: word, k: at}, anyNumber)
		}
		bit := g.binary(opShr, word, g.binary(opAnd, from, g.constant(31)))
		return g.both(g.test(bit, g.constant(1), true), g.compare(predLT, from, g.constant(uint32(words)*32)))
	}}
}

// hashMost bounds the numbers that are put into a hash table. hashPick is how many are tried in registers.
const (
	hashMost = 1 << 13
	hashPick = 18
)

// hashed looks the number up in a hash table. Stretches too long for that are compared with one by one.
func (g *graph) hashed(x nodeID, set []span) way {
	const long, multiplyAndCompare = 8, 4
	var keys []uint32
	var rest []span
	for _, s := range set {
		if s.hi-s.lo >= long {
			rest = append(rest, s)
			continue
		}
		for k := s.lo; ; k++ {
			if keys = append(keys, k); k == s.hi {
				break
			}
		}
	}
	if len(keys) < 4 || len(keys) > hashMost {
		return way{}
	}
	h, cost := g.shape.hashOf(keys)
	if h == nil {
		return way{}
	}
	others := g.oneByOne(x, rest)
	return way{cost + multiplyAndCompare + others.cost, func() nodeID { return g.either(g.lookUp(x, h), others.make()) }}
}

// hashOf finds the table that costs least.
func (s *shape) hashOf(keys []uint32) (*perfect, int) {
	for log := bits.Len(uint(s.lanes - 1)); 1<<log <= s.tables && len(keys) <= hashPick; log++ {
		if h := perfectHash(keys, log, 2000); h != nil {
			return h, costPick
		}
	}
	for log := 6; log <= 10; log++ {
		if len(keys) > 1<<log/8 {
			continue // hardly ever
		}
		if h := perfectHash(keys, log, 400); h != nil {
			return h, s.gather
		}
	}
	return displacedHash(keys), 2*s.gather + 3
}

// lookUp is the condition that x is in the table.
func (g *graph) lookUp(x nodeID, h *perfect) nodeID {
	slot := g.binary(opShr, g.binary(opMul, x, g.constant(h.times)), g.constant(h.shift))
	if h.moves != nil {
		first := g.binary(opShr, g.binary(opMul, x, g.constant(h.timesFirst)), g.constant(h.shiftFirst))
		move := g.intern(node{op: opRead, a: first, k: uint32(g.pool.table(h.moves))}, bounds{0, uint32(len(h.slots) - 1)})
		slot = g.binary(opXor, slot, move)
	}
	at := uint32(g.pool.table(h.slots))
	op := node{op: opRead, a: slot, k: at}
	if len(h.slots) <= g.shape.tables {
		op = node{op: opPick, n: uint8(len(h.slots)), a: slot, k: at}
	}
	return g.compare(predEQ, g.intern(op, bounds{0, math.MaxUint32}), x)
}
