package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// lengthUse is what a program does with the length of the packet.
type lengthUse struct {
	counted bool // more than to ask whether that is 0
	wide    bool // something that reads 64 bits: not only comparisons, arithmetic and ends
}

// length takes the length of the packet for what lies between data and limit. The verifier takes that for any 64 bits, and where
// a guard has found limit exceeded it thinks so of the difference too: a mask cures it of both.
func (l *lowerer) length(v value) {
	use := l.lengthUse(v)
	if !use.counted {
		return
	}
	l.put(ebpf.Mov.Reg(0, 0), vreg(v), machine(l.limit))
	l.put(ebpf.Sub.Reg(0, 0), vreg(v), machine(l.data))
	if l.guarded || use.wide {
		l.put(ebpf.And.Imm32(0, 1<<31-1), vreg(v), noReg)
	}
}

func (l *lowerer) lengthUse(v value) (use lengthUse) {
	for _, b := range l.blocks {
		for _, in := range b.insts {
			use.note(l.graph, in, v)
		}
		for e := range b.edges() {
			use.wide = use.wide || slices.ContainsFunc(e.assigns, func(a assign) bool { return a.from == v })
		}
		t := &b.term
		reads := t.kind == termRet && t.a == v || t.kind == termCond && (t.a == v || t.b == v)
		use.counted = use.counted || reads && !l.asksForEmpty(t)
	}
	use.counted = use.counted || use.wide
	return use
}

// note adds what an instruction does with v.
func (use *lengthUse) note(g *graph, in inst, v value) {
	if in.kind != instDef {
		use.wide = use.wide || in.base == v || in.v == v
		return
	}
	ops, n := g.operands(in.v)
	if !slices.Contains(ops[:n], v) {
		return
	}
	kind := g.exprs[in.v].kind
	use.counted = true
	use.wide = use.wide || kind != exprALU && kind != exprNeg
}

// asksForEmpty reports whether a condition is that the packet has a length, or that it has none.
func (g *graph) asksForEmpty(t *term) bool {
	k, isConst := g.constOf(t.b)
	return t.kind == termCond && g.exprs[t.a].kind == exprLen && isConst && k == 0 && (t.op == ebpf.JEq || t.op == ebpf.JNe)
}
