package cbpf

// Offsets at and above which an absolute load means something other than packet bytes (linux/filter.h). They are
// negative there; here they are the uint32 that stands in k.
const (
	LLOff  uint32 = 0xffe00000 // SKF_LL_OFF: counted from the link-layer header
	NetOff uint32 = 0xfff00000 // SKF_NET_OFF: counted from the network header
	AdOff  uint32 = 0xfffff000 // SKF_AD_OFF: an extension; absolute loads only
)

// Ext is the number of an extension ("ancillary load"): an absolute load from AdOff+Ext yields a property of the packet,
// in whole and whatever the size of the load.
type Ext uint32

// The sixteen extensions (SKF_AD_* in linux/filter.h).
const (
	ExtProto       Ext = 0  // EtherType, host order
	ExtPktType     Ext = 4  // PACKET_HOST, PACKET_BROADCAST...
	ExtIfIndex     Ext = 8  // number of the interface; without one the program ends, returning A
	ExtNlattr      Ext = 12 // offset of the netlink attribute of type X, searched from A
	ExtNlattrNest  Ext = 16 // the same, inside the attribute at A
	ExtMark        Ext = 20 // skb->mark
	ExtQueue       Ext = 24 // skb->queue_mapping
	ExtHaType      Ext = 28 // ARPHRD_* of the interface; without one the program ends, returning A
	ExtRxHash      Ext = 32 // skb->hash
	ExtCPU         Ext = 36 // number of the running CPU
	ExtXorX        Ext = 40 // A ^ X
	ExtVlanTCI     Ext = 44 // skb->vlan_tci
	ExtVlanPresent Ext = 48 // 1 if the packet carries an offloaded VLAN tag
	ExtPayOff      Ext = 52 // offset of the payload, as the flow dissector finds it
	ExtRandom      Ext = 56 // 32 random bits
	ExtVlanTPID    Ext = 60 // EtherType of the offloaded VLAN tag, host order
)

// ExtInfo is what there is to know of one extension.
type ExtInfo struct {
	Ext   Ext
	Name  string // as tcpdump -d prints it inside brackets
	Asm   string // as bpf_asm names it; empty where it has no name for it
	Macro string // as linux/filter.h names it
}

// Exts lists the extensions in order of their number.
var Exts = [...]ExtInfo{
	{ExtProto, "proto", "proto", "SKF_AD_PROTOCOL"},
	{ExtPktType, "type", "type", "SKF_AD_PKTTYPE"},
	{ExtIfIndex, "ifidx", "ifidx", "SKF_AD_IFINDEX"},
	{ExtNlattr, "nla", "nla", "SKF_AD_NLATTR"},
	{ExtNlattrNest, "nlan", "nlan", "SKF_AD_NLATTR_NEST"},
	{ExtMark, "mark", "mark", "SKF_AD_MARK"},
	{ExtQueue, "queue", "queue", "SKF_AD_QUEUE"},
	{ExtHaType, "hatype", "hatype", "SKF_AD_HATYPE"},
	{ExtRxHash, "rxhash", "rxhash", "SKF_AD_RXHASH"},
	{ExtCPU, "cpu", "cpu", "SKF_AD_CPU"},
	{ExtXorX, "xor_x", "", "SKF_AD_ALU_XOR_X"},
	{ExtVlanTCI, "vlan_tci", "vlan_tci", "SKF_AD_VLAN_TAG"},
	{ExtVlanPresent, "vlanp", "vlan_avail", "SKF_AD_VLAN_TAG_PRESENT"},
	{ExtPayOff, "poff", "poff", "SKF_AD_PAY_OFFSET"},
	{ExtRandom, "random", "rand", "SKF_AD_RANDOM"},
	{ExtVlanTPID, "vlan_tpid", "vlan_tpid", "SKF_AD_VLAN_TPID"},
}

// String returns the name that tcpdump -d prints, or "" for a number that is no extension.
func (e Ext) String() string {
	if e%4 == 0 && int(e/4) < len(Exts) {
		return Exts[e/4].Name
	}
	return ""
}

// Extension reports which extension an absolute load with this k reads. ok is false for plain packet loads; the
// extension is one without a name (String is "") where k is in the range of the extensions and the kernel refuses it.
func Extension(k uint32) (e Ext, ok bool) {
	return Ext(k - AdOff), k >= AdOff
}
