package cbpf

import (
	"math"
	"sort"
)

// interval is the numbers from lo to hi, both of them in it.
type interval struct{ lo, hi uint64 }

// numbers is a set of numbers: intervals in ascending order that neither overlap nor touch. Sets are never changed in place,
// so that they may be shared.
type numbers []interval

// only returns the set of one number.
func only(n uint64) numbers { return numbers{{n, n}} }

// upTo returns the set of the numbers from 0 to n.
func upTo(n uint64) numbers { return numbers{{0, n}} }

// max32 is the highest value of a word.
const max32 = math.MaxUint32

// min and max return the ends of a set that is not empty.
func (s numbers) min() uint64 { return s[0].lo }
func (s numbers) max() uint64 { return s[len(s)-1].hi }

// single reports whether a set has exactly one number.
func (s numbers) single() bool { return len(s) == 1 && s[0].lo == s[0].hi }

func (s numbers) has(n uint64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= n })
	return i < len(s) && s[i].lo <= n
}

// meets reports whether the set has some of the numbers from lo to hi, and whether it has all of them.
func (s numbers) meets(lo, hi uint64) (some, all bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= lo })
	if i == len(s) || s[i].lo > hi {
		return false, false
	}
	return true, s[i].lo <= lo && hi <= s[i].hi
}

func (s numbers) equal(t numbers) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// and returns what is in both sets.
func (s numbers) and(t numbers) numbers {
	var out numbers
	for i, j := 0, 0; i < len(s) && j < len(t); {
		lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi)
		if lo <= hi {
			out = append(out, interval{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// not returns what is not in the set, from 0 to limit; the set has nothing above limit.
func (s numbers) not(limit uint64) numbers {
	var out numbers
	next := uint64(0)
	for _, one := range s {
		if one.lo > next {
			out = append(out, interval{next, one.lo - 1})
		}
		if one.hi >= limit {
			return out
		}
		next = one.hi + 1
	}
	return append(out, interval{next, limit})
}

// or returns what is in either set.
func (s numbers) or(t numbers) numbers {
	out := make(numbers, 0, len(s)+len(t))
	for len(s) > 0 || len(t) > 0 {
		if len(s) == 0 || len(t) > 0 && t[0].lo < s[0].lo {
			s, t = t, s
		}
		out, s = out.add(s[0]), s[1:]
	}
	return out
}

// add appends a interval that begins no lower than the last one.
func (s numbers) add(one interval) numbers {
	last := len(s) - 1
	if last < 0 || s[last].hi < one.lo && s[last].hi+1 < one.lo {
		return append(s, one)
	}
	s[last].hi = max(s[last].hi, one.hi)
	return s
}

// related returns the words that stand in a relation to k: the numbers n for which `n relation k` is true. Set has no
// such set of its own.
func related(relation uint16, k uint32) numbers {
	n := uint64(k)
	switch {
	case relation == Eq:
		return only(n)
	case relation == Ge:
		return numbers{{n, max32}}
	case n == max32: // Gt
		return nil
	}
	return numbers{{n + 1, max32}}
}
