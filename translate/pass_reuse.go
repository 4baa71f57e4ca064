package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// maxKept is how many values, besides those that the program holds anyway, are kept for use further down.
const maxKept = 24

// reuse removes definitions of values that are there already on all ways that lead to them:
//
//	b1: v1 = load2 [12]               b1: v1 = load2 [12]
//	    if v1 == 6 goto b2 else b3        if v1 == 6 goto b2 else b3
//	b2: v1 = load2 [12]           =>  b2: ...
func reuse(g *graph) {
	at := make([]recent, len(g.blocks)) // what is there at the beginning of each block
	seen := make([]bool, len(g.blocks))
	for _, b := range g.blocks {
		have := at[b.id]
		b.insts = slices.DeleteFunc(b.insts, func(in inst) bool {
			switch {
			case in.kind != instDef:
				return false
			case slices.Contains(have, in.v):
				return true
			}
			have = have.with(g, in.v)
			return false
		})
		for e := range b.edges() {
			if to := e.to.id; seen[to] {
				at[to] = slices.DeleteFunc(at[to], func(v value) bool { return !slices.Contains(have, v) })
			} else {
				at[to], seen[to] = slices.Clone(have), true
			}
		}
	}
}

// recent holds the values that were defined last, the newest at the end.
type recent []value

// with returns r and a newer value. Where there are too many, the oldest that is easily made again is forgotten. It may change r.
func (r recent) with(g *graph, v value) recent {
	if len(r) >= maxKept {
		oldest := slices.IndexFunc(r, g.easilyMade)
		if oldest < 0 {
			oldest = max(0, slices.IndexFunc(r, func(v value) bool { return !g.isPayOff(v) }))
		}
		r = slices.Delete(r, oldest, oldest+1)
	}
	return append(r, v)
}

// easilyMade: the offset of the payload takes long, and to the verifier an address that is made again is another one, of which no
// guard has told it anything. The addresses of which one still tells, maxExtents at most, are the newest ones.
func (g *graph) easilyMade(v value) bool { return g.exprs[v].kind != exprPtr && !g.isPayOff(v) }

func (g *graph) isPayOff(v value) bool {
	return g.exprs[v].kind == exprProperty && cbpf.Ext(g.exprs[v].k) == cbpf.ExtPayOff
}
