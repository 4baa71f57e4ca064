package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// useFacts carries what comparisons tell down all paths, and lets every comparison that is thereby decided go: in the
// block where it stands, and, if it is decided on one way into that block only, by leading that way past it:
//
//	b1: if v1 == 6 goto b3 else b2           b1: if v1 == 6 goto b4 else b2
//	b2: if v1 == 17 goto b3 else b9     =>   b2: if v1 == 17 goto b5 else b9
//	b3: if v1 == 6 goto b4 else b5
//
// (redundant predicate elimination and jump threading: Begel, McCanne and Graham, BPF+, SIGCOMM 1999).
func useFacts(g *graph) {
	u := &factUser{graph: g, left: g.incoming(), copies: 4*len(g.blocks) + 16, steps: 16*len(g.blocks) + 64}
	u.at, u.seen = make([]facts, len(g.blocks)), make([]bool, len(g.blocks))
	for _, b := range g.blocks {
		u.block(b)
	}
	g.blocks = u.out
}

// factUser is the pass at work. Blocks that it makes get ids behind all others.
type factUser struct {
	*graph
	seen   []bool   // of each block, by id: some way into it was seen
	at     []facts  // what is known at its beginning on all of those
	left   []int    // ways into it that were not seen
	out    []*block // those that are done, with the copies behind those that lead to them
	copies int      // blocks that may still be made to lead a way past comparisons
	steps  int      // comparisons that ways may still be led past
}

func (u *factUser) block(b *block) {
	u.out = append(u.out, b)
	here := u.at[b.id]
	yes, certain := u.decide(here, nil, &b.term)
	if !certain {
		u.simplify(&b.term)
		yes, certain = u.decide(here, nil, &b.term)
	}
	if certain {
		gone := &b.term.no
		if !yes {
			gone = &b.term.yes
		}
		u.left[gone.to.id]--
		b.term.settle(yes)
	}
	var copies []*block
	for e := range b.edges() {
		f := u.learn(here, &b.term, e)
		if next := u.past(f, e); next != nil {
			u.left[e.to.id]--
			e.to = next
			copies = append(copies, next)
			u.at, u.seen, u.left = append(u.at, u.carry(f, e)), append(u.seen, true), append(u.left, 0)
			for out := range next.edges() {
				u.left[out.to.id]++
			}
			continue
		}
		u.arrive(e.to, u.carry(f, e))
	}
	for _, next := range copies {
		u.block(next)
	}
}

// arrive notes what is known on a way into a block.
func (u *factUser) arrive(to *block, f facts) {
	u.left[to.id]--
	if u.seen[to.id] {
		f = u.at[to.id].meet(u.graph, f)
	}
	u.at[to.id], u.seen[to.id] = f, true
}

// maxCopied is how many instructions are copied to lead a way past comparisons.
const maxCopied = 6

// past makes a block for a way on which the comparison that e leads to is decided, which does what stands in front of it, and
// in front of all others behind it that are decided too; nil if it is not, or if no other way leads there.
func (u *factUser) past(f facts, e *edge) *block {
	if others := u.seen[e.to.id] || u.left[e.to.id] > 1; !others || u.copies == 0 {
		return nil
	}
	if _, certain := u.decide(f, e, &e.to.term); !certain || u.steps == 0 {
		return nil
	}
	next := &block{id: len(u.at), term: term{kind: termJump, yes: edge{to: e.to}, pc: e.to.term.pc}}
	way := e
	for ; u.steps > 0; u.steps-- {
		b := next.term.yes.to
		yes, certain := u.decide(f, way, &b.term)
		if !certain || len(next.insts)+len(b.insts) > maxCopied || len(next.term.yes.assigns) > 0 && len(b.insts) > 0 {
			break
		}
		next.insts = append(next.insts, b.insts...)
		taken := &b.term.yes
		if !yes {
			taken = &b.term.no
		}
		next.term.yes.extend(taken)
		f, way = u.carry(f, way), &next.term.yes
	}
	if next.term.yes.to == e.to {
		return nil
	}
	u.copies--
	return next
}

// decide tells the outcome of a condition where f is known, on the way e if that is not nil.
func (g *graph) decide(f facts, e *edge, t *term) (yes, certain bool) {
	if t.kind != termCond {
		return false, false
	}
	a, b := t.a, t.b
	if e != nil {
		a, b = e.source(a), e.source(b)
	}
	if a == b && t.op != ebpf.JSet {
		return t.op == ebpf.JEq || t.op == ebpf.JGe || t.op == ebpf.JLe, true
	}
	k, isConst := g.constOf(b)
	if !isConst {
		right := f.of(g, b)
		if k = right.now.lo; k != right.now.hi {
			return false, false
		}
	}
	left := f.of(g, a)
	return left.decide(t.op, k)
}

// learn is what is known where the block ended in t and went on e.
func (u *factUser) learn(f facts, t *term, e *edge) facts {
	if t.kind != termCond {
		return f
	}
	k, isConst := u.constOf(t.b)
	if !isConst {
		return f
	}
	old := f.of(u.graph, t.a)
	return f.with(old.learn(t.op, k, e == &t.yes))
}

// carry adds what the assignments of the edge say of phis.
func (u *factUser) carry(f facts, e *edge) facts {
	out := f
	for _, a := range e.assigns {
		from := f.of(u.graph, a.from)
		if from.now != u.known[a.phi] || len(from.not) > 0 || from.any != 0 {
			from.v = a.phi
			out = out.with(from)
		}
	}
	return out
}

// simplify compares what a simple sum or mask was made of:
//
//	v2 = v1 + 3; if v2 == 5    =>   if v1 == 2
//	v2 = v1 & 4; if v2 == 0    =>   if not v1 & 4
func (u *factUser) simplify(t *term) {
	for t.kind == termCond && u.unwrap(t) {
	}
}

// unwrap takes one operation off the left side of a comparison.
func (u *factUser) unwrap(t *term) bool {
	k, isConst := u.constOf(t.b)
	e := &u.exprs[t.a]
	if !isConst || e.kind != exprALU {
		return false
	}
	j, isConst := u.constOf(e.b)
	if !isConst {
		return false
	}
	equal := t.op == ebpf.JEq || t.op == ebpf.JNe
	switch {
	case e.fn == ebpf.Add && equal:
		t.a, t.b = e.a, u.constant(k-j)
	case e.fn == ebpf.Xor && equal:
		t.a, t.b = e.a, u.constant(k^j)
	case e.fn == ebpf.And && t.op == ebpf.JSet:
		t.a, t.b = e.a, u.constant(k&j)
	case e.fn == ebpf.And && equal && k == 0:
		if t.op == ebpf.JEq {
			t.yes, t.no = t.no, t.yes
		}
		t.a, t.b, t.op = e.a, u.constant(j), ebpf.JSet
	default:
		return false
	}
	return true
}
