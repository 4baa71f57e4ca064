package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// EtherTypes that the flow dissector follows (linux/if_ether.h).
const (
	etherIPv4     = 0x0800
	etherARP      = 0x0806
	etherBatman   = 0x4305
	etherTEB      = 0x6558 // an Ethernet frame inside GRE
	etherRARP     = 0x8035
	etherVLAN     = 0x8100
	etherIPv6     = 0x86dd
	etherPPPinGRE = 0x880b
	etherMPLS     = 0x8847
	etherMPLSMany = 0x8848
	etherPPPoE    = 0x8864
	etherVLANOut  = 0x88a8
	etherTIPC     = 0x88ca
	etherPTP      = 0x88f7
	etherPRP      = 0x88fb
	etherCFM      = 0x8902
	etherFCoE     = 0x8906
	etherHSR      = 0x892f
)

// networkHeader passes the header that proto names, in pass i.
func (d *dissection) networkHeader(i int) {
	ip4, ip6, vlan, pppoe, batman := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	prp, tipc, mpls, fcoe, ptp := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	d.choose(d.in(d.proto, ebpf.R0), []lead{
		{etherIPv4, ip4}, {etherIPv6, ip6},
		{etherVLAN, vlan}, {etherVLANOut, vlan},
		{etherARP, d.good}, {etherRARP, d.good}, {etherCFM, d.good}, // nothing is read of them
		{etherPPPoE, pppoe}, {etherMPLS, mpls}, {etherMPLSMany, mpls}, {etherBatman, batman}, {etherPRP, prp}, {etherHSR, prp},
		{etherTIPC, tipc}, {etherFCoE, fcoe}, {etherPTP, ptp},
	}, d.bad)

	d.b.Place(vlan)
	d.vlan(i)
	d.b.Place(pppoe)
	d.pppoe(i)
	d.b.Place(batman)
	d.batman(i)
	d.b.Place(prp)
	d.etherTypeAt(i, 4, 6)
	d.b.Place(mpls)
	d.addImm(d.at, 4, ebpf.R0) // one label, whether it is there or not
	d.b.Branch(ebpf.Jump(), d.good)
	d.b.Place(tipc)
	d.last(16, 0) // looked at, not passed
	d.b.Place(fcoe)
	d.last(38, 38)
	d.b.Place(ptp)
	d.last(34, 34)
	d.b.Place(ip4)
	d.ipv4(i)
	d.b.Place(ip6)
	d.ipv6()
}

// last passes size bytes, if need bytes are there, and ends the walk.
func (d *dissection) last(need int, size uint32) {
	d.open(d.emitter, d.at, need, d.bad)
	if size > 0 {
		d.addImm(d.at, size, ebpf.R0)
	}
	d.b.Branch(ebpf.Jump(), d.good)
}

// etherTypeAt passes a header of size bytes that has the EtherType of the next one at place at.
func (d *dissection) etherTypeAt(i, at, size int) {
	d.open(d.emitter, d.at, size, d.bad)
	d.u16(ebpf.R0, at)
	d.set(d.proto, ebpf.R0)
	d.addImm(d.at, uint32(size), ebpf.R0)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
}

// What is known of a VLAN tag that lies aside of the packet.
const (
	tagAside  = 1
	tagPassed = 2 // no 0, which the verifier would tell from other numbers
)

// vlan passes a tag: first the one that lies aside of the packet, then those in it.
func (d *dissection) vlan(i int) {
	if d.aside {
		inPacket := d.b.NewLabel()
		d.b.Branch(ebpf.JNe.Imm32(d.in(d.tag, ebpf.R0), tagAside), inPacket)
		d.setImm(d.tag, tagPassed)
		d.told(ebpf.R0, cbpf.ExtProto)
		d.set(d.proto, ebpf.R0)
		d.b.Branch(ebpf.Jump(), d.network[i+1])
		d.b.Place(inPacket)
	}
	d.etherTypeAt(i, 2, 4)
}

