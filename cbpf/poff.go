package cbpf

// EtherTypes that the flow dissector follows (linux/if_ether.h).
const (
	etherIPv4     = 0x0800
	etherARP      = 0x0806
	etherTEB      = 0x6558 // an Ethernet frame inside GRE
	etherRARP     = 0x8035
	etherVLAN     = 0x8100
	etherIPv6     = 0x86dd
	etherMPLS     = 0x8847
	etherMPLSMany = 0x8848
	etherPPPoE    = 0x8864
	etherPPPinGRE = 0x880b
	etherVLANOut  = 0x88a8
	etherTIPC     = 0x88ca
	etherPTP      = 0x88f7
	etherPRP      = 0x88fb
	etherCFM      = 0x8902
	etherFCoE     = 0x8906
	etherHSR      = 0x892f
	etherBatman   = 0x4305
)

// Numbers of IP protocols and of IPv6 extension headers (linux/in.h, net/ipv6.h).
const (
	ipHopByHop = 0
	ipICMP     = 1
	ipIGMP     = 2
	ipIPv4     = 4
	ipTCP      = 6
	ipUDP      = 17
	ipDCCP     = 33
	ipIPv6     = 41
	ipRouting  = 43
	ipFragment = 44
	ipGRE      = 47
	ipICMPv6   = 58
	ipDestOpts = 60
	ipSCTP     = 132
	ipUDPLite  = 136
	ipMPLS     = 137
)

// maxHops is how often the dissector turns from one header to the next one (MAX_FLOW_DISSECT_HDRS).
const maxHops = 15

// step is what a header says about the way on.
type step uint8

const (
	stepBad       step = iota // the packet cannot be dissected
	stepGood                  // here the dissection ends
	stepNetwork               // a header of the kind that proto names follows
	stepTransport             // a header of the kind that ipProto names follows
)

// dissector walks over the headers of a packet as the kernel's flow dissector does when it is asked for the basic keys
// alone, without flags (__skb_flow_dissect in net/core/flow_dissector.c, Linux 6.18).
type dissector struct {
	pkt           *Packet
	at            int64 // offset of the header to look at
	proto         uint16
	ipProto       uint8 // the last one seen; stays where no IP header follows
	tagAside      bool  // the VLAN tag in Meta has not been passed yet
	laterFragment bool  // a fragment without a transport header
}

// payloadOffset returns the offset of what the transport header carries, as far as the dissector gets, or 0
// (skb_get_poff). The packet counts as linear and as long as what was captured.
func payloadOffset(pkt *Packet) uint32 {
	at, ok := networkHeader(pkt)
	if !ok {
		return 0
	}
	d := dissector{pkt: pkt, at: at, proto: pkt.Meta.Protocol}
	if pkt.Meta.VlanPresent {
		d.proto, d.tagAside = pkt.Meta.VlanTPID, true
	}
	if !d.walk() {
		return 0
	}
	// The kernel keeps the offset in 16 bits, and cuts the length it compares with to as many.
	off := uint32(min(uint16(d.at), uint16(len(pkt.Data))))
	if d.laterFragment {
		return off
	}
	return off + transportLen(pkt, off, d.ipProto)
}

// transportLen returns the size of a transport header, without looking at options except in TCP (__skb_get_poff).
func transportLen(pkt *Packet, off uint32, ipProto uint8) uint32 {
	switch ipProto {
	case ipTCP:
		if v, ok := fetch(pkt, int64(off)+12, 1); ok {
			return max(20, v>>4*4)
		}
	case ipUDP, ipUDPLite, ipICMP, ipICMPv6, ipIGMP:
		return 8
	case ipDCCP, ipSCTP:
		return 12
	}
	return 0
}

// walk follows the headers to the last one it knows. Too many of them are no fault: it stops where it is.
func (d *dissector) walk() (ok bool) {
	next := stepNetwork
	for hops := 0; hops <= maxHops; hops++ {
		if next == stepNetwork {
			next = d.network()
		}
		if next == stepTransport {
			next = d.transport()
		}
		if next == stepBad || next == stepGood {
			break
		}
	}
	return next != stepBad
}

// has reports whether n bytes are there at the current header.
func (d *dissector) has(n int) bool { return holds(d.pkt, d.at, n) }

