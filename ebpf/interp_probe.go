package ebpf

// Addresses below the one are those of a process, from the other on those of the kernel: where addresses have 48 bits, as on
// most x86-64. None lie between.
const (
	userEnd    = 0x0000_7fff_ffff_f000
	kernelHalf = 0xffff_8000_0000_0000
)

// probeReadKernel(to, n, from) copies n bytes of the kernel's memory to the stack, or zeroes them where there are none
// (bpf_probe_read_kernel in kernel/trace/bpf_trace.c). Addresses that cannot be the kernel's have an error of their own
// (copy_from_kernel_nofault_allowed in arch/x86/mm/maccess.c).
func (m *machine) probeReadKernel() uint64 {
	n, from := int(m.get(R2)), m.get(R3)
	to := m.writable(m.get(R1), n)
	if from < kernelHalf && m.pkt.kernelAt(from) == nil {
		return zeroed(to, erange)
	}
	for rest, at := to, from; len(rest) > 0; {
		b := m.pkt.kernelAt(at)
		if b == nil {
			return zeroed(to, efault)
		}
		done := copy(rest, b)
		rest, at = rest[done:], at+uint64(done)
	}
	return 0
}

// probeRead is its older sibling, which takes the addresses of a process for what they are, and looks there. Here it finds
// nothing.
func (m *machine) probeRead() uint64 {
	result, n, from := m.probeReadKernel(), m.get(R2), m.get(R3)
	switch {
	case result != erange || from >= userEnd:
		return result
	case n == 0:
		return 0
	}
	return efault
}

// kernelAt returns the memory of the kernel from the address on, as far as one region goes; none where there is no region.
func (p *Packet) kernelAt(addr uint64) []byte {
	for _, r := range p.Kernel {
		if at := addr - r.Addr; at < uint64(len(r.Bytes)) {
			return r.Bytes[at:]
		}
	}
	return nil
}
