package ebpf

// The windows of LoadAbs and LoadInd: offsets from here on count from the network header and from the link-layer header
// (SKF_NET_OFF and SKF_LL_OFF in linux/filter.h).
const (
	netWindow = -0x100000
	llWindow  = -0x200000
)

// loadPacket executes LoadAbs or LoadInd of n bytes at the offset. They are calls in disguise: R1 to R5 are lost, and
// outside of the packet the program ends with 0.
func (m *machine) loadPacket(offset int32, n int) {
	switch {
	case !m.abi.info().windows:
		m.fail(ReasonNoPacketLoads, "this is a %s program", m.abi)
		return
	case m.get(R6) != contextBase:
		m.fail(ReasonNeedsContext, "r6 is %#x", m.regs[R6])
		return
	}
	m.clobber()
	var v uint64
	at, ok := m.place(offset, n)
	for ; ok && n > 0; n-- {
		v = v<<8 | uint64(m.packetByte(at))
		at++
	}
	m.put(R0, v)
	m.done = !ok
}

// place is where n bytes at the offset begin, counted from Data[0]; ok is false where there are no such bytes
// (bpf_internal_load_pointer_neg_helper, kernel/bpf/core.c).
func (m *machine) place(offset int32, n int) (at int, ok bool) {
	at = int(offset)
	switch {
	case offset >= 0:
		return at, at <= len(m.pkt.Data)-n
	case offset >= netWindow:
		at += m.pkt.NetOff - netWindow
	case offset >= llWindow && !m.pkt.NoLink:
		at -= llWindow + len(m.pkt.Head)
	default:
		return 0, false
	}
	return at, at >= -len(m.pkt.Head) && at <= len(m.pkt.Data)-n
}

// packetByte is the byte at a place that counts from Data[0], or from the end of Head backwards.
func (m *machine) packetByte(at int) byte {
	if at < 0 {
		return m.pkt.Head[len(m.pkt.Head)+at]
	}
	return m.pkt.Data[at]
}

// clobber forgets the registers that a call destroys.
func (m *machine) clobber() {
	m.set &^= 1<<R1 | 1<<R2 | 1<<R3 | 1<<R4 | 1<<R5
}
