package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// UnsupportedError says that a target has no way to do what an instruction of a valid program asks for.
type UnsupportedError struct {
	PC      int      // of the classic instruction
	Ext     cbpf.Ext // the extension that it loads
	Load    string   // what it loads if that is no extension; else empty
	Target  Target
	Why     string // what the target lacks
	Instead string // what to do about it
}

func (e *UnsupportedError) Error() string {
	what := fmt.Sprintf("extension %q", e.Ext)
	if e.Load != "" {
		what = e.Load
	}
	return fmt.Sprintf("(%03d) %s cannot be had on target %s: %s; %s", e.PC, what, e.Target, e.Why, e.Instead)
}
