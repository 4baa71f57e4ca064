package ebpf

import (
	"debug/elf"
	"slices"
	"strings"
)

// ReasonKept says that something in an object depends on a function in a way that would not survive another body of it.
const ReasonKept Reason = "the object depends on what is to be replaced"

// The kinds of relocations that BPF objects have (Documentation/bpf/llvm_reloc.rst of Linux 6.18).
const (
	relocWide  = 1  // R_BPF_64_64: both slots of a wide constant
	relocABS64 = 2  // R_BPF_64_ABS64: 8 bytes of data
	relocABS32 = 3  // R_BPF_64_ABS32: 4 bytes of data
	relocNote  = 4  // R_BPF_64_NODYLD32: 4 bytes of data that loaders see to themselves
	relocCall  = 10 // R_BPF_64_32: the distance of a call
)

// addrsig is the type of the section .llvm_addrsig: numbers of symbols, for linkers of other machines.
const addrsig elf.SectionType = 0x6fff4c03

// Replace gives a function another body, whatever the length of it. What follows in its section moves, and with that
// symbols, relocations, calls, and the places that .BTF.ext tells of. What told of the old body is gone: relocations, lines of
// source, and all of DWARF, whose sections are listed in dropped; loaders do without. The object is of no use after an error,
// which is one of ReasonNotFound, ReasonKept and ReasonELF.
func (o *Object) Replace(name string, body Program) (dropped []string, err error) {
	m, err := o.findMove(name)
	if err != nil {
		return nil, err
	}
	m.delta = int64(len(body)*SlotSize) - int64(m.end-m.start)
	dropped = o.dropDebug()
	for _, step := range []func(*move) error{
		o.understood, o.moveInstructions, o.moveAddends, o.moveNotes, o.moveSymbols, o.moveRelocations,
	} {
		if err := step(m); err != nil {
			return nil, err
		}
	}
	s := m.section
	old := s.data
	s.data = AppendTo(slices.Clone(old[:m.start]), body, o.Order)
	s.data = append(s.data, old[m.end:]...)
	return dropped, nil
}

// Bytes returns the object as a file.
func (o *Object) Bytes() []byte { return o.bytes() }

// move tells how places in a section change when the bytes from start to end become more or less by delta.
type move struct {
	section    *elfSection
	symbol     *elfSymbol
	start, end uint64
	delta      int64
}

// of returns where a place is afterwards; ok is false for one inside of what is replaced.
func (m *move) of(at uint64) (to uint64, ok bool) {
	switch {
	case at <= m.start:
		return at, true
	case at >= m.end:
		return uint64(int64(at) + m.delta), true
	}
	return 0, false
}

// replaced reports whether a place is in what is replaced, its beginning included.
func (m *move) replaced(at uint64) bool { return at >= m.start && at < m.end }

func (m *move) inside(what string, at uint64) error {
	return fault(ReasonKept, -1, "%s aims at byte %d of section %s, in the middle of %s", what, at, m.section.name, m.symbol.name)
}

// findMove finds the function. It has to be the only one of the name.
func (o *Object) findMove(name string) (*move, error) {
	if _, err := o.Function(name); err != nil {
		return nil, err
	}
	var found *move
	index := o.bySection()
	for _, s := range o.sections {
		if !s.executable() {
			continue
		}
		for _, sp := range s.spans(index[s].symbols) {
			switch {
			case sp.symbol.name != name:
			case found != nil:
				return nil, fault(ReasonNotFound, -1, "there are two of the name %q, in sections %s and %s", name, found.section.name, s.name)
			default:
				found = &move{section: s, symbol: sp.symbol, start: sp.start, end: sp.end}
			}
		}
	}
	return found, nil
}

// dropDebug takes the sections of DWARF out, with their relocations and symbols.
func (o *Object) dropDebug() (names []string) {
	gone := map[*elfSection]bool{}
	for _, s := range o.sections {
		if strings.HasPrefix(s.name, ".debug_") && elf.SectionType(s.Type) == elf.SHT_PROGBITS && !s.executable() {
			gone[s] = true
			names = append(names, s.name)
		}
	}
	for _, s := range o.sections {
		if s.target != nil && gone[s.target] {
			gone[s] = true
		}
	}
	o.sections = slices.DeleteFunc(o.sections, func(s *elfSection) bool { return gone[s] })
	for _, s := range o.sections {
		s.relocs = slices.DeleteFunc(s.relocs, func(r elfReloc) bool { return r.symbol != nil && gone[r.symbol.section] })
	}
	o.dropSymbols(func(s *elfSymbol) bool { return gone[s.section] })
	return names
}

