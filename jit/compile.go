package jit

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// compiler turns one program into machine code, instruction by instruction.
type compiler struct {
	asm
	prog   ebpf.Program
	facts  *ebpf.Facts
	at     []label // of each pc
	starts []spot  // of each pc, and of what follows the program
	exit   label   // the verdict is in RAX: go to the next packet
	fault  label   // argFault is set: leave
	faults []faultSite
	loop   *loop // around the program; nil where it is for one packet
}

// faultSite is where a failed check of the access at pc goes.
type faultSite struct {
	pc int
	at label
}

// generate compiles a program that Check accepted, with the loop over packets around it. starts[pc] is where the code of
// each instruction begins, and the last of starts where the loop goes on behind the program. Packets of fewer than least
// bytes are refused.
//
// The code is a leaf without a frame: it calls nothing, leaves RSP and RBP alone, and loops over nothing but packets.
// So the Go runtime can find its way through it when a profile or a preemption signal arrives.
func generate(p ebpf.Program, facts *ebpf.Facts, least int32) (code []byte, starts []int) {
	c := newCompiler(p, facts)
	l := c.newLoop(least)
	check, wrong := c.newLabel(), c.newLabel()

	c.enter()
	c.jumpOverGap(check)
	c.bind(l.top)
	c.nextPacket(wrong)
	c.body()
	c.bind(c.exit)
	c.starts[len(p)] = c.here()
	c.finishPacket()
	c.bind(check)
	c.goOn()
	c.bind(l.stop)
	if l.reads.hi > 0 {
		c.askAhead(l.top, l.reads)
	}
	c.ret()
	c.leave(wrong)

	code, place := c.assemble()
	starts = make([]int, len(c.starts))
	for pc, s := range c.starts {
		starts[pc] = place(s)
	}
	return code, starts
}

func newCompiler(p ebpf.Program, facts *ebpf.Facts) *compiler {
	c := &compiler{prog: p, facts: facts, at: make([]label, len(p)), starts: make([]spot, len(p)+1)}
	const bytesPerInsn, some = 6, 1024 // about as much as most programs need
	c.code = make([]byte, 0, bytesPerInsn*len(p)+some)
	c.labels, c.jumps = make([]spot, 0, len(p)+some/16), make([]jump, 0, len(p)/2+some/16)
	for pc := range p {
		c.at[pc] = c.newLabel()
	}
	c.exit, c.fault = c.newLabel(), c.newLabel()
	return c
}

// generateOne compiles a program for one packet, whose arguments are in the registers already. ok is false for a program that
// needs the block of arguments: for a check at run time, or for random numbers. Code without a frame returns to Go in place
// of the assembly that jumped to it, and leaves r0 and no error where Go looks for results of assembly.
func generateOne(p ebpf.Program, facts *ebpf.Facts, framed bool) (code []byte, ok bool) {
	if _, unproved := facts.Unproved(); unproved || facts.Calls {
		return nil, false
	}
	c := newCompiler(p, facts)
	c.body()
	c.bind(c.exit)
	if !framed {
		c.store(8, at(rsp, resultR0), rax)
		c.storeImm(8, at(rsp, resultErr), 0)
		c.storeImm(8, at(rsp, resultErr+8), 0)
	}
	c.ret()
	code, _ = c.assemble()
	return code, true
}

// usesSkb reports whether the program looks at what its fourth argument points at. A pointer that is never followed may be
// anything: Check lets nobody return it or compare it.
func usesSkb(facts *ebpf.Facts) bool { return slices.Contains(facts.Access, ebpf.ContextMemory) }

// leave emits what happens when an access or a descriptor fails its check.
func (c *compiler) leave(wrong label) {
	for _, f := range c.faults {
		c.bind(f.at)
		c.storeImm(8, at(regArgs, argFault), int32(f.pc)+1)
		c.jump(always, c.fault)
	}
	c.bind(wrong)
	c.storeImm(8, at(regArgs, argFault), badDesc)
	c.bind(c.fault)
	c.aluMem(true, aluSub, regDesc, at(regArgs, argDescs))
	c.store(8, at(regArgs, argAt), regDesc)
	c.ret()
}

// body compiles the instructions.
func (c *compiler) body() {
	for pc := 0; pc < len(c.prog); pc++ {
		c.bind(c.at[pc])
		c.starts[pc] = c.here()
		c.insn(pc)
		if c.prog[pc].Op == ebpf.OpLoadWide {
			pc++
			c.starts[pc] = c.here()
		}
	}
}

// insn compiles the instruction at pc.
func (c *compiler) insn(pc int) {
	ins := c.prog[pc]
	info := ins.Op.Info()
	switch info.Form {
	case ebpf.FormALUImm, ebpf.FormALUReg:
		c.arithmetic(ins, info)
	case ebpf.FormNeg:
		c.neg(info.Wide, x86[ins.Dst])
	case ebpf.FormEnd:
		c.swap(ins, info)
	case ebpf.FormLoadWide:
		c.movImm(x86[ins.Dst], uint64(uint32(ins.Imm))|uint64(uint32(c.prog[pc+1].Imm))<<32)
	case ebpf.FormLoad:
		c.memLoad(pc, ins, info)
	case ebpf.FormStoreImm, ebpf.FormStoreReg:
		c.memStore(pc, ins, info)
	case ebpf.FormCondImm, ebpf.FormCondReg, ebpf.FormJump, ebpf.FormJumpLong:
		c.branch(pc, ins, info)
	case ebpf.FormCall:
		c.call(ins.Imm)
	case ebpf.FormExit:
		c.leaveProgram(pc)
	}
}

// source returns the register that holds r; the frame pointer has to be computed first.
func (c *compiler) source(r ebpf.Register) reg {
	if r == ebpf.R10 {
		c.lea(regTmp, at(rsp, frameTop))
		return regTmp
	}
	return x86[r]
}

// address is the memory at r+off.
func (c *compiler) address(r ebpf.Register, off int16) operand {
	if r == ebpf.R10 {
		return at(rsp, frameTop+int32(off))
	}
	return at(x86[r], int32(off))
}

var conditions = map[ebpf.JumpOp]cond{
	ebpf.JEq: ccE, ebpf.JNe: ccNE, ebpf.JSet: ccNE,
	ebpf.JGt: ccA, ebpf.JGe: ccAE, ebpf.JLt: ccB, ebpf.JLe: ccBE,
	ebpf.JSGt: ccG, ebpf.JSGe: ccGE, ebpf.JSLt: ccL, ebpf.JSLe: ccLE,
}

func (c *compiler) branch(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	target, _ := ins.Target(pc)
	dst := x86[ebpf.R0]
	if info.Form == ebpf.FormCondImm || info.Form == ebpf.FormCondReg {
		dst = c.source(ins.Dst)
	}
	switch {
	case info.Form == ebpf.FormJump || info.Form == ebpf.FormJumpLong:
		if target != pc+1 {
			c.jump(always, c.at[target])
		}
		return
	case info.Form == ebpf.FormCondReg && info.Jump == ebpf.JSet:
		c.testReg(info.Wide, direct(dst), x86[ins.Src])
	case info.Form == ebpf.FormCondReg:
		c.aluReg(info.Wide, aluCmp, direct(dst), x86[ins.Src])
	case info.Jump == ebpf.JSet:
		c.testImm(info.Wide, direct(dst), ins.Imm)
	case ins.Imm == 0:
		c.testReg(info.Wide, direct(dst), dst)
	default:
		c.aluImm(info.Wide, aluCmp, direct(dst), ins.Imm)
	}
	c.jump(conditions[info.Jump], c.at[target])
}
