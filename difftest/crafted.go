package difftest

import (
	"encoding/binary"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// NamedPacket is a packet with a name, family/what, that is unique among those of Crafted.
type NamedPacket struct {
	Name string
	Link LinkType
	cbpf.Packet
}

// Crafted returns some hundred packets made to lead filters into every corner: each protocol that filters know, headers
// of every length, and then what no honest machine sends: captures cut at every boundary and headers that lie. They are
// the same at each call and share no memory with other calls.
func Crafted() []NamedPacket {
	var c crafter
	c.link = LinkEthernet
	c.linkLayer()
	c.vlan()
	c.ip4()
	c.fragments()
	c.tcp()
	c.http()
	c.udp()
	c.icmp()
	c.ip6()
	c.cut()
	c.lies()
	c.odd()
	c.otherLinks()
	return c.all
}

// crafter gathers packets of the link type set.
type crafter struct {
	link LinkType
	all  []NamedPacket
}

// add appends a packet that is captured in whole.
func (c *crafter) add(name string, layers ...layer) { c.addCut(name, frame(layers...), -1) }

// addCut appends a packet of which the first n bytes are captured; all if n is negative.
func (c *crafter) addCut(name string, wire []byte, n int) {
	data := wire
	if n >= 0 {
		data = wire[:n:n]
	}
	c.all = append(c.all, NamedPacket{Name: name, Link: c.link, Packet: cbpf.Packet{
		Data:    data,
		WireLen: uint32(len(wire)),
		Meta:    MetaFor(c.link, data),
	}})
}

// addf is add with a formatted name.
func (c *crafter) addf(layers []layer, format string, args ...any) {
	c.add(fmt.Sprintf(format, args...), layers...)
}

// padding is n bytes that differ from their neighbours.
func padding(n int) blob {
	b := make(blob, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

// What most packets begin with, and the most common segment.
var (
	onIP4 = ether{proto: etherIPv4}
	onIP6 = ether{proto: etherIPv6}
	synTo = tcp{src: 40000, dst: 80, seq: 1, flags: syn}
)

// arp is the body of an ARP or RARP packet between client and server.
func arp(op uint16) layer {
	head := words{1, etherIPv4, 0x0604, op}.wrap(nil)
	head = append(append(head, macClient[:]...), client4[:]...)
	return blob(append(append(head, macServer[:]...), server4[:]...))
}

// linkLayer crafts what is no IP, or IP in an unusual wrapping: ARP, frames with a length in place of a type, PPPoE, MPLS,
// and a sweep over types that filters name.
func (c *crafter) linkLayer() {
	c.add("arp/request", ether{macBroadcast, etherARP}, arp(1), blob(make([]byte, 18)))
	c.add("arp/reply", ether{proto: etherARP}, arp(2))
	c.add("arp/probe", ether{macBroadcast, etherARP}, words{1, etherIPv4, 0x0604, 1}, blob(make([]byte, 20)))
	c.add("rarp/request", ether{macBroadcast, etherRARP}, arp(3))
	c.add("rarp/reply", ether{proto: etherRARP}, arp(4))
	c.add("8023/stp", ether{mac{0x01, 0x80, 0xc2}, 38}, blob{0x42, 0x42, 0x03}, padding(35))
	c.add("8023/snap-ip", ether{proto: 36}, blob{0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00}, ip4{proto: protoUDP}, udp{1, 2})
	c.add("8023/cdp", ether{mac{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc}, 50}, blob{0xaa, 0xaa, 0x03, 0, 0, 0x0c, 0x20, 0x00}, padding(42))
	c.add("8023/netbeui", ether{proto: 20}, blob{0xf0, 0xf0, 0x03}, padding(17))
	c.add("8023/iso", ether{proto: 30}, blob{0xfe, 0xfe, 0x03, 0x83}, padding(26))
	c.add("8023/novell", ether{proto: 32}, words{0xffff, 30}, padding(28))
	c.add("8023/longest-length", ether{proto: 1500}, padding(1500))
	c.add("8023/first-type", ether{proto: 0x600}, padding(46))
	c.add("8023/no-type-no-length", ether{proto: 0x5ff}, padding(46))
	c.add("ether/pppoe-discovery", ether{macBroadcast, 0x8863}, blob{0x11, 0x09, 0, 0, 0, 4, 1, 1, 0, 0})
	c.add("ether/pppoe-ip", ether{proto: 0x8864}, words{0x1100, 1, 42, 0x0021}, ip4{proto: protoTCP}, synTo)
	c.add("ether/pppoe-ip6", ether{proto: 0x8864}, words{0x1100, 1, 62, 0x0057}, ip6{next: protoTCP}, synTo)
	c.add("ether/pppoe-lcp", ether{proto: 0x8864}, words{0x1100, 1, 10, 0xc021}, padding(8))
	c.add("ether/mpls", ether{proto: etherMPLS}, words{0x0001, 0x0140}, ip4{proto: protoTCP}, synTo)
	c.add("ether/mpls-two", ether{proto: etherMPLS}, words{0x0001, 0x0040, 0x0006, 0x4140}, ip4{proto: protoTCP}, synTo)
	c.add("ether/mpls-multicast", ether{proto: 0x8848}, words{0x0001, 0x0140}, ip6{next: protoUDP}, udp{1, 2})
	for _, proto := range []uint16{0x0842, 0x22f0, 0x6003, 0x809b, 0x80f3, 0x8137, 0x8870, 0x888e, 0x88cc, 0x88e5, 0x9000, 0xffff} {
		c.addf([]layer{ether{proto: proto}, padding(46)}, "ether/type-%04x", proto)
	}
}

// vlan crafts tags with ids and priorities at their edges, alone, and in stacks.
func (c *crafter) vlan() {
	tagged := func(proto uint16, layers ...layer) []layer { return append([]layer{ether{proto: proto}}, layers...) }
	segment := []layer{ip4{proto: protoTCP}, synTo}
	for _, tci := range []uint16{0, 1, 100, 0x0fff, 0x2064, 0x1064, 0xffff} {
		c.addf(tagged(etherVLAN, append([]layer{tag(tci, etherIPv4)}, segment...)...), "vlan/tci-%04x", tci)
	}
	c.add("vlan/ip6", tagged(etherVLAN, tag(100, etherIPv6), ip6{next: protoUDP}, udp{53, 53}, padding(20))...)
	c.add("vlan/arp", tagged(etherVLAN, tag(100, etherARP), arp(1))...)
	c.add("vlan/llc", tagged(etherVLAN, tag(100, 38), blob{0x42, 0x42, 0x03}, padding(35))...)
	c.add("vlan/qinq", tagged(etherQinQ, tag(200, etherVLAN), tag(100, etherIPv4), segment[0], segment[1])...)
	c.add("vlan/twice", tagged(etherVLAN, tag(200, etherVLAN), tag(100, etherIPv4), segment[0], segment[1])...)
	c.add("vlan/9100", tagged(0x9100, tag(200, etherVLAN), tag(100, etherIPv4), segment[0], segment[1])...)
	c.add("vlan/three", tagged(etherQinQ, tag(3, etherVLAN), tag(2, etherVLAN), tag(1, etherIPv4), segment[0], segment[1])...)
	c.add("vlan/pppoe", tagged(etherVLAN, tag(7, 0x8864), words{0x1100, 1, 42, 0x0021}, segment[0], segment[1])...)
	c.add("vlan/mpls", tagged(etherVLAN, tag(7, etherMPLS), words{0x0001, 0x0140}, segment[0], segment[1])...)
	c.add("vlan/nothing-behind", tagged(etherVLAN, tag(7, etherIPv4))...)
}

// otherLinks repeats a few packets behind other link-layer headers, and behind none.
func (c *crafter) otherLinks() {
	segment4 := []layer{ip4{proto: protoTCP}, synTo}
	segment6 := []layer{ip6{next: protoUDP}, udp{53, 53}, padding(20)}
	heads := []struct {
		link   LinkType
		name   string
		v4, v6 blob
	}{
		{LinkRaw, "raw", nil, nil},
		{LinkNull, "null", blob{2, 0, 0, 0}, blob{10, 0, 0, 0}},
		{LinkLoop, "loop", blob{0, 0, 0, 2}, blob{0, 0, 0, 24}},
		{LinkSLL, "sll", sllHeader(0, etherIPv4), sllHeader(4, etherIPv6)},
	}
	for _, h := range heads {
		c.link = h.link
		c.add(h.name+"/ip4", append([]layer{h.v4}, segment4...)...)
		c.add(h.name+"/ip6", append([]layer{h.v6}, segment6...)...)
		c.addCut(h.name+"/empty", nil, -1)
	}
	c.link = LinkSLL
	c.add("sll/arp", sllHeader(1, etherARP), arp(1))
	c.addCut("sll/cut", frame(sllHeader(0, etherIPv4), segment4[0], segment4[1]), 15)
}

// sllHeader is the header of a capture on all interfaces, of a packet from the client on Ethernet.
func sllHeader(pktType uint8, proto uint16) blob {
	b := append([]byte{0, pktType, 0, 1, 0, 6}, macClient[:]...)
	return binary.BigEndian.AppendUint16(append(b, 0, 0), proto)
}
