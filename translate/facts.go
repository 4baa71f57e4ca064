package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// fact is what is known of one value on a path, beyond what is known of it everywhere.
type fact struct {
	v   value
	now bounds
	not []uint32 // numbers inside the bounds that it is not; shared, so copied when changed
}

// facts is what is known on a path: a list with the newest in front, shared between paths. The newest fact of a value
// holds; nil knows nothing.
type facts struct {
	fact
	older *facts
	n     int // length of the list
}

// Facts are kept in bounds, so that a program costs no more than its length: of so many values, and so many numbers that
// one is not.
const (
	maxFacts = 16
	maxNots  = 8
)

// of returns what is known of v.
func (f *facts) of(g *graph, v value) fact {
	for l := f; l != nil; l = l.older {
		if l.v == v {
			return l.fact
		}
	}
	return fact{v: v, now: g.known[v]}
}

// with returns the facts and one more. Where there are too many, the older half is forgotten.
func (f *facts) with(new fact) *facts {
	if f != nil && f.n == maxFacts {
		f = f.newest(maxFacts / 2)
	}
	l := &facts{fact: new, older: f, n: 1}
	if f != nil {
		l.n += f.n
	}
	return l
}

// newest returns the first n facts of the list.
func (f *facts) newest(n int) *facts {
	if f == nil || n == 0 {
		return nil
	}
	older := f.older.newest(n - 1)
	l := &facts{fact: f.fact, older: older, n: 1}
	if older != nil {
		l.n += older.n
	}
	return l
}

// meet keeps what holds on both paths.
func (f *facts) meet(g *graph, other *facts) *facts {
	if f == other {
		return f
	}
	var kept *facts
	seen := valueSet{}
	for l := f; l != nil; l = l.older {
		if seen.has(l.v) {
			continue
		}
		seen = seen.add(l.v)
		o := other.of(g, l.v)
		both := fact{v: l.v, now: l.now.both(o.now)}
		for _, k := range l.not {
			if !o.can(k) {
				both.not = append(both.not, k)
			}
		}
		if both.now != g.known[l.v] || len(both.not) > 0 {
			kept = kept.with(both)
		}
	}
	return kept
}

// can reports whether the value may be k.
func (f *fact) can(k uint32) bool {
	if k < f.now.lo || k > f.now.hi || k&^f.now.may != 0 {
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
		if lo == hi {
			return lo&k != 0, true
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
		f.now, f.not = exactly(k), nil
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
			return f.exclude(0)
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