// u8 and u16 read from the current header; has has said that the bytes are there.
func (d *dissector) u8(i int64) byte { return byteAt(d.pkt, d.at+i) }

func (d *dissector) u16(i int64) uint16 { return uint16(d.u8(i))<<8 | uint16(d.u8(i+1)) }

// network passes the header that proto names.
func (d *dissector) network() step {
	switch d.proto {
	case etherIPv4:
		return d.ipv4()
	case etherIPv6:
		return d.ipv6()
	case etherVLAN, etherVLANOut:
		return d.vlan()
	case etherPPPoE:
		return d.pppoe()
	case etherTIPC:
		return d.last(16, 0) // looked at, not passed
	case etherMPLS, etherMPLSMany:
		d.at += 4 // one label, whether it is there or not
		return stepGood
	case etherFCoE:
		return d.last(38, 38)
	case etherPTP:
		return d.last(34, 34)
	case etherARP, etherRARP, etherCFM:
		return stepGood // nothing is read of them
	case etherBatman:
		return d.batman()
	case etherPRP, etherHSR:
		return d.ethertypeAt(4, 6)
	}
	return stepBad
}

// last passes size bytes, if need bytes are there, and ends.
func (d *dissector) last(need int, size int64) step {
	if !d.has(need) {
		return stepBad
	}
	d.at += size
	return stepGood
}

// ethertypeAt passes a header of size bytes that has the EtherType of the next one at place i.
func (d *dissector) ethertypeAt(i int64, size int) step {
	if !d.has(size) {
		return stepBad
	}
	d.proto = d.u16(i)
	d.at += int64(size)
	return stepNetwork
}

// ipv4 passes an IPv4 header with its options, there or not: only the first 20 bytes are read. It ends at fragments, the
// first one included, for the kernel goes on behind that only when it is asked to (FLOW_DISSECTOR_F_PARSE_1ST_FRAG).
func (d *dissector) ipv4() step {
	if !d.has(20) || d.u8(0)&0xf < 5 {
		return stepBad
	}
	fragment := d.u16(6)
	d.ipProto = d.u8(9)
	d.at += int64(d.u8(0)&0xf) * 4
	if fragment&0x3fff == 0 { // neither "more fragments" nor an offset
		return stepTransport
	}
	d.laterFragment = fragment&0x1fff != 0
	return stepGood
}

// ipv6 passes the fixed header. The version is not looked at, here and in ipv4.
func (d *dissector) ipv6() step {
	if !d.has(40) {
		return stepBad
	}
	d.ipProto = d.u8(6)
	d.at += 40
	return stepTransport
}

// vlan passes a tag: first the one that was taken out of the bytes, then those among them.
func (d *dissector) vlan() step {
	if d.tagAside {
		d.tagAside = false
		d.proto = d.pkt.Meta.Protocol
		return stepNetwork
	}
	return d.ethertypeAt(2, 4)
}

// transport passes the header that ipProto names, if something is known to follow it.
func (d *dissector) transport() step {
	switch d.ipProto {
	case ipGRE:
		return d.gre()
	case ipHopByHop, ipRouting, ipDestOpts:
		if d.proto == etherIPv6 {
			return d.ipv6Options()
		}
	case ipFragment:
		if d.proto == etherIPv6 {
			return d.ipv6Fragment()
		}
	case ipIPv4:
		d.proto = etherIPv4
		return stepNetwork
	case ipIPv6:
		d.proto = etherIPv6
		return stepNetwork
	case ipMPLS:
		d.proto = etherMPLS
		return stepNetwork
	}
	return stepGood
}

// ipv6Options passes a header of 8*(1+n) bytes: the protocol of the next one, n, what it is about.
func (d *dissector) ipv6Options() step {
	if !d.has(2) {
		return stepBad
	}
	d.ipProto = d.u8(0)
	d.at += (int64(d.u8(1)) + 1) * 8
	return stepTransport
}

// ipv6Fragment passes the header of a fragment and ends, at the first one too:
//
//	next 8 | reserved 8 | offset 13, reserved 2, more 1 | identification 32
func (d *dissector) ipv6Fragment() step {
	if !d.has(8) {
		return stepBad
	}
	d.ipProto = d.u8(0)
	d.laterFragment = d.u16(2)&0xfff8 != 0
	d.at += 8
	return stepGood
}
