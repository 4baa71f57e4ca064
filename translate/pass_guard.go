package translate

import (
	"maps"
	"slices"
)

// mergeGuards makes each guard ask for all that is read further down in any case, removes those that ask for nothing new,
// and ends the program where nothing but verdict 0 can come any more:
//
//	guard 14                          guard 24
//	if v1 == 0x800 goto b1 else b2    if v1 == 0x800 goto b1 else b2
//	b1: guard 24                  =>  b1: ...
//	b2: ret 0                         b2: ret 0
//
// That is exact, though a short packet now ends earlier: "in any case" leaves out the paths that end with verdict 0 anyhow,
// and 0 is what a short packet gets.
func mergeGuards(g *graph) {
	g.widenGuards()
	g.number()
	at := make([]extents, len(g.blocks))
	at[0] = extents{}
	for _, b := range g.blocks {
		r := at[b.id]
		b.insts = slices.DeleteFunc(b.insts, func(in inst) bool {
			if in.kind != instGuard {
				return false
			}
			if r[in.base] >= in.hi {
				return true
			}
			r[in.base] = in.hi
			return false
		})
		for _, e := range b.edges() {
			if known := at[e.to.id]; known == nil {
				at[e.to.id] = maps.Clone(r)
			} else {
				known.meet(r)
			}
		}
	}
}

// extents tells how far behind each base the packet is known, or required, to reach.
type extents map[value]int64

// meet keeps what both tell.
func (r extents) meet(other extents) {
	for base, hi := range r {
		if o := other[base]; o == 0 {
			delete(r, base)
		} else {
			r[base] = min(hi, o)
		}
	}
}

// widenGuards goes from the last block to the first, knowing what is read further down in any case.
func (g *graph) widenGuards() {
	wants := make([]extents, len(g.blocks)) // at the beginning of each block; nil where the verdict is 0 in any case
	for _, b := range slices.Backward(g.blocks) {
		want := g.wantAfter(b, wants)
		if want == nil {
			b.insts, b.term = nil, term{kind: termRet, a: g.constant(0), pc: b.term.pc}
			continue
		}
		for i := len(b.insts) - 1; i >= 0; i-- {
			switch in := &b.insts[i]; in.kind {
			case instDef:
				delete(want, in.v)
			case instGuard:
				in.hi = max(in.hi, min(want[in.base], in.most))
				want[in.base] = max(in.hi, want[in.base])
			}
		}
		wants[b.id] = want
	}
}

// wantAfter is what is read in any case behind the instructions of the block.
func (g *graph) wantAfter(b *block, wants []extents) extents {
	if b.term.kind == termRet {
		if k, ok := g.constOf(b.term.a); ok && k == 0 {
			return nil
		}
		return extents{}
	}
	var want extents
	for _, e := range b.edges() {
		w := wants[e.to.id]
		if w == nil {
			continue
		}
		w = maps.Clone(w)
		for _, a := range e.assigns {
			delete(w, a.phi)
		}
		if want == nil {
			want = w
		} else {
			want.meet(w)
		}
	}
	return want
}
