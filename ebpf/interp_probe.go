package ebpf

// What addresses are those of a process and of the kernel where they have 48 bits, as on most x86-64; none lie between.
const (
	userEnd    = 0x0000_8000_0000_0000
	kernelHalf = 0xffff_8000_0000_0000
)

// probeReadKernel(to, n, from) copies n bytes of the kernel's memory to the stack, or zeroes them where there are none
// (bpf_probe_read_kernel in kernel/trace/bpf_trace.c). Addresses that cannot be the kernel's have an error of their own
// (copy_from_kernel_nofault_allowed in arch/x86/mm/maccess.c).
func (m *machine) probeReadKernel() uint64 {
	n, from := int(m.get(R2)), m.get(R3)
	to := m.writable(m.get(R1), n)
	for rest, at := to, from; len(rest) > 0; {
		b := m.pkt.kernelAt(at)
		switch {
		case len(b) > 0:
		case from < kernelHalf:
			return zeroed(to, erange)
		default:
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
	result, from := m.probeReadKernel(), m.get(R3)
	if result == erange && from < userEnd {
		return efault
	}
	return result
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
