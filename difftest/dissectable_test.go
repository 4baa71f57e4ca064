package difftest

import (
	"fmt"
	"slices"
)

// More EtherTypes and protocol numbers than filters name: those that the kernel's flow dissector knows.
const (
	etherMPLSMany = 0x8848
	etherPPPoE    = 0x8864
	etherTEB      = 0x6558
	etherPPP      = 0x880b
	etherTIPC     = 0x88ca
	etherFCoE     = 0x8906
	etherPTP      = 0x88f7
	etherCFM      = 0x8902
	etherHSR      = 0x892f
	etherPRP      = 0x88fb
	etherBatman   = 0x4305
)

// dissected is what stands behind an Ethernet header or a VLAN tag with the EtherType.
type dissected struct {
	name  string
	proto uint16
	body  []byte
}

// dissectable are packets that take every way through the kernel's flow dissector.
func dissectable() []dissected {
	var list []dissected
	add := func(proto uint16, name string, layers ...layer) {
		list = append(list, dissected{name, proto, frame(append(layers, padding(24))...)})
	}
	over4 := func(name string, proto uint8, layers ...layer) {
		add(etherIPv4, "IPv4 "+name, append([]layer{ip4{proto: proto}}, layers...)...)
	}
	over6 := func(name string, next uint8, layers ...layer) {
		add(etherIPv6, "IPv6 "+name, append([]layer{ip6{next: next}}, layers...)...)
	}
	inner4, inner6 := frame(ip4{proto: protoUDP}, udp{1, 2}), frame(ip6{next: protoTCP}, synTo)

	for proto := range 256 {
		over4(fmt.Sprintf("protocol %d", proto), uint8(proto), blob(inner4))
		over6(fmt.Sprintf("protocol %d", proto), uint8(proto), blob(inner6))
	}
	for doff := range 16 {
		over4(fmt.Sprintf("TCP of %d words", doff), protoTCP, words{1, 2, 0, 0, 0, 0, uint16(doff)<<12 | 0xfff})
	}
	for ihl := range 16 {
		body := frame(ip4{proto: protoUDP}, padding(60))
		body[0] = 0x40 | byte(ihl)
		add(etherIPv4, fmt.Sprintf("IPv4 of %d words", ihl), blob(body))
	}
	for _, frag := range []uint16{0x8000, dontFragment, moreFragments, 1, 0x1fff, 0x2001, 0x0010, 0x4010} {
		add(etherIPv4, fmt.Sprintf("IPv4 fragment %#x", frag), ip4{proto: protoTCP, frag: frag}, synTo)
		over6(fmt.Sprintf("fragment %#x", frag), protoFragment, frag6{protoTCP, frag}, synTo)
	}
	for _, more := range []uint8{0, 1, 2, 31} {
		for _, kind := range []uint8{protoHopByHop, protoRouting, protoDestOpts} {
			over6(fmt.Sprintf("extension %d of %d", kind, more), kind, ext6{protoFragment, more}, frag6{protoUDP, 0}, udp{1, 2})
			over4(fmt.Sprintf("no extension %d of %d", kind, more), kind, ext6{protoUDP, more}, udp{1, 2})
		}
	}
	over6("extension of 2048", protoDestOpts, ext6{protoDestOpts, 255}, ext6{protoUDP, 1}, udp{1, 2})
	over6("extension in tunnel", protoIPIP, ip4{proto: protoDestOpts}, ext6{protoUDP, 1}, udp{1, 2})

	for _, proto := range []uint16{etherIPv4, etherIPv6, etherTEB, etherPPP, etherARP, etherVLAN, 0x1234} {
		for flags := uint16(0); flags < 16; flags++ {
			for version := range uint16(3) {
				for _, ack := range []uint16{0, 0x80} {
					head := words{flags<<12 | ack | version, proto}
					over4(fmt.Sprintf("GRE %x", head), protoGRE, append(head, make([]uint16, greOptions(head[0]))...), greBody(proto, inner4, inner6))
				}
			}
		}
	}
	for _, ppp := range []uint16{0x0021, 0x0057, 0x0281, 0x0283, 0xc021, 0x0020, 0x0121, 0x2d00, 0x002d, 0x0101} {
		body := greBody(map[uint16]uint16{0x0057: etherIPv6}[ppp], inner4, inner6)
		add(etherPPPoE, fmt.Sprintf("PPPoE %#x", ppp), words{0x1100, 7, 9, ppp}, body)
		over4(fmt.Sprintf("PPTP %#x", ppp), protoGRE, words{0x2001, etherPPP, 0, 0, 0xff03, ppp}, body)
	}
	for _, first := range []uint16{0x1101, 0x2100, 0x1200, 0x0000} {
		add(etherPPPoE, fmt.Sprintf("PPPoE of %#x", first), words{first, 7, 9, 0x21}, blob(inner4))
	}
	for _, first := range []uint16{0x400f, 0x400e, 0x410f} {
		add(etherBatman, fmt.Sprintf("batman %#x", first), words{first, 0, 0, 0, 0}, ether{proto: etherIPv4}, blob(inner4))
	}
	for _, proto := range []uint16{etherHSR, etherPRP} {
		add(proto, fmt.Sprintf("ring %#x", proto), words{0, 0, etherIPv6}, blob(inner6))
	}
	for _, proto := range []uint16{etherARP, etherRARP, etherMPLS, etherMPLSMany, etherTIPC, etherFCoE, etherPTP, etherCFM, 0x8863, 0x1234, 46} {
		add(proto, fmt.Sprintf("EtherType %#x", proto), padding(40))
	}
	return list
}

// greOptions is how many words follow the first two of a GRE header.
func greOptions(first uint16) (n int) {
	for _, flag := range []uint16{0x8000, 0x2000, 0x1000, 0x0080} {
		if first&flag != 0 {
			n += 2
		}
	}
	return n
}

// greBody is what follows a GRE header with that EtherType.
func greBody(proto uint16, inner4, inner6 []byte) layer {
	switch proto {
	case etherIPv6:
		return blob(inner6)
	case etherTEB:
		return blob(frame(ether{proto: etherVLAN}, tag(5, etherIPv4), blob(inner4)))
	case etherPPP:
		return blob(frame(words{0xff03, 0x0021}, blob(inner4)))
	case etherVLAN:
		return blob(frame(tag(5, etherIPv4), blob(inner4)))
	}
	return blob(inner4)
}

// tagged is a frame with so many VLAN tags in front of what is to be dissected.
func (d dissected) tagged(tags int) []byte {
	protos := append(slices.Repeat([]uint16{etherVLAN}, tags), d.proto)
	layers := []layer{ether{proto: protos[0]}}
	for _, proto := range protos[1:] {
		layers = append(layers, tag(0x123, proto))
	}
	return frame(append(layers, blob(d.body))...)
}
