package difftest

import "bytes"

// ip4 crafts IPv4 headers: each protocol, each length of options, addresses of each kind.
func (c *crafter) ip4() {
	for _, proto := range []uint8{
		0, 2, 8, protoGRE, protoESP, protoAH, protoICMPv6, protoNone, 88, 89, 103, 112, protoSCTP, 136, 255,
	} {
		c.addf([]layer{onIP4, ip4{proto: proto}, padding(32)}, "ip/proto-%d", proto)
	}
	c.add("ip/ipip", onIP4, ip4{proto: protoIPIP}, ip4{proto: protoTCP}, synTo)
	c.add("ip/6in4", onIP4, ip4{proto: protoIPv6}, ip6{next: protoTCP}, synTo)
	c.add("ip/gre-ip", onIP4, ip4{proto: protoGRE}, words{0, etherIPv4}, ip4{proto: protoUDP}, udp{53, 53})
	c.add("ip/gre-key", onIP4, ip4{proto: protoGRE}, words{0x2000, etherIPv4, 0, 99}, ip4{proto: protoTCP}, synTo)
	c.add("ip/sctp", onIP4, ip4{proto: protoSCTP}, words{2905, 80, 0, 1, 0, 0}, blob{1, 0, 0, 20}, padding(16))
	// Each length that the four bits of the header can state, of which filters calculate where TCP begins.
	for n := 4; n <= 40; n += 4 {
		c.addf([]layer{onIP4, ip4{proto: protoTCP, options: options(n)}, synTo, text("data")}, "ip/options-%d", n)
	}
	c.add("ip/ttl-1", onIP4, ip4{proto: protoUDP, ttl: 1}, udp{33434, 33434})
	c.add("ip/ttl-255", onIP4, ip4{proto: protoUDP, ttl: 255, dst: addr4{224, 0, 0, 251}}, udp{5353, 5353}, padding(30))
	c.add("ip/dscp-ef", onIP4, ip4{proto: protoUDP, tos: 0xb8}, udp{16384, 16386}, padding(172))
	c.add("ip/congestion", onIP4, ip4{proto: protoTCP, tos: 3}, tcp{src: 80, dst: 40000, flags: ack})
	for _, dst := range []addr4{{255, 255, 255, 255}, {127, 0, 0, 1}, {239, 255, 255, 250}, {10, 1, 2, 3}} {
		c.addf([]layer{onIP4, ip4{proto: protoUDP, dst: dst}, udp{1900, 1900}, padding(24)}, "ip/to-%d", dst[0])
	}
	c.add("ip/back", onIP4, ip4{proto: protoTCP, src: server4, dst: client4}, tcp{src: 80, dst: 40000, flags: syn | ack})
	c.add("ip/no-payload", onIP4, ip4{proto: protoTCP})
}

// options is n bytes of padding as IP and TCP options have it: nothing n-1 times, and an end.
func options(n int) []byte { return append(bytes.Repeat([]byte{1}, n-1), 0) }

// fragments crafts every kind of IPv4 fragment, among them those whose data looks like a header: a filter for ports must not
// take it for one.
func (c *crafter) fragments() {
	fragment := func(name string, field uint16, layers ...layer) {
		c.add("frag/"+name, append([]layer{onIP4, ip4{proto: protoUDP, frag: field}}, layers...)...)
	}
	fragment("whole", 0, udp{53, 5000}, padding(64))
	fragment("dont", dontFragment, udp{53, 5000}, padding(64))
	fragment("first", moreFragments, udp{53, 5000}, padding(64))
	fragment("middle", moreFragments|9, padding(72))
	fragment("last", 18, padding(40))
	fragment("last-looks-like-dns", 185, udp{53, 53}, padding(20))
	fragment("offset-1", 1, padding(16))
	fragment("offset-most", 0x1fff, padding(8))
	fragment("all-flags", 0xffff, padding(8))
	fragment("reserved-bit", 0x8000, udp{53, 53}, padding(8))
	c.add("frag/tcp-first-tiny", onIP4, ip4{proto: protoTCP, frag: moreFragments}, words{40000, 80, 0, 1})
	c.add("frag/tcp-second-tiny", onIP4, ip4{proto: protoTCP, frag: 1}, words{0, 0, 0x5002, 0xfaf0, 0, 0})
	c.add("frag/tcp-first", onIP4, ip4{proto: protoTCP, frag: moreFragments}, tcp{src: 80, dst: 40000, flags: ack}, padding(100))
	c.add("frag/icmp-last", onIP4, ip4{proto: protoICMP, frag: 185}, padding(32))
	c.add("frag/options-last", onIP4, ip4{proto: protoTCP, frag: 2, options: options(8)}, words{40000, 80, 0, 1})
}

