package cbpf

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// flow is where the paths through a program go, with the loops that they go round in. Unlike everywhere else, `ja` may go
// backwards.
type flow struct {
	prog   Program
	order  []int   // the pcs that paths reach: each behind one from which it is reached, but for the ways back in loops
	rank   []int   // of each pc its index in order; -1 where no path gets
	before [][]int // of each pc those that lead to it
	idom   []int   // of each pc the last one that is on every way to it; of the first, itself
	inner  []*loop // of each pc the innermost loop that it is in; nil for none
	faults Errors
}

// loop is what goes round: the header, through which every way into the loop leads, and all pcs from which a way leads
// back to it without leaving.
type loop struct {
	header int
	body   []bool // by pc
	outer  *loop
}

func (l *loop) has(pc int) bool { return l.body[pc] }

// jumpsBack reports whether an instruction is a `ja` to itself or to what stands in front of it, to those who take k for an
// int32.
func jumpsBack(ins bpf.RawInstruction) bool { return ins.Op == OpJa && int32(ins.K) < 0 }

// successors returns where a path goes from pc on, with the target of jt in front of that of jf.
func successors(p Program, pc int) (next [2]int, count int) {
	ins := p[pc]
	info := Info(ins.Op)
	switch {
	case info == nil:
	case info.Form == FormJump:
		return [2]int{pc + 1 + int(int32(ins.K))}, 1
	case info.Form == FormCondK || info.Form == FormCondX:
		return [2]int{pc + 1 + int(ins.Jt), pc + 1 + int(ins.Jf)}, 2
	case isReturn(ins.Op):
		return next, 0
	}
	return [2]int{pc + 1}, 1
}

// newFlow finds the loops of a program. The error is an Errors.
func newFlow(p Program) (*flow, error) {
	g := &flow{prog: p, rank: make([]int, len(p)), inner: make([]*loop, len(p))}
	g.walk()
	if len(g.faults) == 0 {
		g.dominate()
		g.findLoops()
	}
	slices.SortStableFunc(g.faults, func(a, b *Error) int { return a.PC - b.PC })
	return g, g.faults.asError()
}

// walk puts what paths reach in order, and records jumps that leave the program.
func (g *flow) walk() {
	type visit struct{ pc, next int }
	const seen = -2
	for pc := range g.rank {
		g.rank[pc] = -1
	}
	stack := []visit{{0, 0}}
	g.rank[0] = seen
	var ended []int
	for len(stack) > 0 {
		v := &stack[len(stack)-1]
		next, count := successors(g.prog, v.pc)
		if v.next == count {
			ended = append(ended, v.pc)
			stack = stack[:len(stack)-1]
			continue
		}
		to := next[v.next]
		if count == 2 { // the nearer one first: what leads back is a jump backwards then, if it can be
			to = [2]int{min(next[0], next[1]), max(next[0], next[1])}[v.next]
		}
		v.next++
		switch {
		case to < 0 || to >= len(g.prog):
			g.leaves(v.pc, to)
		case g.rank[to] == -1:
			g.rank[to] = seen
			stack = append(stack, visit{to, 0})
		}
	}
	for i := len(ended) - 1; i >= 0; i-- {
		g.rank[ended[i]] = len(g.order)
		g.order = append(g.order, ended[i])
	}
	if len(g.faults) > 0 {
		return
	}
	g.before = make([][]int, len(g.prog))
	for _, pc := range g.order {
		next, count := successors(g.prog, pc)
		for _, to := range next[:count] {
			g.before[to] = append(g.before[to], pc)
		}
	}
}

// leaves records that a path leaves the program.
func (g *flow) leaves(pc, to int) {
	if len(g.faults) == maxViolations {
		return
	}
	e := &Error{Reason: ReasonJumpOutside, PC: pc, Detail: fmt.Sprintf("target %d, the last instruction is %d", to, len(g.prog)-1)}
	if info := Info(g.prog[pc].Op); info == nil || !isJump(info.Form) {
		e.Reason, e.Detail = ReasonNoReturn, "a path runs past the last instruction"
	}
	g.faults = append(g.faults, e)
}

// dominate finds for each pc the nearest other one that is on every way to it, going over the program until nothing
// changes (Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm).
func (g *flow) dominate() {
	g.idom = make([]int, len(g.prog))
	for pc := range g.idom {
		g.idom[pc] = -1
	}
	g.idom[0] = 0
	for changed := true; changed; {
		changed = false
		for _, pc := range g.order[1:] {
			dom := -1
			for _, from := range g.before[pc] {
				switch {
				case g.idom[from] < 0:
				case dom < 0:
					dom = from
				default:
					dom = g.common(dom, from)
				}
			}
			if dom != g.idom[pc] {
				g.idom[pc], changed = dom, true
			}
		}
	}
}

// common returns the last pc that is on every way to both.
func (g *flow) common(a, b int) int {
	for a != b {
		for g.rank[a] > g.rank[b] {
			a = g.idom[a]
		}
		for g.rank[b] > g.rank[a] {
			b = g.idom[b]
		}
	}
	return a
}

// dominates reports whether a is on every way to b.
func (g *flow) dominates(a, b int) bool { return g.common(a, b) == a }

// findLoops finds the loops, and which is inside of which. An edge against the order leads back to the header of a loop,
// or there is a way around the header: then no number of copies will do.
func (g *flow) findLoops() {
	ends := make(map[int][]int) // by header, from where a way leads back to it
	for _, pc := range g.order {
		next, count := successors(g.prog, pc)
		for _, to := range next[:count] {
			switch {
			case g.rank[to] > g.rank[pc]:
			case g.dominates(to, pc):
				ends[to] = append(ends[to], pc)
			default:
				g.irreducible(pc, to)
			}
		}
	}
	if len(g.faults) > 0 {
		return
	}
	// The header of an outer loop comes first, so that the innermost loop of each pc is the last that has it.
	for _, header := range g.order {
		if ends[header] == nil {
			continue
		}
		l := &loop{header: header, body: make([]bool, len(g.prog)), outer: g.inner[header]}
		l.body[header] = true
		for rest := ends[header]; len(rest) > 0; {
			pc := rest[len(rest)-1]
			rest = rest[:len(rest)-1]
			if !l.body[pc] {
				l.body[pc] = true
				rest = append(rest, g.before[pc]...)
			}
		}
		for pc, in := range l.body {
			if in {
				g.inner[pc] = l
			}
		}
	}
}

// irreducible records a loop that is entered in two places: at pc a way leads back to a place that another way reaches too.
func (g *flow) irreducible(pc, to int) {
	if len(g.faults) < maxViolations {
		g.faults = append(g.faults, &Error{Reason: ReasonIrreducible, PC: pc,
			Detail: fmt.Sprintf("it goes on at (%03d), and a way from the start to (%03d) does not pass there; such a loop cannot be unrolled", to, pc)})
	}
}
