package translate

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// graph is a program between the two machines: blocks of definitions and guards, with expressions in the place of
// registers. Blocks stand in an order in which control only goes down, as it does in classic programs.
type graph struct {
	values
	blocks []*block
	pc     int  // of the classic instruction at hand, for what is appended
	far    bool // some sum may be too large an offset for guards
}

// block is code without branches, and how it ends.
type block struct {
	insts []inst
	term  term
	id    int  // index among the blocks; number renews it
	live  bool // for number: some way leads here
}

// instKind says what an instruction does.
type instKind uint8

// The kinds of instruction. Those that may end the program do so with verdict 0; but where there is a slow twin of the
// program, guards go there instead of deciding (see twin).
const (
	instDef     instKind = iota // computes v
	instGuard                   // ends the program unless the bytes below hi, counted from base, are there
	instSmall                   // ends the program unless v is at most hi
	instNonZero                 // ends the program if v is 0
)

// inst is one instruction of a block.
type inst struct {
	kind instKind
	v    value // instDef, instSmall, instNonZero
	base value // instGuard: a number or an address, as the hook compares them; noValue: the beginning of the packet
	hi   int64 // instGuard, instSmall
	most int64 // instGuard: how far hi may grow
	// For targets that have bytes copied, see planCopies:
	copied span    // instGuard: what it copies, counted from base
	way    loadWay // instDef: where a load finds its bytes
	pc     int     // of the classic instruction that it came from
}

// termKind says how a block ends.
type termKind uint8

const (
	termJump termKind = iota // goes to yes
	termCond                 // goes to yes if a op b, else to no
	termRet                  // ends the program with verdict a
)

// term is the end of a block.
type term struct {
	kind    termKind
	op      ebpf.JumpOp
	a, b    value
	yes, no edge
	pc      int
}

// edge is a way from the end of one block to the beginning of another. The assignments happen on it, all at once.
type edge struct {
	to      *block
	assigns []assign
}

type assign struct{ phi, from value }

// edges yields the ways out of the block.
func (b *block) edges() iter.Seq[*edge] {
	return func(yield func(*edge) bool) {
		switch b.term.kind {
		case termJump:
			yield(&b.term.yes)
		case termCond:
			_ = yield(&b.term.yes) && yield(&b.term.no)
		}
	}
}

// number renews the ids of the blocks, and drops those that no way leads to.
func (g *graph) number() {
	g.blocks[0].live = true
	for _, b := range g.blocks {
		for e := range b.edges() {
			e.to.live = e.to.live || b.live
		}
	}
	g.blocks = slices.DeleteFunc(g.blocks, func(b *block) bool { return !b.live })
	for i, b := range g.blocks {
		b.id, b.live = i, false
	}
}

// incoming counts the ways into each block, by id.
func (g *graph) incoming() []int {
	in := make([]int, len(g.blocks))
	for _, b := range g.blocks {
		for e := range b.edges() {
			in[e.to.id]++
		}
	}
	return in
}

// settle makes a jump of a condition that is decided, or whose ways are the same.
func (t *term) settle(yes bool) {
	if !yes {
		t.yes = t.no
	}
	t.kind, t.no = termJump, edge{}
}

func (e *edge) same(other *edge) bool {
	return e.to == other.to && slices.Equal(e.assigns, other.assigns)
}

// String lists the graph, for tests and for people who look into the translator.
func (g *graph) String() string {
	var b strings.Builder
	for _, bl := range g.blocks {
		fmt.Fprintf(&b, "b%d:\n", bl.id)
		for _, in := range bl.insts {
			fmt.Fprintf(&b, "\t%s\n", g.inst(in))
		}
		fmt.Fprintf(&b, "\t%s\n", g.term(&bl.term))
	}
	return b.String()
}

func (g *graph) inst(in inst) string {
	switch in.kind {
	case instGuard:
		if in.base == noValue {
			return fmt.Sprintf("guard %d", in.hi)
		}
		return fmt.Sprintf("guard %s+%d", g.name(in.base), in.hi)
	case instSmall:
		return fmt.Sprintf("small %s, %d", g.name(in.v), in.hi)
	case instNonZero:
		return "nonzero " + g.name(in.v)
	}
	return fmt.Sprintf("v%d = %s", in.v, g.text(in.v))
}

func (g *graph) term(t *term) string {
	switch t.kind {
	case termJump:
		return "goto " + g.edge(&t.yes)
	case termCond:
		sign := t.op.Imm32(0, 0).Op.Info().Sign
		return fmt.Sprintf("if %s %s %s goto %s else %s", g.name(t.a), sign, g.name(t.b), g.edge(&t.yes), g.edge(&t.no))
	}
	return "ret " + g.name(t.a)
}

func (g *graph) edge(e *edge) string {
	s := fmt.Sprintf("b%d", e.to.id)
	for _, a := range e.assigns {
		s += fmt.Sprintf(" v%d=%s", a.phi, g.name(a.from))
	}
	return s
}

// name is a constant itself, or the number of a value.
func (g *graph) name(v value) string {
	if k, ok := g.constOf(v); ok {
		return fmt.Sprintf("%#x", k)
	}
	return fmt.Sprintf("v%d", v)
}

// text is what an expression is computed from.
func (g *graph) text(v value) string {
	e := &g.exprs[v]
	switch e.kind {
	case exprLoad:
		if e.a != noValue {
			return fmt.Sprintf("load%d %s[%d]", e.size, g.name(e.a), e.k)
		}
		return fmt.Sprintf("load%d [%d]", e.size, e.k)
	case exprOpaque:
		if e.a != noValue {
			return fmt.Sprintf("opaque%d [%s + %#x]", e.size, g.name(e.a), e.k)
		}
		return fmt.Sprintf("opaque%d [%#x]", e.size, e.k)
	case exprLen:
		return "len"
	case exprProperty:
		return fmt.Sprintf("property %d", e.k)
	case exprALU:
		return fmt.Sprintf("%s %s %s", g.name(e.a), strings.TrimSuffix(e.fn.Imm(0, 0).Op.Info().Sign, "="), g.name(e.b))
	case exprNeg:
		return "-" + g.name(e.a)
	case exprPtr:
		return "address of " + g.name(e.a)
	}
	return g.name(v)
}
