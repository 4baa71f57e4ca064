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
	index := o.bySection()
	for _, s := range o.sections {
		if !s.executable() || len(s.data) == 0 {
			continue
		}
		code, err := o.code(s, index[s])
		if err != nil {
			return nil, err
		}
		all = append(all, code)
	}
	return all, nil
}

// belongings are what refers to a section.
type belongings struct {
	symbols []*elfSymbol  // that lie in it, in the order of their table
	relocs  []*elfSection // tables of relocations for it: none or one, in what compilers write
}

// bySection finds the belongings of all sections at once.
func (o *Object) bySection() map[*elfSection]belongings {
	index := map[*elfSection]belongings{}
	for _, sym := range o.symbols {
		if b := index[sym.section]; sym.section != nil {
			b.symbols = append(b.symbols, sym)
			index[sym.section] = b
		}
	}
	for _, rel := range o.sections {
		if b := index[rel.target]; rel.target != nil {
			b.relocs = append(b.relocs, rel)
			index[rel.target] = b
		}
	}
	return index
}

// Function returns the function of the name. The error of one that is not there lists those that are.
func (o *Object) Function(name string) (Function, error) {
	sections, err := o.Code()
	if err != nil {
		return Function{}, err
	}
	const most = 20
	var known []string
	for _, s := range sections {
		for _, f := range s.Functions {
			switch {
			case f.Name == name:
				return f, nil
			case len(known) < most:
				known = append(known, f.Name)
			case len(known) == most:
				known = append(known, "more")
			}
		}
	}
	return Function{}, fault(ReasonNotFound, -1, "%q; there are %s", name, strings.Join(known, ", "))
}

// code decodes a section and finds its functions.
func (o *Object) code(s *elfSection, of belongings) (Section, error) {
	program, err := Decode(s.data, o.Order)
	if err != nil {
		return Section{}, fault(ReasonELF, -1, "section %s has %d bytes, which are no whole slots", s.name, len(s.data))
	}
	code := Section{Name: s.name, Program: program}
	for _, rel := range of.relocs {
		for _, r := range rel.relocs {
			if r.offset < uint64(len(s.data)) {
				code.Relocations = append(code.Relocations, Relocation{int(r.offset / SlotSize), r.symbol.title()})
			}
		}
	}
	slices.SortStableFunc(code.Relocations, func(a, b Relocation) int { return cmp.Compare(a.PC, b.PC) })
	for _, sp := range s.spans(of.symbols) {
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

// spans finds the functions of a section by its symbols, in the order of their places. One whose symbol has no size, as
// in hand-written assembly, ends where the next begins.
func (s *elfSection) spans(symbols []*elfSymbol) []span {
	var spans []span
	size := uint64(len(s.data))
	for _, sym := range symbols {
		if sym.isFunction() && sym.Value < size && sym.Value%SlotSize == 0 {
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
