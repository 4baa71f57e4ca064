package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// fact is what is known of one value on a path, beyond what is known of it everywhere.
type fact struct {
	v   value
	now bounds
	not []uint32 // numbers inside the bounds that it is not; shared, so copied when changed
	any uint32   // bits of which one at least is set, if it is not 0
}

// facts is what is known on a path: of each value at most one fact, the newest last. It is shared between paths, so it is
// copied when changed.
type facts []fact

// Facts are kept in bounds, so that a program costs no more than its length: of so many values, and so many numbers that
// one is not.
const (
	maxFacts = 12
	maxNots  = 8
)

// of returns what is known of v.
func (fs facts) of(g *graph, v value) fact {
	for i := range fs {
		if fs[i].v == v {
			return fs[i]
		}
	}
	return fact{v: v, now: g.known[v]}
}

// with returns the facts and a newer one. Where there are too many, the oldest is forgotten.
func (fs facts) with(newer fact) facts {
	out := make(facts, 0, len(fs)+1)
	for _, f := range fs {
		if f.v != newer.v {
			out = append(out, f)
		}
	}
	if len(out) == maxFacts {
		out = slices.Delete(out, 0, 1)
	}
	return append(out, newer)
}

// meet keeps what holds on both paths.
func (fs facts) meet(g *graph, other facts) facts {
	var kept facts
	for _, f := range fs {
		o := other.of(g, f.v)
		both := fact{v: f.v, now: f.now.both(o.now)}
		if f.any == o.any {
			both.any = f.any
		}
		for _, k := range f.not {
			if !o.can(k) {
				both.not = append(both.not, k)
			}
		}
		if both.now != g.known[f.v] || len(both.not) > 0 || both.any != 0 {
			kept = append(kept, both)
		}
	}
	return kept
}

// can reports whether the value may be k.
func (f *fact) can(k uint32) bool {
	if k < f.now.lo || k > f.now.hi || k&^f.now.may != 0 || f.any != 0 && k&f.any == 0 {
		return false
	}
	for _, n := range f.not {
		if n == k {
			return false
		}
	}
	return true
}

// opposite is the comparison that holds where another does not. JSet has none.
var opposite = map[ebpf.JumpOp]ebpf.JumpOp{
	ebpf.JEq: ebpf.JNe, ebpf.JNe: ebpf.JEq, ebpf.JGt: ebpf.JLe, ebpf.JLe: ebpf.JGt, ebpf.JGe: ebpf.JLt, ebpf.JLt: ebpf.JGe,
}

// decide reports what comes out of the comparison with k, if that is certain.
func (f *fact) decide(op ebpf.JumpOp, k uint32) (yes, certain bool) {
	lo, hi := f.now.lo, f.now.hi
	switch op {
	case ebpf.JEq, ebpf.JNe:
		eq := op == ebpf.JEq
		if lo == hi && lo == k {
			return eq, true
		}
		return !eq, !f.can(k)
	case ebpf.JGt, ebpf.JLe:
		gt := op == ebpf.JGt
		if lo > k {
			return gt, true
		}
		return !gt, hi <= k
	case ebpf.JGe, ebpf.JLt:
		ge := op == ebpf.JGe
		if lo >= k {
			return ge, true
		}
		return !ge, hi < k
	case ebpf.JSet:
		switch {
		case lo == hi:
			return lo&k != 0, true
		case f.any != 0 && f.any&^k == 0:
			return true, true
		}
		return false, f.now.may&k == 0
	}
	return false, false
}

// learn returns what is known where the comparison with k came out as said.
func (f fact) learn(op ebpf.JumpOp, k uint32, yes bool) fact {
	if !yes && op != ebpf.JSet {
		op = opposite[op]
	}
	b := &f.now
	switch op {
	case ebpf.JEq:
		f.now, f.not, f.any = exactly(k), nil, 0
	case ebpf.JNe:
		f = f.exclude(k)
	case ebpf.JGt:
		b.lo = max(b.lo, k+1)
	case ebpf.JGe:
		b.lo = max(b.lo, k)
	case ebpf.JLe:
		b.hi = min(b.hi, k)
	case ebpf.JLt:
		b.hi = min(b.hi, k-1)
	case ebpf.JSet:
		if yes {
			f.any = k
			return f
		}
		b.may &^= k
		b.hi = min(b.hi, b.may)
	}
	b.may &= onesUpTo(b.hi)
	return f
}

// exclude takes note that the value is not k.
func (f fact) exclude(k uint32) fact {
	switch {
	case !f.can(k):
	case k == f.now.lo:
		f.now.lo++
	case k == f.now.hi:
		f.now.hi--
	case len(f.not) < maxNots:
		f.not = append(append([]uint32(nil), f.not...), k)
	}
	return f
}
