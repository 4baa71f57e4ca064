package cbpf

// Offsets in this file count from Data[0]; negative ones lie in Head. They are int64 so that no sum of a k and a place
// in memory overflows on a 32-bit host.

// place turns the k of a load from the packet, or the sum of k and X, into an offset (bpf_skb_load_helper_convert_offset
// in net/core/filter.c, Linux 6.18). ok is false where k names nothing:
//
//	0x00000000 .. 0x7fffffff   Data
//	0x80000000 .. 0xffdfffff   nothing
//	0xffe00000 .. 0xffefffff   LL window: the link-layer header, if there is one
//	0xfff00000 .. 0xffffffff   NET window: the network header
func place(pkt *Packet, k uint32) (off int64, ok bool) {
	switch {
	case k < 1<<31:
		return int64(k), true
	case k >= NetOff:
		off, ok = networkHeader(pkt)
		return off + int64(k-NetOff), ok
	case k >= LLOff && !pkt.Meta.NoLink:
		return int64(k-LLOff) - int64(len(pkt.Meta.Head)), true
	}
	return 0, false
}

// networkHeader returns the offset of the network header; ok is false where Meta puts it outside the packet.
func networkHeader(pkt *Packet) (off int64, ok bool) {
	off = int64(pkt.Meta.NetOff)
	return off, holds(pkt, off, 0)
}

// holds reports whether size bytes from off on lie in the packet, Head included.
func holds(pkt *Packet, off int64, size int) bool {
	return off >= -int64(len(pkt.Meta.Head)) && off <= int64(len(pkt.Data))-int64(size)
}

// fetch reads size bytes, at most 4, from off on, the first one most significant; ok is false where the packet does not
// hold them all.
func fetch(pkt *Packet, off int64, size int) (v uint32, ok bool) {
	if !holds(pkt, off, size) {
		return 0, false
	}
	for i := range int64(size) {
		v = v<<8 | uint32(byteAt(pkt, off+i))
	}
	return v, true
}

// byteAt returns the byte at an offset that the packet holds.
func byteAt(pkt *Packet, off int64) byte {
	if off < 0 {
		return pkt.Meta.Head[int64(len(pkt.Meta.Head))+off]
	}
	return pkt.Data[off]
}
