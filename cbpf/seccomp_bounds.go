package cbpf

import (
	"math"
	"math/bits"
)

// bounds is what is known of a word: its least and its highest value, and the values of some of its bits. What is
// between need not be possible; what is outside is not.
type bounds struct {
	lo, hi uint32
	known  uint32 // the bits that are known
	ones   uint32 // those of them that are 1
}

// anything bounds a word of which nothing is known.
var anything = bounds{hi: max32}

func exactly(k uint32) bounds { return bounds{lo: k, hi: k, known: max32, ones: k} }

// between bounds a word by its least and highest value: the bits above the first one in which they differ are known.
func between(lo, hi uint32) bounds {
	return bounds{lo: lo, hi: hi}.tighten()
}

// tighten lets the bits and the ends learn from each other.
func (b bounds) tighten() bounds {
	b.lo, b.hi = max(b.lo, b.ones), min(b.hi, b.ones|^b.known)
	if b.lo > b.hi { // impossible
		return b
	}
	above := ^uint32(0) << bits.Len32(b.lo^b.hi)
	b.ones |= b.lo & above
	b.known |= above
	return b
}

// and joins what is known of one word from two sources.
func (b bounds) and(c bounds) bounds {
	if b.known&c.known&(b.ones^c.ones) != 0 {
		return bounds{lo: 1, hi: 0}
	}
	return bounds{max(b.lo, c.lo), min(b.hi, c.hi), b.known | c.known, b.ones | c.ones}.tighten()
}

// impossible reports whether no value is left.
func (b bounds) impossible() bool { return b.lo > b.hi }

// bound returns what is known of a result from what is known of its operands.
func (key *formulaKey) bound(a, b bounds) bounds {
	if a.lo == a.hi && b.lo == b.hi {
		return exactly(key.apply(a.lo, b.lo))
	}
	switch key.kind {
	case formulaGt:
		return between(truth(a.lo > b.hi), truth(a.hi > b.lo))
	case formulaGe:
		return between(truth(a.lo >= b.hi), truth(a.hi >= b.lo))
	}
	switch key.fn {
	case And, Or, Xor:
		return logic(key.fn, a, b)
	case Lsh, Rsh:
		if b.lo == b.hi {
			return shift(key.fn, a, b.lo&31)
		}
	case Add, Mul, Sub, Div:
		return arithmetic(key.fn, a, b)
	}
	return anything
}

// logic bounds the results of bitwise operations.
func logic(fn uint16, a, b bounds) bounds {
	aZeros, bZeros := a.known&^a.ones, b.known&^b.ones
	r := anything
	switch fn {
	case And:
		r.ones = a.ones & b.ones
		r.known = r.ones | aZeros | bZeros
		r.hi = min(a.hi, b.hi)
	case Or:
		r.ones = a.ones | b.ones
		r.known = r.ones | aZeros&bZeros
		r.lo = max(a.lo, b.lo)
	default:
		r.known = a.known & b.known
		r.ones = (a.ones ^ b.ones) & r.known
	}
	return r.tighten()
}

// shift bounds the results of shifts by a constant.
func shift(fn uint16, a bounds, k uint32) bounds {
	if fn == Rsh {
		return bounds{a.lo >> k, a.hi >> k, a.known>>k | ^(max32 >> k), a.ones >> k}.tighten()
	}
	r := bounds{hi: max32, known: a.known<<k | (1<<k - 1), ones: a.ones << k}
	if uint64(a.hi)<<k <= max32 {
		r.lo, r.hi = a.lo<<k, a.hi<<k
	}
	return r.tighten()
}

// arithmetic bounds the results of operations that are monotone as long as they do not wrap.
func arithmetic(fn uint16, a, b bounds) bounds {
	lo, hi := uint64(math.MaxUint64), uint64(math.MaxUint64)
	switch {
	case fn == Add:
		lo, hi = uint64(a.lo)+uint64(b.lo), uint64(a.hi)+uint64(b.hi)
	case fn == Mul:
		lo, hi = uint64(a.lo)*uint64(b.lo), uint64(a.hi)*uint64(b.hi)
	case fn == Sub && a.lo >= b.hi:
		lo, hi = uint64(a.lo-b.hi), uint64(a.hi-b.lo)
	case fn == Div && b.lo > 0:
		lo, hi = uint64(a.lo/b.hi), uint64(a.hi/b.lo)
	}
	if hi > max32 {
		return anything
	}
	return between(uint32(lo), uint32(hi))
}
