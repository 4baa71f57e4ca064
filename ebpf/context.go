package ebpf

import "encoding/binary"

// SkBuff is laid out as struct __sk_buff of linux/bpf.h (Linux 6.18; 192 bytes). Numbers are in host order unless the
// comment says otherwise. Data, DataEnd and DataMeta are not looked at: programs that may load them get pointers.
type SkBuff struct {
	Len            uint32 // wire length
	PktType        uint32
	Mark           uint32
	QueueMapping   uint32
	Protocol       uint32 // EtherType, network order in the low 16 bits
	VlanPresent    uint32
	VlanTCI        uint32
	VlanProto      uint32 // EtherType of the tag, network order in the low 16 bits
	Priority       uint32
	IngressIfIndex uint32
	IfIndex        uint32 // 0 where there is no interface
	TCIndex        uint32
	CB             [5]uint32
	Hash           uint32
	TCClassID      uint32
	Data           uint32
	DataEnd        uint32
	NAPIID         uint32
	Family         uint32
	RemoteIP4      uint32
	LocalIP4       uint32
	RemoteIP6      [4]uint32
	LocalIP6       [4]uint32
	RemotePort     uint32
	LocalPort      uint32
	DataMeta       uint32
	FlowKeys       uint64
	TStamp         uint64
	WireLen        uint32
	GSOSegs        uint32
	Sk             uint64
	GSOSize        uint32
	TStampType     uint8
	_              [3]uint8
	HWTStamp       uint64
}

// Offsets of the fields of SkBuff that translations read, and its size in bytes.
const (
	SkbLen         int16 = 0
	SkbPktType     int16 = 4
	SkbMark        int16 = 8
	SkbQueue       int16 = 12
	SkbProtocol    int16 = 16
	SkbVlanPresent int16 = 20
	SkbVlanTCI     int16 = 24
	SkbVlanProto   int16 = 28
	SkbIfIndex     int16 = 40
	SkbHash        int16 = 68
	SkbData        int16 = 76
	SkbDataEnd     int16 = 80
	SkbDataMeta    int16 = 140
	SkbSize              = 192
)

// XDPBuff is laid out as struct xdp_md of linux/bpf.h (24 bytes), in host order. Data, DataEnd and DataMeta are not looked
// at: programs get pointers.
type XDPBuff struct {
	Data           uint32
	DataEnd        uint32
	DataMeta       uint32
	IngressIfIndex uint32
	RxQueueIndex   uint32
	EgressIfIndex  uint32 // only programs of a devmap may load it
}

// Offsets of the fields of XDPBuff, and its size in bytes.
const (
	XDPData           int16 = 0
	XDPDataEnd        int16 = 4
	XDPDataMeta       int16 = 8
	XDPIngressIfIndex int16 = 12
	XDPRxQueueIndex   int16 = 16
	XDPEgressIfIndex  int16 = 20
	XDPSize                 = 24
)

// TraceSize is the size of the context of the ABI Trace in bytes: that of struct pt_regs on x86-64, which is more than the
// arguments of any function that can be traced.
const TraceSize = 168

// field is a part of a context: where it lies, who may load it, and how. Loads are aligned to their size.
type field struct {
	off, size int
	abis      abiSet
	sizes     int  // the sum of the sizes of loads that are allowed, 1, 2, 4 and 8
	holds     kind // what a load yields
	since     Feature
}

// Sizes of loads that fields allow.
const (
	anyPart   = 1 | 2 | 4 // of a 4-byte word, or all of it
	wholeWord = 4
	wholeLong = 8
	anySize   = anyPart | wholeLong
)

// onSkb are the ABIs whose context is an SkBuff with a verifier, onDirect those of them that read the packet directly.
var (
	onSkb    = abis(Socket, TC, CGroupSKB)
	onDirect = abis(TC, CGroupSKB)
)

