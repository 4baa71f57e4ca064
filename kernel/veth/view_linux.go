package veth

import (
	"encoding/binary"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

const (
	ethernet  = 14 // bytes of header
	tagSize   = 4  // bytes of a VLAN tag
	tag8021Q  = 0x8100
	tag8021AD = 0x88a8
	haEther   = 1 // ARPHRD_ETHER

	toHost, toAll, toMany, toOther = 0, 1, 2, 3 // types of packets
)

// seen returns the packet that a program at the place finds of a frame, on a device with this index and address.
//
// A received frame has lost its outermost VLAN tag to the properties when it comes by a socket or tc. One that is
// being sent has not, and its network header is behind all tags. Cgroup programs find no link-layer header in front of
// a packet that is being sent: it gets one later.
func seen(p Place, f Frame, index uint32, mac []byte) cbpf.Packet {
	pkt := kernel.XDP.View(&cbpf.Packet{Data: f.Data})
	pkt.Meta.IfIndex, pkt.Meta.HaType = index, haEther
	pkt.Meta.PktType = destination(f.Data, mac)
	switch p {
	case Socket, TCIngress:
		untag(&pkt)
	case TCEgress:
		sending(&pkt)
		pkt.Meta.Mark = f.Mark
	case CgroupIngress:
		pkt.Meta.Head, pkt.Data = pkt.Data[:ethernet], pkt.Data[ethernet:]
		pkt.Meta.NetOff, pkt.WireLen = 0, uint32(len(pkt.Data))
	case CgroupEgress:
		pkt.Data = partialSum(pkt.Data[ethernet:])
		pkt.Meta.NetOff, pkt.WireLen = 0, uint32(len(pkt.Data))
		pkt.Meta.NoLink, pkt.Meta.PktType, pkt.Meta.Mark = true, toHost, f.Mark
	}
	return pkt
}

// destination is the type of a packet by where it goes to (eth_type_trans, net/ethernet/eth.c).
func destination(frame, mac []byte) uint8 {
	dst := frame[:6]
	switch {
	case slices.Equal(dst, mac):
		return toHost
	case slices.Equal(dst, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}):
		return toAll
	case dst[0]&1 != 0:
		return toMany
	}
	return toOther
}

func isTag(etherType uint16) bool { return etherType == tag8021Q || etherType == tag8021AD }

// untag moves the outermost tag out of the data (skb_vlan_untag, net/core/skbuff.c).
func untag(pkt *cbpf.Packet) {
	if !isTag(pkt.Meta.Protocol) || len(pkt.Data) < ethernet+tagSize {
		return
	}
	pkt.Meta.VlanPresent, pkt.Meta.VlanTPID = true, pkt.Meta.Protocol
	pkt.Meta.VlanTCI = binary.BigEndian.Uint16(pkt.Data[ethernet:])
	data := slices.Delete(slices.Clone(pkt.Data), ethernet-2, ethernet-2+tagSize)
	inner := kernel.XDP.View(&cbpf.Packet{Data: data})
	pkt.Data, pkt.WireLen, pkt.Meta.Protocol = data, inner.WireLen, inner.Meta.Protocol
}

// sending is what a packet socket says of a frame that it sends: the protocol as it stands there, be it a length, and the
// network header behind the tags (packet_parse_headers, net/packet/af_packet.c).
func sending(pkt *cbpf.Packet) {
	pkt.Meta.PktType = toHost
	pkt.Meta.Protocol = binary.BigEndian.Uint16(pkt.Data[ethernet-2:])
	for proto := pkt.Meta.Protocol; isTag(proto) && len(pkt.Data) >= pkt.Meta.NetOff+tagSize; pkt.Meta.NetOff += tagSize {
		proto = binary.BigEndian.Uint16(pkt.Data[pkt.Meta.NetOff+2:])
	}
}
