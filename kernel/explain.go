package kernel

import (
	"errors"
	"regexp"
	"strings"
	"syscall"
)

// explanation puts a refusal of the verifier in plain words.
type explanation struct {
	match *regexp.Regexp // of VerifierError.Message
	errno syscall.Errno  // or, where there is no log, of VerifierError.Err
	what  string         // with $1 for what match has in parentheses
	todo  string
}

func message(pattern, what, todo string) explanation {
	return explanation{match: regexp.MustCompile(pattern), what: what, todo: todo}
}

func answer(errno syscall.Errno, what, todo string) explanation {
	return explanation{errno: errno, what: what, todo: todo}
}

const (
	todoBug   = "no translation of ours does that: please report it, with the program"
	todoFewer = "let fewer tests follow each other (a shorter list, the likely ones first), translate with -O2, or load the filter in parts"
)

// explanations are the refusals that have a row, the first that fits counting. The texts are those of kernel/bpf/verifier.c,
// Linux 5.1 to 6.18.
var explanations = []explanation{
	message(`^BPF program is too large\. Processed (\d+) insn`,
		"following all paths through it took more than $1 instructions, where the verifier gives up", todoFewer),
	message(`^The sequence of (\d+) jumps is too complex`,
		"more than $1 branches are open at a time, which the verifier does not keep in mind", todoFewer),
	answer(syscall.E2BIG,
		"it is longer than this kernel takes: a million instructions, and 4096 without CAP_BPF or before Linux 5.2", todoFewer),
	answer(syscall.EFAULT,
		"the verifier broke off, as it does where more than 8192 branches are open at a time", todoFewer),
	message(`^R\d+ offset is outside of the packet|^invalid access to packet`,
		"it reads packet bytes without having compared their end with the end of the packet", todoBug),
	message(`^R\d+ (?:unbounded memory access|min value is negative)|^math between .* unbounded`,
		"it adds a number without an upper bound to a pointer", todoBug),
	message(`^R\d+ tried to |^R\d+ (?:32-bit )?pointer arithmetic .*prohibited|^R\d+ bitwise operator .* on pointer`,
		"it computes with a pointer in a way that loses track of it", todoBug),
	message(`^cannot write into packet`, "it writes to the packet, which programs of this type must not", todoBug),
	message(`^(?:program of this type cannot use helper|unknown func) (?:bpf_)?(\w+)#\d+`,
		"programs of this type may not call the helper function $1, or this kernel does not have it",
		"translate for the target that fits the hook (--target), or load it on a newer kernel"),
	message(`^invalid func (?:unknown)?#?(\d+)`,
		"this kernel has no helper function of number $1", "load it on a newer kernel"),
	message(`GPL-restricted function|kernel function from non-GPL`,
		"it calls a function that only programs under the GPL may call",
		"give a licence that is compatible: --licence GPL"),
	message(`^BPF_LD_\[ABS\|IND\] instructions not allowed`,
		"it loads packet bytes as only socket filters and tc programs can",
		"translate for the target that fits the hook (--target)"),
	message(`^combined stack size of \d+ calls is (\d+)`,
		"it and the functions that it calls need $1 bytes of stack, of which there are 512", todoBug),
	message(`stack R\d+ off=(-?\d+) size=(\d+)|^invalid stack off=(-?\d+) size=(\d+)|^misaligned stack access`,
		"it uses the stack outside of its 512 bytes, or in a place that it has not filled", todoBug),
	message(`^unreachable insn (\d+)`, "no path leads to its instruction $1", todoBug),
	message(`^infinite loop detected at insn (\d+)|^back-edge from insn (\d+)`,
		"it jumps back, which this kernel does not take for a loop that ends",
		"unroll loops before translating"),
	message(`^jump out of range from insn (\d+) to (\d+)`, "its jump from $1 to $2 leaves the program", todoBug),
	message(`^jump into the middle of ldimm64`, "it jumps into the middle of a constant of two slots", todoBug),
	message(`^last insn is not an exit or jmp`, "its last instruction neither ends it nor jumps", todoBug),
	message(`^(R\d+) !read_ok`, "it reads $1, to which nothing was ever assigned on this path", todoBug),
	message(`^(R\d+) invalid mem access '(\w+)'`, "it takes $1, a $2, for a pointer", todoBug),
	message(`^invalid bpf_context access off=(\d+) size=(\d+)`,
		"programs of this type may not read $2 bytes at offset $1 of their context",
		"translate for the target that fits the hook (--target), and for an argument that it has (--arg)"),
	message(`At program exit the register R0 (?:has|value).* should have been in \[?\(?([-\w]+)[,;] ?([-\w]+)`,
		"it ends with a result that the hook does not know: from $1 to $2 are allowed",
		"translate for the target that fits the hook (--target), which makes an action of the verdict"),
	message(`leaks addr`, "its result gives an address of the kernel away, which takes privilege", "load it as root"),
	message(`^div by zero|^invalid shift (\d+)`, "it divides by the constant 0, or shifts by a constant that is too large", todoBug),
	message(`reserved fields|^unknown opcode ([0-9a-f]+)|^invalid BPF_|^R\d+ is invalid`,
		"it has an instruction that this kernel does not know",
		"load it on a newer kernel, or translate without instructions that are new"),
	message(`^frame pointer is read only`, "it assigns to the frame pointer", todoBug),
	message(`is not pointing to valid bpf_map`, "it refers to a map that is not there", "load it with a loader that makes its maps"),
}

