package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// layout is where an optimised program finds what its target gives it.
type layout struct {
	data  ebpf.Register // address of the first byte of the packet
	limit ebpf.Register // captured length; or the address behind the last byte, if byAddress
	// byAddress says that guards compare addresses, as the verifier of the kernel wants it.
	byAddress bool
	// enter emits what fills data and limit out of the context in a register; nil where entry has done so.
	enter func(b *ebpf.Builder, ctx ebpf.Register)
	// lengthByLimit says that the length of the packet is what lies between data and limit.
	lengthByLimit bool
	// whole says that every byte that the program may ask for is there, in words of host order.
	whole bool
	// pinned are the registers that hold the same from beginning to end.
	pinned registerSet
	// lostByLoads are registers that whoever replaces loads may destroy there, and bases those that the address of a load may be
	// in then; 0 for all.
	lostByLoads, bases registerSet
	// stack is how far below the frame pointer the target uses the stack itself, as an offset; most is where it ends, in bytes.
	stack int16
	most  int
	// halves says that all values are numbers of 32 bits, which are to lie on the stack so that the verifier does not follow them:
	// at legacy loads it looks back at all of them, and Linux 6.18 was seen to lose its way there (EFAULT, "verifier bug: stack
	// slot 23, total slots 0").
	halves bool
	// miss is where guards go; where bytes are copied, what cannot be copied.
	miss ebpf.Label
	// shift is the place of the program's packets in those of the hook.
	shift int64
	// copier is the target, where it has bytes copied to the stack, in the areas.
	copier copier
	areas  map[value]*area
}

// lowerer turns a graph into instructions on virtual registers, one for each value.
type lowerer struct {
	*graph
	*emitter
	layout
	code    []vinsn
	labels  []ebpf.Label   // of each block
	raw     []bool         // of each value: it is kept in the byte order of the packet
	temps   vreg           // the next temporary
	cut     bool           // the block at hand does not go on: a guard cannot hold
	missed  bool           // some guard goes to miss
	guarded bool           // some guard stands above
	wanted  labelSet       // labels that some jump goes to, or that are fallen into
	copies  map[*block]int // of blocks that only end the program: how often that was done elsewhere
	pc      int
}

// labelSet is a set of labels, which are small numbers.
type labelSet []bool

func (s *labelSet) add(l ebpf.Label) {
	if n := int(l) + 1 - len(*s); n > 0 {
		*s = append(*s, make([]bool, n)...)
	}
	(*s)[l] = true
}

func (s labelSet) has(l ebpf.Label) bool { return int(l) < len(s) && s[l] }

// lower makes the code of the graph, and says how many virtual registers that has, and whether any guard goes
// elsewhere.
func lower(g *graph, e *emitter, at layout) (code []vinsn, vregs int, missed bool) {
	l := &lowerer{graph: g, emitter: e, layout: at, copies: make(map[*block]int), temps: vreg(len(g.exprs))}
	if !at.whole && !bigEndianHost {
		l.raw = g.rawValues()
	} else {
		l.raw = make([]bool, len(g.exprs))
	}
	n := 0
	for _, b := range g.blocks {
		n += 2 + 2*len(b.insts)
	}
	l.code = make([]vinsn, 0, n)
	for _, b := range g.blocks {
		if k, ok := g.returns(b); ok && k == 0 && at.miss == e.drop {
			l.labels = append(l.labels, e.drop)
			continue
		}
		l.labels = append(l.labels, e.b.NewLabel())
	}
	for _, b := range g.blocks {
		if b.id > 0 && !l.wanted.has(l.labels[b.id]) {
			continue // those who would come here end the program themselves, or go to miss
		}
		l.dropPlaced = l.dropPlaced || l.labels[b.id] == l.drop
		l.code = append(l.code, vinsn{kind: vLabel, to: l.labels[b.id], dst: noReg, src: noReg})
		l.cut = false
		for _, in := range b.insts {
			l.pc = in.pc
			if l.instruction(in); l.cut {
				break
			}
		}
		if l.pc = b.term.pc; !l.cut {
			l.end(b)
		}
	}
	return l.code, int(l.temps), l.missed
}

// put appends an instruction that works on dst and src.
func (l *lowerer) put(ins ebpf.Instruction, dst, src vreg) {
	l.code = append(l.code, vinsn{ins: ins, dst: dst, src: src, to: noLabel, pc: l.pc})
}

// goIf appends a jump, taken if the comparison of a and b holds.
func (l *lowerer) goIf(ins ebpf.Instruction, a, b vreg, to ebpf.Label) {
	l.dropped = l.dropped || to == l.drop
	l.missed = l.missed || to == l.miss
	l.wanted.add(to)
	l.code = append(l.code, vinsn{ins: ins, dst: a, src: b, to: to, pc: l.pc})
}

