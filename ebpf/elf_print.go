package ebpf

import (
	"strconv"
	"strings"
)

// AppendText appends the listing of the section: that of Print, with the names of its functions as labels, and behind
// each slot that depends on a symbol the name of that as a comment. Assemble makes the same program of it.
func (s *Section) AppendText(b []byte, d Dialect) []byte {
	functions, relocations := s.Functions, s.Relocations
	used := map[string]bool{}
	for pc := 0; pc < len(s.Program); {
		for ; len(functions) > 0 && functions[0].Start <= pc; functions = functions[1:] {
			b = appendLabel(b, functions[0].Name, used)
		}
		line, slots := s.Program.appendNumbered(b, pc, d)
		b = line
		pc += slots
		for ; len(relocations) > 0 && relocations[0].PC < pc; relocations = relocations[1:] {
			b = append(append(b, " ; "...), printable(relocations[0].Symbol)...)
		}
		b = append(b, '\n')
	}
	return b
}

// appendLabel appends a line with the name of a function; as a comment where it cannot be a label, or is one already.
func appendLabel(b []byte, name string, used map[string]bool) []byte {
	if used[name] || isDigit(name[0]) || strings.ContainsFunc(name, func(c rune) bool { return c > 0x7f || !isName(byte(c)) }) {
		return append(append(append(b, "; "...), printable(name)...), ":\n"...)
	}
	used[name] = true
	return append(append(b, name...), ":\n"...)
}

// printable is the name itself, or quoted where it has characters that would disturb a listing.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// Only returns what the section would be with the function alone in it.
func (f *Function) Only() *Section {
	alone := Function{Name: f.Name, Section: f.Section, Program: f.Program}
	for _, r := range f.Relocations {
		alone.Relocations = append(alone.Relocations, Relocation{r.PC - f.Start, r.Symbol})
	}
	return &Section{Name: f.Section, Program: f.Program, Functions: []Function{alone}, Relocations: alone.Relocations}
}
