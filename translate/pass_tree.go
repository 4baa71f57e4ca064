package translate

import (
	"cmp"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// A chain of at least minChain equality tests becomes a tree, whose leaves are chains of at most maxLeaf.
const (
	minChain = 5
	maxLeaf  = 3
)

// searchTrees makes balanced trees of long chains of comparisons of one value, so that a list of n costs log n:
//
//	if v1 == 1 goto T                      if v1 > 5 goto r else l
//	if v1 == 3 goto T                  l:  if v1 == 1 goto T, if v1 == 3 goto T, if v1 == 5 goto T else F
//	...                           =>   r:  if v1 < 7 goto F, if v1 <= 9 goto T, if v1 == 11 goto T else F
//	if v1 == 11 goto T else F
//
// Numbers in a row that lead to the same place are one range.
func searchTrees(g *graph) {
	in := g.incoming()
	var out []*block
	inChain := make([]bool, len(g.blocks))
	for _, b := range g.blocks {
		if inChain[b.id] {
			continue
		}
		out = append(out, b)
		chain := g.chain(b, in)
		if len(chain.cases) < minChain {
			continue
		}
		for _, link := range chain.links {
			inChain[link.id] = true
		}
		t := &tree{v: b.term.a, otherwise: chain.otherwise, pc: b.term.pc, graph: g}
		b.term = t.node(ranges(chain.cases), 0, 1<<32-1)
		out = append(out, t.blocks...)
	}
	g.blocks = out
}

// choice is where control goes if the value is in a range.
type choice struct {
	lo, hi uint32
	to     edge
}

// ranges sorts the tests of a chain, of which the first that holds decides, and joins what lies in a row.
func ranges(cases []choice) []choice {
	slices.SortStableFunc(cases, func(x, y choice) int { return cmp.Compare(x.lo, y.lo) })
	cases = slices.CompactFunc(cases, func(x, y choice) bool { return x.lo == y.lo })
	out := cases[:1]
	for _, c := range cases[1:] {
		if last := &out[len(out)-1]; last.hi+1 == c.lo && last.to.same(&c.to) {
			last.hi = c.hi
		} else {
			out = append(out, c)
		}
	}
	return out
}

// chain is a list of tests of one value, of which the first that holds decides.
type chain struct {
	cases     []choice
	links     []*block // those behind the first
	otherwise edge
}

// chain collects the tests that begin at the end of b.
func (g *graph) chain(b *block, in []int) (c chain) {
	v := b.term.a
	for g.testsEqual(&b.term, v) {
		yes, no := b.term.yes, b.term.no
		if b.term.op == ebpf.JNe {
			yes, no = no, yes
		}
		k, _ := g.constOf(b.term.b)
		c.cases = append(c.cases, choice{k, k, yes})
		c.otherwise = no
		b = no.to
		if len(no.assigns) > 0 || len(b.insts) > 0 || in[b.id] > 1 || !g.testsEqual(&b.term, v) {
			break
		}
		c.links = append(c.links, b)
	}
	return c
}

// testsEqual reports whether the condition asks if v is a certain number.
func (g *graph) testsEqual(t *term, v value) bool {
	if t.kind != termCond || t.a != v || t.op != ebpf.JEq && t.op != ebpf.JNe {
		return false
	}
	_, isConst := g.constOf(t.b)
	return isConst
}

// tree makes the blocks of one search.
type tree struct {
	*graph
	v         value
	otherwise edge
	pc        int
	blocks    []*block
}

// node is the end of a block that searches among the cases, which are sorted, for a value that lies between lo and hi.
func (t *tree) node(cases []choice, lo, hi uint32) term {
	first := cases[0]
	if len(cases) > maxLeaf {
		half := len(cases) / 2
		pivot := cases[half-1].hi
		low := t.below(cases[:half], lo, pivot)
		return t.test(ebpf.JGt, pivot, t.below(cases[half:], pivot+1, hi), low)
	}
	switch {
	case first.lo == first.hi && first.lo > lo && first.lo < hi:
		return t.test(ebpf.JEq, first.lo, first.to.copy(), t.rest(cases, lo, hi))
	case first.lo > lo:
		return t.test(ebpf.JLt, first.lo, t.otherwise.copy(), t.below(cases, first.lo, hi))
	case first.hi < hi:
		return t.test(ebpf.JLe, first.hi, first.to.copy(), t.rest(cases, first.hi+1, hi))
	}
	return term{kind: termJump, yes: first.to.copy(), pc: t.pc}
}

// rest is the way on behind the first of the cases.
func (t *tree) rest(cases []choice, lo, hi uint32) edge {
	if len(cases) == 1 {
		return t.otherwise.copy()
	}
	return t.below(cases[1:], lo, hi)
}

// below makes a block that searches among the cases, and a way to it.
func (t *tree) below(cases []choice, lo, hi uint32) edge {
	b := &block{}
	t.blocks = append(t.blocks, b)
	b.term = t.node(cases, lo, hi)
	return edge{to: b}
}

func (t *tree) test(op ebpf.JumpOp, k uint32, yes, no edge) term {
	return term{kind: termCond, op: op, a: t.v, b: t.constant(k), yes: yes, no: no, pc: t.pc}
}

func (e edge) copy() edge { return edge{to: e.to, assigns: slices.Clone(e.assigns)} }
