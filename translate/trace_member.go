package translate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Reading members of structures of the kernel.

// gathered are members of one structure, on the stack.
type gathered struct {
	e      *emitter
	places map[ebpf.Member]int16
}

// gatherMost is how far members may be apart, in bytes, that one read fetches.
const gatherMost = 128

// gather reads members of the structure that a register points to, those that are near to each other at once. A member that
// cannot be read is 0. It destroys what calls destroy, and uses the stack below loadSlot, which is free afterwards.
func (e *emitter) gather(object ebpf.Register, members ...ebpf.Member) *gathered {
	g := &gathered{e, map[ebpf.Member]int16{}}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b ebpf.Member) int { return cmp.Compare(a.Off, b.Off) })
	top := int16(loadSlot)
	for len(sorted) > 0 {
		first := sorted[0].Off &^ 7 // keeps members aligned on the stack
		n := 0
		for n < len(sorted) && sorted[n].Off+int16(sorted[n].Size)-first <= gatherMost {
			n++
		}
		last := sorted[n-1]
		size := last.Off + int16(last.Size) - first
		top -= (size + 7) &^ 7
		for _, m := range sorted[:n] {
			g.places[m] = top + m.Off - first
		}
		e.b.Emit(ebpf.Mov.Reg(ebpf.R3, object), ebpf.Add.Imm(ebpf.R3, int32(first)))
		e.probeRead(top, int(size))
		sorted = sorted[n:]
	}
	return g
}

// load puts a member into dst.
func (g *gathered) load(dst ebpf.Register, m ebpf.Member) { g.e.member(dst, m, g.places[m]) }

// member loads what lies on the stack as a member lies in its structure.
func (e *emitter) member(dst ebpf.Register, m ebpf.Member, at int16) {
	e.b.Emit(ebpf.Load(int(m.Size), dst, ebpf.R10, at))
	if m.Bits == 0 {
		return
	}
	if m.Shift > 0 {
		e.b.Emit(ebpf.Rsh.Imm(dst, int32(m.Shift)))
	}
	e.b.Emit(ebpf.And.Imm(dst, 1<<m.Bits-1))
}

// follow loads a member of the structure that the argument points to; with more than one, each but the last is a pointer to
// the structure of the next. What is behind a pointer that is 0 is 0.
func (e *emitter) follow(dst ebpf.Register, members ...ebpf.Member) {
	e.b.Emit(ebpf.Load(8, ebpf.R3, ebpf.R10, objectSlot))
	for i, m := range members {
		if m.Off != 0 {
			e.b.Emit(ebpf.Add.Imm(ebpf.R3, int32(m.Off)))
		}
		e.probeRead(loadSlot, int(m.Size))
		if i < len(members)-1 {
			e.member(ebpf.R3, m, loadSlot)
		} else {
			e.member(dst, m, loadSlot)
		}
	}
}

// paths to the properties of a packet, through structures of the kernel.
func (t *trace) path(ext cbpf.Ext) []ebpf.Member {
	if x := t.XDP; x != nil {
		return map[cbpf.Ext][]ebpf.Member{
			cbpf.ExtIfIndex: {x.RxQ, x.RxQDev, x.DevIfIndex},
			cbpf.ExtQueue:   {x.RxQ, x.RxQIndex},
			cbpf.ExtHaType:  {x.RxQ, x.RxQDev, x.DevType},
		}[ext]
	}
	s := t.Skb
	return map[cbpf.Ext][]ebpf.Member{
		cbpf.ExtProto:       {s.Protocol},
		cbpf.ExtPktType:     {s.PktType},
		cbpf.ExtIfIndex:     {s.Dev, s.DevIfIndex},
		cbpf.ExtMark:        {s.Mark},
		cbpf.ExtQueue:       {s.QueueMapping},
		cbpf.ExtHaType:      {s.Dev, s.DevType},
		cbpf.ExtRxHash:      {s.Hash},
		cbpf.ExtVlanTCI:     {s.VlanTCI},
		cbpf.ExtVlanPresent: {s.VlanPresent},
		cbpf.ExtVlanTPID:    {s.VlanProto},
	}[ext]
}

func (t *trace) property(e *emitter, dst ebpf.Register, ext cbpf.Ext) bool {
	path := t.path(ext)
	if path == nil {
		return false
	}
	e.follow(dst, path...)
	switch ext {
	case cbpf.ExtProto, cbpf.ExtVlanTPID:
		e.toHost(dst, 2)
	case cbpf.ExtVlanPresent: // any number but 0, of 32 bits at most
		e.b.Emit(
			ebpf.Mov.Reg32(ebpf.R1, dst),
			ebpf.Neg32(ebpf.R1),
			ebpf.Or.Reg32(dst, ebpf.R1),
			ebpf.Rsh.Imm32(dst, 31),
		)
	}
	return true
}

// wants is a member that programs read, and the sizes that it may have.
type wants struct {
	name string
	ebpf.Member
	sizes string
}

// Sizes in bytes.
const (
	aPointer = "8"
	aPlace   = "24"
	aType    = "2" // in network order
	aNumber  = "124"
)

// wants lists the members that programs read.
func (t *TraceOptions) wants() (all []wants) {
	if s := t.Skb; s != nil {
		all = []wants{
			{"head", s.Head, aPointer}, {"data", s.Data, aPointer}, {"dev", s.Dev, aPointer}, {"len", s.Len, aNumber},
			{"data_len", s.DataLen, aNumber}, {"mac_header", s.MACHeader, aPlace}, {"network_header", s.NetworkHeader, aPlace},
			{"protocol", s.Protocol, aType}, {"pkt_type", s.PktType, aNumber}, {"mark", s.Mark, aNumber},
			{"queue_mapping", s.QueueMapping, aNumber}, {"hash", s.Hash, aNumber}, {"vlan_present", s.VlanPresent, aNumber},
			{"vlan_tci", s.VlanTCI, aNumber}, {"vlan_proto", s.VlanProto, aType}, {"dev->ifindex", s.DevIfIndex, aNumber},
			{"dev->type", s.DevType, aNumber},
		}
	}
	if x := t.XDP; x != nil {
		all = append(all, []wants{
			{"data", x.Data, aPointer}, {"data_end", x.DataEnd, aPointer}, {"rxq", x.RxQ, aPointer}, {"rxq->dev", x.RxQDev, aPointer},
			{"rxq->queue_index", x.RxQIndex, aNumber}, {"rxq->dev->ifindex", x.DevIfIndex, aNumber},
			{"rxq->dev->type", x.DevType, aNumber},
		}...)
	}
	return all
}

// fault says what is wrong with the layout; "" if nothing is.
func (t *TraceOptions) fault() string {
	for _, m := range t.wants() {
		bits := int(m.Shift) + int(m.Bits)
		switch {
		case m.Size == 0:
			return fmt.Sprintf("the layout has no place for the member %s", m.name)
		case !strings.Contains(m.sizes, strconv.Itoa(int(m.Size))) || m.Size > 8 || m.Bits > 32 || m.Bits > 0 && bits > 8*int(m.Size):
			return fmt.Sprintf("the layout has %d bytes and %d bits for the member %s, which is not of that kind", m.Size, bits, m.name)
		case m.Off < 0 || int(m.Off)+int(m.Size) > math.MaxInt16:
			return fmt.Sprintf("the layout has the member %s at %d, where it cannot be", m.name, m.Off)
		}
	}
	return ""
}
