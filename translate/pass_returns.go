package translate

import (
	"maps"
	"slices"
)

// shareReturns leads all ways to the same verdict to one block, and puts these blocks at the end, 0 the last.
func shareReturns(g *graph) {
	ends := make(map[uint32]*block)
	for _, b := range g.blocks {
		for e := range b.edges() {
			k, ok := g.returns(e.to)
			if !ok {
				continue
			}
			if ends[k] == nil {
				ends[k] = e.to
			}
			*e = edge{to: ends[k]}
		}
		if b.term.kind == termCond && b.term.yes.same(&b.term.no) {
			b.term.settle(true)
		}
	}
	g.blocks = slices.DeleteFunc(g.blocks, func(b *block) bool {
		k, ok := g.returns(b)
		return ok && ends[k] != nil
	})
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(ends))) {
		g.blocks = append(g.blocks, ends[k])
	}
}

// returns reports the verdict of a block that does nothing but end the program with it.
func (g *graph) returns(b *block) (verdict uint32, ok bool) {
	if len(b.insts) > 0 || b.term.kind != termRet {
		return 0, false
	}
	return g.constOf(b.term.a)
}
