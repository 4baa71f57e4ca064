package jit

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// VectorReason says why a program is run one packet at a time.
type VectorReason string

// The reasons.
const (
	NoVectorOff       VectorReason = "switched off"
	NoVectorCPU       VectorReason = "the processor has neither AVX-512 (F, BW, VL, DQ) nor AVX2"
	NoVectorABI       VectorReason = "the program may write to its packets"
	NoVectorLong      VectorReason = "the program is too long"
	NoVectorContext   VectorReason = "it looks at the properties of a packet"
	NoVectorCall      VectorReason = "it calls a function"
	NoVectorStore     VectorReason = "it stores less than a word, or across words"
	NoVectorWide      VectorReason = "it multiplies, divides or shifts 64-bit numbers"
	NoVectorSigned    VectorReason = "it divides with signs"
	NoVectorPressure  VectorReason = "too many numbers are needed at once"
	NoVectorSlower    VectorReason = "one packet at a time is estimated to be much faster"
	NoVectorUntracked VectorReason = "it reads a place whose contents were not followed"
)

// VectorError is why a program is run one packet at a time.
type VectorError struct {
	Reason VectorReason
	PC     int // the instruction; -1 where it is none in particular
}

func (e *VectorError) Error() string {
	if e.PC < 0 {
		return fmt.Sprintf("no vectors: %s", string(e.Reason))
	}
	return fmt.Sprintf("no vectors: insn %d: %s", e.PC, string(e.Reason))
}

// vectorInsns is the length up to which a program is looked at. What is longer takes all lanes through too much.
const vectorInsns = 8192

// builder makes a graph by following a program once, in order.
type builder struct {
	*graph
	prog    ebpf.Program
	facts   *ebpf.Facts
	live    []registers
	pending [][]*edge   // of each pc: the edges that lead there
	left    [][]*places // and what is known on each of them
	cur     *places     // nil behind an instruction that never continues
	block   int         // the one at hand
	cap     nodeID      // captured length
	err     *VectorError
}

