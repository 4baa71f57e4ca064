package csource

import (
	"fmt"
)

// Error says that a form has no way to do what an instruction of a valid program asks for.
type Error struct {
	PC      int    // of the classic instruction
	What    string // `extension "poff"`, `a load through the NET window`
	Form    Form
	Why     string // what the form lacks
	Instead string // what to do about it
}

func (e *Error) Error() string {
	return fmt.Sprintf("(%03d) %s cannot be had in C for %s: %s; %s", e.PC, e.What, e.Form, e.Why, e.Instead)
}
