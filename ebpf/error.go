package ebpf

import (
	"fmt"
	"strings"
)

// Reason says what is wrong with a program or a run of it. The constants are the messages.
type Reason string

// Error is one fault: what is wrong, at which slot or at which place of a text, and which limit it breaks.
type Error struct {
	Reason Reason
	PC     int    // slot, from 0; -1 where there is none
	Line   int    // line of the text, from 1; 0 where there is no text
	Column int    // byte of the line, from 1; 0 where there is no text
	Detail string // the offending thing and the limit; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	case e.PC >= 0:
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

// Errors are all the faults that were found in one go, in the order of their places. It is never empty when it is returned
// as an error.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As each fault in turn.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// asError returns e as an error that is nil when there is no fault.
func (e Errors) asError() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
