package jit

import (
	"cmp"
	"slices"
)

// Lists of hosts, ports or system calls are chains or trees of comparisons of one number with constants. To a lane they are
// one question: in which set is the number? So blocks that do nothing but compare one number are taken together, the
// numbers that lead to each way out are collected, and one block asks for them (vec_member.go).

// span is a stretch of numbers, both ends included.
type span struct{ lo, hi uint32 }

// outcome is a way out of a decision, and the numbers that take it.
type outcome struct {
	edge  *edge // one of those that lead there
	spans []span
}

// decision is a tree of blocks that compare one number.
type decision struct {
	g      *graph
	on     nodeID
	blocks []int
	leaves []leaf
	points map[uint32]*edge // numbers that were compared for equality
	ways   []wayOut
	saves  int // cycles
}

// wayOut is an outcome and how to ask for it; the last one of a decision is what remains.
type wayOut struct {
	*outcome
	way
}

// leaf is an edge out of a decision, for the numbers of a stretch that are no points.
type leaf struct {
	edge *edge
	span
}

// decisionMin is the number of blocks from which a decision is looked into.
const decisionMin = 4

// joinDecisions replaces each decision by one block, where that is cheaper.
func (g *graph) joinDecisions() {
	seen := make([]bool, len(g.blocks))
	for i := range g.blocks {
		if seen[i] {
			continue
		}
		var best *decision
		for _, on := range g.comparedHere(i) {
			d := g.decide(i, on)
			if len(d.blocks) >= decisionMin && d.plan() && (best == nil || d.saves > best.saves) {
				best = d
			}
			for _, b := range d.blocks {
				seen[b] = true
			}
		}
		if best != nil {
			best.replace()
		}
	}
	g.prune()
}

// comparedHere lists the numbers of which the block at i may be said to compare one: the same bytes in both orders, where it
// asks for equality.
func (g *graph) comparedHere(i int) (on []nodeID) {
	a, pred, _, ok := g.comparison(&g.blocks[i])
	if !ok {
		return nil
	}
	n := *g.at(a)
	if n.op == opLoad && n.n&^bigEndian > 1 && (pred == predEQ || pred == predNE) {
		n.n ^= bigEndian
		return []nodeID{g.intern(n, g.known[a]), a}
	}
	return []nodeID{a}
}

// comparison is what the block compares for its first edge, with which constant; ok is false for blocks that do other things.
func (g *graph) comparison(b *block) (on nodeID, pred, k uint32, ok bool) {
	if len(b.out) != 2 || len(b.faults) > 0 {
		return noNode, 0, 0, false
	}
	n := g.at(b.out[0].cond)
	if n.op != opCmp {
		return noNode, 0, 0, false
	}
	k, ok = g.isConst(n.b)
	return n.a, n.k, k, ok
}

// compares gives the comparison of the block as one of d.on.
func (d *decision) compares(b *block) (pred, k uint32, ok bool) {
	on, pred, k, ok := d.g.comparison(b)
	if !ok || on == d.on {
		return pred, k, ok
	}
	this, that := *d.g.at(on), *d.g.at(d.on)
	that.n ^= bigEndian
	if this.op != opLoad || this != that || pred != predEQ && pred != predNE {
		return 0, 0, false
	}
	return pred, reverse(k, this.n&^bigEndian), true
}

// decide follows the comparisons of the number from the block at i on. Blocks that something else leads to, too, are ways out.
func (g *graph) decide(i int, on nodeID) *decision {
	d := &decision{g: g, on: on, points: map[uint32]*edge{}}
	type visit struct {
		block int
		span
	}
	for todo := []visit{{i, span(g.known[on])}}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		d.blocks = append(d.blocks, v.block)
		b := &g.blocks[v.block]
		pred, k, _ := d.compares(b)
		if pred == predEQ || pred == predNE {
			equal, other := b.out[0], b.out[1]
			if pred == predNE {
				equal, other = other, equal
			}
			if _, gone := d.points[k]; !gone && v.lo <= k && k <= v.hi {
				d.points[k] = d.leafOf(equal, k)
			}
			if d.inside(other) {
				todo = append(todo, visit{other.to, v.span})
			} else {
				d.leaves = append(d.leaves, leaf{other, v.span})
			}
			continue
		}
		for j, s := range split(pred, k, v.span) {
			switch {
			case s.lo > s.hi:
			case d.inside(b.out[j]):
				todo = append(todo, visit{b.out[j].to, s})
			default:
				d.leaves = append(d.leaves, leaf{b.out[j], s})
			}
		}
	}
	return d
}

// split divides a stretch into the numbers for which the comparison holds, and those for which it does not. An empty one
// has its ends the wrong way round.
func split(pred, k uint32, s span) [2]span {
	empty := span{1, 0}
	below := func(k uint32) span { // numbers less than k
		if k <= s.lo {
			return empty
		}
		return span{s.lo, min(s.hi, k-1)}
	}
	from := func(k uint32) span {
		if k > s.hi {
			return empty
		}
		return span{max(s.lo, k), s.hi}
	}
	var yes, no span
	switch pred {
	case predLT, predGE:
		yes, no = below(k), from(k)
	default:
		yes, no = s, empty
		if k != ^uint32(0) {
			yes, no = below(k+1), from(k+1)
		}
	}
	if pred == predGE || pred == predGT {
		return [2]span{no, yes}
	}
	return [2]span{yes, no}
}

// inside reports whether the edge leads to another block of the decision.
func (d *decision) inside(e *edge) bool {
	b := &d.g.blocks[e.to]
	if len(b.in) != 1 {
		return false
	}
	_, _, ok := d.compares(b)
	return ok
}

