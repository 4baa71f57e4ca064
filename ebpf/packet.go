package ebpf

// SeccompSize is the size of struct seccomp_data of linux/seccomp.h.
const SeccompSize = 64

// Packet is what a program runs on.
type Packet struct {
	Data    []byte
	WireLen uint32
	Skb     *SkBuff // nil stands for one that is all zero but for Len

	// Linear is how many bytes of Data lie in the linear part of a socket buffer or in the first buffer of an XDP frame: those
	// between the pointers data and data_end of the ABIs TC, CGroupSKB and XDP. Zero, or more than there are, stands for all
	// of them; a negative number for none.
	Linear int
	Meta   []byte // bytes in front of Data[0] that data_meta of TC and XDP points at

	XDP    *XDPBuff // context of the ABI XDP; nil stands for one that is all zero
	Args   []uint64 // context of the ABI Trace; what lacks up to TraceSize bytes is zero
	Kernel []Region // the memory that the helpers probe_read and probe_read_kernel find; all else cannot be read

	// The rest serves LoadAbs and LoadInd with an offset in the kernel's LL and NET windows (semantics of
	// bpf_internal_load_pointer_neg_helper, kernel/bpf/core.c).
	Head   []byte // bytes in front of Data[0], from the link-layer header on
	NetOff int    // place of the network header, counted from Data[0]
	NoLink bool   // there is no link-layer header

	CPU    uint32        // result of the helper get_smp_processor_id
	Random func() uint32 // source of the helper get_prandom_u32; nil yields 0
}

// linear is the length of the part of Data that Linear describes.
func (p *Packet) linear() int {
	if p.Linear == 0 || p.Linear > len(p.Data) {
		return len(p.Data)
	}
	return max(p.Linear, 0)
}

// Region is a piece of the kernel's memory. Where two overlap, the first in the list counts; a read may go from one into
// another behind it.
type Region struct {
	Addr  uint64 // of its first byte
	Bytes []byte
}
