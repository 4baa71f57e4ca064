package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/net/bpf"
)

// emitter is the plain translation at work: one classic instruction at a time, in program order.
type emitter struct {
	access
	registers
	target     Target
	prog       cbpf.Program
	b          *ebpf.Builder
	paths      paths
	at         []ebpf.Label // of each pc that is reached
	drop       ebpf.Label   // the common end with verdict 0
	dropped    bool         // something goes there
	dropPlaced bool         // it stands in front already
	stack      int          // bytes of stack in use
	search     searchPlan
	leave      *ebpf.Label // where to go with the verdict; nil: the program returns it
	actions    *Actions    // what to return instead of the verdict; nil for the verdict
	taken      int         // bytes of stack that others use, from the top
	forget     bool        // see forget.go
	doubtful   bool        // the verifier may not come to an end: see follows
	spilled    bool        // addresses go by numbers on the stack: see proves
	newZero    func()      // there, for snippets: makes the zero in regZero, which they do not keep
	crowded    bool        // see goUnless
}

// newEmitter makes an emitter that writes to b, which may hold other code already. p is valid for the target.
func newEmitter(b *ebpf.Builder, p cbpf.Program, opts Options) *emitter {
	opts = opts.filled()
	t := &targets[opts.Target]
	e := makeEmitter(b, p, t.access(p, opts))
	e.target, e.actions = opts.Target, opts.Actions
	e.search = planSearches(p, &e.paths, opts)
	e.forget = t.follows > 0 && e.paths.visits > t.follows
	if t.follows > 0 {
		b.Grows = grown
	}
	return e
}

// makeEmitter is newEmitter without the things that follow from a target.
func makeEmitter(b *ebpf.Builder, p cbpf.Program, a access) *emitter {
	e := &emitter{access: a, registers: a.holds(), prog: p, b: b, paths: findPaths(p, a.ends), search: noSearches}
	e.crowded = e.paths.live() > asideMost/loadJumps
	e.at = make([]ebpf.Label, len(p))
	for pc := range p {
		if e.paths.reached(pc) {
			e.at[pc] = b.NewLabel()
		}
	}
	e.drop = b.NewLabel()
	return e
}

// isExtension tells a load of a property from a load of packet bytes: only absolute loads into A do the former.
func isExtension(info *cbpf.OpInfo, ins bpf.RawInstruction) bool {
	_, ext := cbpf.Extension(ins.K)
	return ext && info.Form == cbpf.FormAbs
}

// translate translates the whole program at a level of optimisation.
func (e *emitter) translate(level int) error {
	if level > 0 {
		if done, err := e.optimized(level); done || err != nil {
			return err
		}
	}
	return e.emit()
}

// emit translates the whole program plainly.
func (e *emitter) emit() error {
	e.b.Origin(NoPC)
	e.entry(e)
	return e.body()
}

// body translates the program but for the entry: what the arguments hold is where entry puts it. Code in front may fall or
// jump into it, and whatever is in the other registers does not matter. Every path through it ends the program.
func (e *emitter) body() error {
	e.b.Origin(NoPC)
	e.begin(e)
	if e.forget && e.newZero == nil {
		e.makeZero()
	}
	e.b.Emit(ebpf.Mov.Imm32(e.regA, 0), ebpf.Mov.Imm32(e.regX, 0))
	e.mixZero(e.regA)
	e.mixZero(e.regX)
	for pc, ins := range e.prog {
		if !e.paths.reached(pc) {
			continue
		}
		e.b.Origin(pc)
		e.b.Place(e.at[pc])
		if pc == e.search.payOff {
			e.payloadOffsetAhead()
		}
		if err := e.insn(pc, ins); err != nil {
			return err
		}
	}
	e.end()
	return nil
}

// end emits the common end with verdict 0, if something goes there and it does not stand somewhere already.
func (e *emitter) end() {
	if e.dropped && !e.dropPlaced {
		e.b.Origin(NoPC)
		e.b.Place(e.drop)
		e.returns(0)
	}
}

// insn translates one instruction.
func (e *emitter) insn(pc int, ins bpf.RawInstruction) error {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormNone:
		e.move(info)
	case cbpf.FormImm:
		e.immediate(info, ins.K)
	case cbpf.FormX:
		if info.Fn == cbpf.Div || info.Fn == cbpf.Mod {
			e.dropIf(ebpf.JEq.Imm32(e.compared(e.regX), 0))
		}
		e.b.Emit(ebpf.ALUOp(info.Fn).Reg32(e.regA, e.regX))
	case cbpf.FormMem:
		e.scratch(info, ins.K)
	case cbpf.FormLen:
		e.length(e, e.destination(info))
	case cbpf.FormAbs, cbpf.FormInd, cbpf.FormMSH:
		return e.load(pc, info, ins.K)
	case cbpf.FormJump:
		e.jump(pc, pc+1+int(ins.K))
	case cbpf.FormCondK:
		e.branch(pc, ebpf.JumpOp(info.Fn).Imm32(e.compared(e.regA), ins.K), ins)
	case cbpf.FormCondX:
		a, x := e.comparedBoth()
		e.branch(pc, ebpf.JumpOp(info.Fn).Reg32(a, x), ins)
	case cbpf.FormRetK:
		e.returns(ins.K)
	case cbpf.FormRetA:
		e.returnsA()
	}
	e.written(info)
	return nil
}

// written follows an instruction that has given A or X a value.
func (e *emitter) written(info *cbpf.OpInfo) {
	if info.Writes&(cbpf.A|cbpf.X) != 0 {
		e.mixZero(e.destination(info))
	}
}

// destination is the register that the instruction writes.
func (e *emitter) destination(info *cbpf.OpInfo) ebpf.Register {
	if info.Writes == cbpf.X {
		return e.regX
	}
	return e.regA
}