// buildGraph follows the program. No packet is shorter than least.
func buildGraph(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI, s *shape, least uint32) (*graph, error) {
	b := &builder{
		graph: &graph{shape: s, nodes: newNodes(least, 2*len(p))}, prog: p, facts: facts, live: liveRegisters(p),
		pending: make([][]*edge, len(p)), left: make([][]*places, len(p)),
	}
	b.blocks = make([]block, 0, countBlocks(p))
	b.open(0, b.entry(abi))
	for pc := 0; pc < len(p) && b.err == nil; pc++ {
		b.arrive(pc)
		if b.cur != nil {
			b.step(pc)
		}
		if p[pc].Op == ebpf.OpLoadWide {
			pc++
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.graph, nil
}

// countBlocks is an upper bound: one more than twice the jumps.
func countBlocks(p ebpf.Program) int {
	n := 1
	for pc, ins := range p {
		if _, jumps := ins.Target(pc); jumps {
			n += 2
		}
	}
	return n
}

// entry is what the registers hold when a program of the ABI starts.
func (b *builder) entry(abi ebpf.ABI) *places {
	p := &places{stack: make([]word, (b.facts.Stack+3)/4)}
	zero := b.constant(0)
	p.regs[ebpf.R1] = content{kind: holdsData, lo: zero, hi: zero}
	p.regs[ebpf.R10] = content{kind: holdsStack}
	b.cap = b.constant(ebpf.SeccompSize)
	if abi == ebpf.User {
		b.cap = b.capLen()
		p.regs[ebpf.R2] = content{kind: holdsNumber, lo: b.cap, hi: zero}
		p.regs[ebpf.R3] = content{kind: holdsNumber, lo: b.wireLen(), hi: zero}
		p.regs[ebpf.R4] = content{kind: holdsOther}
	}
	return p
}

func (b *builder) refuse(pc int, why VectorReason) {
	if b.err == nil {
		b.err = &VectorError{why, pc}
	}
}

// open begins a block.
func (b *builder) open(pc int, p *places) {
	b.block = len(b.blocks)
	b.blocks = append(b.blocks, block{pc: pc, verdict: noNode})
	b.cur = p
}

// arrive begins a block where edges lead to pc.
func (b *builder) arrive(pc int) {
	in := b.pending[pc]
	if len(in) == 0 {
		return
	}
	if b.cur != nil {
		b.leave(pc, b.truth(true), b.cur)
		in = b.pending[pc]
	}
	from := b.left[pc]
	b.open(pc, nil)
	for _, e := range in {
		e.to = b.block
	}
	b.blocks[b.block].in = in
	b.cur = b.join(b.block, from, b.live[pc])
	b.pending[pc], b.left[pc] = nil, nil
}

// leave makes an edge from the block at hand to pc, for the lanes where the condition holds.
func (b *builder) leave(pc int, cond nodeID, p *places) {
	if b.graph.at(cond).op == opFalse {
		return
	}
	p.edges++
	e := &edge{from: b.block, cond: cond}
	b.blocks[b.block].out = append(b.blocks[b.block].out, e)
	b.pending[pc], b.left[pc] = append(b.pending[pc], e), append(b.left[pc], p)
}

// step follows the instruction at pc.
func (b *builder) step(pc int) {
	ins := b.prog[pc]
	info := ins.Op.Info()
	target, _ := ins.Target(pc)
	switch info.Form {
	case ebpf.FormALUImm, ebpf.FormALUReg, ebpf.FormNeg, ebpf.FormEnd:
		b.arithmetic(pc, ins, info)
	case ebpf.FormLoadWide:
		b.set(ins.Dst, b.number(uint32(ins.Imm), uint32(b.prog[pc+1].Imm)))
	case ebpf.FormLoad:
		b.load(pc, ins, info)
	case ebpf.FormStoreImm, ebpf.FormStoreReg:
		b.store(pc, ins, info)
	case ebpf.FormCondImm, ebpf.FormCondReg:
		cond := b.condition(pc, ins, info)
		b.leave(target, cond, b.cur)
		b.leave(pc+1, b.negate(cond), b.cur)
		b.cur = nil
	case ebpf.FormJump, ebpf.FormJumpLong:
		b.leave(target, b.truth(true), b.cur)
		b.cur = nil
	case ebpf.FormExit:
		b.blocks[b.block].verdict = b.value(pc, ebpf.R0).lo
		b.cur = nil
	case ebpf.FormCall:
		b.refuse(pc, NoVectorCall)
	default:
		b.refuse(pc, NoVectorABI)
	}
}

// own is what is known here, to be changed.
func (b *builder) own() *places {
	if b.cur.edges > 1 {
		b.cur.edges--
		b.cur = b.cur.clone()
	}
	return b.cur
}

// set puts something into a register.
func (b *builder) set(r ebpf.Register, c content) { b.own().regs[r] = c }

// number is a constant of 64 bits.
func (b *builder) number(lo, hi uint32) content {
	return content{kind: holdsNumber, lo: b.constant(lo), hi: b.constant(hi)}
}

// narrow is a number of 32 bits.
func (b *builder) narrow(lo nodeID) content {
	return content{kind: holdsNumber, lo: lo, hi: b.constant(0)}
}

// value is what a register holds, which must be a number. ebpf.Check has seen to that, as far as both follow it.
func (b *builder) value(pc int, r ebpf.Register) content {
	c := b.cur.regs[r]
	if c.kind != holdsNumber {
		b.refuse(pc, NoVectorUntracked)
		return b.number(0, 0)
	}
	return c
}

// operands are the two sides of an operation or comparison. The second register of one with a constant is not looked at.
func (b *builder) operands(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) (x, y content) {
	x = b.value(pc, ins.Dst)
	switch {
	case info.Form == ebpf.FormALUReg || info.Form == ebpf.FormCondReg:
		return x, b.value(pc, ins.Src)
	case info.Wide:
		return x, b.number(uint32(ins.Imm), uint32(ins.Imm>>31))
	}
	return x, b.number(uint32(ins.Imm), 0)
}

// load follows a load.
func (b *builder) load(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	switch b.facts.Access[pc] {
	case ebpf.ContextMemory:
		b.refuse(pc, NoVectorContext)
		return
	case ebpf.StackMemory:
		b.loadStack(pc, ins, info)
		return
	}
	from := b.cur.regs[ins.Src]
	switch {
	case from.kind != holdsData:
		b.refuse(pc, NoVectorUntracked)
		return
	case !b.facts.Proved[pc]:
		b.guard(from, ins.Off, info.Size)
	}
	off := uint32(int32(ins.Off))
	c := content{kind: holdsNumber, lo: b.nodes.load(from.lo, off, min(info.Size, 4)), hi: b.constant(0)}
	if info.Size == 8 {
		c.hi = b.nodes.load(from.lo, off+4, 4)
	}
	if info.Signed {
		c = b.signExtend(c.lo, 8*info.Size, true)
	}
	b.set(ins.Dst, c)
}

// guard notes when an access faults that is not proved: its offset and size do not fit into the packet.
func (b *builder) guard(from content, off int16, size int) {
	at := b.sum(from, b.number(uint32(int32(off)), uint32(int32(off)>>31)))
	last := b.binary(opSub, b.cap, b.constant(uint32(size)))
	fault := b.either(b.compare(predNE, at.hi, b.constant(0)), b.compare(predGT, at.lo, last))
	blk := &b.blocks[b.block]
	blk.faults = append(blk.faults, fault)
}

// wordAt finds the words of the stack that an access touches; ok is false where it touches only a part of one.
func (b *builder) wordAt(base content, off int16, size int) (at int, ok bool) {
	from := base.off + int64(off) + int64(4*len(b.cur.stack))
	if base.kind != holdsStack || from%4 != 0 || size < 4 || from < 0 || int(from)+size > 4*len(b.cur.stack) {
		return 0, false
	}
	return int(from) / 4, true
}

func (b *builder) loadStack(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	at, ok := b.wordAt(b.cur.regs[ins.Src], ins.Off, info.Size)
	if !ok {
		b.refuse(pc, NoVectorStore)
		return
	}
	w := b.cur.stack[at : at+info.Size/4]
	c := content{kind: w[0].kind, lo: w[0].n, hi: b.constant(0), off: w[0].off}
	if len(w) == 2 {
		c.hi = w[1].n
	}
	switch {
	case c.kind == holdsNothing, len(w) == 2 && w[1].kind != c.kind, len(w) == 1 && c.kind != holdsNumber:
		b.refuse(pc, NoVectorUntracked)
		return
	case info.Signed:
		c = b.signExtend(c.lo, 32, true)
	}
	b.set(ins.Dst, c)
}

func (b *builder) store(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	if b.facts.Access[pc] != ebpf.StackMemory {
		b.refuse(pc, NoVectorABI)
		return
	}
	at, ok := b.wordAt(b.cur.regs[ins.Dst], ins.Off, info.Size)
	if !ok {
		b.refuse(pc, NoVectorStore)
		return
	}
	c := b.number(uint32(ins.Imm), uint32(ins.Imm>>31))
	if info.Form == ebpf.FormStoreReg {
		c = b.cur.regs[ins.Src]
	}
	stack := b.own().stack
	stack[at] = word{c.kind, c.lo, c.off}
	if info.Size == 8 {
		stack[at+1] = word{c.kind, c.hi, c.off}
	}
}
