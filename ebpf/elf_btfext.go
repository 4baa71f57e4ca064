package ebpf

import (
	"bytes"
	"slices"
)

// The section .BTF.ext tells, function by function, instruction by instruction, of types, lines of source and accesses that are
// relocated to the kernel's structures (Documentation/bpf/btf.rst of Linux 6.18, 4.2):
//
//	header:      magic u16, version u8, flags u8, its own size u32
//	             three times where a table is and how long it is, u32 each, counted from the end of the header
//	table:       size of a record u32, then for each section of code
//	             its name u32 (in the strings of .BTF), number of records u32, records
//	record:      place in the section u32, in bytes; the rest is of no interest here
const (
	btfExt       = ".BTF.ext"
	btfMagic     = 0xeb9f
	btfHeader    = 24 // size of the header of .BTF
	btfExtHeader = 32 // size of the header with three tables; older ones have two
	btfTables    = 3
)

// The tables in the order of their header.
const (
	tableFunctions = iota // one record at the beginning of each function
	tableLines
	tableAccesses
)

// notes is a table of .BTF.ext.
type notes struct {
	record int // bytes of one
	blocks []noteBlock
}

// noteBlock are the records of one section of code.
type noteBlock struct {
	name    uint32
	records []note
}

// note is a record, and where it stood in the section.
type note struct {
	was  uint64
	data []byte
}

// moveNotes moves the places that .BTF.ext tells of. Of the old body what is told of its beginning stays: the type of the
// function, and its first line, without which the kernel takes no lines at all.
func (o *Object) moveNotes(m *move) error {
	s := o.section(btfExt)
	if s == nil {
		return nil
	}
	tables, err := o.readNotes(s)
	if err != nil {
		return err
	}
	for kind := range tables {
		for i := range tables[kind].blocks {
			block := &tables[kind].blocks[i]
			if name, ok := o.btfString(block.name); ok && name == m.section.name {
				if err := o.moveBlock(m, block, kind); err != nil {
					return err
				}
			}
		}
		tables[kind].blocks = slices.DeleteFunc(tables[kind].blocks, func(b noteBlock) bool { return len(b.records) == 0 })
	}
	o.writeNotes(s, tables)
	return nil
}

// moveBlock moves the records of the section.
func (o *Object) moveBlock(m *move, block *noteBlock, kind int) error {
	var kept []note
	for _, n := range block.records {
		at := uint64(o.Order.Uint32(n.data))
		to, ok := m.of(at)
		switch {
		case kind == tableFunctions && !ok:
			return m.inside("a function of "+btfExt, at)
		case !ok, kind == tableAccesses && at == m.start:
			continue
		}
		n.data = slices.Clone(n.data)
		o.Order.PutUint32(n.data, uint32(to))
		kept = append(kept, n)
	}
	block.records = kept
	return nil
}

func malformedNotes(what string) error { return malformedELF("%s of %s", what, btfExt) }

// readNotes reads the tables.
func (o *Object) readNotes(s *elfSection) (tables [btfTables]notes, err error) {
	u32 := func(at int) int { return int(o.Order.Uint32(s.data[at:])) }
	if len(s.data) < btfExtHeader-8 || o.Order.Uint16(s.data) != btfMagic {
		return tables, malformedNotes("the header")
	}
	header := u32(4)
	if header != btfExtHeader && header != btfExtHeader-8 || header > len(s.data) {
		return tables, malformedNotes("the size of the header")
	}
	for kind := range (header - 8) / 8 {
		at, size := u32(8+8*kind), u32(12+8*kind)
		if at < 0 || size < 0 || at > len(s.data)-header || size > len(s.data)-header-at {
			return tables, malformedNotes("a table")
		}
		if tables[kind], err = o.readTable(s.data[header+at:][:size], uint64(header+at)); err != nil {
			return tables, err
		}
	}
	return tables, nil
}

// readTable reads a table that stands at a place of the section.
func (o *Object) readTable(b []byte, at uint64) (t notes, err error) {
	if len(b) == 0 {
		return t, nil
	}
	if len(b) < 4 {
		return t, malformedNotes("the size of records")
	}
	t.record = int(o.Order.Uint32(b))
	if t.record < 4 || t.record > len(b) {
		return t, malformedNotes("the size of records")
	}
	for b, at = b[4:], at+4; len(b) > 0; {
		if len(b) < 8 {
			return t, malformedNotes("a section")
		}
		block, count := noteBlock{name: o.Order.Uint32(b)}, uint64(o.Order.Uint32(b[4:]))
		b, at = b[8:], at+8
		if count > uint64(len(b)/t.record) {
			return t, malformedNotes("the number of records")
		}
		for range count {
			block.records = append(block.records, note{at, b[:t.record:t.record]})
			b, at = b[t.record:], at+uint64(t.record)
		}
		t.blocks = append(t.blocks, block)
	}
	return t, nil
}

// writeNotes writes the tables, one behind the other, and lets the relocations of the section follow the records.
func (o *Object) writeNotes(s *elfSection, tables [btfTables]notes) {
	header := int(o.Order.Uint32(s.data[4:]))
	data := slices.Clone(s.data[:header])
	moved := map[uint64]uint64{}
	for kind := range (header - 8) / 8 {
		from := len(data)
		if t := tables[kind]; len(t.blocks) > 0 {
			data = o.appendU32(data, uint32(t.record))
			for _, b := range t.blocks {
				data = o.appendU32(o.appendU32(data, b.name), uint32(len(b.records)))
				for _, n := range b.records {
					moved[n.was] = uint64(len(data))
					data = append(data, n.data...)
				}
			}
		}
		o.Order.PutUint32(data[8+8*kind:], uint32(from-header))
		o.Order.PutUint32(data[12+8*kind:], uint32(len(data)-from))
	}
	for _, rel := range o.bySection()[s].relocs {
		var kept []elfReloc
		for _, r := range rel.relocs {
			if to, ok := moved[r.offset]; ok {
				r.offset = to
				kept = append(kept, r)
			}
		}
		rel.relocs = kept
	}
	s.data, s.owned = data, true
}

func (o *Object) appendU32(b []byte, n uint32) []byte {
	b = append(b, 0, 0, 0, 0)
	o.Order.PutUint32(b[len(b)-4:], n)
	return b
}

// btfString is a string of .BTF; ok is false where there is none.
func (o *Object) btfString(at uint32) (text string, ok bool) {
	s := o.section(".BTF")
	if s == nil || len(s.data) < btfHeader || o.Order.Uint16(s.data) != btfMagic {
		return "", false
	}
	header, from, size := uint64(o.Order.Uint32(s.data[4:])), uint64(o.Order.Uint32(s.data[16:])), uint64(o.Order.Uint32(s.data[20:]))
	if end := uint64(len(s.data)); header+from > end || size > end-header-from || uint64(at) >= size {
		return "", false
	}
	name, _, ok := bytes.Cut(s.data[header+from+uint64(at):header+from+size], []byte{0})
	return string(name), ok
}
