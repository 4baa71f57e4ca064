package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// UnsupportedError says that a target has no way to do what an instruction of a valid program asks for.
type UnsupportedError struct {
	PC      int      // of the classic instruction
	Ext     cbpf.Ext // the extension that it loads
	Target  Target
	Why     string // what the target lacks
	Instead string // what to do about it
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("(%03d) extension %q cannot be had on target %s: %s; %s", e.PC, e.Ext, e.Target, e.Why, e.Instead)
}
