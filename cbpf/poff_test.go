package cbpf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Headers, of which the fields that matter can be chosen.

func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

func zeros(n int) []byte { return make([]byte, n) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// ether is 14 bytes, from one locally administered address to another.
func ether(typ uint16) []byte {
	return join([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, be16(typ))
}

// ip4 is 4*ihl bytes; fragment has the flags too.
func ip4(ihl byte, fragment uint16, proto byte) []byte {
	h := zeros(max(20, 4*int(ihl)))
	h[0] = 0x40 | ihl
	binary.BigEndian.PutUint16(h[2:], 84)
	binary.BigEndian.PutUint16(h[6:], fragment)
	h[8], h[9] = 64, proto
	copy(h[12:], []byte{10, 1, 1, 1, 10, 1, 1, 2})
	return h
}

func ip6(next byte) []byte {
	h := zeros(40)
	h[0], h[3], h[6], h[7] = 0x60, 7, next, 64 // with a flow label
	return h
}

// options is an extension header of 8*(1+units) bytes.
func options(next, units byte) []byte {
	return join([]byte{next, units}, zeros(6+8*int(units)))
}

func fragment6(next byte, place uint16) []byte { return join([]byte{next, 0}, be16(place), zeros(4)) }

// tcp is 20 bytes that claim to be 4*doff.
func tcp(doff byte) []byte {
	h := zeros(20)
	h[12] = doff<<4 | 1
	return h
}

func vlan(inner uint16) []byte { return join(be16(0x6007), be16(inner)) }

func gre(flags, proto uint16, rest int) []byte { return join(be16(flags), be16(proto), zeros(rest)) }

func pppoe(ppp ...byte) []byte { return join([]byte{0x11, 0, 0, 7, 0, 9}, ppp) }

func ppp(proto uint16) []byte { return join([]byte{0xff, 0x03}, be16(proto)) }

func batman(version byte, inner uint16) []byte {
	return join([]byte{0x40, version}, zeros(8), ether(inner))
}

// udp is a UDP header and payload.
var udp = zeros(8 + 12)

var icmpFrame = join(ether(0x0800), ip4(5, 0x4000, 1), []byte{8, 0, 0xc2, 0x24}, zeros(60))

// poffCase is an Ethernet frame and the offset of its payload, added up by hand. Where the frame has a tag, want counts
// in the bytes without the outermost one, for that is what a packet socket sees.
type poffCase struct {
	name  string
	frame []byte
	want  uint32
}

func eachHop(n int, hop []byte) []byte { return bytes.Repeat(hop, n) }

var poffCases = []poffCase{
	{"ICMP", icmpFrame, 14 + 20 + 8},
	{"UDP", join(ether(0x0800), ip4(5, 0, 17), udp), 14 + 20 + 8},
	{"UDPLite", join(ether(0x0800), ip4(5, 0, 136), udp), 14 + 20 + 8},
	{"IGMP", join(ether(0x0800), ip4(5, 0, 2), udp), 14 + 20 + 8},
	{"DCCP", join(ether(0x0800), ip4(5, 0, 33), udp), 14 + 20 + 12},
	{"SCTP", join(ether(0x0800), ip4(5, 0, 132), udp), 14 + 20 + 12},
	{"ESP is not followed", join(ether(0x0800), ip4(5, 0, 50), udp), 14 + 20},
	{"unknown protocol", join(ether(0x0800), ip4(5, 0, 200), udp), 14 + 20},
	{"TCP", join(ether(0x0800), ip4(5, 0, 6), tcp(5)), 14 + 20 + 20},
	{"TCP with options", join(ether(0x0800), ip4(5, 0, 6), tcp(8), zeros(12)), 14 + 20 + 32},
	{"TCP, options that are not there", join(ether(0x0800), ip4(5, 0, 6), tcp(15)), 14 + 20 + 60},
	{"TCP, data offset too small", join(ether(0x0800), ip4(5, 0, 6), tcp(2)), 14 + 20 + 20},
	{"TCP, cut before the data offset", join(ether(0x0800), ip4(5, 0, 6), tcp(5)[:12]), 14 + 20},
	{"TCP, cut behind the data offset", join(ether(0x0800), ip4(5, 0, 6), tcp(5)[:13]), 14 + 20 + 20},
	{"UDP, header not there", join(ether(0x0800), ip4(5, 0, 17)), 14 + 20 + 8},
	{"IPv4 with options", join(ether(0x0800), ip4(7, 0, 17), udp), 14 + 28 + 8},
	{"IPv4, options go past the end", join(ether(0x0800), ip4(15, 0, 17)[:20]), 14 + 20 + 8},
	{"IPv4, header too short", join(ether(0x0800), ip4(4, 0, 17), udp), 0},
	{"IPv4, cut", join(ether(0x0800), ip4(5, 0, 17)[:19]), 0},
	{"IPv4, reserved flag and don't-fragment", join(ether(0x0800), ip4(5, 0xc000, 17), udp), 14 + 20 + 8},
	{"IPv4, first fragment", join(ether(0x0800), ip4(5, 0x2000, 6), tcp(6), udp), 14 + 20 + 24},
	{"IPv4, later fragment", join(ether(0x0800), ip4(5, 0x2001, 6), tcp(6), udp), 14 + 20},
	{"IPv4, last fragment", join(ether(0x0800), ip4(6, 0x0010, 17), udp), 14 + 24},
	{"IPv4, first fragment of a tunnel", join(ether(0x0800), ip4(5, 0x2000, 4), ip4(5, 0, 17), udp), 14 + 20},
	{"IPv6 UDP", join(ether(0x86dd), ip6(17), udp), 14 + 40 + 8},
	{"IPv6 ICMPv6", join(ether(0x86dd), ip6(58), udp), 14 + 40 + 8},
	{"IPv6 TCP", join(ether(0x86dd), ip6(6), tcp(7), udp), 14 + 40 + 28},
	{"IPv6, cut", join(ether(0x86dd), ip6(17)[:39]), 0},
	{"IPv6, no next header", join(ether(0x86dd), ip6(59), udp), 14 + 40},
	{"IPv6, hop-by-hop", join(ether(0x86dd), ip6(0), options(17, 0), udp), 14 + 40 + 8 + 8},
	{"IPv6, routing of 24 bytes", join(ether(0x86dd), ip6(43), options(6, 2), tcp(5)), 14 + 40 + 24 + 20},
	{"IPv6, three extension headers", join(ether(0x86dd), ip6(0), options(43, 0), options(60, 1), options(58, 0), udp), 14 + 40 + 8 + 16 + 8 + 8},
	{"IPv6, options cut", join(ether(0x86dd), ip6(60), []byte{17}), 0},
	{"IPv6, options past the end", join(ether(0x86dd), ip6(60), []byte{17, 200}), 14 + 40 + 2 + 8},
	{"IPv6, authentication is not followed", join(ether(0x86dd), ip6(51), options(17, 1), udp), 14 + 40},
	{"IPv6, first fragment", join(ether(0x86dd), ip6(44), fragment6(6, 1), tcp(8), udp), 14 + 40 + 8 + 32},
	{"IPv6, first fragment ends at options", join(ether(0x86dd), ip6(44), fragment6(60, 1), options(17, 0), udp), 14 + 40 + 8},
	{"IPv6, later fragment", join(ether(0x86dd), ip6(44), fragment6(6, 8), tcp(8), udp), 14 + 40 + 8},
	{"IPv6, fragment cut", join(ether(0x86dd), ip6(44), fragment6(17, 0)[:7]), 0},
	{"IPv6, most extension headers", join(ether(0x86dd), ip6(60), eachHop(14, options(60, 0)), options(17, 0), udp), 14 + 40 + 15*8 + 8},
	{"IPv6, one extension header too many", join(ether(0x86dd), ip6(60), eachHop(15, options(60, 0)), options(17, 0), udp), 14 + 40 + 16*8 + 8},
	{"IPv6, two extension headers too many", join(ether(0x86dd), ip6(60), eachHop(16, options(60, 0)), options(17, 0), udp), 14 + 40 + 16*8},
	{"IPv4 has no extension headers", join(ether(0x0800), ip4(5, 0, 60), options(17, 0), udp), 14 + 20},
	{"IPv4 in IPv4", join(ether(0x0800), ip4(5, 0, 4), ip4(6, 0, 17), udp), 14 + 20 + 24 + 8},
	{"IPv6 in IPv4", join(ether(0x0800), ip4(5, 0, 41), ip6(17), udp), 14 + 20 + 40 + 8},
	{"IPv4 in IPv6", join(ether(0x86dd), ip6(4), ip4(5, 0, 17), udp), 14 + 40 + 20 + 8},
	{"IPv6 in IPv6 with options", join(ether(0x86dd), ip6(41), ip6(0), options(17, 0), udp), 14 + 40 + 40 + 8 + 8},
	{"IPv4 in IPv4, cut", join(ether(0x0800), ip4(5, 0, 4), zeros(19)), 0},
	{"MPLS in IPv4", join(ether(0x0800), ip4(5, 0, 137), zeros(20)), 14 + 20 + 4},
	{"one tag", join(ether(0x8100), vlan(0x0800), ip4(5, 0, 17), udp), 14 + 20 + 8},
	{"one provider tag", join(ether(0x88a8), vlan(0x86dd), ip6(17), udp), 14 + 40 + 8},
	{"two tags", join(ether(0x88a8), vlan(0x8100), vlan(0x0800), ip4(5, 0, 17), udp), 14 + 4 + 20 + 8},
	{"four tags", join(ether(0x8100), vlan(0x8100), vlan(0x88a8), vlan(0x8100), vlan(0x0800), ip4(5, 0, 17), udp), 14 + 12 + 20 + 8},
	{"two tags, cut", join(ether(0x88a8), vlan(0x8100), []byte{0, 1, 8}), 0},
	{"tag and nothing known", join(ether(0x8100), vlan(0x1234), udp), 0},
	{"PPPoE IPv4", join(ether(0x8864), pppoe(0, 0x21), ip4(5, 0, 17), udp), 14 + 8 + 20 + 8},
	{"PPPoE IPv6", join(ether(0x8864), pppoe(0, 0x57), ip6(17), udp), 14 + 8 + 40 + 8},
	{"PPPoE MPLS", join(ether(0x8864), pppoe(2, 0x81), zeros(20)), 14 + 8 + 4},
	{"PPPoE MPLS multicast", join(ether(0x8864), pppoe(2, 0x83), zeros(20)), 14 + 8 + 4},
	{"PPPoE LCP", join(ether(0x8864), pppoe(0xc0, 0x21), zeros(20)), 14 + 8},
	{"PPPoE, even protocol", join(ether(0x8864), pppoe(0, 0x20), zeros(20)), 0},
	{"PPPoE, compressed protocol", join(ether(0x8864), pppoe(0x21), ip4(5, 0, 17), udp), 0},
	{"PPPoE, compressed unknown protocol", join(ether(0x8864), pppoe(0x2d), zeros(20)), 0},
	{"PPPoE, version 2", join(ether(0x8864), []byte{0x21, 0, 0, 7, 0, 9, 0, 0x21}, ip4(5, 0, 17), udp), 0},
	{"PPPoE, type 2", join(ether(0x8864), []byte{0x12, 0, 0, 7, 0, 9, 0, 0x21}, ip4(5, 0, 17), udp), 0},
	{"PPPoE, code 1", join(ether(0x8864), []byte{0x11, 1, 0, 7, 0, 9, 0, 0x21}, ip4(5, 0, 17), udp), 0},
	{"PPPoE, cut", join(ether(0x8864), pppoe(0)), 0},
	{"PPPoE discovery", join(ether(0x8863), pppoe(0, 0x21), udp), 0},
	{"MPLS", join(ether(0x8847), zeros(4), ip4(5, 0, 17), udp), 14 + 4},
	{"MPLS multicast", join(ether(0x8848), zeros(40)), 14 + 4},
	{"MPLS in IPv4 behind options that are not there", join(ether(0x0800), ip4(15, 0, 137)[:20]), 14 + 20},
	{"MPLS, cut", join(ether(0x8847), zeros(2)), 14 + 2},
	{"ARP", join(ether(0x0806), zeros(28)), 14},
	{"ARP without body", ether(0x0806), 14},
	{"RARP", join(ether(0x8035), zeros(28)), 14},
	{"TIPC", join(ether(0x88ca), zeros(16)), 14},
	{"TIPC, cut", join(ether(0x88ca), zeros(15)), 0},
	{"FCoE", join(ether(0x8906), zeros(38)), 14 + 38},
	{"FCoE, cut", join(ether(0x8906), zeros(37)), 0},
	{"PTP", join(ether(0x88f7), zeros(34)), 14 + 34},
	{"PTP, cut", join(ether(0x88f7), zeros(33)), 0},
	{"CFM", join(ether(0x8902), zeros(4)), 14},
	{"HSR", join(ether(0x892f), zeros(4), be16(0x0800), ip4(5, 0, 17), udp), 14 + 6 + 20 + 8},
	{"PRP", join(ether(0x88fb), zeros(4), be16(0x86dd), ip6(17), udp), 14 + 6 + 40 + 8},
	{"HSR, cut", join(ether(0x892f), zeros(5)), 0},
	{"HSR, one too many", join(ether(0x892f), eachHop(15, join(zeros(4), be16(0x892f))), zeros(4), be16(0x0800), ip4(5, 0, 17), udp), 14 + 16*6},
	{"batman", join(ether(0x4305), batman(15, 0x0800), ip4(5, 0, 17), udp), 14 + 24 + 20 + 8},
	{"batman, other version", join(ether(0x4305), batman(14, 0x0800), ip4(5, 0, 17), udp), 0},
	{"batman, cut", join(ether(0x4305), batman(15, 0x0800)[:23]), 0},
	{"unknown EtherType", join(ether(0x1234), udp), 0},
	{"length instead of EtherType", join(ether(46), zeros(46)), 0},
	{"raw IPX", join(ether(46), []byte{0xff, 0xff}, zeros(44)), 0},
	{"GRE IPv4", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x0800, 0), ip4(5, 0, 17), udp), 14 + 20 + 4 + 20 + 8},
	{"GRE IPv6, checksum", join(ether(0x0800), ip4(5, 0, 47), gre(0x8000, 0x86dd, 4), ip6(17), udp), 14 + 20 + 8 + 40 + 8},
	{"GRE, checksum, key, sequence", join(ether(0x0800), ip4(5, 0, 47), gre(0xb000, 0x0800, 12), ip4(5, 0, 17), udp), 14 + 20 + 16 + 20 + 8},
	{"GRE over IPv6", join(ether(0x86dd), ip6(47), gre(0x2000, 0x0800, 4), ip4(5, 0, 17), udp), 14 + 40 + 8 + 20 + 8},
	{"GRE Ethernet", join(ether(0x0800), ip4(5, 0, 47), gre(0x2000, 0x6558, 4), ether(0x0800), ip4(5, 0, 17), udp), 14 + 20 + 8 + 14 + 20 + 8},
	{"GRE Ethernet, cut", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x6558, 0), ether(0x0800)[:13]), 0},
	{"GRE Ethernet with a tag", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x6558, 0), ether(0x8100), vlan(0x0800), ip4(5, 0, 17), udp), 14 + 20 + 4 + 14 + 4 + 20 + 8},
	{"tag, GRE Ethernet with a tag", join(ether(0x8100), vlan(0x0800), ip4(5, 0, 47), gre(0, 0x6558, 0), ether(0x8100), vlan(0x0800), ip4(5, 0, 17), udp), 14 + 20 + 4 + 14 + 4 + 20 + 8},
	{"GRE with routing", join(ether(0x0800), ip4(5, 0, 47), gre(0x4000, 0x0800, 4), ip4(5, 0, 17), udp), 14 + 20},
	{"GRE of version 2", join(ether(0x0800), ip4(5, 0, 47), gre(2, 0x0800, 0), ip4(5, 0, 17), udp), 14 + 20},
	{"GRE, key cut", join(ether(0x0800), ip4(5, 0, 47), gre(0x2000, 0x0800, 3)), 0},
	{"GRE cut", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x0800, 0)[:3]), 0},
	{"GRE ARP keeps the outer protocol", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x0806, 28)), 14 + 20 + 4},
	{"GRE of nothing known", join(ether(0x0800), ip4(5, 0, 47), gre(0, 0x1234, 28)), 0},
	{"PPTP IPv4", join(ether(0x0800), ip4(5, 0, 47), gre(0x2001, 0x880b, 4), ppp(0x21), ip4(5, 0, 17), udp), 14 + 20 + 8 + 4 + 20 + 8},
	{"PPTP IPv6, sequence, acknowledgement", join(ether(0x0800), ip4(5, 0, 47), gre(0x3081, 0x880b, 12), ppp(0x57), ip6(17), udp), 14 + 20 + 16 + 4 + 40 + 8},
	{"PPTP of something else", join(ether(0x0800), ip4(5, 0, 47), gre(0x2001, 0x880b, 4), ppp(0xc021), zeros(20)), 0},
	{"PPTP without key", join(ether(0x0800), ip4(5, 0, 47), gre(0x0001, 0x880b, 0), ppp(0x21), ip4(5, 0, 17), udp), 14 + 20},
	{"version 1 of IPv4", join(ether(0x0800), ip4(5, 0, 47), gre(0x2001, 0x0800, 4), ip4(5, 0, 17), udp), 14 + 20},
	{"PPTP cut", join(ether(0x0800), ip4(5, 0, 47), gre(0x2001, 0x880b, 4), ppp(0x21)[:3]), 0},
}

