package kernel

import "github.com/cbpf2ebpf/cbpf2ebpf/cbpf"

// MaxData is the most packet data that a Filter runs on: one page, less the kernel's own room around a packet and the
// Ethernet header that Run puts in front.
const MaxData = 3712 - headerLen

// MaxDatagram is the most packet data that a Classic gives a verdict on.
const MaxDatagram = 1 << 17

// MaxLinear is the most packet data that the kernel keeps in one piece behind a Classic. Longer data lie in pages but for
// their first bytes. Loads reach them there, but the extensions nla and nlan find nothing (bpf_skb_get_nlattr in
// net/core/filter.c): ClassicView is exact for programs without them, and for all others up to here. Kernels older
// than bpf_skb_load_helper_convert_offset do not reach pages through the NET window either.
const MaxLinear = 16064

// EtherType is the protocol of the packets that a Filter runs on. It belongs to local experiments (IEEE 802), so that
// the kernel expects no header behind it.
const EtherType = 0x88b5

const (
	headerLen       = 14
	loopbackIndex   = 1
	loopbackHaType  = 772 // ARPHRD_LOOPBACK
	packetHost      = 0
	packetMulticast = 2
	packetOtherHost = 3
)

// headers holds the Ethernet header for each type of packet that one can bring about: the kernel compares the destination
// with the address of the loopback interface, all zero. That is its broadcast address as well, so no packet is broadcast.
var headers = map[uint8][headerLen]byte{
	packetHost:      {12: EtherType >> 8, 13: EtherType & 0xff},
	packetMulticast: {0: 0x01, 12: EtherType >> 8, 13: EtherType & 0xff},
	packetOtherHost: {0: 0x02, 12: EtherType >> 8, 13: EtherType & 0xff},
}

// packetType returns the type that a packet of this type will have under a Filter: 0, 2 and 3 stay, others become 3.
func packetType(t uint8) uint8 {
	if _, ok := headers[t]; ok {
		return t
	}
	return packetOtherHost
}

// View returns the packet that an extended program finds when Filter.RunPacket is given pkt: a packet on the loopback
// interface that has an Ethernet header of 14 bytes in front of Data, which is also its network header. From Meta only Mark
// and, within limits, PktType get through; Queue, RxHash and VLAN are 0. CPU and Random, which nobody can predict, are
// 0 and nil. The length on the wire is that of Data. Data is shared with pkt.
func View(pkt *cbpf.Packet) cbpf.Packet {
	kind := packetType(pkt.Meta.PktType)
	head := headers[kind]
	return cbpf.Packet{
		Data:    pkt.Data,
		WireLen: uint32(len(pkt.Data)),
		Meta: cbpf.Meta{
			Head:     head[:],
			Protocol: EtherType,
			PktType:  kind,
			HasDev:   true,
			IfIndex:  loopbackIndex,
			HaType:   loopbackHaType,
			Mark:     pkt.Meta.Mark,
		},
	}
}

// ClassicView returns the packet that a classic program finds when Classic.Verdict is given the data of pkt: one without
// link-layer header, interface and properties, whose network header is at Data[0]. Nothing of Meta gets through; CPU and
// Random, which nobody can predict, are 0 and nil. The length on the wire is that of Data. Data is shared with pkt.
func ClassicView(pkt *cbpf.Packet) cbpf.Packet {
	return cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NoLink: true}}
}
