package jit

// What a group of packets costs in either body, as far as that can be told of a program whose packets are not known, for batches
// too small to find out (vec_choice.go). Both are estimates in cycles, from measurements on Zen 4.

const (
	scalarPacket     = 4.0 // the loop around the program
	scalarInsn       = 0.5
	scalarMispredict = 8.0 // of a branch that goes either way as often: half of them are predicted in spite of that

	vectorSkip    = 3.0
	vectorInFrame = 1.0 // for each operand
)

// How often comparisons are taken to hold. In a list of comparisons of one number each finds it seldom.
const (
	chanceEqual  = 0.3
	chanceListed = 0.02
	chanceOther  = 0.5
)

// scalarCost estimates what the blocks cost one packet after the other, by following the chances.
func (g *graph) scalarCost(insns int) float64 {
	reach := make([]float64, len(g.blocks))
	reach[0] = 1
	cost := scalarPacket
	for i := range g.blocks {
		b, end := &g.blocks[i], insns
		if i+1 < len(g.blocks) {
			end = g.blocks[i+1].pc
		}
		cost += reach[i] * scalarInsn * float64(end-b.pc)
		chance := 1.0
		if len(b.out) == 2 {
			chance = g.chance(i)
			cost += reach[i] * scalarMispredict * 2 * min(chance, 1-chance)
		}
		for j, e := range b.out {
			if j == 1 {
				chance = 1 - chance
			}
			reach[e.to] += reach[i] * chance
		}
	}
	return float64(g.shape.lanes) * cost
}

// chance estimates how often the first edge of a block is taken.
func (g *graph) chance(i int) float64 {
	on, pred, _, ok := g.comparison(&g.blocks[i])
	if !ok || pred != predEQ && pred != predNE {
		return chanceOther
	}
	chance := chanceEqual
	if in := g.blocks[i].in; len(in) == 1 {
		if before, p, _, ok := g.comparison(&g.blocks[in[0].from]); ok && before == on && (p == predEQ || p == predNE) {
			chance = chanceListed
		}
	}
	if pred == predNE {
		chance = 1 - chance
	}
	return chance
}

// cost estimates what the lines cost.
func (e *encoder) cost() float64 {
	s := e.shape
	cost := float64(s.group)
	for i := range e.c.lines {
		l := &e.c.lines[i]
		switch l.kind {
		case lineGather:
			cost += float64(s.gather)
		case lineWindow:
			cost += float64(s.window)
		case lineDivide:
			cost += float64(s.divide)
		case lineSkip, lineGiveUp:
			cost += vectorSkip
		default:
			cost += s.line
		}
		inFrame := func(h home) {
			if h.slot >= 0 {
				cost += vectorInFrame
			}
		}
		l.reads(func(v lanes) { inFrame(e.vectors[v]) })
		l.writes(func(v lanes) { inFrame(e.vectors[v]) })
		l.readsMasks(func(m mask) { inFrame(e.masks[m]) })
	}
	return cost
}
