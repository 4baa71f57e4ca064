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

// twofold is a target whose slow twins need not do all that its programs do.
type twofold interface {
	// twin is the way to packets of a slow twin, which finds things where entry puts them; nil where that is the plain
	// translation.
	twin() optimizable
}

// optimized translates the whole program by way of a graph. It reports false, and has emitted nothing, for a program that
// is better translated plainly.
func (e *emitter) optimized(level int) (done bool, err error) {
	target, ok := e.access.(optimizable)
	if !ok {
		return false, nil
	}
	o := e.optimize(target, level, 0)
	if o == nil {
		return false, nil
	}
	e.b.Origin(NoPC)
	ctx := ebpf.R1
	if o.needs.entry {
		e.entry(e)
		ctx = e.regCtx
	}
	if err := o.emit(e, ctx); err != nil {
		return false, err
	}
	if !o.twin {
		e.end()
		return true, nil
	}
	e.b.Place(o.at.miss)
	below := 0
	if o.at.byAddress { // what lies on the stack may be a pointer, which the twin must not write half over
		below = e.stack
	}
	return true, e.slowTwin(level, below)
}

// slowTwin translates the whole program for packets of which guards know nothing. Entry is done. If it is optimised, it uses the stack
// below so many bytes.
func (e *emitter) slowTwin(level, below int) error {
	way, holds := e.access, e.registers
	fast, ok := way.(twofold)
	if !ok {
		return e.body()
	}
	slow := fast.twin()
	if slow == nil {
		return e.body()
	}
	e.access, e.registers = slow, slow.holds()
	if o := e.optimize(slow, level, below); o != nil {
		err := o.emit(e, e.regCtx)
		e.end()
		return err
	}
	e.access, e.registers = way, holds
	return e.body()
}

// optimized is a program as it came out of the optimiser.
type optimized struct {
	code    []vinsn
	at      layout
	homes   *allocation
	spare   [2]ebpf.Register
	needs   needs
	prepare bool // begin has to make something ready
	twin    bool // some guard goes to the slow twin
}

// optimize makes the code of the program, which it does not emit; nil if the program is better translated plainly. What it puts on
// the stack lies below so many bytes.
func (e *emitter) optimize(target optimizable, level, below int) *optimized {
	h := target.hook()
	if h.byAddress && e.search.any() { // the searches want the registers of the pointers
		return nil
	}
	h.ahead, h.binary = e.search.payOff, e.actions != nil
	g := buildGraph(e.prog, h)
	g.optimize(level)
	e.doubtful = e.doubtful || e.forget && g.visits() > mostVisits
	twin := g.far && !h.packetOnly || h.paged
	at := target.layout(e.prog, twin)
	at.miss, at.shift, at.stack = e.drop, h.shift, min(at.stack, int16(-below))
	if at.most == 0 {
		at.most = ebpf.StackSize
	}
	if e.search.any() {
		at.stack = min(at.stack, searchStack)
	}
	g.splitEdges()
	if at.copier != nil {
		twin = g.planCopies(&at)
	}
	if twin {
		at.miss = e.b.NewLabel()
		at.stack = min(at.stack, plainStack) // as below, for a plain twin
	}
	dropped, placed := e.dropped, e.dropPlaced
	code, vregs, missed := lower(g, e, at)
	o := &optimized{at: at, needs: needsOf(code, at), prepare: g.asks(h), twin: twin && missed}
	o.needs.entry = o.needs.entry || o.prepare || o.twin || at.enter == nil && o.needs.packet
	if !o.needs.entry {
		o.at.pinned &^= setOf(e.regCtx)
	}
	o.code, o.homes, o.spare = allot(code, vregs, &o.at)
	if o.homes.stack() > at.most {
		e.dropped, e.dropPlaced = dropped, placed
		return nil
	}
	return o
}

// emit emits the code. The context is in a register.
func (o *optimized) emit(e *emitter, ctx ebpf.Register) error {
	if o.prepare {
		e.begin(e)
	}
	if o.needs.packet && o.at.enter != nil {
		o.at.enter(e.b, ctx)
	}
	if e.stack = max(e.stack, o.homes.stack()); len(o.at.areas) > 0 {
		e.stack = max(e.stack, -int(o.at.stack))
	}
	e.spilled = e.spilled || o.at.byAddress && len(o.homes.slots) > 0
	a := assembler{emitter: e, allocation: o.homes, spare: o.spare}
	return a.assemble(o.code)
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

// proves reports whether it finds each access to be inside of the packet. Of a number with many copies it bounds a few in registers,
// and forgets of those on the stack that they are the same.
func proves(p ebpf.Program, abi ebpf.ABI) bool {
	if facts, err := ebpf.Check(p, abi); err == nil {
		if _, unproved := facts.Unproved(); !unproved {
			return true
		}
	}
	_, _, ok := ebpf.Effort(p, abi, mostVisits)
	return ok
}

// loadable reports whether the verifier is seen to take the program, where there is a reason to look. What it follows to the end it has
// found proved.
func (e *emitter) loadable(p ebpf.Program, abi ebpf.ABI) bool {
	if e.doubtful {
		return follows(p, abi)
	}
	return !e.spilled || proves(p, abi)
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
		if h.measured && len(b.insts) > 0 {
			return true
		}
		for _, in := range b.insts {
			if e := &g.exprs[in.v]; in.isOwn(e) && (h.prepared == nil || h.prepared(e)) {
				return true
			}
		}
	}
	return false
}

// isOwn reports whether the target computes e in its own way.
func (in *inst) isOwn(e *expr) bool {
	own := e.kind == exprOpaque || e.kind == exprProperty || e.kind == exprLoad && in.way == loadOwn
	return in.kind == instDef && own
}

// plainStack is where the stack of the plain translation ends at the lowest.
const plainStack = loadSlot

// allRegisters are those that a program may use as it likes.
var allRegisters = setOf(ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9)
