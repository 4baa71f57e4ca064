package translate

import "slices"

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
			base, hi := in.base, in.hi
			switch in.kind {
			case instGuard:
			case instSmall:
				base, hi = ^in.v, 1<<31-in.hi
			default:
				return false
			}
			if r.of(base) >= hi {
				return true
			}
			r = r.with(base, hi)
			return false
		})
		for e := range b.edges() {
			if known := at[e.to.id]; known == nil {
				at[e.to.id] = r.copy()
			} else {
				at[e.to.id] = known.meet(r)
			}
		}
	}
}

// extent says that the packet is known, or required, to reach so far behind a base.
type extent struct {
	base value
	hi   int64
}

// maxExtents is of how many bases something is known at a time.
const maxExtents = 16

// extents are what is known of several bases, the newest last. nil is different from none: see widenGuards.
type extents []extent

// of is how far the packet reaches behind a base; 0 where nothing is known.
func (x extents) of(base value) int64 {
	for _, e := range x {
		if e.base == base {
			return e.hi
		}
	}
	return 0
}

// with returns x with another extent of a base. It may change x.
func (x extents) with(base value, hi int64) extents {
	for i := range x {
		if x[i].base == base {
			x[i].hi = hi
			return x
		}
	}
	if len(x) == maxExtents {
		x = slices.Delete(x, 0, 1)
	}
	return append(x, extent{base, hi})
}

// without returns x with nothing known of a base. It may change x.
func (x extents) without(base value) extents {
	return slices.DeleteFunc(x, func(e extent) bool { return e.base == base })
}

// meet keeps what both tell. It may change x.
func (x extents) meet(other extents) extents {
	for i := range x {
		x[i].hi = min(x[i].hi, other.of(x[i].base))
	}
	return slices.DeleteFunc(x, func(e extent) bool { return e.hi == 0 })
}

// copy returns a copy that is not nil.
func (x extents) copy() extents { return append(make(extents, 0, len(x)+2), x...) }

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
				want = want.without(in.v)
			case instGuard:
				wanted := want.of(in.base)
				in.hi = max(in.hi, min(wanted, in.most))
				want = want.with(in.base, max(in.hi, wanted))
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
	for e := range b.edges() {
		w := wants[e.to.id]
		if w == nil {
			continue
		}
		w = w.copy()
		for _, a := range e.assigns {
			w = w.without(a.phi)
		}
		if want == nil {
			want = w
		} else {
			want = want.meet(w)
		}
	}
	return want
}
