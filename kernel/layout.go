package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// SkbLayout reads where the running kernel keeps the members of struct sk_buff, out of its BTF. A kernel without BTF is an
// *UnavailableError. It reads once and remembers.
func SkbLayout() (*ebpf.SkbLayout, error) {
	l, err := runningLayouts()
	if err != nil {
		return nil, err
	}
	return &l.skb, nil
}

// XDPLayout does the same for struct xdp_buff.
func XDPLayout() (*ebpf.XDPLayout, error) {
	l, err := runningLayouts()
	if err != nil {
		return nil, err
	}
	return &l.xdp, nil
}

// LayoutsOf reads both out of a file with the BTF of another kernel: raw, as /sys/kernel/btf/vmlinux is, or a vmlinux in ELF.
func LayoutsOf(file string) (*ebpf.SkbLayout, *ebpf.XDPLayout, error) {
	spec, err := btf.LoadSpec(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	l, err := layoutsIn(spec)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return &l.skb, &l.xdp, nil
}

type layouts struct {
	skb ebpf.SkbLayout
	xdp ebpf.XDPLayout
	// The network namespace of an interface, and its number. Kernels without namespaces have none.
	devNet, netInum ebpf.Member
}

const needBTF = "a kernel with BTF in /sys/kernel/btf/vmlinux"

var runningLayouts = sync.OnceValues(func() (l layouts, err error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return l, &UnavailableError{Op: "read the layout of struct sk_buff", Need: needBTF, Err: err}
	}
	return layoutsIn(spec)
})

// wanted is a member to look for, and where to put its place.
type wanted struct {
	to    *ebpf.Member
	names string // the first that there is of those between bars; an empty one at the end: there may be none; of dots, see inner
}

func layoutsIn(spec *btf.Spec) (l layouts, err error) {
	skb, xdp := &l.skb, &l.xdp
	for _, in := range []struct {
		name    string
		members []wanted
	}{
		{"sk_buff", []wanted{
			{&skb.Head, "head"},
			{&skb.Data, "data"},
			{&skb.Tail, "tail"},
			{&skb.End, "end"},
			{&skb.Len, "len"},
			{&skb.DataLen, "data_len"},
			{&skb.MACHeader, "mac_header"},
			{&skb.NetworkHeader, "network_header"},
			{&skb.TransportHeader, "transport_header"},
			{&skb.Protocol, "protocol"},
			{&skb.PktType, "pkt_type"},
			{&skb.Mark, "mark"},
			{&skb.QueueMapping, "queue_mapping"},
			{&skb.Hash, "hash"},
			{&skb.IIF, "skb_iif"},
			{&skb.VlanPresent, "vlan_present|vlan_all"},
			{&skb.VlanTCI, "vlan_tci"},
			{&skb.VlanProto, "vlan_proto"},
			{&skb.Dev, "dev"},
		}},
		{"xdp_buff", []wanted{
			{&xdp.Data, "data"},
			{&xdp.DataEnd, "data_end"},
			{&xdp.DataMeta, "data_meta"},
			{&xdp.DataHardStart, "data_hard_start"},
			{&xdp.Flags, "flags|"},
			{&xdp.RxQ, "rxq"},
		}},
		{"xdp_rxq_info", []wanted{
			{&xdp.RxQDev, "dev"},
			{&xdp.RxQIndex, "queue_index"},
		}},
		{"net_device", []wanted{
			{&skb.DevIfIndex, "ifindex"},
			{&skb.DevType, "type"},
			{&l.devNet, "nd_net|"},
		}},
		{"net", []wanted{
			{&l.netInum, "ns.inum|"},
		}},
	} {
		var s *btf.Struct
		if err := spec.TypeByName(in.name, &s); err != nil {
			return l, fmt.Errorf("struct %s: %w", in.name, err)
		}
		for _, want := range in.members {
			if err := want.find(s); err != nil {
				return l, err
			}
		}
	}
	xdp.DevIfIndex, xdp.DevType = skb.DevIfIndex, skb.DevType
	return l, nil
}

// find looks for the first of the names in the structure.
func (w *wanted) find(s *btf.Struct) error {
	for name := range strings.SplitSeq(w.names, "|") {
		if name == "" {
			return nil
		}
		m, at, ok := inner(s.Members, name)
		if !ok {
			continue
		}
		place, err := place(m, at)
		if err != nil {
			return fmt.Errorf("struct %s, member %s: %w", s.Name, name, err)
		}
		*w.to = place
		return nil
	}
	return fmt.Errorf("struct %s has no member %s", s.Name, strings.ReplaceAll(w.names, "|", " or "))
}

// inner looks for a member of a member, with a dot between the two names.
func inner(members []btf.Member, names string) (m btf.Member, at btf.Bits, ok bool) {
	for name := range strings.SplitSeq(names, ".") {
		if m, at, ok = member(members, name, at); !ok {
			return m, at, false
		}
		members = membersOf(m.Type)
	}
	return m, at, ok
}

// member looks for a name among members and in the structures and unions without names among them. It returns the place
// in bits from where base counts.
func member(members []btf.Member, name string, base btf.Bits) (m btf.Member, at btf.Bits, ok bool) {
	for _, m := range members {
		at := base + m.Offset
		if m.Name == name {
			return m, at, true
		}
		if m.Name != "" {
			continue
		}
		if inner, at, ok := member(membersOf(m.Type), name, at); ok {
			return inner, at, true
		}
	}
	return m, 0, false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}

// place turns a member at a place in bits into what it takes to load it. Bit fields are loaded as the bytes that they
// touch; the lowest bit of the first byte has the lowest number on little-endian machines, the highest bit on others.
func place(m btf.Member, at btf.Bits) (ebpf.Member, error) {
	off, first := at/8, at%8
	if off > math.MaxInt16 {
		return ebpf.Member{}, fmt.Errorf("offset %d is beyond %d", off, math.MaxInt16)
	}
	if m.BitfieldSize == 0 {
		size, err := btf.Sizeof(m.Type)
		if err == nil && (first != 0 || !loadable(size)) {
			err = fmt.Errorf("%d bytes at bit %d cannot be loaded", size, at)
		}
		return ebpf.Member{Off: int16(off), Size: uint8(size)}, err
	}
	size := 1
	for !loadable(size) || btf.Bits(8*size) < first+m.BitfieldSize {
		size++
		if size > 8 {
			return ebpf.Member{}, fmt.Errorf("%d bits at bit %d cannot be loaded", m.BitfieldSize, at)
		}
	}
	if hostOrder == binary.BigEndian {
		first = btf.Bits(8*size) - first - m.BitfieldSize
	}
	return ebpf.Member{Off: int16(off), Size: uint8(size), Shift: uint8(first), Bits: uint8(m.BitfieldSize)}, nil
}

func loadable(size int) bool { return size == 1 || size == 2 || size == 4 || size == 8 }
