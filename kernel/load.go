package kernel

// LoadOptions say as what a program is loaded. The zero value is a socket filter without name and licence.
type LoadOptions struct {
	Type     Type
	Name     string // what bpftool shows; the kernel keeps 15 characters out of A-Z, a-z, 0-9, _ and .
	Licence  string // "GPL" opens the helpers that need it; may be empty
	AttachTo string // the kernel function of an Fentry program, the tracepoint of a Tracepoint: fixed from the loading on
	Log      LogLevel
}

// LogLevel is how much the verifier is to tell of a program that it takes. Of one that it refuses it always tells all.
type LogLevel uint8

// The levels.
const (
	LogNone  LogLevel = iota
	LogStats          // what it took to verify the program: Stats
	LogAll            // also each instruction on each path, with what is known of registers there; may be megabytes
)
