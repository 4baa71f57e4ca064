package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/net/bpf"
)

// numPlaces is how many places a classic program keeps numbers in: A, X and the scratch words.
const (
	placeA    = 0
	placeX    = 1
	placeM    = 2 // M[0]; the others follow
	numPlaces = placeM + cbpf.ScratchWords
)

// places are the numbers that A, X and M hold at one point.
type places [numPlaces]value

// placeSet is a set of places, by bit.
type placeSet uint32

// builder makes the graph of a classic program. It goes through it once, in order, and so meets all ways into an
// instruction before the instruction itself.
type builder struct {
	graph
	prog      cbpf.Program
	hook      *hook
	live      []placeSet // of each pc: places whose number somebody further down wants
	ways      [][]way    // of each pc: the ways into it that the program has shown so far
	firstWays []way      // memory for the first of those
	spare     []block    // memory for blocks
	cur       *block     // where instructions go; nil behind one that never continues
	at        places     // what the places hold there
}

// way is an edge, and what the places hold on it.
type way struct {
	edge *edge
	at   places
}

// hook is what the optimising translator has to know of a target before it chooses instructions.
type hook struct {
	// ends says where a load cannot but end the program (see access).
	ends func(k uint32, size int) bool
	// place says which byte of the packet an absolute k means; ok is false where the target has its own way to load that,
	// which ends the program on a miss.
	place func(k uint32) (off uint32, ok bool)
	// paged says that bytes may be there which are not to be seen: then a guard decides nothing, and the slow twin does.
	paged bool
	// packetOnly says that sums of 2^31 and more are outside of the packet. Elsewhere they may lie in the LL or NET window, which
	// a guard cannot decide: then the slow twin does.
	packetOnly bool
	// ownIndexed says that the target has its own way to load from X+k, which ends the program on a miss; ownFar that it has one
	// for sums that may be 2^31 and more.
	ownIndexed, ownFar bool
	// shift is the place of the program's packets in those of the hook. Where it is negative, so many bytes in front of the
	// packets of the hook are the target's own business.
	shift int64
	// measured says that all that programs do with packets wants what begin makes ready.
	measured bool
	// prepared reports whether something that the target does in its own way wants what begin makes ready.
	prepared func(e *expr) bool
	// byAddress says that guards compare addresses, as the verifier of the kernel wants it; otherwise offsets.
	byAddress bool
	// most is how far guards may reach.
	most int64
	// ahead is where the offset of the payload is calculated for all who want it; NoPC where they do so themselves.
	ahead int
	// binary says that it matters only whether the verdict is 0.
	binary bool
	// hatype returns the ARPHRD number of the interface; ok is false where that cannot be known.
	hatype func() (n uint16, ok bool)
}

// buildGraph makes the graph of a valid program.
func buildGraph(p cbpf.Program, h *hook) *graph {
	b := &builder{prog: p, hook: h, live: livePlaces(p), ways: make([][]way, len(p)), firstWays: make([]way, 0, len(p))}
	b.expect(len(p))
	b.cur = b.newBlock()
	zero := b.constant(0)
	for i := range b.at {
		b.at[i] = zero
	}
	for pc, ins := range p {
		b.pc = pc
		if len(b.ways[pc]) > 0 {
			b.enter(pc)
		}
		if b.cur != nil && pc == h.ahead {
			b.define(b.property(cbpf.ExtPayOff, noValue, noValue))
		}
		if b.cur != nil {
			b.insn(pc, ins)
		}
	}
	b.number()
	return &b.graph
}

// neverEnds takes no load for one that cannot but miss: too much is kept alive, at worst.
func neverEnds(uint32, int) bool { return false }

// livePlaces finds out, from the last instruction to the first, which places are read before they are written again.
func livePlaces(p cbpf.Program) []placeSet {
	live := make([]placeSet, len(p))
	for pc := len(p) - 1; pc >= 0; pc-- {
		ins := p[pc]
		info := cbpf.Info(ins.Op)
		var after placeSet
		nexts, n := successors(pc, ins, neverEnds)
		for _, next := range nexts[:n] {
			after |= live[next]
		}
		reads := info.Reads
		if isExtension(info, ins) {
			reads |= cbpf.A | cbpf.X // some read A, some both
		}
		live[pc] = after&^placesOf(info.Writes, ins.K) | placesOf(reads, ins.K)
	}
	return live
}

func placesOf(r cbpf.Regs, k uint32) (set placeSet) {
	if r&cbpf.A != 0 {
		set |= 1 << placeA
	}
	if r&cbpf.X != 0 {
		set |= 1 << placeX
	}
	if r&cbpf.Mem != 0 {
		set |= 1 << (placeM + k)
	}
	return set
}

