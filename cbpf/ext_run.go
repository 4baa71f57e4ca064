package cbpf

// extension returns the value of an absolute load from AdOff+e (convert_bpf_extensions in net/core/filter.c, Linux 6.18).
// It may end the program.
func (m *machine) extension(e Ext) uint32 {
	meta := &m.pkt.Meta
	m.quirks |= QuirkExtension
	switch e {
	case ExtProto:
		return uint32(meta.Protocol)
	case ExtPktType:
		return uint32(meta.PktType & 7) // a field of three bits
	case ExtIfIndex:
		return m.ofDevice(meta.IfIndex)
	case ExtNlattr:
		return m.attribute(findAttr(m.pkt.Data, m.a, m.x))
	case ExtNlattrNest:
		return m.attribute(findNestedAttr(m.pkt.Data, m.a, m.x))
	case ExtMark:
		return meta.Mark
	case ExtQueue:
		return uint32(meta.Queue)
	case ExtHaType:
		return m.ofDevice(uint32(meta.HaType))
	case ExtRxHash:
		return meta.RxHash
	case ExtCPU:
		m.quirks |= QuirkCPU
		return meta.CPU
	case ExtXorX:
		return m.a ^ m.x
	case ExtVlanTCI:
		return uint32(meta.VlanTCI)
	case ExtVlanPresent:
		if meta.VlanPresent {
			return 1
		}
		return 0
	case ExtPayOff:
		return payloadOffset(m.pkt)
	case ExtRandom:
		return m.random()
	case ExtVlanTPID:
		return uint32(meta.VlanTPID)
	}
	m.fail(ReasonRunExtension)
	return 0
}

// ofDevice yields a property of the interface. Without an interface the kernel leaves the program at once, with what A
// holds as its verdict.
func (m *machine) ofDevice(property uint32) uint32 {
	if !m.pkt.Meta.HasDev {
		m.quirks |= QuirkNoDevice
		m.end(m.a)
	}
	return property
}

// attribute yields the offset that a search for netlink attributes has found.
func (m *machine) attribute(off uint32, looked int) uint32 {
	if looked > ManyAttrs {
		m.quirks |= QuirkAttrs
	}
	return off
}

// random yields 32 bits from the source of the packet.
func (m *machine) random() uint32 {
	m.quirks |= QuirkRandom
	if m.pkt.Meta.Random == nil {
		return 0
	}
	return m.pkt.Meta.Random()
}
