package kernel

import "fmt"

// Type is what an extended program is loaded as: at which hook of the kernel it can run, and what r1 points at there.
type Type uint8

// The types.
const (
	SocketFilter  Type = iota // struct __sk_buff; r0 is how many bytes to keep
	TC                        // struct __sk_buff, from the link-layer header on; r0 is a TC_ACT_*
	CgroupIngress             // struct __sk_buff, from the network header on; r0 is 0 or 1
	CgroupEgress              // the same on the way out; r0 is 0 to 3
	XDP                       // struct xdp_md, in one piece; r0 is an XDP_*
	XDPFrags                  // struct xdp_md, whose data beyond data_end only helpers reach
	Fentry                    // the arguments of a kernel function, 8 bytes each
	Tracepoint                // the arguments of a tracepoint, 8 bytes each, with their BTF types (tp_btf)
	RawTracepoint             // the same as plain numbers
	Kprobe                    // struct pt_regs
)

// types is the table of what there is to know of each type.
var types = [...]struct {
	name    string
	section string // what loaders of ELF files call it
	view    viewKind
	max     int              // most bytes of data in a run; see viewKind
	acts    map[int32]string // names of what r0 can be; nil where it is a verdict, 0 or not
	pass    int32            // of these, what lets the packet go on as if the program were not there
	need    string           // what it takes to load one
}{
	SocketFilter:  {"socket filter", "socket", viewPulled, MaxData, nil, 0, needExtended},
	TC:            {"tc program", "tc", viewFrame, maxFrame, tcActions, -1, needNet},
	CgroupIngress: {"cgroup-skb ingress program", "cgroup_skb/ingress", viewPulled, MaxData, cgroupActions, 1, needCgroup},
	CgroupEgress:  {"cgroup-skb egress program", "cgroup_skb/egress", viewPulled, MaxData, cgroupActions, 1, needCgroup},
	XDP:           {"program for XDP", "xdp", viewFrame, maxXDP, xdpActions, 2, needNet},
	XDPFrags:      {"program for XDP with fragments", "xdp.frags", viewFrame, maxXDPFrags, xdpActions, 2, "Linux 5.18, and root or CAP_BPF with CAP_NET_ADMIN"},
	Fentry:        {"fentry program", "fentry", viewNone, 0, nil, 0, "Linux 5.5 with BTF and leave to patch kernel functions, and root or CAP_BPF with CAP_PERFMON"},
	Tracepoint:    {"tracepoint program", "tp_btf", viewNone, 0, nil, 0, "Linux 5.5 with BTF, and root or CAP_BPF with CAP_PERFMON"},
	RawTracepoint: {"raw tracepoint program", "raw_tp", viewNone, 0, nil, 0, needTrace},
	Kprobe:        {"kprobe program", "kprobe", viewNone, 0, nil, 0, needTrace},
}

// The actions of linux/pkt_cls.h and linux/bpf.h, without what stands in front of all their names.
var (
	tcActions = map[int32]string{
		-1: "unspec", 0: "ok", 1: "reclassify", 2: "shot", 3: "pipe", 4: "stolen", 5: "queued", 6: "repeat", 7: "redirect", 8: "trap",
	}
	cgroupActions = map[int32]string{0: "deny", 1: "allow", 2: "deny, congested", 3: "allow, congested"}
	xdpActions    = map[int32]string{0: "aborted", 1: "drop", 2: "pass", 3: "tx", 4: "redirect"}
)

// What it takes to load.
const (
	needExtended = "Linux 4.12, and root or CAP_BPF"
	needNet      = "Linux 4.12, and root or CAP_BPF with CAP_NET_ADMIN"
	needCgroup   = "Linux 4.17, and root or CAP_BPF with CAP_NET_ADMIN"
	needTrace    = "Linux 4.17, and root or CAP_BPF with CAP_PERFMON"
)

// Types lists all types.
func Types() []Type {
	all := make([]Type, len(types))
	for i := range all {
		all[i] = Type(i)
	}
	return all
}

func (t Type) String() string {
	if !t.known() {
		return fmt.Sprintf("program type %d", uint8(t))
	}
	return types[t].name
}

// Section is the name of the section in an ELF file from which libbpf loads programs of the type.
func (t Type) Section() string {
	if !t.known() {
		return ""
	}
	return types[t].section
}

func (t Type) known() bool { return int(t) < len(types) }

// Runs says whether the kernel test-runs programs of the type on packets. The others run at their hook alone.
func (t Type) Runs() bool { return t.known() && types[t].view != viewNone }

// MaxData is the most packet data that a Filter of the type runs on, in bytes; 0 where Runs is false.
func (t Type) MaxData() int {
	if !t.known() {
		return 0
	}
	return types[t].max
}

// Acts says whether the result of programs of the type is an action. Of the others it is a verdict: 0 or not.
func (t Type) Acts() bool { return t.known() && types[t].acts != nil }

// Action is the name of a result, where results are actions; otherwise, and for numbers without a name, the number.
func (t Type) Action(result int32) string {
	if t.known() && types[t].acts[result] != "" {
		return types[t].acts[result]
	}
	return fmt.Sprint(result)
}

// Pass is the action that lets a packet go on as if the program were not there: to the next program on tc.
func (t Type) Pass() int32 {
	if !t.known() {
		return 0
	}
	return types[t].pass
}