// dropSymbols takes symbols out that nothing refers to.
func (o *Object) dropSymbols(gone func(*elfSymbol) bool) {
	keep := o.signatures()
	o.symbols = slices.DeleteFunc(o.symbols, gone)
	o.sign(keep)
}

// understood refuses objects with parts that number others in ways which are not followed here.
func (o *Object) understood(m *move) error {
	there := map[*elfSection]bool{nil: true}
	for _, s := range o.sections {
		there[s] = true
	}
	for _, s := range o.sections {
		if !there[s.link] || !there[s.target] {
			return fault(ReasonELF, -1, "section %s belongs to a section of DWARF", s.name)
		}
		if s != m.section && s.name == m.section.name {
			return fault(ReasonELF, -1, "there are two sections of the name %s", s.name)
		}
		switch elf.SectionType(s.Type) {
		case elf.SHT_GROUP, elf.SHT_SYMTAB_SHNDX, elf.SHT_RELA:
			return fault(ReasonELF, -1, "section %s is a %s, which BPF objects do not have", s.name, elf.SectionType(s.Type))
		}
	}
	return nil
}

// moveInstructions corrects the distances of calls that stay and have no relocation, and refuses jumps into the middle.
func (o *Object) moveInstructions(m *move) error {
	s := m.section
	p, err := Decode(s.data, o.Order)
	if err != nil {
		return fault(ReasonELF, -1, "section %s has %d bytes, which are no whole slots", s.name, len(s.data))
	}
	relocated := map[uint64]bool{}
	for _, rel := range o.bySection()[s].relocs {
		for _, r := range rel.relocs {
			relocated[r.offset] = true
		}
	}
	s.own()
	for pc := 0; pc < len(p); pc++ {
		at := uint64(pc) * SlotSize
		target, local := p[pc].local(pc)
		switch {
		case m.replaced(at), relocated[at]:
		case local:
			if err := o.moveDistance(m, p[pc], at, target); err != nil {
				return err
			}
		default:
			if target, ok := p[pc].Target(pc); ok && m.replaced(uint64(target)*SlotSize) && target >= 0 {
				return m.inside("a jump", uint64(target)*SlotSize)
			}
		}
		if p[pc].Op == OpLoadWide {
			pc++
		}
	}
	return nil
}

// local returns the slot that an instruction refers to as a function of its own section.
func (i Instruction) local(pc int) (target int, ok bool) {
	form := i.Op.Info().Form
	if form == FormCall && i.Src == CallKindLocal || form == FormLoadWide && i.Src == WideFunction {
		return pc + 1 + int(i.Imm), true
	}
	return 0, false
}

// moveDistance corrects the distance from an instruction to a function.
func (o *Object) moveDistance(m *move, i Instruction, at uint64, target int) error {
	if target < 0 {
		return nil
	}
	from, _ := m.of(at)
	to, ok := m.of(uint64(target) * SlotSize)
	if !ok {
		return m.inside("a call", uint64(target)*SlotSize)
	}
	i.Imm = int32(int64(to)-int64(from))/SlotSize - 1
	copy(m.section.data[at:], AppendTo(nil, Program{i}, o.Order))
	return nil
}

// moveSymbols moves symbols of the section; labels inside of the function go.
func (o *Object) moveSymbols(m *move) error {
	referred := map[*elfSymbol]bool{}
	for _, s := range o.sections {
		for _, r := range s.relocs {
			if s.target != m.section || !m.replaced(r.offset) {
				referred[r.symbol] = true
			}
		}
	}
	gone := map[*elfSymbol]bool{}
	for _, sym := range o.symbols {
		if sym.section != m.section {
			continue
		}
		to, ok := m.of(sym.Value)
		switch {
		case ok && sym.Value == m.start && sym.Size > 0:
			sym.Size = uint64(int64(m.end-m.start) + m.delta)
		case ok:
			sym.Value = to
		case referred[sym]:
			return m.inside("a relocation with symbol "+sym.name, sym.Value)
		default:
			gone[sym] = true
		}
	}
	o.dropSymbols(func(s *elfSymbol) bool { return gone[s] })
	return nil
}

// moveRelocations moves the places of the section that have relocations; those of the old body go.
func (o *Object) moveRelocations(m *move) error {
	for _, rel := range o.bySection()[m.section].relocs {
		rel.relocs = slices.DeleteFunc(slices.Clone(rel.relocs), func(r elfReloc) bool { return m.replaced(r.offset) })
		for i := range rel.relocs {
			rel.relocs[i].offset, _ = m.of(rel.relocs[i].offset)
		}
	}
	return nil
}
