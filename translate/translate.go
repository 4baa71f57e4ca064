package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Options say what to translate for. The zero value is the plain translation for User.
type Options struct {
	Target Target

	// NetOff is the place of the network header in the packets that User programs get, for loads through the kernel's
	// NET window and for `ld poff`; 14 for Ethernet. Other targets ask the kernel; Socket programs that load poff look there
	// first. Elsewhere they find it where the whole packet is linear, and where it is not they end with verdict 0.
	NetOff uint16
	// HaType is the ARPHRD_* number of the interface (1 for Ethernet), which User programs have no other way to know;
	// 0 stands for unknown, and then `ld hatype` is refused.
	HaType uint16
	// Optimize is the level of optimisation: 0 translates instruction by instruction, 1 reuses what is known and puts bounds
	// checks together, 2 leads paths past comparisons that are decided and makes trees of lists. The verdicts are the same.
	Optimize int
	// MaxAttrs is how many netlink attributes `ld nla` and `ld nlan` look at; 0 stands for DefaultMaxAttrs. Where one more
	// follows, the program ends with verdict 0; Result.Bounds tells which loads may do so. A list of n bytes has n/4
	// attributes at most.
	MaxAttrs int
}

// DefaultMaxAttrs is a number that hardly any list in the messages of Linux exceeds.
const DefaultMaxAttrs = cbpf.ManyAttrs

// maxAttrs is the number that MaxAttrs stands for.
func (o *Options) maxAttrs() int {
	if o.MaxAttrs <= 0 {
		return DefaultMaxAttrs
	}
	return o.MaxAttrs
}

// MaxOptimize is the highest level of optimisation.
const MaxOptimize = 2

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
// Seccomp, where seccomp(2) would), an *UnsupportedError where the target cannot express it. The verdict is the uint32 in
// r0 at exit.
func Translate(p cbpf.Program, opts Options) (*Result, error) {
	if err := opts.Target.known(); err != nil {
		return nil, err
	}
	target := &targets[opts.Target]
	if err := target.valid(p); err != nil {
		return nil, err
	}
	paths := findPaths(p, target.ends)
	var b ebpf.Builder
	e := newEmitter(&b, p, paths, opts)
	if err := e.translate(opts.Optimize); err != nil {
		return nil, err
	}
	slots, origins, err := b.Program()
	if err != nil {
		return nil, err
	}
	return &Result{
		Target:  opts.Target,
		Program: slots,
		PCs:     origins,
		Bounds:  e.search.bounds,
		Stats:   Stats{Classic: len(p), Dead: len(p) - paths.live(), Slots: len(slots), Stack: e.stack},
	}, nil
}
