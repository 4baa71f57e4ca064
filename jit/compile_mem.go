package jit

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// memLoad compiles a load.
func (c *compiler) memLoad(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	from := c.accessed(pc, ins.Src, ins.Off, info.Size)
	if info.Signed {
		c.loadSigned(true, info.Size, x86[ins.Dst], from)
		return
	}
	c.load(info.Size, x86[ins.Dst], from)
}

// memStore compiles a store.
func (c *compiler) memStore(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	to := c.accessed(pc, ins.Dst, ins.Off, info.Size)
	if info.Form == ebpf.FormStoreImm {
		c.storeImm(info.Size, to, ins.Imm)
		return
	}
	c.store(info.Size, to, c.source(ins.Src))
}

// accessed is the memory that the instruction at pc accesses. What the checker could not prove is checked here.
func (c *compiler) accessed(pc int, base ebpf.Register, off int16, n int) operand {
	m := c.address(base, off)
	if !c.facts.Proved[pc] {
		c.guard(pc, m, n)
	}
	return m
}

// guard leaves unless the n bytes lie in the memory that their address belongs to.
func (c *compiler) guard(pc int, from operand, n int) {
	f := faultSite{pc: pc, at: c.newLabel()}
	c.faults = append(c.faults, f)
	c.lea(regTmp, from)
	if c.facts.Access[pc] == ebpf.ContextMemory {
		c.aluMem(true, aluSub, regTmp, at(regArgs, argSkb))
		c.aluImm(true, aluCmp, direct(regTmp), int32(ebpf.SkbSize-n))
		c.jump(ccA, f.at)
		return
	}
	c.store(8, at(rsp, keepRAX), rax)
	c.aluMem(true, aluSub, regTmp, at(regArgs, argBuf))
	c.load(4, rax, at(regDesc, descOff))
	c.aluReg(true, aluSub, direct(regTmp), rax)
	c.load(4, rax, at(regDesc, descCapLen))
	c.aluImm(true, aluSub, direct(rax), int32(n))
	c.jump(ccB, f.at)
	c.aluReg(true, aluCmp, direct(regTmp), rax)
	c.jump(ccA, f.at)
	c.load(8, rax, at(rsp, keepRAX))
}

// call compiles the helper functions in place; a call out of generated code is what Go could not stand.
func (c *compiler) call(id int32) {
	switch id {
	case ebpf.HelperPrandomU32:
		c.random()
	case ebpf.HelperProcessorID:
		c.processorID()
	}
}

// processorID asks the segment descriptor in which Linux keeps the number of the processor, as its own getcpu does
// (arch/x86/include/asm/segment.h: GDT_ENTRY_CPUNODE; the number is in the low twelve bits).
func (c *compiler) processorID() {
	const cpuNodeSelector, numberBits = 0x7b, 12
	c.movImm(rax, cpuNodeSelector)
	c.lsl(rax, rax)
	c.aluImm(false, aluAnd, direct(rax), 1<<numberBits-1)
}

// random is splitmix64: a counter, shared by all who run the program, whose bits are then mixed. RDX is free, since a
// call destroys r3.
func (c *compiler) random() {
	const gamma, mix1, mix2 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb
	c.load(8, regTmp, at(regArgs, argSeed))
	c.movImm(rax, gamma)
	c.xadd(at(regTmp, 0), rax)
	for _, m := range []struct {
		right byte
		times uint64
	}{{30, mix1}, {27, mix2}} {
		c.move(true, rdx, rax)
		c.shiftImm(true, shiftRight, rdx, m.right)
		c.aluReg(true, aluXor, direct(rax), rdx)
		c.movImm(rdx, m.times)
		c.imul(true, rax, direct(rdx))
	}
	c.shiftImm(true, shiftRight, rax, 32)
}
