package cbpf

import (
	"fmt"
	"strings"
)

// Reason says what is wrong with a text or a program. The constants are the messages.
type Reason string

// Error is one fault of a text or a program: what is wrong, where, and which limit it breaks.
type Error struct {
	Reason Reason
	PC     int    // index of the instruction, from 0; -1 where there is none
	Line   int    // line of the text, from 1; 0 where there is none
	Detail string // the offending thing and the limit; may be empty

	// What Excerpt shows, where the fault is one of a text.
	Text   string // the whole line
	Column int    // the first byte of the line that is at fault, from 1; 0 where there is none
	Width  int    // the number of bytes at fault
}

// Error says all but the excerpt, on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.PC >= 0 {
		fmt.Fprintf(&b, "(%03d) ", e.PC)
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

// Errors are all the faults found in one go, in order of their place. It is never empty when returned as an error.
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
