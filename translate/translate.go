package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Result is a translated program and what there is to tell of it.
type Result struct {
	Target  Target
	Program ebpf.Program
	// PCs holds, for each slot of Program, the pc of the classic instruction that it came from, or NoPC.
	PCs []int
	// Licence is the licence string that the program needs to be loaded with; empty: any.
	Licence string
	Stats   Stats
	// Bounds are the limits of the translation: for packets beyond one of them the program ends with verdict 0, whatever the
	// classic one would do. Mostly there are none.
	Bounds []Bound
	// Forgets says that there are more paths than the kernel's verifier follows one by one, and that the program is made so
	// that the verifier knows the same where they meet.
	Forgets bool
}

// Bound is a limit of a translation.
type Bound struct {
	PC   int      // of the classic instruction
	Ext  cbpf.Ext // that it loads: ExtNlattr or ExtNlattrNest
	Most int      // netlink attributes that it looks at
}

func (b Bound) String() string {
	return fmt.Sprintf("(%03d) %q looks at %d netlink attributes; where more follow, the program ends with verdict 0", b.PC, b.Ext, b.Most)
}

// NoPC marks instructions that no classic one stands for: those of the entry and of the common drop.
const NoPC = -1

// Stats are the measures of a translation.
type Stats struct {
	Classic int // instructions of the classic program
	Dead    int // of which no path reaches
	Slots   int // slots of the extended program
	Stack   int // bytes of stack used
}

// Translate turns p into an extended program for the target. It returns cbpf.Errors where the kernel would refuse p (for
// Seccomp, where seccomp(2) would), an *OptionError where opts make no sense, an *UnsupportedError where the target cannot
// express the program. The verdict is the uint32 in r0 at exit, or what Options.Actions make of it.
func Translate(p cbpf.Program, opts Options) (*Result, error) {
	if err := opts.Target.known(); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := targets[opts.Target].valid(p); err != nil {
		return nil, err
	}
	var b ebpf.Builder
	e := newEmitter(&b, p, opts)
	if err := e.translate(opts.Optimize); err != nil {
		return nil, err
	}
	slots, origins, err := b.Program()
	if err != nil {
		return nil, err
	}
	if !e.loadable(slots, opts.Target.ABI()) {
		opts.Optimize = 0
		return Translate(p, opts)
	}
	return &Result{
		Target:  opts.Target,
		Program: slots,
		PCs:     origins,
		Licence: licence(slots),
		Bounds:  e.search.bounds,
		Forgets: e.forget,
		Stats:   Stats{Classic: len(p), Dead: len(p) - e.paths.live(), Slots: len(slots), Stack: e.stack},
	}, nil
}

// licence is what the helper functions of a program need.
func licence(p ebpf.Program) string {
	for _, ins := range p {
		if ins.Op == ebpf.OpCall && ebpf.NeedsGPL(ins.Imm) {
			return "GPL"
		}
	}
	return ""
}
