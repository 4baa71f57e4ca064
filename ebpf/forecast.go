package ebpf

// Limits of the kernel (linux/bpf_common.h and kernel/bpf/verifier.c, Linux 6.18). That of instructions, MaxInsns, is also
// that of instructions that are followed on all paths.
const (
	unprivilegedInsns = 4096 // BPF_MAXINSNS: without privilege, and for all in front of Linux 5.2
	maxAside          = 8192 // BPF_COMPLEXITY_LIMIT_JMP_SEQ: of ways that wait to be followed
)

// sureInsns is how many instructions may be expected to be followed with no doubt that the limit is kept. Of a thousand programs
// the verifier followed 50 times as many at most.
const sureInsns = MaxInsns / 50

// Loader is who loads a program, and where.
type Loader struct {
	Unprivileged bool    // without CAP_BPF, where kernel.unprivileged_bpf_disabled allows that
	Kernel       Version // zero: Linux 6.18, of which the rules are known here
	Licence      string  // that the program comes with
}

// The reasons for which a program is not loaded that Check does not know of.
const (
	ReasonNoHook       Reason = "no hook of the kernel takes such programs"
	ReasonUnproved     Reason = "the access is not sure to stay inside of its memory"
	ReasonTooManySlots Reason = "there are more instructions than may be loaded"
	ReasonLicence      Reason = "a function that is called needs a licence compatible with the GPL"
	ReasonOldKernel    Reason = "the kernel is too old"
	ReasonPrivilege    Reason = "programs of this kind are loaded with privilege only"
	ReasonTooComplex   Reason = "the verifier may give up before it has followed all paths"
)

// Forecast is what will become of a program that is loaded.
type Forecast struct {
	Demands *Demands // nil where Check refuses the program
	// Refusals are why the kernel will refuse the program. None: it will take it, unless there are Doubts.
	Refusals Errors
	// Doubts are why it may refuse it: accesses that only the verifier may find to be good, and limits of it that depend on
	// what it knows where paths meet.
	Doubts Errors
}

// Loads reports whether the kernel is sure to take the program.
func (f *Forecast) Loads() bool { return len(f.Refusals)+len(f.Doubts) == 0 }

// Foretell says whether a kernel will load the program, without asking it. In rare cases one that it says is refused is loaded
// nevertheless: where the fault is on a path which the verifier alone knows that no run takes.
func Foretell(p Program, abi ABI, by Loader) *Forecast {
	f := &Forecast{}
	facts, e, onPath, err := soundness(p, abi)
	switch fault, _ := err.(*Error); {
	case err == nil:
		f.Demands = survey(p, abi, facts, e)
	case onPath && fault.certain(p, by):
		f.Refusals = append(f.Refusals, fault)
	default:
		f.Doubts = append(f.Doubts, fault)
	}
	if !abi.InKernel() {
		f.refuse(ReasonNoHook, -1, "it is for %s programs", abi)
		return f
	}
	d := f.Demands
	if d == nil {
		return f
	}
	if pc, some := facts.Unproved(); some {
		f.Doubts = append(f.Doubts, fault(ReasonUnproved, pc, "%s", describe(p[pc])))
	}
	most := MaxInsns
	if by.Unprivileged || by.old(millionInsns.Since) {
		most = unprivilegedInsns
	}
	if d.Slots > most {
		f.refuse(ReasonTooManySlots, -1, "%d, %d are the most", d.Slots, most)
	}
	if by.Unprivileged && !abi.info().unprivileged {
		f.refuse(ReasonPrivilege, -1, "%s programs", abi)
	}
	if d.GPL && !GPLCompatible(by.Licence) {
		f.refuse(ReasonLicence, f.firstGPL(p), "it has %q", by.Licence)
	}
	for _, need := range d.Features {
		if by.old(need.Since) {
			f.refuse(ReasonOldKernel, need.PC, "%s: Linux %s, this is %s", need.Name, need.Since, by.Kernel)
		}
	}
	f.doubt(d)
	return f
}

// certain reports whether the kernel's verifier is sure to refuse a program for a fault that Check finds in it, on a path that can
// be taken. Of accesses it may know more; some faults are only those of programs that are checked here (jumps go forward, the
// packet never changes, few functions are known); some unused fields it does not look at; and who may trace the kernel may see where its pointers point
// (allow_ptr_leaks and allow_uninit_stack in kernel/bpf/verifier.c, Linux 6.18).
func (e *Error) certain(p Program, by Loader) bool {
	switch e.Reason {
	case ReasonUnproved, ReasonReadOnly, ReasonResult, ReasonBackEdge, ReasonNotHere, ReasonReserved:
		return false
	case ReasonLeak, ReasonStackUnset:
		return by.Unprivileged
	case ReasonBadOpcode:
		return p[e.PC].Malformed() != ""
	case ReasonCall:
		id := p[e.PC].Imm
		return p[e.PC].Src == CallKindHelper && id >= 0 && int(id) < len(helpers) && helpers[id].abis != 0
	}
	return true
}

// old reports whether the kernel is older than a version.
func (l *Loader) old(v Version) bool { return l.Kernel != (Version{}) && l.Kernel.Before(v) }

// GPLCompatible reports whether the kernel takes a licence for one that is compatible with the GPL (linux/license.h).
func GPLCompatible(licence string) bool {
	switch licence {
	case "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL":
		return true
	}
	return false
}

func (f *Forecast) refuse(r Reason, pc int, format string, args ...any) {
	f.Refusals = append(f.Refusals, fault(r, pc, format, args...))
}

// doubt notes limits that the program may come up against.
func (f *Forecast) doubt(d *Demands) {
	if d.Followed > MaxInsns && d.Expected > sureInsns {
		f.Doubts = append(f.Doubts, fault(ReasonTooComplex, -1, "%d instructions are to be followed, perhaps more; %d are the most", d.Expected, MaxInsns))
	}
	if d.Aside > maxAside/2 {
		f.Doubts = append(f.Doubts, fault(ReasonTooComplex, -1, "about %d paths are to be put aside, %d may wait", d.Aside, maxAside))
	}
}

// firstGPL returns where a function is called that needs the GPL.
func (f *Forecast) firstGPL(p Program) int {
	for pc, ins := range p {
		if ins.Op == OpCall && ins.Src == CallKindHelper && NeedsGPL(ins.Imm) {
			return pc
		}
	}
	return -1
}