// ipv4 passes an IPv4 header with its options, there or not: only the first 20 bytes are read. The walk ends at fragments,
// the first one included.
func (d *dissection) ipv4(i int) {
	const moreOrOffset, offset = 0x3fff, 0x1fff
	d.open(d.emitter, d.at, 20, d.bad)
	d.part(d.emitter, ebpf.R0, 0, 1)
	d.b.Emit(ebpf.And.Imm32(ebpf.R0, 0xf))
	d.b.Branch(ebpf.JLt.Imm32(ebpf.R0, 5), d.bad)
	d.b.Emit(ebpf.Lsh.Imm32(ebpf.R0, 2))
	d.add(d.at, ebpf.R0, ebpf.R5)
	d.part(d.emitter, ebpf.R0, 9, 1)
	d.set(d.ip, ebpf.R0)
	d.u16(ebpf.R0, 6)
	d.b.Branch(ebpf.JSet.Imm32(ebpf.R0, offset), d.later)
	d.b.Branch(ebpf.JSet.Imm32(ebpf.R0, moreOrOffset), d.good)
	d.b.Branch(ebpf.Jump(), d.transport[i])
}

// ipv6 passes the fixed header, and falls into what looks at the next one. The version is not looked at, here and in ipv4.
func (d *dissection) ipv6() {
	d.open(d.emitter, d.at, 40, d.bad)
	d.part(d.emitter, ebpf.R0, 6, 1)
	d.set(d.ip, ebpf.R0)
	d.addImm(d.at, 40, ebpf.R0)
}

// pppoe passes the header of a session, whose version, type and code are fixed, and the PPP protocol behind it.
func (d *dissection) pppoe(i int) {
	found := d.b.NewLabel()
	d.open(d.emitter, d.at, 8, d.bad)
	d.u16(ebpf.R0, 0)
	d.b.Branch(ebpf.JNe.Imm32(ebpf.R0, 0x1100), d.bad)
	d.u16(ebpf.R0, 6)
	d.addImm(d.at, 8, ebpf.R5)
	d.pppType(ebpf.R5, ebpf.R0, found, pppIPv4, pppIPv6, pppMPLS, pppMPLSMany)
	// Numbers of PPP protocols are odd, and the upper byte is even (RFC 1661, section 2). The kernel ends at them, and does
	// not take anything else.
	d.b.Emit(ebpf.And.Imm32(ebpf.R0, 0x0101))
	d.b.Branch(ebpf.JEq.Imm32(ebpf.R0, 0x0001), d.good)
	d.b.Branch(ebpf.Jump(), d.bad)
	d.b.Place(found)
	d.set(d.proto, ebpf.R5)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
}

// Numbers of PPP protocols (linux/ppp_defs.h).
const (
	pppIPv4     = 0x0021
	pppIPv6     = 0x0057
	pppMPLS     = 0x0281
	pppMPLSMany = 0x0283
)

// pppTypes are the EtherTypes of what they stand for.
var pppTypes = map[uint32]uint32{pppIPv4: etherIPv4, pppIPv6: etherIPv6, pppMPLS: etherMPLS, pppMPLSMany: etherMPLSMany}

// pppType goes to found, with the EtherType in dst, if the PPP protocol in ppp is one of the numbers.
func (d *dissection) pppType(dst, ppp ebpf.Register, found ebpf.Label, numbers ...uint32) {
	for _, n := range numbers {
		d.b.Emit(ebpf.Mov.Imm32(dst, pppTypes[n]))
		d.b.Branch(ebpf.JEq.Imm32(ppp, n), found)
	}
}

// batman passes a unicast header of version 15, and the Ethernet header inside (struct batadv_unicast_packet).
func (d *dissection) batman(i int) {
	d.open(d.emitter, d.at, 24, d.bad)
	d.u16(ebpf.R0, 0)
	d.b.Branch(ebpf.JNe.Imm32(ebpf.R0, 0x400f), d.bad)
	d.u16(ebpf.R0, 22)
	d.set(d.proto, ebpf.R0)
	d.addImm(d.at, 24, ebpf.R0)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
}