// blocksAtOnce is for how many blocks memory is got.
const blocksAtOnce = 32

func (b *builder) newBlock() *block {
	if len(b.spare) == 0 {
		b.spare = make([]block, blocksAtOnce)
	}
	bl := &b.spare[0]
	b.spare = b.spare[1:]
	b.blocks = append(b.blocks, bl)
	return bl
}

// enter begins a block at pc, where several ways meet. A place that holds the same number on all of them keeps it; others
// become phis, if anybody wants them.
func (b *builder) enter(pc int) {
	if b.cur != nil {
		b.cur.term = term{kind: termJump, pc: pc}
		b.ways[pc] = append(b.ways[pc], way{&b.cur.term.yes, b.at})
	}
	ways := b.ways[pc]
	b.ways[pc] = nil
	if cbpf.Info(b.prog[pc].Op).Form == cbpf.FormRetA {
		b.retEach(ways)
		return
	}
	bl := b.newBlock()
	for _, w := range ways {
		w.edge.to = bl
	}
	b.at = ways[0].at
	for i := range b.at {
		if b.live[pc]>>i&1 == 0 {
			b.at[i] = noValue
			continue
		}
		known, differ := b.known[b.at[i]], false
		for _, w := range ways[1:] {
			known = known.both(b.known[w.at[i]])
			differ = differ || w.at[i] != b.at[i]
		}
		if !differ {
			continue
		}
		if like := b.like(ways, i); like >= 0 {
			b.at[i] = b.at[like]
			continue
		}
		phi := b.phi(known)
		for _, w := range ways {
			w.edge.assigns = append(w.edge.assigns, assign{phi, w.at[i]})
		}
		b.at[i] = phi
	}
	b.cur = bl
}

// like is a place in front of the one of that number that is alive and holds the same on each way; -1 if there is none.
func (b *builder) like(ways []way, place int) int {
	for i := range place {
		if b.at[i] != noValue && !slices.ContainsFunc(ways, func(w way) bool { return w.at[i] != w.at[place] }) {
			return i
		}
	}
	return -1
}

// retEach gives each of the ways an end of its own, so that A need not be the same on all.
func (b *builder) retEach(ways []way) {
	for _, w := range ways {
		b.cur = b.newBlock()
		w.edge.to = b.cur
		b.ret(w.at[placeA])
	}
}

// leaveTo notes a way to pc.
func (b *builder) leaveTo(e *edge, pc int) {
	if b.ways[pc] != nil || len(b.firstWays) == cap(b.firstWays) {
		b.ways[pc] = append(b.ways[pc], way{e, b.at})
		return
	}
	n := len(b.firstWays)
	b.firstWays = append(b.firstWays, way{e, b.at})
	b.ways[pc] = b.firstWays[n : n+1 : n+1]
}

// ret ends the block at hand with a verdict.
func (b *builder) ret(v value) {
	if b.hook.binary {
		b.match(v)
		return
	}
	b.cur.term = term{kind: termRet, a: v, pc: b.pc}
	b.cur = nil
}

// match ends the block at hand with verdict 1 in the place of all but 0.
func (b *builder) match(v value) {
	t := &b.cur.term
	*t = term{kind: termCond, op: ebpf.JNe, a: v, b: b.constant(0), pc: b.pc}
	if yes, certain := b.decided(t); certain {
		*t = term{kind: termRet, a: b.verdict(yes), pc: b.pc}
	} else {
		for i, e := range []*edge{&t.yes, &t.no} {
			e.to = b.newBlock()
			e.to.term = term{kind: termRet, a: b.verdict(i == 0), pc: b.pc}
		}
	}
	b.cur = nil
}

func (b *builder) verdict(match bool) value {
	if match {
		return b.constant(1)
	}
	return b.constant(0)
}

func (b *builder) append(in inst) {
	in.pc = b.pc
	b.cur.insts = append(b.cur.insts, in)
}

// define has the value computed here, unless it is a constant, or a phi: that was assigned on the way.
func (b *builder) define(v value) value {
	if kind := b.exprs[v].kind; kind != exprConst && kind != exprPhi {
		b.append(inst{kind: instDef, v: v})
	}
	return v
}

