package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// maxHops is how often the kernel's flow dissector turns from one header to the next one (MAX_FLOW_DISSECT_HDRS).
const maxHops = 15

// dissection is the code of `ld poff` in the making: skb_get_poff of net/core/flow_dissector.c, Linux 6.18, which walks
// over the headers of a packet for the basic keys alone, without flags.
//
// The kernel's loop is laid out one pass behind the other, for jumps go only forward: network[i] is where pass i looks at
// a header that an EtherType names, transport[i] where it looks at one that an IP protocol number names. The last pass goes
// to the label that ends the walk.
type dissection struct {
	*emitter
	headers
	at    variable // offset of the header to look at
	proto variable // EtherType
	ip    variable // the last IP protocol number seen
	flags variable // of the GRE header at hand
	aside bool     // a VLAN tag may lie aside of the packet
	tag   variable // tagAside while a VLAN tag that lies aside of the packet has not been passed

	network, transport [maxHops + 2]ebpf.Label
	good               ebpf.Label // the walk ends at the offset in at
	later              ebpf.Label // it ends at a fragment that has no transport header
	bad                ebpf.Label // the packet cannot be dissected
}

// payloadOffset leaves in A what `ld poff` yields.
func (e *emitter) payloadOffset(h headers) {
	d := &dissection{emitter: e, headers: h, flags: e.onStack(flagsSlot), tag: e.onStack(tagSlot)}
	d.at, d.proto, d.ip = h.variables(e)
	d.good, d.later, d.bad = e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel()
	for i := range maxHops + 1 {
		d.network[i], d.transport[i] = e.b.NewLabel(), e.b.NewLabel()
	}
	d.network[maxHops+1], d.transport[maxHops+1] = d.good, d.good
	d.headers.begin(d)
	for i := range maxHops + 1 {
		d.b.Place(d.network[i])
		d.networkHeader(i)
		d.b.Place(d.transport[i])
		d.transportHeader(i)
	}
	d.finish()
}

// beginTold learns what the first header is from the kernel, or whoever stands in for it. A tag that lies aside of the packet
// comes first.
func (d *dissection) beginTold() {
	untagged, known := d.b.NewLabel(), d.b.NewLabel()
	d.aside = true
	d.setImm(d.ip, ipNothing)
	d.told(ebpf.R0, cbpf.ExtVlanPresent)
	d.b.Branch(ebpf.JEq.Imm32(ebpf.R0, 0), untagged)
	d.setImm(d.tag, tagAside)
	d.told(ebpf.R0, cbpf.ExtVlanTPID)
	d.b.Branch(ebpf.Jump(), known)
	d.b.Place(untagged)
	d.setImm(d.tag, tagPassed)
	d.told(ebpf.R0, cbpf.ExtProto)
	d.b.Place(known)
	d.set(d.proto, ebpf.R0)
}

// told loads a property of the packet, which the target has.
func (d *dissection) told(dst ebpf.Register, ext cbpf.Ext) {
	if !d.property(d.emitter, dst, ext) {
		panic("translate: the target does not tell of the packet")
	}
}

// finish turns where the walk ended into the offset of the payload, in A.
func (d *dissection) finish() {
	fits, done := d.b.NewLabel(), d.b.NewLabel()
	d.b.Place(d.later)
	d.setImm(d.ip, ipNothing)

	// The kernel keeps the offset in 16 bits, and cuts the length it compares with to as many.
	d.b.Place(d.good)
	d.captured(d.emitter, ebpf.R0)
	d.b.Emit(ebpf.And.Imm32(ebpf.R0, 0xffff))
	at := d.in(d.at, ebpf.R5)
	d.b.Emit(ebpf.And.Imm32(at, 0xffff))
	d.b.Branch(ebpf.JLe.Reg32(at, ebpf.R0), fits)
	d.b.Emit(ebpf.Mov.Reg32(at, ebpf.R0))
	d.b.Place(fits)
	d.keep(d.at, at)
	d.transportLength(done)

	d.b.Place(d.bad)
	d.clear(d.at, ebpf.R0, ebpf.R5)
	d.b.Place(done)
	d.get(d.regA, d.at)
}

// transportLength adds the length of the transport header to at, and goes to done (__skb_get_poff). Options are looked at
// in TCP alone.
func (d *dissection) transportLength(done ebpf.Label) {
	tcp, eight, twelve, long := d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel(), d.b.NewLabel()
	d.choose(d.in(d.ip, ebpf.R0), []lead{
		{ipTCP, tcp},
		{ipUDP, eight}, {ipICMP, eight}, {ipICMPv6, eight}, {ipIGMP, eight}, {ipUDPLite, eight},
		{ipDCCP, twelve}, {ipSCTP, twelve},
	}, done)

	d.b.Place(tcp)
	d.open(d.emitter, d.at, 13, done)
	d.part(d.emitter, ebpf.R0, 12, 1)
	d.b.Emit(ebpf.Rsh.Imm32(ebpf.R0, 2), ebpf.And.Imm32(ebpf.R0, 0x3c))
	d.b.Branch(ebpf.JGe.Imm32(ebpf.R0, 20), long)
	d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, 20))
	d.b.Place(long)
	d.add(d.at, ebpf.R0, ebpf.R5)
	d.b.Branch(ebpf.Jump(), done)

	d.b.Place(twelve)
	d.addImm(d.at, 4, ebpf.R5)
	d.b.Place(eight)
	d.addImm(d.at, 8, ebpf.R5)
	d.b.Branch(ebpf.Jump(), done)
}

// lead is a number and where it leads.
type lead struct {
	number uint32
	to     ebpf.Label
}

// choose goes where the number in r leads, or elsewhere.
func (d *dissection) choose(r ebpf.Register, leads []lead, elsewhere ebpf.Label) {
	for _, c := range leads {
		d.b.Branch(ebpf.JEq.Imm32(r, c.number), c.to)
	}
	d.b.Branch(ebpf.Jump(), elsewhere)
}

// u16 loads two bytes of the header that is open.
func (d *dissection) u16(dst ebpf.Register, i int) {
	d.part(d.emitter, dst, i, 2)
	d.toHost(dst, 2)
}
