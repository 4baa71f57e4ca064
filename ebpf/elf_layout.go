package ebpf

import (
	"debug/elf"
	"encoding/binary"
)

// bytes lays the object out: the header, the sections in their order, the table of sections.
func (o *Object) bytes() []byte {
	number := map[*elfSection]uint32{nil: 0}
	for i, s := range o.sections {
		number[s] = uint32(i + 1)
	}
	o.layTables(number)
	file := make([]byte, elfHeaderSize)
	for _, s := range o.sections {
		file = aligned(file, s.Addralign)
		s.Off, s.Link = uint64(len(file)), number[s.link]
		if elf.SectionType(s.Type) != elf.SHT_NOBITS {
			s.Size = uint64(len(s.data))
			file = append(file, s.data...)
		}
	}
	file = aligned(file, 8)
	o.header.Shoff = uint64(len(file))
	file = append(file, make([]byte, elfSectionSize)...)
	for _, s := range o.sections {
		file = appendStruct(file, o.Order, &s.Section64)
	}
	o.header.Ehsize, o.header.Shentsize = elfHeaderSize, elfSectionSize
	o.header.Shnum, o.header.Shstrndx = uint16(len(o.sections)+1), uint16(number[o.names])
	copy(file, appendStruct(nil, o.Order, &o.header))
	return file
}

// layTables makes the bytes of the tables of symbols and of relocations.
func (o *Object) layTables(number map[*elfSection]uint32) {
	symbolNumber := map[*elfSymbol]uint64{nil: 0}
	for i, s := range o.symbols {
		symbolNumber[s] = uint64(i + 1)
	}
	for _, s := range o.sections {
		switch elf.SectionType(s.Type) {
		case elf.SHT_SYMTAB:
			s.Info = uint32(o.locals() + 1)
			s.data = o.symbolTable(number)
		case elf.SHT_REL:
			s.Info = number[s.target]
			s.data = nil
			for _, r := range s.relocs {
				entry := elf.Rel64{Off: r.offset, Info: symbolNumber[r.symbol]<<32 | uint64(r.kind)}
				s.data = appendStruct(s.data, o.Order, &entry)
			}
		}
	}
}

// locals is the number of local symbols, which stand in front of all others.
func (o *Object) locals() (n int) {
	for n < len(o.symbols) && elf.ST_BIND(o.symbols[n].Info) == elf.STB_LOCAL {
		n++
	}
	return n
}

func (o *Object) symbolTable(number map[*elfSection]uint32) []byte {
	table := make([]byte, elfSymbolSize)
	for _, s := range o.symbols {
		if s.section != nil {
			s.Shndx = uint16(number[s.section])
		}
		table = appendStruct(table, o.Order, &s.Sym64)
	}
	return table
}

// aligned appends zeros up to a multiple of align.
func aligned(b []byte, align uint64) []byte {
	for align > 1 && uint64(len(b))%align != 0 {
		b = append(b, 0)
	}
	return b
}

// appendStruct appends a structure of fixed size, field by field.
func appendStruct(b []byte, order binary.ByteOrder, s any) []byte {
	b, err := binary.Append(b, order, s)
	if err != nil {
		panic("ebpf: " + err.Error()) // only structures of debug/elf come here
	}
	return b
}
