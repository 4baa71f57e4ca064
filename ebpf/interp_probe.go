package ebpf

// kernelHalf is the lowest address that x86-64 takes for one of the kernel where addresses have 48 bits.
const kernelHalf = 0xffff_8000_0000_0000

// probeReadKernel(to, n, from) copies n bytes of the kernel's memory to the stack (bpf_probe_read_kernel in
// kernel/trace/bpf_trace.c). Addresses that cannot be of the kernel have an error of their own
// (copy_from_kernel_nofault_allowed in arch/x86/mm/maccess.c).
func (m *machine) probeReadKernel() uint64 { return m.probe(erange) }

// probeRead is its older sibling, which takes such addresses for those of the process and looks there. Here it finds nothing.
func (m *machine) probeRead() uint64 { return m.probe(efault) }

// probe does the work of both; foreign is the error for addresses outside of the kernel.
func (m *machine) probe(foreign uint64) uint64 {
	n, from := int(m.get(R2)), m.get(R3)
	to := m.writable(m.get(R1), n)
	for rest := to; len(rest) > 0; {
		b := m.pkt.kernelAt(from)
		if len(b) == 0 {
			if from < kernelHalf {
				return zeroed(to, foreign)
			}
			return zeroed(to, efault)
		}
		done := copy(rest, b)
		rest, from = rest[done:], from+uint64(done)
	}
	return 0
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
