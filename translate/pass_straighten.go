package translate

import "slices"

// straighten removes blocks that do nothing, and makes one of two blocks between which there is only one way:
//
//	b1: goto b2            b1: insts of b2
//	b2: insts         =>       end of b2
//	    end
func straighten(g *graph) {
	for _, b := range slices.Backward(g.blocks) {
		for e := range b.edges() {
			for e.to.empty() {
				e.extend(&e.to.term.yes)
			}
		}
		if b.term.kind == termCond && b.term.yes.same(&b.term.no) {
			b.term.settle(true)
		}
	}
	g.number()
	in := g.incoming()
	merged := make([]bool, len(g.blocks))
	for _, b := range g.blocks {
		if merged[b.id] {
			continue
		}
		for b.term.kind == termJump && in[b.term.yes.to.id] == 1 && len(b.term.yes.assigns) == 0 {
			next := b.term.yes.to
			b.insts = append(b.insts, next.insts...)
			b.term = next.term
			merged[next.id] = true
		}
	}
	g.number()
}

// empty reports whether a block only goes on to another.
func (b *block) empty() bool { return len(b.insts) == 0 && b.term.kind == termJump }

// extend makes the edge go on where next leads. What next assigns from something that e assigns comes from where that came.
func (e *edge) extend(next *edge) {
	assigns := append([]assign(nil), e.assigns...)
	for _, a := range next.assigns {
		assigns = append(assigns, assign{a.phi, e.source(a.from)})
	}
	e.to, e.assigns = next.to, assigns
}

// source is what v is in front of the edge.
func (e *edge) source(v value) value {
	for _, a := range e.assigns {
		if a.phi == v {
			return a.from
		}
	}
	return v
}