func (l *lowerer) temp() vreg {
	l.temps++
	return l.temps - 1
}

func (l *lowerer) instruction(in inst) {
	switch in.kind {
	case instDef:
		l.define(in)
	case instGuard:
		l.guard(in)
	case instSmall:
		l.small(in)
	case instNonZero:
		l.goIf(ebpf.JEq.Imm32(0, 0), vreg(in.v), noReg, l.drop)
	}
}

// define computes a value.
func (l *lowerer) define(in inst) {
	v, e, dst := in.v, &l.exprs[in.v], vreg(in.v)
	switch e.kind {
	case exprLoad:
		l.load(in)
	case exprALU:
		l.arithmetic(dst, e)
	case exprNeg:
		l.put(ebpf.Mov.Reg32(0, 0), dst, vreg(e.a))
		l.put(ebpf.Neg32(0), dst, noReg)
	case exprPtr:
		if l.copier != nil {
			return // of which only the name is wanted
		}
		l.put(ebpf.Mov.Reg(0, 0), dst, vreg(e.a)) // which costs nothing where it is the last use
		l.put(ebpf.Add.Reg(0, 0), dst, machine(l.data))
	case exprLen:
		if l.lengthByLimit {
			l.length(v)
			return
		}
		l.ask(dst, func(e *emitter) { e.length(e, e.regA) }, l.lostByLength())
	case exprOpaque:
		l.opaqueLoad(v)
	case exprProperty:
		if cbpf.Ext(e.k) == cbpf.ExtIfIndex {
			l.interfaceIndex(dst)
			return
		}
		ext := cbpf.Ext(e.k)
		l.extend(dst, ext, e)
	}
}

// emits appends what the target emits by itself, which leaves its result in A and destroys lost. It reads index, if that is
// a register. The result goes to dst.
func (l *lowerer) emits(dst, index vreg, lost registerSet, emit func(e *emitter, pc int, index ebpf.Register) error) {
	l.code = append(l.code, vinsn{
		kind: vOpaque, dst: noReg, src: index, to: noLabel, emit: emit, lost: lost | setOf(l.regA), pc: l.pc,
	})
	l.put(ebpf.Mov.Reg32(0, 0), dst, machine(l.regA))
}

// ask has the target emit something that reads no register and cannot fail.
func (l *lowerer) ask(dst vreg, emit func(*emitter), lost registerSet) {
	l.emits(dst, noReg, lost, func(e *emitter, _ int, _ ebpf.Register) error {
		emit(e)
		return nil
	})
}

// interfaceIndex loads the index of the interface, 0 where there is none.
func (l *lowerer) interfaceIndex(dst vreg) {
	l.emits(dst, noReg, l.lostByExtension(cbpf.ExtIfIndex), func(e *emitter, pc int, _ ebpf.Register) error {
		if !e.property(e, e.regA, cbpf.ExtIfIndex) {
			return e.unsupported(pc, cbpf.ExtIfIndex)
		}
		return nil
	})
}

// opaqueLoad loads as the target does, which ends the program where there is nothing.
func (l *lowerer) opaqueLoad(v value) {
	size, k, index := int(l.exprs[v].size), l.exprs[v].k, noReg
	if a := l.exprs[v].a; a != noValue {
		index = vreg(a)
	}
	l.emits(vreg(v), index, l.lost|setOf(l.regTmp, l.regKept), func(e *emitter, pc int, at ebpf.Register) error {
		if index == noReg && e.addresses(k) {
			return e.noAddresses(pc)
		}
		if index == noReg {
			e.loadFixed(e, e.regA, size, k, e.drop)
		} else {
			e.loadIndexed(e, e.regA, at, size, k, withWindows, e.drop)
		}
		return nil
	})
}

// extend yields an extension, whose arguments, if it has any, are in A and X.
func (l *lowerer) extend(dst vreg, ext cbpf.Ext, e *expr) {
	lost := l.lostByExtension(ext)
	if e.a != noValue {
		l.code = append(l.code, vinsn{
			kind: vMoves, dst: noReg, src: noReg, to: noLabel, pc: l.pc,
			moves: []vmove{l.move(machine(l.regA), e.a), l.move(machine(l.regX), e.b)},
			lost:  setOf(l.regA, l.regX),
		})
		lost |= setOf(l.regX)
	}
	l.emits(dst, noReg, lost, func(e *emitter, pc int, _ ebpf.Register) error { return e.extension(pc, ext) })
}

// move is the assignment of a value.
func (l *lowerer) move(dst vreg, from value) vmove {
	if k, ok := l.constOf(from); ok {
		return vmove{dst: dst, src: noReg, k: k}
	}
	return vmove{dst: dst, src: vreg(from)}
}

