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
	// TC: r1 = an SkBuff, as for BPF_PROG_TYPE_SCHED_CLS. Its fields data and data_end, loaded with 4 bytes each, are
	// pointers, between which plain loads read the packet; LoadAbs and LoadInd reach what is paged too.
	TC
	// CGroupSKB: r1 = an SkBuff, as for BPF_PROG_TYPE_CGROUP_SKB. As TC, but without LoadAbs and LoadInd, and the packet
	// begins with its network header.
	CGroupSKB
	// XDP: r1 = an XDPBuff, as for BPF_PROG_TYPE_XDP. Its fields data and data_end are pointers as those of TC.
	XDP
	// Trace: r1 = an array of 8-byte words, Packet.Args, as programs at functions of the kernel find it
	// (BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_RAW_TRACEPOINT): the arguments of the function, or the
	// registers. Words that are addresses are plain numbers, for probe_read_kernel to follow.
	Trace
)

// abiInfo is what there is to know of one ABI; how programs are entered is in machine.enter and checker.entry.
type abiInfo struct {
	name      string
	size      int     // of the context in bytes
	fields    []field // of the context, for kernels that judge loads of it; nil where any load inside of it is good
	pointers  []field // those of the fields that hold pointers into the packet
	kernel    bool    // a verifier judges such programs: its rules on contexts and on the stack hold
	windows   bool    // LoadAbs and LoadInd
	result    uint64  // the largest R0 at exit that is taken
	since     Feature // the hook, where it is one of the kernel
	privilege string  // what it takes to load such programs
	// The kernel may be set to load such programs for anybody.
	unprivileged bool
}

const anyResult = 1<<64 - 1

// What it takes to load programs; in front of Linux 5.8 it is CAP_SYS_ADMIN in the place of CAP_BPF.
const (
	capBPF   = "CAP_BPF"
	capNet   = "CAP_BPF and CAP_NET_ADMIN"
	capTrace = "CAP_BPF and CAP_PERFMON"
)

var abiInfos = [...]abiInfo{
	User: {name: "user", size: SkbSize, result: anyResult},
	Socket: {name: "socket", size: SkbSize, fields: skbFields, kernel: true, windows: true, result: anyResult,
		since: Feature{"socket filters", Version{3, 19}}, privilege: capBPF, unprivileged: true},
	Buffer:  {name: "buffer", result: anyResult},
	Seccomp: {name: "seccomp", result: anyResult},
	TC: {name: "tc", size: SkbSize, fields: skbFields, pointers: pointersOf(skbFields, TC), kernel: true, windows: true,
		result: anyResult, since: Feature{"programs of tc", Version{4, 1}}, privilege: capNet},
	CGroupSKB: {name: "cgroup-skb", size: SkbSize, fields: skbFields, pointers: pointersOf(skbFields, CGroupSKB), kernel: true,
		result: 1, since: Feature{"packet filters of cgroups", Version{4, 10}}, privilege: capBPF, unprivileged: true},
	XDP: {name: "xdp", size: XDPSize, fields: xdpFields, pointers: pointersOf(xdpFields, XDP), kernel: true, result: anyResult,
		since: Feature{"XDP", Version{4, 8}}, privilege: capNet},
	Trace: {name: "trace", size: TraceSize, fields: traceFields, kernel: true, result: anyResult,
		since: Feature{"programs at functions of the kernel", Version{4, 1}}, privilege: capTrace},
}

// info is the row of the ABI; an empty one for a number that is none.
func (a ABI) info() *abiInfo {
	if int(a) < len(abiInfos) {
		return &abiInfos[a]
	}
	return &abiInfo{name: "unknown"}
}

// InKernel reports whether programs of the ABI are for a hook of the kernel, and judged by its verifier.
func (a ABI) InKernel() bool { return a.info().kernel }

func (a ABI) String() string { return a.info().name }

// abiSet is a set of ABIs.
type abiSet uint16

func abis(all ...ABI) (s abiSet) {
	for _, a := range all {
		s |= 1 << a
	}
	return s
}

func (s abiSet) has(a ABI) bool { return s>>a&1 != 0 }
