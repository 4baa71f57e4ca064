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

// askAhead is how the loop over single packets asks: between two of them, once for each step.
type askAhead struct {
	top, due, done label
	reads          reads
}

// whenDue goes to askNow, and to the top of the loop again, until enough is asked for. At argAsk is the descriptor that it
// does that at.
func (c *compiler) whenDue(a *askAhead) {
	if a.reads.hi == 0 {
		return
	}
	a.due, a.done = c.newLabel(), c.newLabel()
	c.aluMem(true, aluCmp, regDesc, at(regArgs, argAsk))
	c.jump(ccAE, a.due)
	c.bind(a.done)
}

// askNow does one step. Behind the last one argAsk is where no descriptor is.
func (c *compiler) askNow(a *askAhead) {
	if a.reads.hi == 0 {
		return
	}
	const descs, buf = rax, rdi
	end := c.newLabel()
	c.bind(a.due)
	c.load(8, descs, at(regArgs, argAsk))
	c.aluImm(true, aluAdd, direct(descs), aheadPackets*descSize)
	c.aluMem(true, aluCmp, descs, at(regArgs, argAskLast))
	c.jump(ccA, end)
	c.load(8, buf, at(regArgs, argBuf))
	c.ask(descs, buf, a.reads)
	c.aluImm(true, aluAdd, at(regArgs, argAsk), aheadStep*descSize)
	c.jump(always, a.top)
	c.bind(end)
	c.storeImm(8, at(regArgs, argAsk), -1)
	c.jump(always, a.done)
}
