package jit

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// loop is the loop over packets around a program.
type loop struct {
	top, stop label // for the next packet; behind those up to the next stop (askAhead)
	least     int32 // bytes that a packet must have
	reads     reads
	skb       bool // the program looks at the properties of packets
	wireLen   bool // and at their length on the wire
	exits     bool // it has few exits: each goes on to the next packet by itself

	// Registers that the program does not use hold the buffer and its length; without is none.
	buf, bufLen reg
}

// without stands for no register: the loop uses none of which it could be the name.
const without = rsp

// newLoop finds out what the loop around the program needs.
func (c *compiler) newLoop(least int32) *loop {
	const fewExits, shortProgram = 4, 512
	l := &loop{
		top: c.newLabel(), stop: c.newLabel(), least: least, reads: readsOf(c.prog, c.facts), skb: usesSkb(c.facts),
		wireLen: true, buf: without, bufLen: without,
	}
	var named registers
	exits := 0
	for _, ins := range c.prog {
		named |= 1<<ins.Dst | 1<<ins.Src
		if ins.Op == ebpf.OpExit {
			exits++
		}
	}
	l.exits = exits <= fewExits
	for r := ebpf.R9; r >= ebpf.R6; r-- {
		switch {
		case named.has(r):
		case l.buf == without:
			l.buf = x86[r]
		case l.bufLen == without:
			l.bufLen = x86[r]
		}
	}
	if len(c.prog) <= shortProgram { // of longer ones a load is no share
		l.wireLen = liveRegisters(c.prog)[0].has(ebpf.R3)
	}
	c.loop = l
	return l
}

// enter sets up the registers of the loop. RDI holds the block of arguments.
func (c *compiler) enter() {
	c.move(true, regArgs, rdi)
	c.load(8, regDesc, at(regArgs, argDescs))
	c.load(8, regOut, at(regArgs, argOut))
	c.load(8, rax, at(regArgs, argCount))
	c.imulImm(true, rax, direct(rax), descSize)
	c.aluReg(true, aluAdd, direct(rax), regDesc)
	c.store(8, at(regArgs, argDescEnd), rax)
	c.load(8, rax, at(regArgs, argAsk))
	c.aluReg(true, aluAdd, direct(rax), regDesc)
	c.aluImm(true, aluSub, direct(rax), aheadPackets*descSize)
	c.store(8, at(regArgs, argAsk), rax)
	c.aluReg(true, aluAdd, at(regArgs, argAskLast), regDesc)
	c.store(8, at(regArgs, argStop), regDesc)
	if l := c.loop; l.buf != without {
		c.load(8, l.buf, at(regArgs, argBuf))
	}
	if l := c.loop; l.bufLen != without {
		c.load(8, l.bufLen, at(regArgs, argBufLen))
	}
}

// nextPacket puts the arguments of the program into their registers, once the descriptor is found to be inside the buffer.
func (c *compiler) nextPacket(wrong label) {
	l, data, caplen := c.loop, x86[ebpf.R1], x86[ebpf.R2]
	c.load(4, rax, at(regDesc, descOff))
	c.load(4, caplen, at(regDesc, descCapLen))
	c.leaSum(regTmp, rax, caplen)
	if l.bufLen != without {
		c.aluReg(true, aluCmp, direct(regTmp), l.bufLen)
	} else {
		c.aluMem(true, aluCmp, regTmp, at(regArgs, argBufLen))
	}
	c.jump(ccA, wrong)
	if l.least > 0 {
		c.aluImm(false, aluCmp, direct(caplen), l.least)
		c.jump(ccB, wrong)
	}
	if l.buf != without {
		c.leaSum(data, l.buf, rax)
	} else {
		c.load(8, data, at(regArgs, argBuf))
		c.aluReg(true, aluAdd, direct(data), rax)
	}
	if l.wireLen {
		c.load(4, x86[ebpf.R3], at(regDesc, descWireLen))
	}
	if l.skb {
		c.load(8, x86[ebpf.R4], at(regArgs, argSkb))
	}
}

// finishPacket stores the verdict and moves on.
func (c *compiler) finishPacket() {
	c.store(4, at(regOut, 0), rax)
	c.aluImm(true, aluAdd, direct(regOut), 4)
	c.aluImm(true, aluAdd, direct(regDesc), descSize)
	if c.loop.skb {
		c.load(8, regTmp, at(regArgs, argSkbStep))
		c.aluReg(true, aluAdd, at(regArgs, argSkb), regTmp)
	}
}

// goOn goes to the next packet unless the loop has to stop.
func (c *compiler) goOn() {
	end := int32(argDescEnd)
	if c.loop.reads.hi > 0 {
		end = argStop
	}
	c.aluMem(true, aluCmp, regDesc, at(regArgs, end))
	c.jump(ccB, c.loop.top)
}

// leaveProgram compiles the exit at pc: behind the last instruction stands what follows all exits. Where there are few of them,
// each has the same, which saves a jump for each packet.
func (c *compiler) leaveProgram(pc int) {
	switch {
	case pc == len(c.prog)-1:
	case c.loop != nil && c.loop.exits:
		c.finishPacket()
		c.goOn()
		c.jump(always, c.loop.stop)
	default:
		c.jump(always, c.exit)
	}
}