// leafOf follows the edge and what comes after it, knowing the number.
func (d *decision) leafOf(e *edge, k uint32) *edge {
	for d.inside(e) {
		d.blocks = append(d.blocks, e.to)
		b := &d.g.blocks[e.to]
		pred, with, _ := d.compares(b)
		if yes, _ := decided(pred, bounds{k, k}, bounds{with, with}); yes {
			e = b.out[0]
		} else {
			e = b.out[1]
		}
	}
	return e
}

// outcomes collects the numbers by where they lead. Each list of stretches is sorted, and no two touch.
func (d *decision) outcomes() (out []*outcome) {
	type piece struct {
		span
		edge *edge
	}
	keys := make([]uint32, 0, len(d.points))
	for k := range d.points {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	slices.SortFunc(d.leaves, func(a, b leaf) int { return cmp.Compare(a.lo, b.lo) })
	var pieces []piece
	for _, l := range d.leaves {
		from, _ := slices.BinarySearch(keys, l.lo)
		at, done := l.lo, false
		for _, k := range keys[from:] {
			if k > l.hi {
				break
			}
			if k > at {
				pieces = append(pieces, piece{span{at, k - 1}, l.edge})
			}
			at, done = k+1, k == l.hi
		}
		if !done {
			pieces = append(pieces, piece{span{at, l.hi}, l.edge})
		}
	}
	for _, k := range keys {
		pieces = append(pieces, piece{span{k, k}, d.points[k]})
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.lo, b.lo) })
	for _, p := range pieces {
		i := slices.IndexFunc(out, func(o *outcome) bool { return sameWay(o.edge, p.edge) })
		if i < 0 {
			i, out = len(out), append(out, &outcome{edge: p.edge})
		}
		s := &out[i].spans
		if n := len(*s); n > 0 && (*s)[n-1].hi+1 == p.lo {
			(*s)[n-1].hi = p.hi
		} else {
			*s = append(*s, p.span)
		}
	}
	return out
}

// absorb goes on where an outcome leads to another tree of comparisons of the same number, and nothing else leads there.
func (d *decision) absorb(out []*outcome) []*outcome {
	ours := map[int]bool{}
	for _, b := range d.blocks {
		ours[b] = true
	}
	for i := 0; i < len(out); i++ {
		o, b := out[i], &d.g.blocks[out[i].edge.to]
		_, _, compares := d.compares(b)
		if !compares || len(b.phis) > 0 || slices.ContainsFunc(b.in, func(e *edge) bool { return !ours[e.from] }) {
			continue
		}
		next := d.g.decide(o.edge.to, d.on)
		out = slices.Delete(out, i, i+1)
		for _, further := range next.outcomes() {
			if spans := intersect(further.spans, o.spans); len(spans) > 0 {
				out = addOutcome(out, further.edge, spans)
			}
		}
		d.blocks = append(d.blocks, next.blocks...)
		for _, b := range next.blocks {
			ours[b] = true
		}
		i = -1
	}
	return out
}

// intersect lists the stretches of numbers that are in both lists.
func intersect(a, b []span) (both []span) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if s := (span{max(a[i].lo, b[j].lo), min(a[i].hi, b[j].hi)}); s.lo <= s.hi {
			both = append(both, s)
		}
		if a[i].hi < b[j].hi {
			i++
		} else {
			j++
		}
	}
	return both
}

// addOutcome puts stretches to those that lead to the same place.
func addOutcome(out []*outcome, e *edge, spans []span) []*outcome {
	i := slices.IndexFunc(out, func(o *outcome) bool { return sameWay(o.edge, e) })
	if i < 0 {
		return append(out, &outcome{e, spans})
	}
	all := append(slices.Clone(out[i].spans), spans...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	joined := all[:1]
	for _, s := range all[1:] {
		if last := &joined[len(joined)-1]; last.hi+1 == s.lo {
			last.hi = s.hi
		} else {
			joined = append(joined, s)
		}
	}
	out[i] = &outcome{out[i].edge, joined}
	return out
}

// sameWay reports whether two edges lead to the same place with the same numbers.
func sameWay(a, b *edge) bool { return a.to == b.to && slices.Equal(a.brings, b.brings) }

// plan finds out how to ask for the outcomes, and whether that is cheaper than all the comparisons.
func (d *decision) plan() bool {
	const perBlock = 2 // a comparison, and what is left of the mask
	out := d.absorb(d.outcomes())
	slices.SortStableFunc(out, func(a, b *outcome) int { return cmp.Compare(d.g.difficulty(a), d.g.difficulty(b)) })
	d.saves = perBlock * len(d.blocks)
	for _, o := range out[:len(out)-1] {
		w := d.g.member(d.on, o.spans)
		d.ways, d.saves = append(d.ways, wayOut{o, w}), d.saves-w.cost
	}
	d.ways = append(d.ways, wayOut{outcome: out[len(out)-1]})
	return d.saves > 0
}

// replace makes the first block of the decision ask for the sets.
func (d *decision) replace() {
	g, from := d.g, d.blocks[0]
	g.cutOff(d.blocks...)
	rest := g.truth(true)
	for _, w := range d.ways {
		cond := rest
		if w.make != nil {
			cond = w.make()
			rest = g.both(rest, g.negate(cond))
		}
		e := &edge{from: from, to: w.edge.to, cond: cond, brings: w.edge.brings}
		g.blocks[from].out = append(g.blocks[from].out, e)
		g.blocks[e.to].in = append(g.blocks[e.to].in, e)
	}
}

// difficulty orders outcomes by what it costs to ask for them. Lanes that are of no interest any more need not be asked for,
// so that outcome comes last.
func (g *graph) difficulty(o *outcome) int {
	n := len(o.spans)
	if g.idle[o.edge.to] {
		n += len(o.spans) + 1<<24
	}
	return n
}
