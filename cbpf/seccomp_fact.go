package cbpf

import "slices"

// fact says that a formula has one of some values.
type fact struct {
	of *formula
	in numbers
}

// facts is what is known on a path: all of its facts are true, and nothing else is known. They are in order of the formula,
// at most one for each, and none is without meaning. Facts are never changed in place.
//
// Halves of 64-bit fields have no facts if they can be facts about the field.
type facts []fact

// about returns the fact about a formula; everything, if there is none.
func (f facts) about(t *formula) numbers {
	if i, ok := f.find(t); ok {
		return f[i].in
	}
	return upTo(t.limit())
}

func (f facts) find(t *formula) (int, bool) {
	return slices.BinarySearchFunc(f, t.id, func(one fact, id int) int { return one.of.id - id })
}

// with returns facts in which the one about t is replaced.
func (f facts) with(t *formula, in numbers) facts {
	i, ok := f.find(t)
	tail := f[i:]
	if ok {
		tail = tail[1:]
	}
	out := append(make(facts, 0, len(f)+1), f[:i]...)
	in = t.canonical(in)
	if !in.equal(upTo(t.limit())) {
		out = append(out, fact{t, in})
	}
	return append(out, tail...)
}

// canonical returns the one set that says the same of a formula as in. The value of one bit has two ways to be said, else.
func (t *formula) canonical(in numbers) numbers {
	if t.kind == formulaPair || len(in) == 0 {
		return in
	}
	if t.masked() && t.b.k&(t.b.k-1) == 0 {
		zero, one := in.has(0), in.has(t.b.k)
		switch {
		case zero && one:
			return upTo(max32)
		case zero != one:
			return only(t.b.k * uint64(truth(one)))
		}
	}
	if in[0].lo <= uint64(t.bounds.lo) && in[0].hi >= uint64(t.bounds.hi) {
		return upTo(max32)
	}
	return in
}

func (f facts) equal(g facts) bool {
	return slices.EqualFunc(f, g, func(a, b fact) bool { return a.of == b.of && a.in.equal(b.in) })
}

// differ returns the one formula about which f and g have different facts. ok is false if there are several, or none.
func (f facts) differ(g facts) (t *formula, ok bool) {
	i, j := 0, 0
	for i < len(f) || j < len(g) {
		var next *formula
		switch {
		case j == len(g) || i < len(f) && f[i].of.id < g[j].of.id:
			next = f[i].of
			i++
		case i == len(f) || g[j].of.id < f[i].of.id:
			next = g[j].of
			j++
		default:
			if !f[i].in.equal(g[j].in) {
				next = f[i].of
			}
			i++
			j++
		}
		if next != nil && t != nil {
			return nil, false
		}
		if next != nil {
			t = next
		}
	}
	return t, t != nil
}

// hold reports whether the facts are true of data.
func (f facts) hold(d *SeccompData) bool {
	done := make(map[*formula]uint64)
	for _, one := range f {
		if !one.in.has(one.of.value(d, done)) {
			return false
		}
	}
	return true
}

// merge returns the facts that are true where f or g are, if there are such: where the two are equal, or differ about
// one formula only.
func (f facts) merge(g facts) (either facts, ok bool) {
	if f.equal(g) {
		return f, true
	}
	t, ok := f.differ(g)
	if !ok {
		return nil, false
	}
	return f.with(t, f.about(t).or(g.about(t))), true
}

// unite adds facts to a list of alternatives. What can be merged is, and may then be merged with others.
func unite(list []facts, f facts) []facts {
	for i := 0; i < len(list); i++ {
		if either, ok := f.merge(list[i]); ok {
			f, list = either, slices.Delete(list, i, i+1)
			i = -1
		}
	}
	return append(list, f)
}
