package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// optimizable is a target for which optimised programs can be made.
type optimizable interface {
	access
	// hook tells what the optimiser has to know before it chooses instructions.
	hook() *hook
	// layout tells where the program finds things, once entry has put them there. twin says that the plain translation
	// follows, which wants all that it knows by entry.
	layout(p cbpf.Program, twin bool) layout
}

// optimized translates the whole program by way of a graph. It reports false, and has emitted nothing, for a program that
// is better translated plainly.
func (e *emitter) optimized(level int) (done bool, err error) {
	target, ok := e.access.(optimizable)
	if !ok {
		return false, nil
	}
	h := target.hook()
	if h.byAddress && e.search.any() { // the searches want the registers of the pointers
		return false, nil
	}
	h.ahead, h.binary = e.search.payOff, e.actions != nil
	g := buildGraph(e.prog, h)
	g.optimize(level)
	e.doubtful = e.forget && g.visits() > mostVisits
	twin := g.far && !h.packetOnly || h.paged
	at := target.layout(e.prog, twin)
	at.miss = e.drop
	if at.most == 0 {
		at.most = ebpf.StackSize
	}
	if e.search.any() {
		at.stack = min(at.stack, searchStack)
	}
	if twin {
		at.miss = e.b.NewLabel()
		at.stack = min(at.stack, plainStack) // what lies there may be a pointer, which the twin must not write half over
	}
	code, vregs, missed := lower(g, e, at)
	twin = twin && missed
	needs := needsOf(code, at)
	needs.entry = needs.entry || twin || at.enter == nil
	if !needs.entry {
		at.pinned &^= setOf(e.regCtx)
	}
	code, homes, spare := allot(code, vregs, &at)
	if homes.stack() > at.most {
		e.dropped, e.dropPlaced = false, false
		return false, nil
	}
	e.b.Origin(NoPC)
	ctx := ebpf.R1
	if needs.entry {
		e.entry(e)
		ctx = e.regCtx
	}
	if g.asks(h) {
		e.begin(e)
	}
	if needs.packet && at.enter != nil {
		at.enter(e.b, ctx)
	}
	e.stack = max(e.stack, homes.stack())
	a := assembler{emitter: e, allocation: homes, spare: spare}
	if err := a.assemble(code); err != nil {
		return false, err
	}
	if !twin {
		e.end()
		return true, nil
	}
	e.b.Place(at.miss)
	return true, e.body()
}

// mostVisits is how many instructions of a graph, on all paths together, the verifier is sure to follow, and the plain
// translation behind them too: each becomes three at most, but for those that the target emits by itself.
const mostVisits = verifierInsns / 32

// follows reports whether the verifier comes to an end with an optimised program that has more paths than it is sure to
// follow: because it leaves a path where it knows what it knew there on another one. That is seen from the program.
func follows(p ebpf.Program, abi ebpf.ABI) bool {
	_, aside, ok := ebpf.Effort(p, abi, min(mostVisits, visitsEach*len(p)))
	return ok && aside <= asideMost/4
}

// visitsEach is how often each instruction may be followed in the mean, so that no time is lost with what is hopeless anyhow.
const visitsEach = 16

// visits counts the instructions on all paths together, each path by itself.
func (g *graph) visits() (n int) {
	through := make([]int, len(g.blocks))
	through[0] = 1
	for _, b := range g.blocks {
		n = min(maxVisits, n+through[b.id]*(len(b.insts)+1))
		for e := range b.edges() {
			through[e.to.id] = min(maxVisits, through[e.to.id]+through[b.id])
		}
	}
	return n
}

// needs is what code wants to find when it begins.
type needs struct {
	entry  bool // what entry leaves: the target does something of its own
	packet bool // where the packet begins and ends
}

func needsOf(code []vinsn, at layout) (n needs) {
	fixed := func(v vreg) {
		if r, ok := v.fixed(); ok && (r == at.data || r == at.limit) {
			n.packet = true
		}
	}
	for i := range code {
		in := &code[i]
		n.entry = n.entry || in.kind == vOpaque && !in.ret
		in.operands(fixed, fixed)
	}
	return n
}

// asks reports whether the target emits something of its own for the graph that begin has to make ready for.
func (g *graph) asks(h *hook) bool {
	for _, b := range g.blocks {
		for _, in := range b.insts {
			e := &g.exprs[in.v]
			if in.kind == instDef && (e.kind == exprOpaque || e.kind == exprProperty) && (h.prepared == nil || h.prepared(e)) {
				return true
			}
		}
	}
	return false
}

// plainStack is where the stack of the plain translation ends at the lowest.
const plainStack = loadSlot

// allRegisters are those that a program may use as it likes.
var allRegisters = setOf(ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9)
