package difftest

import (
	"encoding/binary"
	"strconv"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// LinkType is the number that pcap and pcapng files have for a kind of link-layer header (tcpdump.org/linktypes.html).
type LinkType uint16

// The link types whose packets get a complete Meta.
const (
	LinkNull     LinkType = 0
	LinkEthernet LinkType = 1
	LinkRaw      LinkType = 101
	LinkLoop     LinkType = 108
	LinkSLL      LinkType = 113
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276
)

// linkInfo is what there is to know of a link type.
type linkInfo struct {
	link   LinkType
	name   string // as tcpdump -y takes it
	netOff int
	haType uint16                                   // ARPHRD_*, where the header does not say
	fill   func(m cbpf.Meta, data []byte) cbpf.Meta // adds what the header says
}

// ARPHRD_* of linux/if_arp.h.
const (
	haEthernet = 1
	haLoopback = 772
	haNone     = 0xfffe
)

// links are the link types whose packets get a complete Meta; for all others the network header is taken to begin the
// packet.
// 12 and 14 are what some systems write instead of 101.
var links = [...]linkInfo{
	{LinkNull, "NULL", 4, haLoopback, fillIP},
	{LinkEthernet, "EN10MB", 14, haEthernet, fillEthernet},
	{12, "RAW", 0, haNone, fillIP},
	{14, "RAW", 0, haNone, fillIP},
	{LinkRaw, "RAW", 0, haNone, fillIP},
	{LinkLoop, "LOOP", 4, haLoopback, fillIP},
	{LinkSLL, "LINUX_SLL", 16, 0, fillSLL},
	{LinkIPv4, "IPV4", 0, haNone, fillIP},
	{LinkIPv6, "IPV6", 0, haNone, fillIP},
	{LinkSLL2, "LINUX_SLL2", 20, 0, fillSLL2},
}

// info returns the row of a link type, or nil.
func (l LinkType) info() *linkInfo {
	for i := range links {
		if links[i].link == l {
			return &links[i]
		}
	}
	return nil
}

// String returns the name that tcpdump has for it, or the number.
func (l LinkType) String() string {
	if info := l.info(); info != nil {
		return info.name
	}
	return strconv.Itoa(int(l))
}

// MetaFor guesses what the kernel would have known of a captured packet. A trace does not tell whose machine it was
// captured on, so what is sent to one address (and not to a group) counts as sent to us, and the interface is number 1.
// VLAN tags stay in the packet. A header that is cut short leaves its properties 0.
func MetaFor(link LinkType, data []byte) cbpf.Meta {
	m := cbpf.Meta{HasDev: true, IfIndex: 1}
	info := link.info()
	if info == nil {
		return m
	}
	m.NetOff, m.HaType = info.netOff, info.haType
	if len(data) >= info.netOff {
		return info.fill(m, data)
	}
	return m
}

// fillEthernet does as eth_type_trans of the kernel (net/ethernet/eth.c), except that it knows no address of ours.
func fillEthernet(m cbpf.Meta, data []byte) cbpf.Meta {
	const (
		minEtherType = 0x600
		raw8023      = 0x0001 // ETH_P_802_3: a frame of Novell's, told by its missing checksum
		llc8022      = 0x0004 // ETH_P_802_2
	)
	switch proto := binary.BigEndian.Uint16(data[12:]); {
	case proto >= minEtherType:
		m.Protocol = proto
	case len(data) >= 16 && binary.BigEndian.Uint16(data[14:]) == 0xffff:
		m.Protocol = raw8023
	default:
		m.Protocol = llc8022
	}
	switch {
	case [6]byte(data) == [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		m.PktType = 1
	case data[0]&1 != 0:
		m.PktType = 2
	}
	return m
}

// fillSLL reads the header of a capture on all interfaces: packet type, ARPHRD_*, address, protocol.
func fillSLL(m cbpf.Meta, data []byte) cbpf.Meta {
	m.PktType = data[1]
	m.HaType = binary.BigEndian.Uint16(data[2:])
	m.Protocol = binary.BigEndian.Uint16(data[14:])
	return m
}

// fillSLL2 reads the newer one, which begins with the protocol and knows the interface.
func fillSLL2(m cbpf.Meta, data []byte) cbpf.Meta {
	m.Protocol = binary.BigEndian.Uint16(data)
	m.IfIndex = binary.BigEndian.Uint32(data[4:])
	m.HaType = binary.BigEndian.Uint16(data[8:])
	m.PktType = data[10]
	return m
}

// fillIP tells IPv4 and IPv6 apart by the version in the header.
func fillIP(m cbpf.Meta, data []byte) cbpf.Meta {
	if len(data) <= m.NetOff {
		return m
	}
	switch data[m.NetOff] >> 4 {
	case 4:
		m.Protocol = 0x0800
	case 6:
		m.Protocol = 0x86dd
	}
	return m
}
