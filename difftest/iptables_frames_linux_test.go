package difftest

import (
	"encoding/binary"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
)

// atRules is what a rule sees of a frame; ok is false where the kernel drops the frame before, or may (ip_rcv_core in
// net/ipv4/ip_input.c, ip6_rcv_core in net/ipv6/ip6_input.c). What is behind the end of the IP packet is cut off.
func atRules(frame []byte, far *veth.End) (pkt cbpf.Packet, family int, ok bool) {
	head, data := frame[:etherLen], frame[etherLen:]
	total := 0
	switch proto := binary.BigEndian.Uint16(head[12:]); {
	case proto == etherIPv4 && len(data) >= 20 && data[0]>>4 == 4:
		size := int(data[0]&0xf) * 4
		total = int(binary.BigEndian.Uint16(data[2:]))
		if size < 20 || total < size || total > len(data) || sum(0, data[:size]) != 0xffff {
			return pkt, 0, false
		}
	case proto == etherIPv6 && len(data) >= 40 && data[0]>>4 == 6:
		const hopByHop = 0
		family, total = 1, 40+int(binary.BigEndian.Uint16(data[4:]))
		multicast, unspecified := data[24] == 0xff, slices.Equal(data[8:23], make([]byte, 15))
		if total > len(data) || data[6] == hopByHop || data[8] == 0xff || unspecified || multicast && data[25]&0xf < 2 {
			return pkt, 0, false
		}
	default:
		return pkt, 0, false
	}
	pkt = cbpf.Packet{Data: data[:total], WireLen: uint32(total), Meta: cbpf.Meta{
		Head: head, HasDev: true, IfIndex: uint32(far.Index), HaType: 1, Protocol: binary.BigEndian.Uint16(head[12:]),
	}}
	switch {
	case slices.Equal(head[:6], macBroadcast[:]):
		pkt.Meta.PktType = 1
	case head[0]&1 != 0:
		pkt.Meta.PktType = 2
	}
	return pkt, family, true
}

// framesForRules are the crafted frames that come to the rules, with the address of the far end.
func framesForRules(far *veth.End) (frames [][]byte) {
	for _, p := range Crafted() {
		if p.Link != LinkEthernet || len(p.Data) < etherLen {
			continue
		}
		data := slices.Clone(p.Data)
		if data[0]&1 == 0 {
			copy(data, far.MAC)
		}
		if _, _, ok := atRules(data, far); ok && len(data) < 1500 {
			frames = append(frames, data)
		}
	}
	return frames
}
