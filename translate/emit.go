package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/net/bpf"
)

// The registers of the plain translation, as in the kernel's own (bpf_convert_filter in net/core/filter.c).
const (
	regA   = ebpf.R0
	regX   = ebpf.R7
	regTmp = ebpf.R5 // never live from one classic instruction to the next
)

// emitter is the plain translation at work: one classic instruction at a time, in program order.
type emitter struct {
	access
	target  Target
	prog    cbpf.Program
	b       ebpf.Builder
	paths   paths
	at      []ebpf.Label // of each pc that is reached
	drop    ebpf.Label   // the common end with verdict 0
	dropped bool         // something goes there
	stack   int          // bytes of stack in use
}

func newEmitter(p cbpf.Program, t Target, paths paths, a access) *emitter {
	e := &emitter{access: a, target: t, prog: p, paths: paths, at: make([]ebpf.Label, len(p))}
	for pc := range p {
		if paths.reached(pc) {
			e.at[pc] = e.b.NewLabel()
		}
	}
	e.drop = e.b.NewLabel()
	return e
}

// isExtension tells a load of a property from a load of packet bytes: only absolute loads into A do the former.
func isExtension(info *cbpf.OpInfo, ins bpf.RawInstruction) bool {
	_, ext := cbpf.Extension(ins.K)
	return ext && info.Form == cbpf.FormAbs
}

// emit translates the whole program into e.b.
func (e *emitter) emit() error {
	e.b.Origin(NoPC)
	e.entry(e)
	e.b.Emit(ebpf.Mov.Imm32(regA, 0), ebpf.Mov.Imm32(regX, 0))
	for pc, ins := range e.prog {
		if !e.paths.reached(pc) {
			continue
		}
		e.b.Origin(pc)
		e.b.Place(e.at[pc])
		if e.paths.into[pc] > 1 {
			e.join(e)
		}
		if err := e.insn(pc, ins); err != nil {
			return err
		}
	}
	if e.dropped {
		e.b.Origin(NoPC)
		e.b.Place(e.drop)
		e.b.Emit(ebpf.Mov.Imm32(regA, 0), ebpf.Return())
	}
	return nil
}

// insn translates one instruction.
func (e *emitter) insn(pc int, ins bpf.RawInstruction) error {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormNone:
		e.registers(info)
	case cbpf.FormImm:
		e.immediate(info, ins.K)
	case cbpf.FormX:
		if info.Fn == cbpf.Div || info.Fn == cbpf.Mod {
			e.dropIf(ebpf.JEq.Imm32(regX, 0))
		}
		e.b.Emit(ebpf.ALUOp(info.Fn).Reg32(regA, regX))
	case cbpf.FormMem:
		e.scratch(info, ins.K)
	case cbpf.FormLen:
		e.length(e, destination(info))
	case cbpf.FormAbs, cbpf.FormInd, cbpf.FormMSH:
		return e.load(pc, info, ins.K)
	case cbpf.FormJump:
		e.jump(pc, pc+1+int(ins.K))
	case cbpf.FormCondK:
		e.branch(pc, ebpf.JumpOp(info.Fn).Imm32(regA, ins.K), ins)
	case cbpf.FormCondX:
		e.branch(pc, ebpf.JumpOp(info.Fn).Reg32(regA, regX), ins)
	case cbpf.FormRetK:
		e.b.Emit(ebpf.Mov.Imm32(regA, ins.K), ebpf.Return())
	case cbpf.FormRetA:
		e.b.Emit(ebpf.Return())
	}
	return nil
}

// destination is the register that the instruction writes.
func destination(info *cbpf.OpInfo) ebpf.Register {
	if info.Writes == cbpf.X {
		return regX
	}
	return regA
}

// registers translates tax, txa and neg.
func (e *emitter) registers(info *cbpf.OpInfo) {
	switch {
	case info.Fn == cbpf.Neg:
		e.b.Emit(ebpf.Neg32(regA))
	case info.Writes == cbpf.X:
		e.b.Emit(ebpf.Mov.Reg32(regX, regA))
	default:
		e.b.Emit(ebpf.Mov.Reg32(regA, regX))
	}
}

// immediate translates loads of a constant, which read no register, and arithmetic with one.
func (e *emitter) immediate(info *cbpf.OpInfo, k uint32) {
	op := ebpf.ALUOp(info.Fn)
	if info.Reads == 0 {
		op = ebpf.Mov
	}
	e.b.Emit(op.Imm32(destination(info), k))
}

// scratch translates loads and stores of M[k], a word on the stack.
func (e *emitter) scratch(info *cbpf.OpInfo, k uint32) {
	off := e.scratchOffset(k)
	switch info.Writes {
	case cbpf.A, cbpf.X:
		e.b.Emit(ebpf.Load(4, destination(info), ebpf.R10, off))
		return
	}
	e.stack = max(e.stack, -int(off))
	src := regA
	if info.Reads == cbpf.X {
		src = regX
	}
	e.b.Emit(ebpf.Store(4, ebpf.R10, off, src))
}

// load translates loads of packet bytes and of extensions.
func (e *emitter) load(pc int, info *cbpf.OpInfo, k uint32) error {
	ext, isExt := cbpf.Extension(k)
	switch {
	case info.Form == cbpf.FormInd:
		e.loadInd(e, info.Size, k)
	case info.Form == cbpf.FormAbs && isExt:
		return e.extension(pc, ext)
	case targets[e.target].ends(k, info.Size):
		e.dropIf(ebpf.Jump())
	case info.Form == cbpf.FormAbs:
		e.loadAbs(e, info.Size, k)
	case info.Form == cbpf.FormMSH:
		e.loadMSH(e, k)
		e.b.Emit(ebpf.And.Imm32(regX, 0xf), ebpf.Lsh.Imm32(regX, 2))
	}
	return nil
}

// dropIf ends the program with verdict 0 if the condition holds.
func (e *emitter) dropIf(cond ebpf.Instruction) {
	e.b.Branch(cond, e.drop)
	e.dropped = true
}

// jump goes to target, by falling into it where it stands next.
func (e *emitter) jump(pc, target int) {
	if target != e.next(pc) {
		e.b.Branch(ebpf.Jump(), e.at[target])
	}
}

// inverse gives the comparison that holds where another does not. JSet has none.
var inverse = map[ebpf.JumpOp]ebpf.JumpOp{ebpf.JEq: ebpf.JNe, ebpf.JGt: ebpf.JLe, ebpf.JGe: ebpf.JLt}

// branch turns jt and jf into one off: whichever of the two stands next is fallen into.
func (e *emitter) branch(pc int, cond ebpf.Instruction, ins bpf.RawInstruction) {
	onTrue, onFalse := pc+1+int(ins.Jt), pc+1+int(ins.Jf)
	op := cond.Op.Info().Jump
	opposite, invertible := inverse[op]
	switch {
	case onTrue == onFalse:
		e.jump(pc, onTrue)
	case onTrue == e.next(pc) && invertible:
		cond.Op += ebpf.Opcode(opposite) - ebpf.Opcode(op)
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
