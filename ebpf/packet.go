package ebpf

// ABI says how a program is entered and what its registers point at.
type ABI uint8

// The ABIs that programs here are written for.
const (
	// User: r1 = first captured byte, r2 = captured length, r3 = wire length, r4 = an SkBuff.
	// Both lengths are below 2^32. Packet bytes are read with plain loads behind guards on r2.
	User ABI = iota
	// Socket: r1 = an SkBuff, as for BPF_PROG_TYPE_SOCKET_FILTER. Packet bytes are read with LoadAbs and LoadInd.
	Socket
	// Buffer: r1 = first byte of Packet.Data, r2 = its length. The program may write to it, there is no context, and
	// functions of the program may be called: the ABI of bpf_conformance and of uBPF.
	Buffer
	// Seccomp: r1 = a struct seccomp_data, in Packet.Data: SeccompSize bytes in host order, which are only read.
	Seccomp
)

var abiNames = [...]string{User: "user", Socket: "socket", Buffer: "buffer", Seccomp: "seccomp"}

func (a ABI) String() string {
	if int(a) < len(abiNames) {
		return abiNames[a]
	}
	return "unknown"
}

// SeccompSize is the size of struct seccomp_data of linux/seccomp.h.
const SeccompSize = 64

// Packet is what a program runs on.
type Packet struct {
	Data    []byte
	WireLen uint32
	Skb     *SkBuff // nil stands for one that is all zero but for Len

	// The rest serves LoadAbs and LoadInd with an offset in the kernel's LL and NET windows (semantics of
	// bpf_internal_load_pointer_neg_helper, kernel/bpf/core.c).
	Head   []byte // bytes in front of Data[0], from the link-layer header on
	NetOff int    // place of the network header, counted from Data[0]
	NoLink bool   // there is no link-layer header

	CPU    uint32        // result of the helper get_smp_processor_id
	Random func() uint32 // source of the helper get_prandom_u32; nil yields 0
}

// SkBuff is laid out as struct __sk_buff of linux/bpf.h (Linux 6.18; 192 bytes). Numbers are in host order unless the
// comment says otherwise.
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

// Offsets of the fields of SkBuff that translations read, and its size.
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
	SkbSize              = 192
)