// move translates tax, txa and neg.
func (e *emitter) move(info *cbpf.OpInfo) {
	switch {
	case info.Fn == cbpf.Neg:
		e.b.Emit(ebpf.Neg32(e.regA))
	case info.Writes == cbpf.X:
		e.b.Emit(ebpf.Mov.Reg32(e.regX, e.regA))
	default:
		e.b.Emit(ebpf.Mov.Reg32(e.regA, e.regX))
	}
}

// immediate translates loads of a constant, which read no register, and arithmetic with one.
func (e *emitter) immediate(info *cbpf.OpInfo, k uint32) {
	op := ebpf.ALUOp(info.Fn)
	if info.Reads == 0 {
		op = ebpf.Mov
	}
	e.b.Emit(op.Imm32(e.destination(info), k))
}

// scratch translates loads and stores of M[k], a word on the stack.
func (e *emitter) scratch(info *cbpf.OpInfo, k uint32) {
	off := e.scratchOffset(k)
	switch info.Writes {
	case cbpf.A, cbpf.X:
		e.b.Emit(ebpf.Load(4, e.destination(info), ebpf.R10, off))
		return
	}
	e.stack = max(e.stack, -int(off))
	src := e.regA
	if info.Reads == cbpf.X {
		src = e.regX
	}
	e.b.Emit(ebpf.Store(4, ebpf.R10, off, src))
}

// load translates loads of packet bytes and of extensions.
func (e *emitter) load(pc int, info *cbpf.OpInfo, k uint32) error {
	ext, isExt := cbpf.Extension(k)
	switch {
	case info.Form == cbpf.FormInd:
		e.loadIndexed(e, e.regA, e.regX, info.Size, k, withWindows, e.drop)
	case info.Form == cbpf.FormAbs && isExt:
		if err := e.extension(pc, ext); err != nil {
			return err
		}
	case e.ends(k, info.Size):
		e.dropIf(ebpf.Jump())
		return nil
	case e.addresses(k):
		return e.noAddresses(pc)
	case info.Form == cbpf.FormAbs:
		e.loadFixed(e, e.regA, info.Size, k, e.drop)
	case info.Form == cbpf.FormMSH:
		e.headerLength(k)
	}
	e.written(info)
	return nil
}

// headerLength loads four times the low half of a byte into X. A survives.
func (e *emitter) headerLength(k uint32) {
	if e.lost.has(e.regA) {
		e.b.Emit(ebpf.Mov.Reg32(e.regKept, e.regA))
	}
	e.loadFixed(e, e.regX, 1, k, e.drop)
	if e.lost.has(e.regA) {
		e.b.Emit(ebpf.Mov.Reg32(e.regA, e.regKept))
	}
	e.b.Emit(ebpf.And.Imm32(e.regX, 0xf), ebpf.Lsh.Imm32(e.regX, 2))
}

// dropIf ends the program with verdict 0 if the condition holds.
func (e *emitter) dropIf(cond ebpf.Instruction) { e.goIf(cond, e.drop) }

// goIf goes to the label, which may be e.drop, if the condition holds.
func (e *emitter) goIf(cond ebpf.Instruction, to ebpf.Label) {
	e.b.Branch(cond, to)
	e.dropped = e.dropped || to == e.drop
}

// sum puts index+k, which wraps at 32 bits, into dst.
func (e *emitter) sum(dst, index ebpf.Register, k uint32) {
	e.b.Emit(ebpf.Mov.Reg32(dst, index))
	if k != 0 {
		e.b.Emit(ebpf.Add.Imm32(dst, k))
	}
}

// toHost turns the size bytes in a register from the big-endian order of the packet into that of the host.
func (e *emitter) toHost(dst ebpf.Register, size int) {
	if size > 1 {
		e.b.Emit(ebpf.ToBE(dst, int32(8*size)))
	}
}

// jump goes to target, by falling into it where it stands next.
func (e *emitter) jump(pc, target int) {
	if target != e.next(pc) {
		e.b.Branch(ebpf.Jump(), e.at[target])
	}
}

// inverse gives the comparison that holds where another does not. JSet has none.
var inverse = map[ebpf.JumpOp]ebpf.JumpOp{
	ebpf.JEq: ebpf.JNe, ebpf.JGt: ebpf.JLe, ebpf.JGe: ebpf.JLt, ebpf.JLt: ebpf.JGe, ebpf.JLe: ebpf.JGt, ebpf.JSGe: ebpf.JSLt, ebpf.JSLe: ebpf.JSGt,
}

// invert turns a comparison that has one into its inverse.
func invert(cond *ebpf.Instruction) {
	op := cond.Op.Info().Jump
	cond.Op += ebpf.Opcode(inverse[op]) - ebpf.Opcode(op)
}

// branch turns jt and jf into one off: whichever of the two stands next is fallen into.
func (e *emitter) branch(pc int, cond ebpf.Instruction, ins bpf.RawInstruction) {
	onTrue, onFalse := pc+1+int(ins.Jt), pc+1+int(ins.Jf)
	_, invertible := inverse[cond.Op.Info().Jump]
	switch {
	case onTrue == onFalse:
		e.jump(pc, onTrue)
	case onTrue == e.next(pc) && invertible:
		invert(&cond)
		e.b.Branch(cond, e.at[onFalse])
	default:
		e.b.Branch(cond, e.at[onTrue])
		e.jump(pc, onFalse)
	}
}

// next is the pc whose code will follow that of pc.
func (e *emitter) next(pc int) int {
	for pc++; pc < len(e.prog) && !e.paths.reached(pc); pc++ {
	}
	return pc
}
