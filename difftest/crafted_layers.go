package difftest

import "encoding/binary"

// A layer is a header, and knows how to stand in front of what it carries. Headers do not look at each other: what a
// header says comes next is what its creator wrote, so packets that lie are as easy as true ones.
type layer interface {
	wrap(inner []byte) []byte
}

// frame builds a packet from its outermost layer inwards.
func frame(layers ...layer) []byte {
	var data []byte
	for i := len(layers) - 1; i >= 0; i-- {
		data = layers[i].wrap(data)
	}
	return data
}

// EtherTypes.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherVLAN = 0x8100
	etherIPv6 = 0x86dd
	etherMPLS = 0x8847
	etherQinQ = 0x88a8
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPIP     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoDestOpts = 60
	protoSCTP     = 132
)

// text and blob are payloads.
type (
	text string
	blob []byte
)

func (p text) wrap(inner []byte) []byte { return append([]byte(p), inner...) }
func (p blob) wrap(inner []byte) []byte { return append(append([]byte{}, p...), inner...) }

// words is a header of 16-bit words.
type words []uint16

func (w words) wrap(inner []byte) []byte {
	var head []byte
	for _, n := range w {
		head = binary.BigEndian.AppendUint16(head, n)
	}
	return append(head, inner...)
}

// mac is an Ethernet address; those of the two hosts are locally administered.
type mac [6]byte

var (
	macClient    = mac{0x02, 0, 0, 0, 0, 0x01}
	macServer    = mac{0x02, 0, 0, 0, 0, 0x02}
	macBroadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// ether is an Ethernet header from the client to dst, or to the server where dst is zero. A proto below 0x600 is a length.
type ether struct {
	dst   mac
	proto uint16
}

func (e ether) wrap(inner []byte) []byte {
	if e.dst == (mac{}) {
		e.dst = macServer
	}
	head := append(e.dst[:], macClient[:]...)
	return append(binary.BigEndian.AppendUint16(head, e.proto), inner...)
}

// tag is what follows the EtherType of a VLAN tag.
func tag(tci, proto uint16) layer { return words{tci, proto} }

// addr4 is an IPv4 address.
type addr4 [4]byte

var (
	client4 = addr4{192, 0, 2, 17} // addresses for documentation (RFC 5737)
	server4 = addr4{198, 51, 100, 80}
)

// ip4 is an IPv4 header with its checksum, and fills in that of the TCP or UDP header behind it. Zero addresses mean
// client to server, a zero ttl 64.
type ip4 struct {
	proto    uint8
	src, dst addr4
	tos, ttl uint8
	frag     uint16 // flags and offset
	options  []byte // a multiple of 4 bytes, at most 40
}

// Bits of the fragment field.
const (
	dontFragment  = 0x4000
	moreFragments = 0x2000
)

func (h ip4) wrap(inner []byte) []byte {
	if h.src == (addr4{}) {
		h.src = client4
	}
	if h.dst == (addr4{}) {
		h.dst = server4
	}
	if h.ttl == 0 {
		h.ttl = 64
	}
	size := 20 + len(h.options)
	b := make([]byte, 20, size+len(inner))
	b[0], b[1] = 0x40|byte(size/4), h.tos
	binary.BigEndian.PutUint16(b[2:], uint16(size+len(inner)))
	binary.BigEndian.PutUint16(b[4:], 0x1234)
	binary.BigEndian.PutUint16(b[6:], h.frag)
	b[8], b[9] = h.ttl, h.proto
	copy(b[12:], h.src[:])
	copy(b[16:], h.dst[:])
	b = append(b, h.options...)
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b))
	// A fragment does not hold all that the checksum is over.
	if h.frag&^dontFragment == 0 {
		seal(h.proto, sum(0, b[12:20]), inner)
	}
	return append(b, inner...)
}

// addr6 is an IPv6 address.
type addr6 [16]byte

