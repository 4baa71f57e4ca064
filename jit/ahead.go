package jit

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Packets out of memory cost more by waiting than by work, and a processor looks only some packets ahead by itself. So
// generated code asks for packets long before their turn: into the second cache, because the first can only wait for
// a few lines at once, which is as many as the processor asks for without being told to. Where packets are few enough to
// be in that cache already, asking costs more than it gains, and is left out.

const (
	aheadPackets = 128       // packets between the one that is asked for and the one at hand
	aheadStep    = 16        // packets that are asked for at a time
	aheadBytes   = 512 << 10 // buffers below are supposed to be in the second cache
)

// reads is the stretch of a packet that a program is supposed to read: from its first byte to its last.
type reads struct{ lo, hi int32 }

// usualHeader is what an offset that was computed is taken for: the length of an IPv4 header without options.
const usualHeader = 20

// readsOf finds what a program reads. There is nothing to ask for where hi is 0.
func readsOf(p ebpf.Program, facts *ebpf.Facts) reads {
	const most = 1 << 10 // what lies behind is rarely there
	r := reads{lo: math.MaxInt32}
	data := registers(1) << ebpf.R1
	for pc, ins := range p {
		info := ins.Op.Info()
		if info.Form == ebpf.FormLoad && facts.Access[pc] == ebpf.DataMemory {
			off := int32(ins.Off)
			if !data.has(ins.Src) {
				off += usualHeader
			}
			if end := off + int32(info.Size); off >= 0 && end <= most {
				r.lo, r.hi = min(r.lo, off), max(r.hi, end)
			}
		}
		data = pointersAfter(data, ins)
	}
	return r
}

// pointersAfter are the registers that hold the address of the packet behind an instruction, given those before it.
func pointersAfter(data registers, ins ebpf.Instruction) registers {
	_, writes := usage(ins)
	if ins == ebpf.Mov.Reg(ins.Dst, ins.Src) && data.has(ins.Src) {
		return data | writes
	}
	return data &^ writes
}

// asking says which packets generated code asks for: those of descriptors from one on, up to one at which the last step can
// begin. Both are bytes from the first descriptor of an entry into generated code.
type asking struct{ from, last int64 }

// never is beyond all descriptors.
const never = math.MaxInt64 / 2

// askingFrom is for an entry that begins with the packet at done of a batch: the entry before has asked for some.
func askingFrom(buf []byte, done, count int) asking {
	if len(buf) < aheadBytes {
		return asking{from: never}
	}
	a := asking{last: int64(count-done-aheadStep) * descSize}
	if done > 0 {
		a.from = aheadPackets * descSize
	}
	return a
}

// ask asks for the packets of a step: of the descriptors at one register, in the buffer at another. RCX is used.
func (a *asm) ask(descs, buf reg, r reads) {
	const near = 8 // bytes so close that they are in one cache line, most often
	for i := range int32(aheadStep) {
		a.load(4, regTmp, at(descs, i*descSize+descOff))
		a.prefetch(buf, regTmp, r.lo)
		if r.hi-1-r.lo >= near {
			a.prefetch(buf, regTmp, r.hi-1)
		}
	}
}

// askAhead is where the loop over single packets stops at packets from which it has to ask for more, and behind the last one. Up to
// the next stop, packets cost nothing more. Before the first there is a stop, too.
func (c *compiler) askAhead(top label, r reads) {
	const descs, buf = rax, rdi
	again, ask, enough, stop := c.newLabel(), c.newLabel(), c.newLabel(), c.newLabel()
	out := c.newLabel()
	c.aluMem(true, aluCmp, regDesc, at(regArgs, argDescEnd))
	c.jump(ccAE, out)
	c.bind(again)
	c.load(8, descs, at(regArgs, argAsk))
	c.aluReg(true, aluCmp, direct(regDesc), descs)
	c.jump(ccAE, ask)
	c.aluMem(true, aluCmp, descs, at(regArgs, argDescEnd))
	c.jump(ccBE, stop)
	c.load(8, descs, at(regArgs, argDescEnd))
	c.bind(stop)
	c.store(8, at(regArgs, argStop), descs)
	c.jump(always, top)

	c.bind(ask)
	c.aluImm(true, aluAdd, direct(descs), aheadPackets*descSize)
	c.aluMem(true, aluCmp, descs, at(regArgs, argAskLast))
	c.jump(ccA, enough)
	c.load(8, buf, at(regArgs, argBuf))
	c.ask(descs, buf, r)
	c.aluImm(true, aluAdd, at(regArgs, argAsk), aheadStep*descSize)
	c.jump(always, again)
	c.bind(enough)
	c.storeImm(8, at(regArgs, argAsk), -1)
	c.jump(always, again)
	c.bind(out)
}