// ethernet is what a packet socket sees of a frame that comes in over Ethernet: the outermost tag is taken out of the
// bytes, as skb_vlan_untag does, and the protocol found as eth_type_trans finds it. ok is false for what the kernel drops
// before it gets that far.
func ethernet(frame []byte) (pkt *Packet, ok bool) {
	meta := Meta{NetOff: 14, Protocol: etherType(frame[12:])}
	data := frame
	if meta.Protocol == 0x8100 || meta.Protocol == 0x88a8 {
		if len(frame) < 14+6 {
			return nil, false
		}
		meta.VlanPresent, meta.VlanTPID = true, meta.Protocol
		meta.VlanTCI = binary.BigEndian.Uint16(frame[14:])
		meta.Protocol = etherType(frame[16:])
		data = slices.Concat(frame[:12], frame[16:])
	}
	return &Packet{Data: data, WireLen: uint32(len(data)), Meta: meta}, true
}

// etherType reads the field at b; where it is a length, the protocol is one of two that Linux uses inside.
func etherType(b []byte) uint16 {
	typ := binary.BigEndian.Uint16(b)
	switch {
	case typ >= 0x0600:
		return typ
	case len(b) >= 4 && b[2] == 0xff && b[3] == 0xff:
		return 0x0001 // ETH_P_802_3
	}
	return 0x0004 // ETH_P_802_2
}