var (
	client6 = addr6{0x20, 0x01, 0x0d, 0xb8, 15: 0x17} // RFC 3849
	server6 = addr6{0x20, 0x01, 0x0d, 0xb8, 15: 0x80}
)

// ip6 is an IPv6 header; it fills in the checksum of the TCP, UDP or ICMPv6 header next to it. A zero dst means client to
// server.
type ip6 struct {
	next     uint8
	src, dst addr6
}

func (h ip6) wrap(inner []byte) []byte {
	if h.src == (addr6{}) {
		h.src = client6
	}
	if h.dst == (addr6{}) {
		h.dst = server6
	}
	b := make([]byte, 40, 40+len(inner))
	b[0], b[6], b[7] = 0x60, h.next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(inner)))
	copy(b[8:], h.src[:])
	copy(b[24:], h.dst[:])
	seal(h.next, sum(0, b[8:]), inner)
	return append(b, inner...)
}

// ext6 is a hop-by-hop, routing or destination options header of 8*(1+more) bytes.
type ext6 struct {
	next, more uint8
}

func (h ext6) wrap(inner []byte) []byte {
	b := make([]byte, 8*(1+int(h.more)))
	b[0], b[1] = h.next, h.more
	b[2], b[3] = 1, byte(len(b)-4) // one option, PadN
	return append(b, inner...)
}

// frag6 is a fragment header; field is the offset and the flag (1) for more.
type frag6 struct {
	next  uint8
	field uint16
}

func (h frag6) wrap(inner []byte) []byte {
	b := []byte{h.next, 0, byte(h.field >> 8), byte(h.field), 0, 0, 0, 7}
	return append(b, inner...)
}

// TCP flags.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
	urg
)

// tcp is a TCP header; options are a multiple of 4 bytes, at most 40.
type tcp struct {
	src, dst uint16
	seq, ack uint32
	flags    uint8
	options  []byte
}

func (h tcp) wrap(inner []byte) []byte {
	b := make([]byte, 20, 20+len(h.options)+len(inner))
	binary.BigEndian.PutUint16(b, h.src)
	binary.BigEndian.PutUint16(b[2:], h.dst)
	binary.BigEndian.PutUint32(b[4:], h.seq)
	binary.BigEndian.PutUint32(b[8:], h.ack)
	b[12], b[13] = byte(20+len(h.options))/4<<4, h.flags
	binary.BigEndian.PutUint16(b[14:], 64240)
	return append(append(b, h.options...), inner...)
}

// udp is a UDP header.
type udp struct {
	src, dst uint16
}

func (h udp) wrap(inner []byte) []byte {
	return words{h.src, h.dst, uint16(8 + len(inner)), 0}.wrap(inner)
}

// icmp is an ICMP or ICMPv6 header with its four bytes of content; ICMPv6 gets its checksum from ip6.
type icmp struct {
	typ, code uint8
	rest      uint32
	v6        bool
}

func (h icmp) wrap(inner []byte) []byte {
	b := append(binary.BigEndian.AppendUint32([]byte{h.typ, h.code, 0, 0}, h.rest), inner...)
	if !h.v6 {
		binary.BigEndian.PutUint16(b[2:], ^sum(0, b))
	}
	return b
}

// sum is the ones' complement sum of the Internet checksum (RFC 1071), continued from start.
func sum(start uint16, b []byte) uint16 {
	total := uint64(start)
	for ; len(b) >= 2; b = b[2:] {
		total += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// seal puts the checksum into a transport header, given the sum of the addresses.
func seal(proto uint8, addresses uint16, segment []byte) {
	at, ok := map[uint8]int{protoTCP: 16, protoUDP: 6, protoICMPv6: 2}[proto]
	if !ok || len(segment) < at+2 {
		return
	}
	pseudo := []byte{0, proto, byte(len(segment) >> 8), byte(len(segment))}
	binary.BigEndian.PutUint16(segment[at:], ^sum(sum(addresses, pseudo), segment))
}
