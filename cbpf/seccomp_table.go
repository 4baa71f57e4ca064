package cbpf

import (
	"strings"
)

// NumberRange is the numbers from First to Last, both of them in it.
type NumberRange struct{ First, Last uint32 }

// String returns a number in decimal, or two in the notation "17..19"; from X32Bit on they are hexadecimal.
func (r NumberRange) String() string {
	if r.First == r.Last {
		return numberText(uint64(r.First))
	}
	return numberText(uint64(r.First)) + ".." + numberText(uint64(r.Last))
}

// SeccompRow says what a filter does with one system call, or with all numbers that it treats alike and that have no name.
type SeccompRow struct {
	Arch     Arch
	AnyOther bool          // the row is about every architecture that is in no other row, instead of Arch
	Name     string        // as CallName has it; empty for numbers without one
	Numbers  []NumberRange // ascending, at least one
	Rest     bool          // Numbers is all that has no name on this architecture
	// Outcomes exclude each other, and one of them happens. The last one is what is said shortest as "else".
	Outcomes []SeccompOutcome
}

// String says it all on one line, but for the architecture: "clone: ALLOW if args[0] & 0x7e020000 == 0, else ERRNO(1)".
func (r SeccompRow) String() string {
	return r.Calls() + ": " + r.Actions()
}

// Calls says which calls the row is about: by name, or by number.
func (r SeccompRow) Calls() string {
	switch {
	case r.Name != "":
		return r.Name
	case len(r.Numbers) == 1 && r.Numbers[0] == NumberRange{0, max32}:
		return "every call"
	case r.Rest:
		return "all other numbers"
	}
	list := make([]string, len(r.Numbers))
	for i, one := range r.Numbers {
		list[i] = one.String()
	}
	return strings.Join(list, ", ")
}

// Actions says what happens: the outcomes with their conditions.
func (r SeccompRow) Actions() string {
	var list []string
	for i, o := range r.Outcomes {
		switch {
		case i < len(r.Outcomes)-1:
			list = append(list, o.Verdict()+" if "+o.When.String())
		case i == 0:
			list = append(list, o.Verdict())
		default:
			list = append(list, "else "+o.Verdict())
		}
	}
	return strings.Join(list, ", ")
}

// SeccompOutcome is one thing that a filter does with a system call.
type SeccompOutcome struct {
	Action   Action // if the verdict is not Computed
	Computed bool   // the verdict depends on the data, beyond the condition
	When     SeccompCondition

	verdict *formula
}

// Verdict names the action, or says how the verdict is computed.
func (o SeccompOutcome) Verdict() string {
	if o.Computed {
		return "ret " + o.verdict.text(maxFormulaText)
	}
	return o.Action.String()
}

// Value returns the verdict for data of which the condition holds.
func (o SeccompOutcome) Value(d *SeccompData) uint32 {
	return uint32(o.verdict.value(d, make(map[*formula]uint64)))
}

// SeccompTable says for every system call of some architectures which actions a filter takes, and under which conditions;
// the last rows are about every other architecture. It goes through all paths of the filter, none of which is left out or
// guessed: of all data, exactly one outcome holds, and its value is the verdict, but for data in it that have no meaning. The
// rows of an architecture are in order of the first number and cover all of them.
//
// Without architectures, they are those that the filter tells apart, or ArchX86_64 if it looks at none. The error is that
// of ValidateSeccomp, or an *Error with ReasonSeccompPaths for a filter that is built to have too many paths.
func SeccompTable(p Program, archs []Arch) ([]SeccompRow, error) {
	if err := ValidateSeccomp(p); err != nil {
		return nil, err
	}
	w, err := walkAll(p)
	if err != nil {
		return nil, err
	}
	b := newTable(w)
	if len(archs) == 0 {
		archs = b.archsCompared()
	}
	var rows []SeccompRow
	var others numbers
	for _, arch := range archs {
		rows = append(rows, b.rowsOf(arch, only(uint64(arch)))...)
		others = others.or(only(uint64(arch)))
	}
	for _, row := range b.rowsOf(0, others.not(max32)) {
		row.AnyOther = true
		rows = append(rows, row)
	}
	return rows, nil
}
