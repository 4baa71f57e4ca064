package kernel

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// LoadOptions say as what a program is loaded. The zero value is a socket filter without name and licence.
type LoadOptions struct {
	Type     Type
	Name     string // what bpftool shows; the kernel keeps 15 characters out of A-Z, a-z, 0-9, _ and .
	Licence  string // "GPL" opens the helpers that need it; may be empty
	AttachTo string // the kernel function of an Fentry program, the tracepoint of a Tracepoint: fixed from the loading on
	Log      LogLevel
	// Front is code that runs before the program, and before what Count counts. It may end the run, and must otherwise leave
	// r1 as it was.
	Front ebpf.Program
	// Count puts code around the program that counts its runs and results, for Filter.Counts: 17 to 19 slots more,
	// and the result of an Fentry program, which must be 0, becomes 0. Needs Linux 5.2.
	Count bool
	// Result, with Count, is what every run ends with. The result of the program is then counted as a verdict: 0 or not. With
	// Type.Pass here a program looks on and changes nothing.
	Result *int32
}

// LogLevel is how much the verifier is to tell of a program that it takes. Of one that it refuses it always tells all.
type LogLevel uint8

// The levels.
const (
	LogNone  LogLevel = iota
	LogStats          // what it took to verify the program: Stats
	LogAll            // also each instruction on each path, with what is known of registers there; may be megabytes
)

// verdicts says whether results are counted as verdicts.
func (o *LoadOptions) verdicts() bool { return !o.Type.Acts() || o.Result != nil }
