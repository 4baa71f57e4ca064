package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

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
	ipNothing  = 59 // no header follows
	ipDestOpts = 60
	ipSCTP     = 132
	ipUDPLite  = 136
	ipMPLS     = 137
)

// transportHeader passes the header that ip names, in pass i, if something is known to follow it. The EtherType stays what
// it was where the kernel leaves it: extension headers of IPv6 are taken for such only behind IPv6.
func (d *dissection) transportHeader(i int) {
	gre, inIPv4, inIPv6, inMPLS := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	next, options, fragment := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	r := d.in(d.ip, ebpf.R0)
	for _, c := range []lead{{ipGRE, gre}, {ipIPv4, inIPv4}, {ipIPv6, inIPv6}, {ipMPLS, inMPLS}} {
		d.b.Branch(ebpf.JEq.Imm32(r, c.number), c.to)
	}
	d.b.Branch(ebpf.JNe.Imm32(d.in(d.proto, ebpf.R5), etherIPv6), d.good)
	d.choose(r, []lead{{ipHopByHop, options}, {ipRouting, options}, {ipDestOpts, options}, {ipFragment, fragment}}, d.good)

	d.b.Place(options)
	d.ipv6Options(i)
	d.b.Place(fragment)
	d.ipv6Fragment()
	d.b.Place(gre)
	d.gre(i)
	d.b.Place(inIPv4)
	d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, etherIPv4))
	d.b.Branch(ebpf.Jump(), next)
	d.b.Place(inMPLS)
	d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, etherMPLS))
	d.b.Branch(ebpf.Jump(), next)
	d.b.Place(inIPv6)
	d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, etherIPv6))
	d.b.Place(next)
	d.set(d.proto, ebpf.R0)
	if i == maxHops {
		d.b.Branch(ebpf.Jump(), d.good)
	} // the next pass stands next
}

// ipv6Options passes a header of 8*(1+n) bytes: the protocol of the next one, n, what it is about.
func (d *dissection) ipv6Options(i int) {
	d.open(d.emitter, d.at, 2, d.bad)
	d.part(d.emitter, ebpf.R0, 1, 1)
	d.b.Emit(ebpf.Add.Imm32(ebpf.R0, 1), ebpf.Lsh.Imm32(ebpf.R0, 3))
	d.add(d.at, ebpf.R0, ebpf.R5)
	d.part(d.emitter, ebpf.R0, 0, 1)
	d.set(d.ip, ebpf.R0)
	d.b.Branch(ebpf.Jump(), d.transport[i+1])
}

// ipv6Fragment passes the header of a fragment and ends the walk, at the first one too.
func (d *dissection) ipv6Fragment() {
	const offset = 0xfff8
	d.open(d.emitter, d.at, 8, d.bad)
	d.part(d.emitter, ebpf.R0, 0, 1)
	d.set(d.ip, ebpf.R0)
	d.u16(ebpf.R0, 2)
	d.addImm(d.at, 8, ebpf.R5)
	d.b.Branch(ebpf.JSet.Imm32(ebpf.R0, offset), d.later)
	d.b.Branch(ebpf.Jump(), d.good)
}

// Bits of the first 16 of a GRE header: places of the flags for which 4 more bytes follow, and masks.
const (
	greChecksum = 15
	greKey      = 13
	greSequence = 12
	greAck      = 7

	greRouting = 0x4000
	greVersion = 0x0007
)

// gre passes a GRE header of version 0, or of version 1 if it is that of PPTP; at others the walk ends, in front of them
// (__skb_flow_dissect_gre).
func (d *dissection) gre(i int) {
	known, noKey, pptp, ethernet := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	d.open(d.emitter, d.at, 4, d.bad)
	d.u16(ebpf.R0, 2)
	d.set(d.proto, ebpf.R0) // nobody asks for it where the walk ends here
	d.u16(ebpf.R0, 0)
	d.set(d.flags, ebpf.R0)
	d.b.Branch(ebpf.JSet.Imm32(ebpf.R0, greRouting), d.good)
	d.b.Emit(ebpf.And.Imm32(ebpf.R0, greVersion))
	d.b.Branch(ebpf.JEq.Imm32(ebpf.R0, 0), known)
	d.b.Branch(ebpf.JGt.Imm32(ebpf.R0, 1), d.good)
	d.b.Branch(ebpf.JNe.Imm32(d.in(d.proto, ebpf.R0), etherPPPinGRE), d.good)
	d.unlessFlagged(greKey, d.good)

	d.b.Place(known)
	d.optional(greChecksum)
	d.addImm(d.at, 4, ebpf.R0)
	d.unlessFlagged(greKey, noKey)
	d.open(d.emitter, d.at, 4, d.bad)
	d.addImm(d.at, 4, ebpf.R0)
	d.b.Place(noKey)
	d.optional(greSequence)
	d.b.Branch(ebpf.JSet.Imm32(d.in(d.flags, ebpf.R0), greVersion), pptp)
	d.b.Branch(ebpf.JEq.Imm32(d.in(d.proto, ebpf.R0), etherTEB), ethernet)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
	d.b.Place(pptp)
	d.pptp(i)
	d.b.Place(ethernet)
	d.etherTypeAt(i, 12, 14)
}

// unlessFlagged goes to the label if a bit of flags is not set.
func (d *dissection) unlessFlagged(bit int, to ebpf.Label) {
	r := d.in(d.flags, ebpf.R0)
	d.b.Emit(ebpf.And.Imm32(r, 1<<bit))
	d.b.Branch(ebpf.JEq.Imm32(r, 0), to)
}

// optional passes 4 bytes if a bit of flags is set.
func (d *dissection) optional(bit int32) {
	const size = 2 // as a power of two
	r := d.in(d.flags, ebpf.R0)
	d.b.Emit(ebpf.Rsh.Imm32(r, uint32(bit-size)), ebpf.And.Imm32(r, 1<<size))
	d.add(d.at, r, ebpf.R5)
}

// pptp passes the end of its GRE header and the PPP header behind it: two bytes of address and control, the protocol. Others
// than IPv4 and IPv6 leave the EtherType what it is, which nobody knows.
func (d *dissection) pptp(i int) {
	found := d.b.NewLabel()
	d.optional(greAck)
	d.open(d.emitter, d.at, 4, d.bad)
	d.u16(ebpf.R0, 2)
	d.addImm(d.at, 4, ebpf.R5)
	d.pppType(ebpf.R5, ebpf.R0, found, pppIPv4, pppIPv6)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
	d.b.Place(found)
	d.set(d.proto, ebpf.R5)
	d.b.Branch(ebpf.Jump(), d.network[i+1])
}
