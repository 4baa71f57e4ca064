package translate

import "slices"

// valueSet is a set of values, in ascending order. The sets of this package are small: what is alive at a point of a
// classic program fits its registers and scratch words, and the passes keep it so.
type valueSet []value

func (s valueSet) has(v value) bool {
	_, found := slices.BinarySearch(s, v)
	return found
}

// add returns the set with v in it. It may change s.
func (s valueSet) add(v value) valueSet {
	i, found := slices.BinarySearch(s, v)
	if found {
		return s
	}
	return slices.Insert(s, i, v)
}

// remove returns the set without v. It may change s.
func (s valueSet) remove(v value) valueSet {
	if i, found := slices.BinarySearch(s, v); found {
		return slices.Delete(s, i, i+1)
	}
	return s
}

// liveness walks a graph from its end to its beginning, and knows what is alive wherever it is.
type liveness struct {
	g  *graph
	in []valueSet // of each block, by id: what is alive at its beginning
}

func newLiveness(g *graph) *liveness { return &liveness{g: g, in: make([]valueSet, len(g.blocks))} }

// use adds a value that is read. Constants are part of instructions.
func (l *liveness) use(s valueSet, v value) valueSet {
	if v < 0 {
		return s
	}
	if _, isConst := l.g.constOf(v); isConst {
		return s
	}
	return s.add(v)
}

// after is what is alive behind the last instruction of the block, given that of the blocks below.
func (l *liveness) after(b *block) valueSet {
	var s valueSet
	for e := range b.edges() {
		for _, v := range l.before(e) {
			s = s.add(v)
		}
	}
	if b.term.kind != termJump {
		s = l.use(l.use(s, b.term.a), b.term.b)
	}
	return s
}

// before is what is alive in front of the assignments of an edge.
func (l *liveness) before(e *edge) valueSet {
	s := slices.Clone(l.in[e.to.id])
	for _, a := range e.assigns {
		s = s.remove(a.phi)
	}
	for _, a := range e.assigns {
		s = l.use(s, a.from)
	}
	return s
}

// through is what is alive in front of an instruction, given what is alive behind it. It may change s.
func (l *liveness) through(in inst, s valueSet) valueSet {
	switch in.kind {
	case instDef:
		s = s.remove(in.v)
		ops, n := l.g.operands(in.v)
		for _, o := range ops[:n] {
			s = l.use(s, o)
		}
		return s
	case instGuard:
		return l.use(s, in.base)
	}
	return l.use(s, in.v)
}