// arithmetic computes a fn b in dst.
func (l *lowerer) arithmetic(dst vreg, e *expr) {
	a, b := e.a, e.b
	if ka, ok := l.constOf(a); ok {
		l.put(ebpf.Mov.Imm32(0, ka), dst, noReg)
	} else {
		l.put(ebpf.Mov.Reg32(0, 0), dst, vreg(a))
	}
	if kb, ok := l.constOf(b); ok {
		if l.raw[a] {
			kb = swapBytes(kb, l.exprs[a].size)
		}
		l.put(e.fn.Imm32(0, kb), dst, noReg)
	} else {
		l.put(e.fn.Reg32(0, 0), dst, vreg(b))
	}
}

// end lowers the end of a block. The block that stands next is fallen into.
func (l *lowerer) end(b *block) {
	t := &b.term
	switch t.kind {
	case termRet:
		l.ret(t.a)
	case termJump:
		l.assign(t.yes.assigns)
		l.jump(b, t.yes.to)
	case termCond:
		op, onTrue, onFalse := t.op, t.yes.to, t.no.to
		if not, ok := opposite[op]; ok && onTrue.id == b.id+1 {
			op, onTrue, onFalse = not, onFalse, onTrue
		}
		cond := l.condition(op, t)
		l.goIf(cond.ins, cond.dst, cond.src, l.labels[onTrue.id])
		l.jump(b, onFalse)
	}
}

// condition is the comparison at the end of a block, by op.
func (l *lowerer) condition(op ebpf.JumpOp, t *term) vinsn {
	in := vinsn{dst: vreg(t.a), src: noReg, pc: l.pc}
	k, isConst := l.constOf(t.b)
	if l.lengthByLimit && l.asksForEmpty(t) {
		in.ins, in.dst, in.src = ebpf.JLe.Reg(0, 0), machine(l.limit), machine(l.data)
		if op == ebpf.JNe {
			in.ins = ebpf.JGt.Reg(0, 0)
		}
		return in
	}
	if !isConst {
		in.ins, in.src = op.Reg32(0, 0), vreg(t.b)
		return in
	}
	if l.raw[t.a] {
		k = swapBytes(k, l.width(t.a))
	}
	in.ins = op.Imm32(0, k)
	return in
}

// width is the size in bytes of what a raw value was loaded from.
func (l *lowerer) width(v value) uint8 {
	if e := &l.exprs[v]; e.kind == exprALU {
		v = e.a
	}
	return l.exprs[v].size
}

// maxCopies is how often an end of the program is written again instead of jumped to: a jump takes one instruction of two.
const maxCopies = 4

// jump goes to a block, unless that stands next. A block that does nothing but end the program is done here instead.
func (l *lowerer) jump(from, to *block) {
	switch {
	case to.id == from.id+1:
		l.wanted.add(l.labels[to.id])
	default:
		if _, ok := l.graph.returns(to); ok && l.copies[to] < maxCopies {
			l.copies[to]++
			l.pc = to.term.pc
			l.ret(to.term.a)
			return
		}
		l.goIf(ebpf.Jump(), noReg, noReg, l.labels[to.id])
	}
}

// ret ends the program.
func (l *lowerer) ret(v value) {
	in := vinsn{kind: vOpaque, dst: noReg, src: noReg, to: noLabel, pc: l.pc, ret: true}
	if k, ok := l.constOf(v); ok {
		in.emit = func(e *emitter, _ int, _ ebpf.Register) error {
			e.returns(k)
			return nil
		}
	} else {
		l.put(ebpf.Mov.Reg32(0, 0), machine(l.regResult), vreg(v))
		in.emit = func(e *emitter, _ int, _ ebpf.Register) error {
			e.exit()
			return nil
		}
	}
	l.code = append(l.code, in)
}

func (l *lowerer) assign(assigns []assign) {
	if len(assigns) == 0 {
		return
	}
	in := vinsn{kind: vMoves, dst: noReg, src: noReg, to: noLabel, pc: l.pc}
	for _, a := range assigns {
		in.moves = append(in.moves, l.move(vreg(a.phi), a.from))
	}
	l.code = append(l.code, in)
}

// splitEdges gives each conditional way on which something is assigned a block of its own, where that can happen.
func (g *graph) splitEdges() {
	var out []*block
	for _, b := range g.blocks {
		out = append(out, b)
		if b.term.kind != termCond {
			continue
		}
		for _, e := range []*edge{&b.term.no, &b.term.yes} {
			if len(e.assigns) > 0 {
				middle := &block{term: term{kind: termJump, yes: *e, pc: b.term.pc}}
				*e = edge{to: middle}
				out = append(out, middle)
			}
		}
	}
	g.blocks = slices.Clip(out)
	g.number()
}
