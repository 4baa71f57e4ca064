package cbpf

import (
	"fmt"
	"strings"
)

// Notation is a way of writing a program down. Its value is the name that flags use.
type Notation string

// The notations. Every program that has an instruction can be written and read back in each of them without loss.
const (
	Auto    Notation = "auto"    // whichever one the text is in; for reading only
	Listing Notation = "tcpdump" // tcpdump -d
	CStruct Notation = "dd"      // tcpdump -dd, and bpf_asm -c
	Decimal Notation = "ddd"     // tcpdump -ddd
	XTBPF   Notation = "xtbpf"   // iptables -m bpf --bytecode, tc's bytecode, bpf_asm without -c
)

// notation is what there is to know of one Notation.
type notation struct {
	name    Notation
	example string
	parse   func(*parser)
	print   func([]byte, Program) []byte
}

var notations = [...]notation{
	{Listing, "(000) ldh      [12]", (*parser).listing, appendListing},
	{CStruct, "{ 0x28, 0, 0, 0x0000000c },", (*parser).cStruct, appendCStruct},
	{Decimal, "2, newline, 40 0 0 12, newline, 6 0 0 0", (*parser).decimal, appendDecimal},
	{XTBPF, "2,40 0 0 12,6 0 0 0", (*parser).xtbpf, appendXTBPF},
}

// Notations returns the notations that can be read and written: all but Auto.
func Notations() []Notation {
	all := make([]Notation, len(notations))
	for i, row := range notations {
		all[i] = row.name
	}
	return all
}

// NotationByName returns the notation that a flag names; Auto is one of them. Any other name is an error that lists the
// known ones.
func NotationByName(name string) (Notation, error) {
	if Notation(name) == Auto {
		return Auto, nil
	}
	row, err := lookup(Notation(name))
	if err != nil {
		return "", &Error{Reason: UnknownNotation, PC: -1, Detail: fmt.Sprintf("%s; known are %s, %s",
			quote(name), Auto, names())}
	}
	return row.name, nil
}

// lookup finds the row of a notation that is not Auto.
func lookup(n Notation) (*notation, error) {
	for i := range notations {
		if notations[i].name == n {
			return &notations[i], nil
		}
	}
	return nil, &Error{Reason: UnknownNotation, PC: -1, Detail: fmt.Sprintf("%s; known are %s", quote(string(n)), names())}
}

func names() string {
	var b strings.Builder
	for i, row := range notations {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(row.name))
	}
	return b.String()
}

// Sniff tells the notation of a text by its first line that is neither blank nor a comment. That the rest is in the same
// notation is for ParseAs to find out.
func Sniff(text []byte) (Notation, error) { return newParser(string(text)).sniff() }

// sniff is Sniff, and leaves the text to be read in that notation.
func (p *parser) sniff() (Notation, error) {
	head := *p
	line, ok := head.nextLine()
	if !ok {
		return "", &Error{Reason: Empty, PC: -1, Detail: "the text is blank"}
	}
	n := sniffLine(line)
	if n == "" {
		return "", &Error{Reason: NotRecognised, PC: -1, Line: head.line,
			Detail: quote(line) + ", where the known notations have " + examples()}
	}
	return n, nil
}

// sniffLine tells the notation of the first line of a program, "" if it is none.
func sniffLine(line string) Notation {
	switch {
	case strings.HasPrefix(line, "("):
		return Listing
	case strings.HasPrefix(line, "{"):
		return CStruct
	case line == "" || line[0] < '0' || line[0] > '9':
		return ""
	case strings.Contains(line, ","):
		return XTBPF
	}
	return Decimal
}

func examples() string {
	var b strings.Builder
	for i, row := range notations {
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "`%s` (%s)", row.example, row.name)
	}
	return b.String()
}