func TestRunPayOff(t *testing.T) {
	for _, c := range poffCases {
		t.Run(c.name, func(t *testing.T) {
			pkt, ok := ethernet(c.frame)
			require.True(t, ok)
			got, err := Run(Program{ext(ExtPayOff), do(cRetA, 0)}, pkt)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%x", c.frame)
		})
	}
}

// TestRunPayOffOfSockets: on a UDP socket the network header lies in front of the data.
func TestRunPayOffOfSockets(t *testing.T) {
	pkt := &Packet{Data: udp, Meta: Meta{Head: join(ether(0x0800), ip4(5, 0, 17)), NetOff: -20, Protocol: 0x0800}}
	require.Equal(t, uint32(8), payloadOffset(pkt))
	pkt.Meta.NetOff = -21
	require.Equal(t, uint32(0), payloadOffset(pkt), "no IP header begins there")
}

// TestRunPayOffHas16Bits: both sides of the kernel's comparison are cut to 16 bits.
func TestRunPayOffHas16Bits(t *testing.T) {
	frame := join(ether(0x0800), ip4(5, 0, 50), zeros(1<<16))
	pkt, _ := ethernet(frame)
	require.Equal(t, uint32(14+20), payloadOffset(pkt))
	pkt.Data = frame[:1<<16+8]
	require.Equal(t, uint32(8), payloadOffset(pkt))
}
