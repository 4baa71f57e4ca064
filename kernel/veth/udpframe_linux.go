package veth

import (
	"encoding/binary"
	"net"
	"slices"
)

// The ports of the UDP sockets at either end.
const (
	nearPort = 7001
	farPort  = 7002
)

const (
	ipHeader  = 20
	udpHeader = 8
	protoUDP  = 17
)

// UDP makes the frame that a socket at the near end sends with this payload to the one at the far end; but for the UDP
// checksum, which is 0: none.
func (l *Link) UDP(payload []byte) []byte {
	f := slices.Concat(l.Far.MAC, l.Near.MAC, []byte{0x08, 0x00})
	ip := make([]byte, ipHeader, ipHeader+udpHeader+len(payload))
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(cap(ip)))
	ip[6] = 0x40 // do not fragment
	ip[8], ip[9] = 64, protoUDP
	copy(ip[12:], l.Near.IP)
	copy(ip[16:], l.Far.IP)
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip))
	f = append(f, ip...)
	f = binary.BigEndian.AppendUint16(f, nearPort)
	f = binary.BigEndian.AppendUint16(f, farPort)
	f = binary.BigEndian.AppendUint16(f, uint16(udpHeader+len(payload)))
	f = append(f, 0, 0)
	return append(f, payload...)
}

// sum is the ones' complement sum of big-endian halves (RFC 1071). data has an even number of bytes.
func sum(data []byte) uint16 {
	var s uint32
	for ; len(data) >= 2; data = data[2:] {
		s += uint32(binary.BigEndian.Uint16(data))
	}
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}

// partialSum returns a UDP packet, from its IPv4 header on, as the kernel hands it to a device that completes checksums: with
// the sum of the pseudo header alone (udp4_hwcsum, net/ipv4/udp.c).
func partialSum(packet []byte) []byte {
	if len(packet) < ipHeader+udpHeader {
		return packet
	}
	pseudo := slices.Concat(packet[12:ipHeader], []byte{0, protoUDP}, packet[ipHeader+4:ipHeader+6])
	out := slices.Clone(packet)
	binary.BigEndian.PutUint16(out[ipHeader+6:], sum(pseudo))
	return out
}

// payload returns what a UDP socket has to send for the near end to send this frame. ok is false if no payload does that.
func (l *Link) payload(frame []byte) (payload []byte, ok bool) {
	const headers = ethernet + ipHeader + udpHeader
	if len(frame) < headers {
		return nil, false
	}
	payload = frame[headers:]
	return payload, slices.Equal(l.UDP(payload), frame)
}

func addrOf(ip net.IP) (addr [4]byte) {
	copy(addr[:], ip.To4())
	return addr
}