// skbFields are those of SkBuff (bpf_skb_is_valid_access and its callers in net/core/filter.c, Linux 6.18). The pointers
// flow_keys and sk are left out.
var skbFields = []field{
	{0, 36, onSkb, anyPart, number, Feature{"fields of __sk_buff", Version{4, 1}}},      // len to priority
	{36, 12, onSkb, anyPart, number, Feature{"interfaces in __sk_buff", Version{4, 2}}}, // ingress_ifindex to tc_index
	{48, 20, onSkb, anySize, number, Feature{"cb in __sk_buff", Version{4, 2}}},
	{int(SkbHash), 4, onSkb, anyPart, number, Feature{"hash in __sk_buff", Version{4, 3}}},
	{72, 4, abis(TC), anyPart, number, Feature{"tc_classid in __sk_buff", Version{4, 5}}},
	{int(SkbData), 4, abis(TC), wholeWord, packetPtr, directSkb},
	{int(SkbDataEnd), 4, abis(TC), wholeWord, endPtr, directSkb},
	{int(SkbData), 4, abis(CGroupSKB), wholeWord, packetPtr, directCGroup},
	{int(SkbDataEnd), 4, abis(CGroupSKB), wholeWord, endPtr, directCGroup},
	{84, 4, onSkb, anyPart, number, Feature{"napi_id in __sk_buff", Version{4, 12}}},
	{88, 4, abis(CGroupSKB), anyPart, number, socketFields},    // family
	{92, 40, abis(CGroupSKB), wholeWord, number, socketFields}, // remote_ip4 to local_ip6
	{132, 8, abis(CGroupSKB), anyPart, number, socketFields},   // remote_port, local_port
	{int(SkbDataMeta), 4, abis(TC), wholeWord, metaPtr, Feature{"data_meta", Version{4, 15}}},
	{152, 8, onDirect, wholeLong, number, Feature{"tstamp in __sk_buff", Version{5, 0}}},
	{160, 4, abis(TC), anyPart, number, Feature{"wire_len in __sk_buff", Version{5, 0}}},
	{164, 4, onSkb, anyPart, number, Feature{"gso_segs in __sk_buff", Version{5, 1}}},
	{176, 4, onSkb, anyPart, number, Feature{"gso_size in __sk_buff", Version{5, 7}}},
	{180, 1, abis(TC), 1, number, Feature{"tstamp_type in __sk_buff", Version{5, 18}}},
	{184, 8, onDirect, wholeLong, number, Feature{"hwtstamp in __sk_buff", Version{5, 16}}},
}

// Features of contexts that several fields share.
var (
	directSkb    = Feature{"direct access to packets of tc", Version{4, 7}}
	directCGroup = Feature{"direct access to packets of cgroups", Version{4, 20}}
	socketFields = Feature{"addresses in __sk_buff", Version{4, 14}}
	directXDP    = Feature{"direct access to packets of XDP", Version{4, 8}}
)

// xdpFields are those of XDPBuff (xdp_is_valid_access in net/core/filter.c). egress_ifindex is left out: it needs a devmap.
var xdpFields = []field{
	{int(XDPData), 4, abis(XDP), wholeWord, packetPtr, directXDP},
	{int(XDPDataEnd), 4, abis(XDP), wholeWord, endPtr, directXDP},
	{int(XDPDataMeta), 4, abis(XDP), wholeWord, metaPtr, Feature{"data_meta", Version{4, 15}}},
	{int(XDPIngressIfIndex), 8, abis(XDP), wholeWord, number, Feature{"interface and queue in xdp_md", Version{4, 16}}},
}

var traceFields = []field{{0, TraceSize, abis(Trace), anySize, number, Feature{}}}

// field returns the field of the context that holds the n bytes at the offset. ok is false where none does, and where
// programs of the ABI may not load these.
func (a ABI) field(at int64, n int) (f field, ok bool) {
	for _, f := range a.info().fields {
		if f.abis.has(a) && at >= int64(f.off) && at+int64(n) <= int64(f.off+f.size) {
			return f, f.sizes&n != 0 && at%int64(n) == 0
		}
	}
	return field{}, false
}

// pointersOf returns the fields that hold pointers into the packet.
func pointersOf(fields []field, a ABI) (pointers []field) {
	for _, f := range fields {
		if f.abis.has(a) && f.holds != number {
			pointers = append(pointers, f)
		}
	}
	return pointers
}

// put writes the struct as the C compiler lays it out, in host order.
func (s *SkBuff) put(b []byte) {
	putWords(b,
		s.Len, s.PktType, s.Mark, s.QueueMapping, s.Protocol, s.VlanPresent, s.VlanTCI, s.VlanProto, s.Priority,
		s.IngressIfIndex, s.IfIndex, s.TCIndex, s.CB[0], s.CB[1], s.CB[2], s.CB[3], s.CB[4], s.Hash, s.TCClassID, s.Data, s.DataEnd,
		s.NAPIID, s.Family, s.RemoteIP4, s.LocalIP4, s.RemoteIP6[0], s.RemoteIP6[1], s.RemoteIP6[2], s.RemoteIP6[3],
		s.LocalIP6[0], s.LocalIP6[1], s.LocalIP6[2], s.LocalIP6[3], s.RemotePort, s.LocalPort, s.DataMeta)
	binary.NativeEndian.PutUint64(b[144:], s.FlowKeys)
	binary.NativeEndian.PutUint64(b[152:], s.TStamp)
	putWords(b[160:], s.WireLen, s.GSOSegs)
	binary.NativeEndian.PutUint64(b[168:], s.Sk)
	putWords(b[176:], s.GSOSize, 0)
	b[180] = s.TStampType
	binary.NativeEndian.PutUint64(b[184:], s.HWTStamp)
}

// put writes the struct likewise.
func (x *XDPBuff) put(b []byte) {
	putWords(b, x.Data, x.DataEnd, x.DataMeta, x.IngressIfIndex, x.RxQueueIndex, x.EgressIfIndex)
}

// putWords writes numbers of 4 bytes one behind the other.
func putWords(b []byte, words ...uint32) {
	for i, w := range words {
		binary.NativeEndian.PutUint32(b[4*i:], w)
	}
}
