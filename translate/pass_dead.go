package translate

import "slices"

// dropDead removes definitions and assignments that nothing reads:
//
//	guard 14                 guard 14
//	v1 = load2 [12]     =>   ret 0x1
//	ret 0x1
//
// Guards stay: they decide about the verdict.
func dropDead(g *graph) {
	l := newLiveness(g)
	for _, b := range slices.Backward(g.blocks) {
		for e := range b.edges() {
			alive := l.in[e.to.id]
			e.assigns = slices.DeleteFunc(e.assigns, func(a assign) bool { return !alive.has(a.phi) || a.phi == a.from })
		}
		s := l.after(b)
		for i := len(b.insts) - 1; i >= 0; i-- {
			in := b.insts[i]
			if in.kind == instDef && !s.has(in.v) && g.pure(in.v) {
				b.insts = slices.Delete(b.insts, i, i+1)
				continue
			}
			s = l.through(in, s)
		}
		l.in[b.id] = s
	}
}

// pure reports whether computing v has no effect but the value: it does not end the program.
func (g *graph) pure(v value) bool { return g.exprs[v].kind != exprOpaque }
