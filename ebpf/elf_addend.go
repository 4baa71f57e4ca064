package ebpf

import (
	"debug/elf"
	"slices"
)

// BPF objects keep what is added to a symbol in the place that the relocation is for. Where the symbol stands for a section,
// as it does for functions that no other file sees, that is the place of the function in its section.

// moveAddends corrects what is added to symbols of the section. It comes before the symbols move.
func (o *Object) moveAddends(m *move) error {
	for _, rel := range o.sections {
		if rel.target == nil || rel.target.name == btfExt {
			continue
		}
		for _, r := range rel.relocs {
			if r.symbol == nil || r.symbol.section != m.section || rel.target == m.section && m.replaced(r.offset) {
				continue
			}
			if err := o.moveAddend(m, rel.target, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveAddend corrects one place. Its relocation refers to a symbol of the section that changes.
func (o *Object) moveAddend(m *move, s *elfSection, r elfReloc) error {
	field, ok := addendFields[r.kind]
	if !ok || r.offset > uint64(len(s.data)) || uint64(len(s.data))-r.offset < uint64(field.at+field.size) {
		return fault(ReasonELF, -1, "a relocation of kind %d at byte %d of section %s", r.kind, r.offset, s.name)
	}
	place := s.data[r.offset+uint64(field.at):][:field.size:field.size]
	old := int64(o.signed(place))
	if r.kind == relocCall {
		old = (old + 1) * SlotSize
	}
	base := r.symbol.Value
	if elf.ST_TYPE(r.symbol.Info) == elf.STT_SECTION {
		base = 0
	}
	at := uint64(int64(base) + old)
	to, ok := m.of(at)
	if !ok {
		return m.inside("a relocation in section "+s.name, at)
	}
	newBase, _ := m.of(base)
	if value := int64(to) - int64(newBase); value != old {
		if r.kind == relocCall {
			value = value/SlotSize - 1
		}
		s.own()
		o.put(s.data[r.offset+uint64(field.at):][:field.size], value)
	}
	return nil
}

// addendFields says where the places of relocations have what is added: how far behind their beginning, and of what size.
var addendFields = map[uint32]struct{ at, size int }{
	relocWide:  {4, 4}, // imm
	relocABS64: {0, 8},
	relocABS32: {0, 4},
	relocNote:  {0, 4},
	relocCall:  {4, 4}, // imm, counted in slots from the next one
}

// own makes the bytes of the section ours: before, they are those of the file that was read.
func (s *elfSection) own() {
	if !s.owned {
		s.data, s.owned = slices.Clone(s.data), true
	}
}

// signed reads a number of 4 or 8 bytes.
func (o *Object) signed(b []byte) int64 {
	if len(b) == 8 {
		return int64(o.Order.Uint64(b))
	}
	return int64(int32(o.Order.Uint32(b)))
}

// put writes one.
func (o *Object) put(b []byte, n int64) {
	if len(b) == 8 {
		o.Order.PutUint64(b, uint64(n))
		return
	}
	o.Order.PutUint32(b, uint32(n))
}
