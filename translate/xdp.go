package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// newXDP makes the way to packets that are not in a struct sk_buff yet. They begin with their link-layer header; where the
// network header is, the options say.
func newXDP(_ cbpf.Program, opts Options) access {
	d := &direct{
		frame: newFrame(opts, frame{net: window{at: opts.networkHeader()}}),
		data:  ebpf.XDPData, end: ebpf.XDPDataEnd,
		tags: opts.Tags, haType: opts.HaType,
	}
	if opts.Frags {
		d.rest = helperRest
	}
	return d
}

// xdpProperty loads what an extension yields. The kernel has not looked at the packet yet, so little is known; what it is
// going to find out from the first bytes of an Ethernet packet the program finds out likewise, where it is asked to.
func (d *direct) xdpProperty(e *emitter, dst ebpf.Register, ext cbpf.Ext) bool {
	if f, ok := xdpFields[ext]; ok {
		e.b.Emit(ebpf.Load(4, dst, e.regCtx, f.off))
		return true
	}
	slot, ok := tagSlots[ext]
	if ok && d.tags {
		e.b.Emit(ebpf.Load(4, dst, ebpf.R10, slot))
	}
	return ok && d.tags
}

// xdpFields are the extensions that are a word of struct xdp_md.
var xdpFields = map[cbpf.Ext]contextField{
	cbpf.ExtIfIndex: {"ingress_ifindex", ebpf.XDPIngressIfIndex, false},
	cbpf.ExtQueue:   {"rx_queue_index", ebpf.XDPRxQueueIndex, false},
}

// tagSlots are where begin puts what it has found in the packet. They are upper halves of 8 bytes, whose contents the
// verifier does not follow: it is to know the same of all packets.
var tagSlots = map[cbpf.Ext]int16{
	cbpf.ExtProto:       ownSlot(0) + 4,
	cbpf.ExtVlanTCI:     ownSlot(1) + 4,
	cbpf.ExtVlanTPID:    ownSlot(2) + 4,
	cbpf.ExtVlanPresent: ownSlot(3) + 4,
}

// EtherTypes that are none: a length stands in their place, and the kernel tells two kinds of packets apart (eth_type_trans,
// net/ethernet/eth.c).
const (
	etherTypeMin = 0x600
	proto802_3   = 0x0001
	proto802_2   = 0x0004
)

// tagLen is the length of a VLAN tag, behind which the real EtherType stands.
const tagLen = 4

// needsTags reports whether any load wants to know what begin finds in the packet.
func (d *direct) needsTags(e *emitter) bool {
	for pc, ins := range e.prog {
		ext, _ := cbpf.Extension(ins.K)
		if _, ok := tagSlots[ext]; ok && e.paths.reached(pc) && isExtension(cbpf.Info(ins.Op), ins) {
			return d.tags
		}
	}
	return false
}

// findTags looks for a tag, and for the EtherType behind it. Of a packet that is too short all is 0. A and X have no values
// yet: their registers are free. The zeros are of the kind that the verifier does not see through.
func (d *direct) findTags(e *emitter) {
	proto, present := e.regA, e.regX
	untagged, tagged, found, none := e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel()
	keep := func(ext cbpf.Ext, r ebpf.Register) { e.b.Emit(ebpf.Store(4, ebpf.R10, tagSlots[ext], r)) }
	keepNone := func() {
		for _, ext := range []cbpf.Ext{cbpf.ExtVlanTPID, cbpf.ExtVlanTCI, cbpf.ExtVlanPresent} {
			keep(ext, e.regZero)
		}
	}
	e.stack = max(e.stack, -int(ownSlot(3)))
	e.b.Emit(ebpf.Load(4, e.regZero, e.regCtx, ebpf.XDPIngressIfIndex))
	e.makeZero()

	d.hookFixed(e, proto, 2, etherType, none)
	e.b.Branch(ebpf.JEq.Imm32(proto, etherVLAN), tagged)
	e.b.Branch(ebpf.JNe.Imm32(proto, etherVLANOut), untagged)
	e.b.Place(tagged)
	keep(cbpf.ExtVlanTPID, proto)
	e.b.Emit(ebpf.Mov.Imm32(present, 1))
	keep(cbpf.ExtVlanPresent, present)
	d.hookFixed(e, proto, 2, ethernetHeader, none)
	keep(cbpf.ExtVlanTCI, proto)
	d.hookFixed(e, proto, 2, etherType+tagLen, none)
	d.lengthOrType(e, proto, ethernetHeader+tagLen, found)

	e.b.Place(none)
	keepNone()
	e.b.Emit(ebpf.Mov.Reg32(proto, e.regZero))
	e.b.Branch(ebpf.Jump(), found)

	e.b.Place(untagged)
	keepNone()
	d.lengthOrType(e, proto, ethernetHeader, found)
	e.b.Place(found)
	keep(cbpf.ExtProto, proto)
}

// lengthOrType goes to done with the protocol of a packet, whose EtherType or length is in proto. If that is a length, the
// two bytes at the offset tell.
func (d *direct) lengthOrType(e *emitter, proto ebpf.Register, at uint32, done ebpf.Label) {
	llc := e.b.NewLabel()
	e.b.Branch(ebpf.JGe.Imm32(proto, etherTypeMin), done)
	d.hookFixed(e, proto, 2, at, llc)
	e.b.Branch(ebpf.JNe.Imm32(proto, 0xffff), llc)
	e.b.Emit(ebpf.Mov.Imm32(proto, proto802_3))
	e.b.Branch(ebpf.Jump(), done)
	e.b.Place(llc)
	e.b.Emit(ebpf.Mov.Imm32(proto, proto802_2))
	e.b.Branch(ebpf.Jump(), done)
}
