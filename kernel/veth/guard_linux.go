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
