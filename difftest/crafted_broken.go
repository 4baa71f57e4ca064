package difftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// cut crafts captures that end at, before and behind each boundary that a filter can care about.
func (c *crafter) cut() {
	get := frame(segment(tcp{src: 40000, dst: 80, flags: psh | ack}, text("GET / HTTP/1.1\r\n\r\n"))...)
	long := frame(onIP4, ip4{proto: protoTCP, options: options(40)},
		tcp{src: 40000, dst: 80, flags: ack, options: options(40)}, text("GET /"))
	cuts := []struct {
		name string
		wire []byte
		at   []int
	}{
		{"tcp", get, []int{0, 1, 5, 6, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 29, 30, 33, 34, 35, 36, 37, 38,
			45, 46, 47, 48, 49, 53, 54, 55, 56, 57, 58, 60}},
		{"options", long, []int{34, 35, 54, 73, 74, 75, 76, 77, 78, 86, 87, 113, 114, 115, 117, 118}},
		{"ip6", frame(onIP6, ip6{next: protoTCP}, synTo), []int{14, 15, 19, 20, 21, 38, 39, 53, 54, 55, 56, 57, 58, 66, 67, 73}},
		{"ext6", frame(onIP6, ip6{next: protoHopByHop}, ext6{protoTCP, 1}, synTo), []int{54, 55, 56, 62, 69, 70, 72, 74}},
		{"vlan", frame(ether{proto: etherVLAN}, tag(100, etherIPv4), ip4{proto: protoUDP}, udp{53, 53}),
			[]int{14, 15, 16, 17, 18, 19, 27, 28, 37, 38, 39, 40, 42}},
		{"arp", frame(ether{proto: etherARP}, arp(1)), []int{14, 20, 21, 22, 31, 32, 41}},
	}
	for _, t := range cuts {
		for _, n := range t.at {
			c.addCut(fmt.Sprintf("cut/%s-%d", t.name, n), t.wire, n)
		}
	}
	c.addCut("cut/jumbo-96", frame(segment(tcp{src: 80, dst: 40000, flags: ack}, padding(8960))...), 96)
}

// lies crafts headers that state a length other than they have. The places are those of the headers without options.
func (c *crafter) lies() {
	const ipStart, tcpStart, udpLength = 14, 34, 38
	// poke and poke16 change one field of a copy; checksums stay as they were.
	poke := func(wire []byte, at int, value byte) []byte {
		wire = bytes.Clone(wire)
		wire[at] = value
		return wire
	}
	poke16 := func(wire []byte, at int, value uint16) []byte {
		wire = bytes.Clone(wire)
		binary.BigEndian.PutUint16(wire[at:], value)
		return wire
	}
	get := frame(segment(tcp{src: 40000, dst: 80, flags: psh | ack}, text("GET / HTTP/1.1\r\n\r\n"))...)
	dns := frame(onIP4, ip4{proto: protoUDP}, udp{5000, 53}, padding(30))
	six := frame(onIP6, ip6{next: protoTCP}, synTo)
	for n := byte(0); n < 16; n++ {
		c.addCut(fmt.Sprintf("lie/ihl-%d", n), poke(get, ipStart, 0x40|n), -1)
		c.addCut(fmt.Sprintf("lie/data-offset-%d", n), poke(get, tcpStart+12, n<<4), -1)
	}
	for _, n := range []byte{0, 3, 5, 6, 15} {
		c.addCut(fmt.Sprintf("lie/version-%d", n), poke(get, ipStart, n<<4|5), -1)
	}
	for _, n := range []uint16{0, 1, 19, 20, 21, 39, 40, 41, 57, 59, 1500, 0xffff} {
		c.addCut(fmt.Sprintf("lie/total-length-%d", n), poke16(get, ipStart+2, n), -1)
	}
	for _, n := range []uint16{0, 7, 8, 37, 39, 0xffff} {
		c.addCut(fmt.Sprintf("lie/udp-length-%d", n), poke16(dns, udpLength, n), -1)
	}
	for _, n := range []uint16{0, 19, 21, 0xffff} {
		c.addCut(fmt.Sprintf("lie/payload-length-%d", n), poke16(six, ipStart+4, n), -1)
	}
	c.add("lie/ip-is-ip6", onIP4, ip6{next: protoTCP}, synTo)
	c.add("lie/ip6-is-ip", onIP6, ip4{proto: protoTCP}, synTo)
	c.add("lie/ip-is-arp", onIP4, arp(1))
}

// odd crafts what is no packet of any protocol, and the shortest and longest ones.
func (c *crafter) odd() {
	for _, n := range []int{0, 1, 13, 14, 60, 64, 9018} {
		for _, fill := range []byte{0x00, 0xff} {
			c.addCut(fmt.Sprintf("odd/%02x-%d", fill, n), bytes.Repeat([]byte{fill}, n), -1)
		}
		c.addCut(fmt.Sprintf("odd/mixed-%d", n), padding(n), -1)
	}
	minimal := frame(segment(synTo, nothing)...)
	c.addCut("odd/minimal", append(minimal, make([]byte, 6)...), -1)
	c.addf(segment(tcp{src: 80, dst: 40000, flags: ack}, padding(8960)), "odd/jumbo")
	c.add("odd/sign-bits", onIP4, ip4{proto: protoTCP, src: addr4{0x80, 0, 0, 0}, dst: addr4{0xff, 0xff, 0xff, 0xfe}},
		tcp{src: 0x8000, dst: 0xffff, seq: 1 << 31, ack: 1<<31 - 1, flags: ack}, text("\x80\x00\x00\x00\x7f\xff\xff\xff"))
}