// insn adds one classic instruction to the graph.
func (b *builder) insn(pc int, ins bpf.RawInstruction) {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormNone:
		b.registers(info)
	case cbpf.FormImm:
		b.immediate(info, ins.K)
	case cbpf.FormX:
		b.withX(info)
	case cbpf.FormMem:
		b.scratch(info, ins.K)
	case cbpf.FormLen:
		b.set(info, b.define(b.length()))
	case cbpf.FormAbs, cbpf.FormMSH, cbpf.FormInd:
		b.load(info, ins)
	case cbpf.FormJump:
		b.cur.term = term{kind: termJump, pc: pc}
		b.leaveTo(&b.cur.term.yes, pc+1+int(ins.K))
		b.cur = nil
	case cbpf.FormCondK:
		b.branch(info, b.constant(ins.K), ins)
	case cbpf.FormCondX:
		b.branch(info, b.at[placeX], ins)
	case cbpf.FormRetK:
		b.ret(b.constant(ins.K))
	case cbpf.FormRetA:
		b.ret(b.at[placeA])
	}
}

// set puts a number where the instruction writes.
func (b *builder) set(info *cbpf.OpInfo, v value) {
	if info.Writes == cbpf.X {
		b.at[placeX] = v
	} else {
		b.at[placeA] = v
	}
}

func (b *builder) registers(info *cbpf.OpInfo) {
	switch {
	case info.Fn == cbpf.Neg:
		b.at[placeA] = b.define(b.neg(b.at[placeA]))
	case info.Writes == cbpf.X:
		b.at[placeX] = b.at[placeA]
	default:
		b.at[placeA] = b.at[placeX]
	}
}

func (b *builder) immediate(info *cbpf.OpInfo, k uint32) {
	if info.Reads == 0 {
		b.set(info, b.constant(k))
		return
	}
	b.at[placeA] = b.define(b.alu(ebpf.ALUOp(info.Fn), b.at[placeA], b.constant(k)))
}

// withX is arithmetic of A and X. Division by an X of 0 ends the program.
func (b *builder) withX(info *cbpf.OpInfo) {
	x := b.at[placeX]
	if info.Fn == cbpf.Div || info.Fn == cbpf.Mod {
		if k, ok := b.constOf(x); ok && k == 0 {
			b.ret(b.constant(0))
			return
		}
		if b.known[x].lo == 0 {
			b.append(inst{kind: instNonZero, v: x})
		}
	}
	v := b.alu(ebpf.ALUOp(info.Fn), b.at[placeA], x)
	if e := b.exprs[v]; e.kind == exprALU && b.exprs[e.a].kind == exprALU && e.a != b.at[placeA] && e.a != x {
		b.define(e.a) // the multiple that two multiples add up to
	}
	b.at[placeA] = b.define(v)
}

func (b *builder) scratch(info *cbpf.OpInfo, k uint32) {
	switch {
	case info.Writes != cbpf.Mem:
		b.set(info, b.at[placeM+k])
	case info.Reads == cbpf.X:
		b.at[placeM+k] = b.at[placeX]
	default:
		b.at[placeM+k] = b.at[placeA]
	}
}

// branch ends the block with a comparison of A.
func (b *builder) branch(info *cbpf.OpInfo, operand value, ins bpf.RawInstruction) {
	t := &b.cur.term
	*t = term{kind: termCond, op: ebpf.JumpOp(info.Fn), a: b.at[placeA], b: operand, pc: b.pc}
	onTrue, onFalse := b.pc+1+int(ins.Jt), b.pc+1+int(ins.Jf)
	yes, certain := b.decided(t)
	switch {
	case onTrue == onFalse, certain && yes:
		t.settle(true)
		b.leaveTo(&t.yes, onTrue)
	case certain:
		t.settle(false)
		b.leaveTo(&t.yes, onFalse)
	default:
		b.leaveTo(&t.yes, onTrue)
		b.leaveTo(&t.no, onFalse)
	}
	b.cur = nil
}

// swapped is the comparison with its operands in each other's place.
var swapped = map[ebpf.JumpOp]ebpf.JumpOp{
	ebpf.JEq: ebpf.JEq, ebpf.JNe: ebpf.JNe, ebpf.JSet: ebpf.JSet,
	ebpf.JGt: ebpf.JLt, ebpf.JLt: ebpf.JGt, ebpf.JGe: ebpf.JLe, ebpf.JLe: ebpf.JGe,
}

// decided brings the constant of a comparison to the right, and tells how it comes out whatever the packet.
func (g *graph) decided(t *term) (yes, certain bool) {
	if _, isConst := g.constOf(t.a); isConst {
		t.a, t.b, t.op = t.b, t.a, swapped[t.op]
	}
	return g.decide(nil, nil, t)
}
