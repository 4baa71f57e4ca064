package ebpf

import (
	"cmp"
	"debug/elf"
	"slices"
	"strings"
)

// Code returns the sections of the object that hold code, in their order. It fails where a section is not made of slots.
func (o *Object) Code() ([]Section, error) {
	var all []Section
	for _, s := range o.sections {
		if !s.executable() || len(s.data) == 0 {
			continue
		}
		code, err := o.code(s)
		if err != nil {
			return nil, err
		}
		all = append(all, code)
	}
	return all, nil
}

// Function returns the function of the name. The error of one that is not there lists those that are.
func (o *Object) Function(name string) (Function, error) {
	sections, err := o.Code()
	if err != nil {
		return Function{}, err
	}
	var known []string
	for _, s := range sections {
		for _, f := range s.Functions {
			if f.Name == name {
				return f, nil
			}
			known = append(known, f.Name)
		}
	}
	return Function{}, fault(ReasonNotFound, -1, "%q; there are %s", name, strings.Join(known, ", "))
}

// code decodes a section and finds its functions.
func (o *Object) code(s *elfSection) (Section, error) {
	program, err := Decode(s.data, o.Order)
	if err != nil {
		return Section{}, fault(ReasonELF, -1, "section %s has %d bytes, which are no whole slots", s.name, len(s.data))
	}
	code := Section{Name: s.name, Program: program}
	for _, rel := range o.relocationsOf(s) {
		for _, r := range rel.relocs {
			if r.offset < uint64(len(s.data)) {
				code.Relocations = append(code.Relocations, Relocation{int(r.offset / SlotSize), r.symbol.title()})
			}
		}
	}
	slices.SortStableFunc(code.Relocations, func(a, b Relocation) int { return cmp.Compare(a.PC, b.PC) })
	for _, sp := range o.spans(s) {
		f := Function{Name: sp.symbol.name, Section: s.name, Start: int(sp.start / SlotSize)}
		end := int(sp.end / SlotSize)
		f.Program = program[f.Start:end:end]
		f.Relocations = within(code.Relocations, f.Start, end)
		code.Functions = append(code.Functions, f)
	}
	return code, nil
}

// within cuts the relocations of a part of a section out of all.
func within(all []Relocation, start, end int) []Relocation {
	at := func(pc int) int {
		i, _ := slices.BinarySearchFunc(all, pc, func(r Relocation, pc int) int { return cmp.Compare(r.PC, pc) })
		return i
	}
	return all[at(start):at(end):at(end)]
}

// relocationsOf returns the tables of relocations for a section: none or one, in what compilers write.
func (o *Object) relocationsOf(s *elfSection) (tables []*elfSection) {
	for _, rel := range o.sections {
		if rel.target == s {
			tables = append(tables, rel)
		}
	}
	return tables
}

// title is what to call a symbol: those that stand for a section have no name of their own.
func (s *elfSymbol) title() string {
	switch {
	case s == nil:
		return ""
	case s.name == "" && s.section != nil:
		return s.section.name
	}
	return s.name
}

// span is where a function stands in its section, in bytes; start and end are multiples of SlotSize.
type span struct {
	symbol     *elfSymbol
	start, end uint64
}

// spans finds the functions of a section by their symbols, in the order of their places. One whose symbol has no size, as
// in hand-written assembly, ends where the next begins.
func (o *Object) spans(s *elfSection) []span {
	var spans []span
	size := uint64(len(s.data))
	for _, sym := range o.symbols {
		if sym.section == s && sym.isFunction() && sym.Value < size && sym.Value%SlotSize == 0 {
			spans = append(spans, span{symbol: sym, start: sym.Value})
		}
	}
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	next := size
	for i := len(spans) - 1; i >= 0; i-- {
		sp := &spans[i]
		if i+1 < len(spans) && spans[i+1].start > sp.start {
			next = spans[i+1].start
		}
		sp.end = next
		if n := sp.symbol.Size; n > 0 && n <= size-sp.start && n%SlotSize == 0 {
			sp.end = sp.start + n
		}
	}
	return spans
}

// isFunction tells symbols of functions from labels inside of them: early versions of LLVM gave functions no type.
func (s *elfSymbol) isFunction() bool {
	switch elf.ST_TYPE(s.Info) {
	case elf.STT_FUNC:
		return s.name != ""
	case elf.STT_NOTYPE:
		return s.name != "" && elf.ST_BIND(s.Info) != elf.STB_LOCAL
	}
	return false
}