// Explain puts the refusal in plain words: what the program does, and what can be done. ok is false for refusals that it
// has no words for; Message is the kernel's own.
func (e *VerifierError) Explain() (what, todo string, ok bool) {
	for _, x := range explanations {
		if what, ok := x.of(e); ok {
			return what, x.todo, true
		}
	}
	return "", "", false
}

// of fills in what the refusal says. ok is false if the explanation is of another one.
func (x *explanation) of(e *VerifierError) (what string, ok bool) {
	if x.match == nil {
		return x.what, e.Log == "" && errors.Is(e.Err, x.errno)
	}
	m := x.match.FindStringSubmatchIndex(e.Message)
	if m == nil {
		return "", false
	}
	return string(x.match.ExpandString(nil, x.what, e.Message, m)), true
}

// attachAdvice is what can be done about each reason for which a program is not attached.
var attachAdvice = map[Reason]string{
	ReasonRefused:     "cbpf2ebpf check tells why",
	ReasonMemory:      "raise the limit: sysctl net.core.optmem_max=N",
	ReasonHookType:    "translate for the target that fits the hook (--target)",
	ReasonHookRefused: "the kernel's log (dmesg) may tell more",
	ReasonNoInterface: "ip link lists those that there are",
	ReasonNoMode:      "take xdp:INTERFACE:generic, which every interface has",
	ReasonMTU:         "lower the MTU (ip link set dev INTERFACE mtu 1500), or take xdp:INTERFACE:generic",
	ReasonBusy:        "bpftool net shows what is attached; a link goes with its process or its pin (bpftool link), another XDP program with ip link set dev INTERFACE xdp off",
	ReasonNoCgroup:    "mount | grep cgroup2 shows where they are; mkdir makes a cgroup there",
	ReasonNoTarget:    "bpftool btf dump file /sys/kernel/btf/vmlinux lists the functions, and the tracepoints as btf_trace_NAME; functions that the compiler inlined are not there",
	ReasonNoPacket:    "take another place, or say with --arg N which argument leads to one all the same, and with --object STRUCT to which structure",
	ReasonPinExists:   "choose another name, or take away what is there: cbpf2ebpf pinned PATH --remove detaches it too, rm keeps the links beside it",
	ReasonPinRefused:  "choose a name of letters, digits, _ and - in a directory that may be written to",
	ReasonPinPlace:    "pin below /sys/fs/bpf, and mount it where that is missing: mount -t bpf bpf /sys/fs/bpf",
	ReasonNoPin:       "let the process run as long as it is wanted",
}

// Advice says what can be done about an error of this package; "" if nothing comes to mind.
func Advice(err error) string {
	var refused *VerifierError
	var inTheWay *AttachError
	var missing *UnavailableError
	switch {
	case errors.As(err, &refused):
		_, todo, _ := refused.Explain()
		return todo
	case errors.As(err, &inTheWay):
		return attachAdvice[inTheWay.Reason]
	case errors.As(err, &missing) && errors.Is(missing.Err, syscall.EPERM) && strings.Contains(missing.Need, "root"):
		return "run it as root (sudo), or give the command the capability: setcap cap_bpf,cap_net_admin,cap_net_raw,cap_perfmon+ep FILE"
	}
	return ""
}
