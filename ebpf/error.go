package ebpf

import (
	"fmt"
	"strings"
)

// Reason says what is wrong with a program or a run of it. The constants are the messages.
type Reason string

// Error is one fault: what is wrong, at which slot, and which limit it breaks.
type Error struct {
	Reason Reason
	PC     int    // slot, from 0; -1 where there is none
	Detail string // the offending thing and the limit; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.PC >= 0 {
		fmt.Fprintf(&b, "insn %d: ", e.PC)
	}
	b.WriteString(string(e.Reason))
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	return b.String()
}

// Is makes errors.Is(err, reason) true where err holds an Error of that reason.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

// Error lets a Reason stand as the target of errors.Is.
func (r Reason) Error() string { return string(r) }

func fault(reason Reason, pc int, format string, args ...any) *Error {
	return &Error{Reason: reason, PC: pc, Detail: fmt.Sprintf(format, args...)}
}
