package ebpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// maxAlign is the largest alignment of a section that is believed: a page.
const maxAlign = 4096

// ReadELF reads an object. Whatever the bytes hold, it takes no more memory than a small multiple of their number. data is
// not changed, and must not change as long as the object is in use.
func ReadELF(data []byte) (*Object, error) {
	r := elfReader{data: data}
	for _, step := range []func(*elfReader) error{(*elfReader).file, (*elfReader).tables, (*elfReader).readSymbols, (*elfReader).relocations} {
		if err := step(&r); err != nil {
			return nil, err
		}
	}
	return &r.Object, nil
}

// IsELF reports whether the bytes begin as an ELF file does.
func IsELF(data []byte) bool { return bytes.HasPrefix(data, []byte(elf.ELFMAG)) }

// elfReader is a ReadELF at work. all are the sections by their number, the empty one included.
type elfReader struct {
	Object
	data   []byte
	all    []*elfSection
	symtab *elfSection
}

func malformedELF(format string, args ...any) error { return fault(ReasonELF, -1, format, args...) }

// file reads the header of the file.
func (r *elfReader) file() error {
	if len(r.data) < elfHeaderSize || !IsELF(r.data) {
		return malformedELF("it does not begin as an ELF file")
	}
	class, order := elf.Class(r.data[elf.EI_CLASS]), elf.Data(r.data[elf.EI_DATA])
	switch order {
	case elf.ELFDATA2LSB:
		r.Order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		r.Order = binary.BigEndian
	default:
		return malformedELF("byte order %d", order)
	}
	readStruct(r.data, r.Order, &r.header)
	h := &r.header
	switch {
	case class != elf.ELFCLASS64:
		return malformedELF("%s, not %s", class, elf.ELFCLASS64)
	case elf.Type(h.Type) != elf.ET_REL:
		return malformedELF("%s, not %s", elf.Type(h.Type), elf.ET_REL)
	case elf.Machine(h.Machine) != elf.EM_BPF && elf.Machine(h.Machine) != elf.EM_NONE: // early versions of LLVM had no number
		return malformedELF("it is for %s, not %s", elf.Machine(h.Machine), elf.EM_BPF)
	case h.Shentsize != elfSectionSize:
		return malformedELF("headers of sections have %d bytes, not %d", h.Shentsize, elfSectionSize)
	case h.Shnum == 0 || h.Shstrndx >= h.Shnum:
		return malformedELF("%d sections, names in section %d", h.Shnum, h.Shstrndx)
	}
	return nil
}

// tables reads the sections and their names.
func (r *elfReader) tables() error {
	headers, ok := r.bytes(r.header.Shoff, uint64(r.header.Shnum)*elfSectionSize)
	if !ok {
		return malformedELF("the table of sections leaves the file")
	}
	total := uint64(0)
	for i := 0; len(headers) > 0; i, headers = i+1, headers[elfSectionSize:] {
		s := &elfSection{}
		readStruct(headers, r.Order, &s.Section64)
		if kind := elf.SectionType(s.Type); kind != elf.SHT_NOBITS && kind != elf.SHT_NULL {
			if s.data, ok = r.bytes(s.Off, s.Size); !ok {
				return malformedELF("section %d leaves the file", i)
			}
		}
		if total += uint64(len(s.data)); total > uint64(len(r.data)) {
			return malformedELF("sections overlap")
		}
		if s.Addralign > maxAlign || s.Addralign&(s.Addralign-1) != 0 {
			return malformedELF("section %d is aligned to %d bytes", i, s.Addralign)
		}
		r.all = append(r.all, s)
	}
	r.sections, r.names = r.all[1:], r.all[r.header.Shstrndx]
	for i, s := range r.sections {
		if s.name, ok = r.names.text(s.Name); !ok {
			return malformedELF("the name of section %d is outside of the table of names", i+1)
		}
		if int(s.Link) >= len(r.all) {
			return malformedELF("section %s belongs to section %d of %d", s.name, s.Link, len(r.all))
		}
		if s.Link > 0 {
			s.link = r.all[s.Link]
		}
	}
	return nil
}

// bytes returns a piece of the file; false where it leaves the file.
func (r *elfReader) bytes(off, size uint64) ([]byte, bool) {
	if end := uint64(len(r.data)); off > end || size > end-off {
		return nil, false
	}
	return r.data[off : off+size : off+size], true
}

// text returns the name at a place of a table of names; false where it does not end inside.
func (s *elfSection) text(at uint32) (string, bool) {
	if uint64(at) >= uint64(len(s.data)) {
		return "", false
	}
	name, _, ok := bytes.Cut(s.data[at:], []byte{0})
	return string(name), ok
}

// readSymbols reads the table of symbols, if there is one.
func (r *elfReader) readSymbols() error {
	for _, s := range r.sections {
		if elf.SectionType(s.Type) != elf.SHT_SYMTAB {
			continue
		}
		if r.symtab != nil || s.link == nil || len(s.data)%elfSymbolSize != 0 || len(s.data) == 0 {
			return malformedELF("its table of symbols, %s", s.name)
		}
		r.symtab = s
	}
	if r.symtab == nil {
		return nil
	}
	for table := r.symtab.data[elfSymbolSize:]; len(table) > 0; table = table[elfSymbolSize:] {
		s, ok := &elfSymbol{}, false
		readStruct(table, r.Order, &s.Sym64)
		if s.name, ok = r.symtab.link.text(s.Name); !ok {
			return malformedELF("the name of symbol %d is outside of the table of names", len(r.symbols)+1)
		}
		if at := elf.SectionIndex(s.Shndx); at != elf.SHN_UNDEF && at < elf.SHN_LORESERVE {
			if int(at) >= len(r.all) {
				return malformedELF("symbol %q is in section %d of %d", s.name, at, len(r.all))
			}
			s.section = r.all[at]
		}
		r.symbols = append(r.symbols, s)
	}
	return nil
}

// relocations reads the tables of relocations.
func (r *elfReader) relocations() error {
	for _, s := range r.sections {
		if elf.SectionType(s.Type) != elf.SHT_REL {
			continue
		}
		if s.Info == 0 || int(s.Info) >= len(r.all) || s.link != r.symtab || s.link == nil || len(s.data)%elfRelocSize != 0 {
			return malformedELF("its table of relocations, %s", s.name)
		}
		s.target = r.all[s.Info]
		for table := s.data; len(table) > 0; table = table[elfRelocSize:] {
			var entry elf.Rel64
			readStruct(table, r.Order, &entry)
			reloc := elfReloc{offset: entry.Off, kind: elf.R_TYPE64(entry.Info)}
			if n := elf.R_SYM64(entry.Info); int64(n) > int64(len(r.symbols)) {
				return malformedELF("a relocation in %s with symbol %d of %d", s.name, n, len(r.symbols))
			} else if n > 0 {
				reloc.symbol = r.symbols[n-1]
			}
			s.relocs = append(s.relocs, reloc)
		}
	}
	return nil
}

// readStruct reads a structure of fixed size, field by field. b is long enough.
func readStruct(b []byte, order binary.ByteOrder, s any) {
	if _, err := binary.Decode(b, order, s); err != nil {
		panic("ebpf: " + err.Error()) // only structures of debug/elf come here
	}
}
