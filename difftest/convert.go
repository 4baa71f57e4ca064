package difftest

import (
	"encoding/binary"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// converter turns packets into those that extended programs get. It uses the same memory for each.
type converter struct {
	pkt ebpf.Packet
	skb ebpf.SkBuff
	xdp ebpf.XDPBuff
}

// packet returns the packet as extended programs get it, until the next call. Data is shared.
func (c *converter) packet(pkt *cbpf.Packet) *ebpf.Packet {
	c.skb = SkBuff(pkt)
	c.xdp = ebpf.XDPBuff{IngressIfIndex: c.skb.IfIndex, RxQueueIndex: c.skb.QueueMapping}
	c.pkt = ebpf.Packet{
		Data:    pkt.Data,
		WireLen: pkt.WireLen,
		Skb:     &c.skb,
		XDP:     &c.xdp,
		Head:    pkt.Meta.Head,
		NetOff:  pkt.Meta.NetOff,
		NoLink:  pkt.Meta.NoLink,
		CPU:     pkt.Meta.CPU,
		Random:  pkt.Meta.Random,
	}
	return &c.pkt
}

// SkBuff lays the properties of a packet out as extended programs find them.
func SkBuff(pkt *cbpf.Packet) ebpf.SkBuff {
	m := &pkt.Meta
	skb := ebpf.SkBuff{
		Len:          pkt.WireLen,
		PktType:      uint32(m.PktType & 7), // a field of three bits
		Mark:         m.Mark,
		QueueMapping: uint32(m.Queue),
		Protocol:     networkOrder(m.Protocol),
		VlanTCI:      uint32(m.VlanTCI),
		VlanProto:    networkOrder(m.VlanTPID),
		Hash:         m.RxHash,
	}
	if m.VlanPresent {
		skb.VlanPresent = 1
	}
	if m.HasDev {
		skb.IfIndex = m.IfIndex
	}
	return skb
}

// networkOrder puts the bytes of n in network order into the low half of a word.
func networkOrder(n uint16) uint32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return uint32(binary.NativeEndian.Uint16(b[:]))
}

// userView is the packet as a program translated for User finds it: it begins at its link-layer header, and what the
// translator was told of the link holds for all packets.
func userView(opts translate.Options) func(*cbpf.Packet) cbpf.Packet {
	return func(pkt *cbpf.Packet) cbpf.Packet {
		seen := *pkt
		seen.Meta.Head, seen.Meta.NoLink = nil, false
		seen.Meta.NetOff = int(opts.NetOff)
		if opts.HaType != 0 {
			seen.Meta.HaType = opts.HaType
		}
		return seen
	}
}
