package jit

import (
	"cmp"
	"slices"
)

// verdictsTried is how many constants are tried as the verdict that lanes start with.
const verdictsTried = 8

// chooseVerdict picks the verdict that lanes start with, so that as many blocks as possible are idle.
func (g *graph) chooseVerdict() {
	ends := map[uint32]int{}
	for i := range g.blocks {
		if b := &g.blocks[i]; b.verdict != noNode {
			if k, constant := g.isConst(b.verdict); constant {
				ends[k] += len(b.in)
			}
		}
	}
	var candidates []uint32
	for k := range ends {
		candidates = append(candidates, k)
	}
	slices.SortFunc(candidates, func(a, b uint32) int { return cmp.Or(cmp.Compare(ends[b], ends[a]), cmp.Compare(a, b)) })
	g.idle = make([]bool, len(g.blocks))
	candidates = candidates[:min(len(candidates), verdictsTried)]
	slices.Sort(candidates) // of equal ones zero is the best
	most := -1
	for _, k := range candidates {
		if idle, n := g.idleWith(k); n > most {
			g.verdict, g.idle, most = k, idle, n
		}
	}
}

// idleWith finds the blocks that are idle if lanes start with the verdict, and counts them.
func (g *graph) idleWith(verdict uint32) (idle []bool, n int) {
	idle = make([]bool, len(g.blocks))
	for i := len(g.blocks) - 1; i >= 0; i-- {
		b := &g.blocks[i]
		if b.verdict != noNode {
			k, constant := g.isConst(b.verdict)
			idle[i] = constant && k == verdict
		} else {
			idle[i] = !slices.ContainsFunc(b.out, func(e *edge) bool { return !idle[e.to] })
		}
		idle[i] = idle[i] && len(b.faults) == 0
		if idle[i] {
			n++
		}
	}
	return idle, n
}

// threadJumps leads edges past blocks that do nothing, and those to blocks that end with the same verdict to the last of them.
func (g *graph) threadJumps() {
	ends := map[nodeID]int{}
	for i := len(g.blocks) - 1; i > 0; i-- {
		b := &g.blocks[i]
		if len(b.phis)+len(b.faults) > 0 {
			continue
		}
		if b.verdict != noNode {
			if last, ok := ends[b.verdict]; ok {
				g.redirect(b, last, nil)
			} else {
				ends[b.verdict] = i
			}
			continue
		}
		if len(b.out) == 1 && g.at(b.out[0].cond).op == opTrue {
			on := b.out[0]
			on.gone, b.out = true, nil
			g.redirect(b, on.to, on.brings)
		}
	}
	for i := range g.blocks {
		g.blocks[i].forget()
	}
	g.prune()
}

// redirect leads the edges to a block to another.
func (g *graph) redirect(b *block, to int, brings []nodeID) {
	for _, e := range b.in {
		e.to, e.brings = to, brings
	}
	g.blocks[to].in = append(g.blocks[to].in, b.in...)
	b.in = nil
}

// prune cuts off the blocks that nothing leads to any more.
func (g *graph) prune() {
	for i := range g.blocks {
		if !g.reached(i) {
			g.cutOff(i)
			g.blocks[i].verdict, g.blocks[i].faults = noNode, nil
		}
	}
}

// reached reports whether anything leads to the block at i. The program begins in the first.
func (g *graph) reached(i int) bool { return i == 0 || len(g.blocks[i].in) > 0 }

// cutOff removes the edges out of blocks.
func (g *graph) cutOff(blocks ...int) {
	var targets []int
	for _, i := range blocks {
		for _, e := range g.blocks[i].out {
			e.gone = true
			targets = append(targets, e.to)
		}
		g.blocks[i].out = nil
	}
	slices.Sort(targets)
	for _, i := range slices.Compact(targets) {
		g.blocks[i].forget()
	}
}

// forget takes the edges to the block that are gone out of its list.
func (b *block) forget() { b.in = slices.DeleteFunc(b.in, func(e *edge) bool { return e.gone }) }
