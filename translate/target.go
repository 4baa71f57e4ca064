package translate

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Target is the environment that an extended program is made for.
type Target uint8

// The targets.
const (
	// User is plain user space: r1 = data, r2 = captured length, r3 = wire length, r4 = an ebpf.SkBuff.
	User Target = iota
	// Socket is BPF_PROG_TYPE_SOCKET_FILTER: r1 = struct __sk_buff. Needs Linux 5.1.
	Socket
	// Seccomp is for filters of system calls: r1 = struct seccomp_data, in host order. No hook of the kernel takes extended
	// programs for it; they are for user space.
	Seccomp
	// TC is BPF_PROG_TYPE_SCHED_CLS: r1 = struct __sk_buff, whose packets begin with the link-layer header.
	TC
	// CGroupSKB is BPF_PROG_TYPE_CGROUP_SKB: r1 = struct __sk_buff, whose packets begin with the network header.
	CGroupSKB
	// XDP is BPF_PROG_TYPE_XDP: r1 = struct xdp_md.
	XDP
	// Trace is BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_RAW_TRACEPOINT or BPF_PROG_TYPE_KPROBE: r1 = the arguments of a function
	// of the kernel, or the registers, among them a pointer to a struct sk_buff or xdp_buff.
	Trace
)

// targets is the table of what there is to know of each target.
var targets = [...]struct {
	name    string
	abi     ebpf.ABI
	valid   func(cbpf.Program) error // the rules that programs have to obey
	access  func(cbpf.Program, Options) access
	links   []Link   // what the packets of the hook may begin with, the usual first; nil where programs are not told
	acts    bool     // programs may return actions
	actions *Actions // what programs return where the options do not say; nil for the verdict
	follows int      // how many classic instructions on all paths together the verifier is sure to follow; 0: there is none
}{
	User:    {name: "user", abi: ebpf.User, valid: cbpf.Validate, access: newUser},
	Socket:  {name: "socket", abi: ebpf.Socket, valid: cbpf.Validate, access: newSocket, follows: verifierInsns / 8},
	Seccomp: {name: "seccomp", abi: ebpf.Seccomp, valid: cbpf.ValidateSeccomp, access: newSeccomp},
	TC: {name: "tc", abi: ebpf.TC, valid: cbpf.Validate, access: newTC, follows: verifierInsns / 64,
		links: []Link{LinkEthernet, LinkIP}, acts: true},
	CGroupSKB: {name: "cgroup-skb", abi: ebpf.CGroupSKB, valid: cbpf.Validate, access: newCGroupSKB, follows: verifierInsns / 64,
		links: []Link{LinkIP}, acts: true, actions: &Actions{Match: 1, Drop: 0}},
	XDP: {name: "xdp", abi: ebpf.XDP, valid: cbpf.Validate, access: newXDP, follows: verifierInsns / 64,
		links: []Link{LinkEthernet}, acts: true, actions: &Actions{Match: XDPPass, Drop: XDPDrop}},
	Trace: {name: "trace", abi: ebpf.Trace, valid: cbpf.Validate, access: newTrace, follows: verifierInsns / 64,
		links: []Link{LinkEthernet}, acts: true},
}

// verifierInsns is how many instructions the verifier of the kernel looks at, on all paths together, before it gives up
// (BPF_COMPLEXITY_LIMIT_INSNS).
const verifierInsns = 1_000_000

func (t Target) String() string {
	if int(t) >= len(targets) {
		return fmt.Sprintf("target %d", uint8(t))
	}
	return targets[t].name
}

// ABI is how programs of the target are entered.
func (t Target) ABI() ebpf.ABI { return targets[t].abi }

// Links reports whether programs of the target are told what their packets begin with: Options.Link and HookLink.
func (t Target) Links() bool { return targets[t].links != nil }

// known reports an error for a number that is no target.
func (t Target) known() error {
	if int(t) >= len(targets) {
		return fmt.Errorf("unknown %s; the targets are %s", t, strings.Join(TargetNames(), ", "))
	}
	return nil
}

// TargetNames lists the names that ParseTarget knows.
func TargetNames() []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.name
	}
	return names
}

// ParseTarget returns the target of that name.
func ParseTarget(name string) (Target, error) {
	for i, t := range targets {
		if t.name == name {
			return Target(i), nil
		}
	}
	return 0, fmt.Errorf("unknown target %q; the targets are %s", name, strings.Join(TargetNames(), ", "))
}

// access is how a target gets at the packet and at what is known of it. Its methods emit code.
type access interface {
	// holds tells the registers that the translation keeps its values in.
	holds() registers
	// entry emits what moves the arguments to where the target wants them.
	entry(e *emitter)
	// begin emits what has to happen before the first instruction; the arguments are where entry put them.
	begin(e *emitter)
	// ends reports whether loads of size bytes at k cannot but miss, whatever the packet. The methods below are not for those.
	ends(k uint32, size int) bool

	// loadFixed loads size bytes, 1, 2 or 4, of the packet at k into dst, and goes to miss where the packet does not have
	// all of them. k means what it means to a classic load: it may lie in the LL or NET window, but is no extension. dst
	// holds the number in host order then, zero-extended to 64 bits. At miss, dst may hold anything. The registers of
	// registers.lost hold anything afterwards.
	loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label)
	// loadIndexed is the same for the packet at index+k, a sum that wraps at 32 bits and never names an extension; whether it
	// may land in a window, reach says. The upper half of index does not matter. index survives, unless it is dst or one of
	// registers.lost.
	loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label)

	// length loads the wire length.
	length(e *emitter, dst ebpf.Register)
	// property loads what an extension yields into dst, as far as the target has it as a field or in the packet; ok is false
	// where it does not.
	property(e *emitter, dst ebpf.Register, ext cbpf.Ext) (ok bool)
	// hatype returns the ARPHRD number of the interface; ok is false where that cannot be known.
	hatype() (n uint16, ok bool)
}

// reach says what a sum of 2^31 and more means to an indexed load.
type reach bool

const (
	packetOnly  reach = false // it lies outside of the packet
	withWindows reach = true  // it may lie in the LL or NET window, as it does for a classic load
)

// registers are what a translation keeps its values in.
type registers struct {
	regA, regX ebpf.Register // the classic registers; the upper halves are always 0
	regTmp     ebpf.Register // never live from one classic instruction to the next; no load keeps it
	regKept    ebpf.Register // the same, but loads and calls leave it alone; only there if they do not leave A alone
	regCtx     ebpf.Register // the context, if there is one
	regZero    ebpf.Register // see forget; only there if there is a verifier
	copyA      ebpf.Register // likewise: what is compared in the place of A or X
	copyX      ebpf.Register // and of X beside A; it may be regZero
	regResult  ebpf.Register // the verdict, at the end: R0, for programs
	lost       registerSet   // what a load destroys besides its destination
}

// registerSet is a set of registers.
type registerSet uint16

func setOf(members ...ebpf.Register) (s registerSet) {
	for _, r := range members {
		s |= 1 << r
	}
	return s
}

func (s registerSet) has(r ebpf.Register) bool { return s>>r&1 != 0 }

// lowest is the member with the lowest number. The set must not be empty.
func (s registerSet) lowest() ebpf.Register { return ebpf.Register(bits.TrailingZeros16(uint16(s))) }

// highest is the member with the highest number. The set must not be empty.
func (s registerSet) highest() ebpf.Register { return ebpf.Register(bits.Len16(uint16(s)) - 1) }

// byCalls are the registers that the call of a helper function destroys.
var byCalls = setOf(ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R5)