// icmp crafts questions and answers, and complaints with the start of a packet inside.
func (c *crafter) icmp() {
	failed := frame(ip4{proto: protoTCP}, words{40000, 80, 0, 1})
	for _, typ := range []uint8{0, 8, 13, 14, 17} {
		c.addf([]layer{onIP4, ip4{proto: protoICMP}, icmp{typ: typ, rest: 0x00010001}, padding(48)}, "icmp/type-%d", typ)
	}
	for code := uint8(0); code < 5; code++ {
		c.addf([]layer{onIP4, ip4{proto: protoICMP}, icmp{typ: 3, code: code, rest: 1500}, blob(failed)}, "icmp/unreachable-%d", code)
	}
	c.add("icmp/redirect", onIP4, ip4{proto: protoICMP}, icmp{typ: 5, code: 1, rest: 0xc0000201}, blob(failed))
	c.add("icmp/time-exceeded", onIP4, ip4{proto: protoICMP}, icmp{typ: 11}, blob(failed))
	c.add("icmp/parameter", onIP4, ip4{proto: protoICMP}, icmp{typ: 12, rest: 0x14000000}, blob(failed))
	c.add("icmp/options", onIP4, ip4{proto: protoICMP, options: options(12)}, icmp{typ: 8}, padding(8))
}

// ip6 crafts IPv6: transports next to the header, and behind extension headers alone and in chains.
func (c *crafter) ip6() {
	add := func(name string, next uint8, layers ...layer) {
		c.add("ip6/"+name, append([]layer{onIP6, ip6{next: next}}, layers...)...)
	}
	dns := []layer{udp{5000, 53}, padding(30)}
	for _, port := range []uint16{22, 53, 80, 443, 8080} {
		c.addf([]layer{onIP6, ip6{next: protoTCP}, tcp{src: 40000, dst: port, flags: syn}}, "ip6/tcp-to-%d", port)
		c.addf([]layer{onIP6, ip6{next: protoTCP}, tcp{src: port, dst: 40000, flags: syn | ack}}, "ip6/tcp-from-%d", port)
	}
	add("udp", protoUDP, dns...)
	add("http", protoTCP, tcp{src: 40000, dst: 80, flags: psh | ack}, text("GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"))
	for _, typ := range []uint8{1, 2, 128, 129, 133, 134, 135, 136, 143} {
		c.addf([]layer{onIP6, ip6{next: protoICMPv6}, icmp{typ: typ, v6: true}, padding(24)}, "ip6/icmp-%d", typ)
	}
	add("hop-by-hop", protoHopByHop, ext6{protoUDP, 0}, dns[0], dns[1])
	add("hop-by-hop-mld", protoHopByHop, ext6{protoICMPv6, 0}, icmp{typ: 143, v6: true}, padding(20))
	add("routing", protoRouting, ext6{protoTCP, 2}, synTo)
	add("destination", protoDestOpts, ext6{protoUDP, 1}, dns[0], dns[1])
	add("fragment-first", protoFragment, frag6{protoUDP, 0x0001}, dns[0], dns[1])
	add("fragment-middle", protoFragment, frag6{protoUDP, 0x0149}, padding(64))
	add("fragment-last", protoFragment, frag6{protoTCP, 0x0250}, padding(64))
	add("fragment-atomic", protoFragment, frag6{protoTCP, 0}, synTo)
	add("chain", protoHopByHop, ext6{protoDestOpts, 0}, ext6{protoRouting, 1}, ext6{protoFragment, 2}, frag6{protoTCP, 0}, synTo)
	add("chain-long", protoHopByHop, ext6{protoDestOpts, 31}, ext6{protoTCP, 31}, synTo)
	add("chain-endless", protoDestOpts, ext6{protoDestOpts, 0}, ext6{protoDestOpts, 0}, ext6{protoDestOpts, 255})
	add("none", protoNone)
	add("ah", protoAH, blob{protoTCP, 4, 0, 0, 0, 0, 1, 0}, padding(16), synTo)
	add("esp", protoESP, padding(48))
	add("sctp", protoSCTP, words{2905, 80, 0, 1, 0, 0}, padding(16))
	add("4in6", protoIPIP, ip4{proto: protoTCP}, synTo)
	add("6in6", protoIPv6, ip6{next: protoUDP}, dns[0], dns[1])
	c.add("ip6/to-multicast", ether{mac{0x33, 0x33, 5: 0xfb}, etherIPv6},
		ip6{next: protoUDP, dst: addr6{0xff, 0x02, 15: 0xfb}}, udp{5353, 5353}, padding(30))
	c.add("ip6/to-other", onIP6, ip6{next: protoTCP, src: server6, dst: addr6{0xfe, 0x80, 15: 1}}, synTo)
}
