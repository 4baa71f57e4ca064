package kernel

import (
	"encoding/binary"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Limits of BPF_PROG_TEST_RUN (net/bpf/test_run.c, Linux 6.18, pages of 4 KiB).
const (
	// MaxData is the most packet data that a socket filter runs on: one page, less the kernel's own room around a packet
	// and the Ethernet header that a run puts in front.
	MaxData = maxFrame - headerLen

	maxFrame    = 3712
	maxXDP      = 3520             // one page, less 256 bytes of headroom and a struct skb_shared_info
	maxXDPFrags = maxXDP + 17*4096 // and MAX_SKB_FRAGS pages
)

// MaxDatagram is the most packet data that a Classic gives a verdict on.
const MaxDatagram = 1 << 17

// MaxLinear is the most packet data that the kernel keeps in one piece behind a Classic. Longer data lie in pages but for
// their first bytes. Loads reach them there, but the extensions nla and nlan find nothing (bpf_skb_get_nlattr in
// net/core/filter.c): ClassicView is exact for programs without them, and for all others up to here. Kernels older
// than bpf_skb_load_helper_convert_offset do not reach pages through the NET window either.
const MaxLinear = 16064

// EtherType is the protocol of the packets that a Filter runs on unless they bring one that can be had. It belongs to local
// experiments (IEEE 802), so that the kernel expects no header behind it.
const EtherType = 0x88b5

const (
	headerLen       = 14
	loopbackIndex   = 1
	loopbackHaType  = 772 // ARPHRD_LOOPBACK
	packetHost      = 0
	packetMulticast = 2
	packetOtherHost = 3
	multicastBit    = 1 // of the first byte of an Ethernet address

	etherTypeMin = 0x0600 // what is less in the place of an EtherType is a length
	protoIPv4    = 0x0800
	protoIPv6    = 0x86dd
	proto802_3   = 0x0001 // ETH_P_802_3: a length, and an IPX packet behind it
	proto802_2   = 0x0004 // ETH_P_802_2: a length, and anything else
)

// viewKind is where the packet of a run comes from.
type viewKind uint8

const (
	viewNone   viewKind = iota // there are no test-runs
	viewPulled                 // data from the network header on; the run makes up the Ethernet header in front
	viewFrame                  // data from the Ethernet header on
)

// View returns the packet that a program of the type finds when Filter.RunPacket is given pkt: one on the loopback
// interface. Data is shared with pkt, and the length on the wire is that of Data.
//
// Socket filters and cgroup programs find an Ethernet header of 14 bytes in front of Data, which is their network header
// too. From Meta only Mark and, within limits, PktType and Protocol get through: types but 0, 2 and 3 become 3; protocols
// below 0x600, and IPv4 and IPv6 where Data is shorter than their header, become EtherType.
//
// For tc and XDP programs Data is a frame, which brings its Ethernet header; PktType and Protocol are read there as
// the kernel reads them. From Meta only Mark gets through, and to XDP nothing.
//
// Queue, RxHash and VLAN are 0. CPU and Random, which nobody can predict, are 0 and nil.
func (t Type) View(pkt *cbpf.Packet) cbpf.Packet {
	seen := cbpf.Packet{
		Data:    pkt.Data,
		WireLen: uint32(len(pkt.Data)),
		Meta:    cbpf.Meta{HasDev: true, IfIndex: loopbackIndex, HaType: loopbackHaType},
	}
	if t != XDP && t != XDPFrags {
		seen.Meta.Mark = pkt.Meta.Mark
	}
	if t.known() && types[t].view == viewFrame {
		seen.Meta.NetOff = headerLen
		seen.Meta.PktType, seen.Meta.Protocol = frameType(pkt.Data), frameProtocol(pkt.Data)
		return seen
	}
	head := pulledHeader(pkt)
	seen.Meta.Head = head[:]
	seen.Meta.PktType, seen.Meta.Protocol = frameType(head[:]), binary.BigEndian.Uint16(head[12:])
	return seen
}

// pulledHeader makes the Ethernet header that stands in front of the data of socket filters and cgroup programs. The kernel
// compares the destination with the address of the loopback interface, all zero. That is its broadcast address as well,
// so no packet is broadcast.
func pulledHeader(pkt *cbpf.Packet) (head [headerLen]byte) {
	switch pkt.Meta.PktType {
	case packetHost:
	case packetMulticast:
		head[0] = multicastBit
	default:
		head[0] = 2 // locally administered
	}
	proto := pkt.Meta.Protocol
	if proto < etherTypeMin || len(pkt.Data) < networkHeader(proto) {
		proto = EtherType
	}
	binary.BigEndian.PutUint16(head[12:], proto)
	return head
}

// networkHeader is how many bytes the kernel wants to see behind an Ethernet header with this EtherType.
func networkHeader(etherType uint16) int {
	switch etherType {
	case protoIPv4:
		return 20
	case protoIPv6:
		return 40
	}
	return 0
}

// frameType is the type that the kernel finds for a frame on the loopback interface (eth_type_trans, net/ethernet/eth.c).
func frameType(frame []byte) uint8 {
	switch {
	case len(frame) < headerLen || [6]byte(frame) == [6]byte{}:
		return packetHost
	case frame[0]&multicastBit != 0:
		return packetMulticast
	}
	return packetOtherHost
}

// frameProtocol is the protocol that the kernel finds for a frame (eth_type_trans).
func frameProtocol(frame []byte) uint16 {
	if len(frame) < headerLen {
		return 0
	}
	proto, behind := binary.BigEndian.Uint16(frame[12:]), frame[headerLen:]
	switch {
	case proto >= etherTypeMin:
		return proto
	case len(behind) >= 2 && behind[0] == 0xff && behind[1] == 0xff:
		return proto802_3
	}
	return proto802_2
}

// MinData is the least packet data that a Filter of the type takes of a packet with these data: 0 where the run makes
// up the header, and otherwise the Ethernet header, with the IPv4 or IPv6 header that it announces.
func (t Type) MinData(data []byte) int {
	if !t.known() || types[t].view != viewFrame {
		return 0
	}
	if t == TC && len(data) >= headerLen {
		return headerLen + networkHeader(frameProtocol(data))
	}
	return headerLen
}

// ClassicView returns the packet that a classic program finds when Classic.Verdict is given the data of pkt: one without
// link-layer header, interface and properties, whose network header is at Data[0]. Nothing of Meta gets through; CPU and
// Random, which nobody can predict, are 0 and nil. The length on the wire is that of Data. Data is shared with pkt.
func ClassicView(pkt *cbpf.Packet) cbpf.Packet {
	return cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NoLink: true}}
}
