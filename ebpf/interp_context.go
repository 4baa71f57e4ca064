package ebpf

import "encoding/binary"

// context is the context as bytes.
func (m *machine) context() []byte {
	b := m.ctx[:m.abi.info().size]
	if !m.ctxMade {
		m.fillContext(b)
		m.ctxMade = true
	}
	return b
}

// fillContext writes the context of the packet.
func (m *machine) fillContext(b []byte) {
	skb, xdp := m.pkt.Skb, m.pkt.XDP
	switch {
	case len(b) == 0:
	case m.abi == Trace:
		clear(b)
		for i, arg := range m.pkt.Args[:min(len(m.pkt.Args), TraceSize/8)] {
			binary.NativeEndian.PutUint64(b[8*i:], arg)
		}
	case m.abi == XDP && xdp == nil:
		clear(b)
	case m.abi == XDP:
		xdp.put(b)
	case skb == nil:
		(&SkBuff{Len: m.pkt.WireLen}).put(b)
	default:
		skb.put(b)
	}
}

// loadContext reads the n bytes of the context at the offset, which are inside of it.
func (m *machine) loadContext(at int, info *OpInfo) uint64 {
	for i := range m.abi.info().pointers {
		f := &m.abi.info().pointers[i]
		if at < f.off+f.size && f.off < at+info.Size {
			return m.loadPointer(f, at, info)
		}
	}
	v := word(m.context()[at:][:info.Size])
	if info.Signed {
		return signExtend(v, 8*info.Size)
	}
	return v
}

// loadPointer loads a pointer into the packet, of which the context shows 4 bytes. Parts of it cannot be had.
func (m *machine) loadPointer(f *field, at int, info *OpInfo) uint64 {
	switch {
	case at != f.off || info.Size != f.size || info.Signed:
		m.fail(ReasonContextField, "%d bytes at %d", info.Size, at)
	case f.holds == endPtr:
		return m.base + uint64(len(m.data))
	case f.holds == metaPtr:
		return m.base - uint64(len(m.pkt.Meta))
	}
	return m.base
}

// movePacket makes all pointers into the packet useless, as the kernel's verifier does after functions that may move it.
func (m *machine) movePacket() {
	if m.base += dataStep; m.base == contextBase {
		m.base = dataBase
	}
}
