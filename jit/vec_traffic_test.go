package jit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// traffic makes packets as a link sees them: of a hundred 78 are IPv4, 10 IPv6, 8 have a VLAN tag, 2 are ARP. Of those with
// IP 74 of a hundred are TCP, 22 UDP, 4 ICMP; one is a fragment and one has options. Hosts and ports have favourites.
type traffic struct {
	*rand.Rand
	hosts []netip.Addr
}

// listedHosts are the addresses that filters of tests and benchmarks name: no two are neighbours.
func listedHosts(n int) (hosts []netip.Addr) {
	r := rand.New(rand.NewPCG(80, 80))
	for range n {
		hosts = append(hosts, netip.AddrFrom4([4]byte{10, byte(r.IntN(256)), byte(r.IntN(256)), byte(1 + r.IntN(250))}))
	}
	return hosts
}

func newTraffic(seed uint64) *traffic {
	return &traffic{rand.New(rand.NewPCG(seed, 258)), listedHosts(80)}
}

// host is an address: one in twenty is listed.
func (t *traffic) host() uint32 {
	if t.IntN(20) == 0 {
		a := t.hosts[t.IntN(len(t.hosts))].As4()
		return binary.BigEndian.Uint32(a[:])
	}
	return 0xc0a80000 | uint32(t.IntN(2000))
}

func (t *traffic) port() uint16 {
	favourites := []uint16{80, 443, 443, 53, 22, 8080, 25, 993}
	if t.IntN(3) == 0 {
		return favourites[t.IntN(len(favourites))]
	}
	return uint16(1024 + t.IntN(64000))
}

// size is a length from the address of the network header on; most packets are short, a few are full.
func (t *traffic) size() int {
	switch n := t.IntN(10); {
	case n < 5:
		return 46 + t.IntN(40)
	case n < 9:
		return 90 + t.IntN(300)
	}
	return 1000 + t.IntN(500)
}

// packet is one frame.
func (t *traffic) packet() []byte {
	be := binary.BigEndian
	b := make([]byte, 12, 1600)
	for i := range b {
		b[i] = byte(t.Uint32())
	}
	kind := t.IntN(100)
	if kind >= 88 && kind < 96 {
		b = be.AppendUint16(be.AppendUint16(b, 0x8100), uint16(t.IntN(4)+1))
	}
	switch {
	case kind < 78 || kind >= 88 && kind < 95:
		b = t.ip4(be.AppendUint16(b, 0x0800))
	case kind < 88 || kind == 95:
		b = t.ip6(be.AppendUint16(b, 0x86dd))
	case kind < 98:
		b = append(be.AppendUint16(b, 0x0806), 0, 1, 8, 0, 6, 4, 0, 1)
		b = append(be.AppendUint32(append(b, 2, 0, 0, 0, 0, 1), t.host()), 0, 0, 0, 0, 0, 0)
		return append(be.AppendUint32(b, t.host()), make([]byte, 18)...)
	default:
		b = be.AppendUint16(b, 0x88cc)
	}
	for n := t.size(); n > 0; n-- {
		b = append(b, byte(t.Uint32()))
	}
	return b
}

func (t *traffic) protocol() byte {
	switch n := t.IntN(100); {
	case n < 74:
		return 6
	case n < 96:
		return 17
	}
	return 1
}

func (t *traffic) ip4(b []byte) []byte {
	be := binary.BigEndian
	protocol, words, fragment := t.protocol(), byte(5), uint16(0)
	switch t.IntN(100) {
	case 0:
		words = 8
	case 1:
		fragment = uint16(1 + t.IntN(100))
	}
	b = append(b, 0x40|words, 0)
	b = be.AppendUint16(be.AppendUint16(be.AppendUint16(b, uint16(100+t.IntN(1300))), uint16(t.Uint32())), fragment)
	b = be.AppendUint32(be.AppendUint32(append(b, 64, protocol, 0, 0), t.host()), t.host())
	b = append(b, make([]byte, 4*(words-5))...)
	return t.transport(b, protocol)
}

func (t *traffic) ip6(b []byte) []byte {
	be := binary.BigEndian
	protocol := t.protocol()
	b = append(b, 0x60, 0, 0, 0, 0, 100, protocol, 64)
	for range 2 {
		b = be.AppendUint32(append(b, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0), t.host())
	}
	return t.transport(b, protocol)
}

func (t *traffic) transport(b []byte, protocol byte) []byte {
	be := binary.BigEndian
	if protocol == 1 {
		return append(b, 8, 0, 0, 0, 0, 1, 0, 1)
	}
	b = be.AppendUint16(be.AppendUint16(b, t.port()), t.port())
	if protocol == 6 {
		b = be.AppendUint32(be.AppendUint32(b, t.Uint32()), t.Uint32())
		b = append(b, 0x50, byte(1<<t.IntN(6)), 1, 0, 0, 0, 0, 0)
		if t.IntN(8) == 0 {
			b = append(b, "GET / HTTP/1.1\r\n"...)
		}
	}
	return b
}

// trace is packets in one buffer, each behind 16 bytes as in a pcap file, and descriptors of them.
func (t *traffic) trace(n int) (buf []byte, descs []Desc) {
	for range n {
		p := t.packet()
		buf = append(buf, make([]byte, 16)...)
		descs = append(descs, Desc{Off: uint32(len(buf)), CapLen: uint32(len(p)), WireLen: uint32(len(p))})
		buf = append(buf, p...)
	}
	return buf, descs
}

// shuffled are the descriptors in many orders, one after the other, so that no predictor of branches learns what comes.
func shuffled(descs []Desc, orders int) (out []Desc) {
	r := rand.New(rand.NewPCG(64, 64))
	for range orders {
		one := append([]Desc(nil), descs...)
		r.Shuffle(len(one), func(i, j int) { one[i], one[j] = one[j], one[i] })
		out = append(out, one...)
	}
	return out
}

// syscalls makes seccomp_data with big-endian words, of which four of five are calls that programs make all the time.
func (t *traffic) syscalls(n int) (buf []byte, descs []Desc) {
	hot := []uint32{0, 1, 3, 5, 8, 9, 13, 14, 16, 20, 35, 39, 42, 44, 45, 57, 72, 96, 158, 202, 228, 231, 257, 281, 302, 318}
	for range n {
		nr := uint32(t.IntN(460))
		if t.IntN(5) > 0 {
			nr = hot[int(float64(len(hot))*t.Float64()*t.Float64())]
		}
		descs = append(descs, Desc{Off: uint32(len(buf)), CapLen: ebpf.SeccompSize, WireLen: ebpf.SeccompSize})
		buf = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(buf, nr), 0xc000003e)
		buf = append(buf, make([]byte, ebpf.SeccompSize-8)...)
	}
	return buf, descs
}
