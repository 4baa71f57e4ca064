package veth

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// guardSocket makes code for packet sockets, which see what their device sends as well, that ends the run on such packets.
func guardSocket() ebpf.Program {
	const outgoing = 4
	ours := ebpf.JNe.Imm(ebpf.R2, outgoing)
	ours.Off = 2
	return ebpf.Program{
		ebpf.Load(4, ebpf.R2, ebpf.R1, ebpf.SkbPktType), ours, ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return(),
	}
}

// guardTracepoint makes code for the tracepoint through which all packets of the machine come: it ends the run unless the packet is of
// the device with this index. r1 points at the arguments, of which the first is the struct sk_buff.
func guardTracepoint(l *ebpf.SkbLayout, index int) ebpf.Program {
	const readKernel = 113 // probe_read_kernel
	r0, r1, r2, r3, r6, r10 := ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R6, ebpf.R10
	read := func(m ebpf.Member) ebpf.Program { // what r3 points at, to the stack and to r3
		return ebpf.Program{
			ebpf.Add.Imm(r3, int32(m.Off)), ebpf.Mov.Reg(r1, r10), ebpf.Add.Imm(r1, -8), ebpf.Mov.Imm(r2, int32(m.Size)),
			ebpf.CallHelper(readKernel), ebpf.Load(int(m.Size), r3, r10, -8),
		}
	}
	ours := ebpf.JEq.Imm32(r3, uint32(index))
	ours.Off = 2
	p := ebpf.Program{ebpf.Mov.Reg(r6, r1), ebpf.Load(8, r3, r1, 0)}
	p = append(p, read(l.Dev)...)
	p = append(p, read(l.DevIfIndex)...)
	return append(p, ebpf.Mov.Reg(r1, r6), ours, ebpf.Mov.Imm(r0, 0), ebpf.Return())
}
