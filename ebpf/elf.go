package ebpf

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"strings"
)

// Reasons for which an object file is refused.
const (
	ReasonELF      Reason = "this is no relocatable ELF object of BPF programs"
	ReasonFunction Reason = "this cannot be a function of an object"
	ReasonNotFound Reason = "there is no such function in the object"
)

// Function is one function of an object: a program, or a part of programs that call it.
type Function struct {
	// Name is that of its symbol.
	Name string
	// Section is where it stands; the name tells loaders which kind of program it is: "socket", "tc", "xdp.frags",
	// "cgroup_skb/ingress", "kprobe/FUNCTION". What stands in ".text" is called by programs elsewhere.
	Section string
	// Start is its first slot, counted from the beginning of the section.
	Start   int
	Program Program
	// Relocations are those of its section that lie in it.
	Relocations []Relocation
}

// Section is a section of an object that holds code.
type Section struct {
	Name        string
	Program     Program    // all of it
	Functions   []Function // in the order of their places; two that stand at the same place are names of one
	Relocations []Relocation
}

// Relocation is a slot that depends on a symbol: on the address of a map, or the distance to another function.
type Relocation struct {
	PC     int    // counted from the beginning of the section
	Symbol string // its name; that of the section where it has none
}

// Object is a relocatable ELF file of BPF programs, as clang and WriteELF write it, and as libbpf, bpftool and cilium/ebpf
// load it. Its parts point at each other; what numbers them in the file is only made when it is written.
type Object struct {
	Order binary.ByteOrder // of the file and of the programs in it

	header   elf.Header64
	sections []*elfSection // without the empty one at the front
	symbols  []*elfSymbol  // likewise
	names    *elfSection   // of sections; in sections too
}

// elfSection is a section. The fields Off, Size, Link and Info of the header are made anew from the others.
type elfSection struct {
	elf.Section64
	name   string
	data   []byte
	owned  bool        // data is not part of the file that was read
	link   *elfSection // nil for none
	target *elfSection // of relocations: the section whose places they are for
	relocs []elfReloc  // of relocations: what data was read from and will be written from
}

// elfSymbol is a symbol. section is nil where Shndx says something else than a section.
type elfSymbol struct {
	elf.Sym64
	name    string
	section *elfSection
}

// elfReloc is a place in a section that depends on a symbol; symbol is nil for none.
type elfReloc struct {
	offset uint64
	kind   uint32
	symbol *elfSymbol
}

// Sizes of the structures in the file.
const (
	elfHeaderSize  = 64
	elfSectionSize = 64
	elfSymbolSize  = 24
	elfRelocSize   = 16
)

// WriteELF writes functions as a relocatable object with the licence, which may be empty, in a section of that name. The
// byte order is that of the machine that will load it. It needs no maps and no BTF, so every loader takes it as it is. The
// functions must have names and sections, and no relocations; those of one section stand in it in the order given.
func WriteELF(w io.Writer, order binary.ByteOrder, licence string, functions ...Function) error {
	o := newObject(order)
	if strings.Contains(licence, "\x00") {
		return fault(ReasonELF, -1, "a licence with a zero byte")
	}
	license := o.addSection("license", elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_WRITE, 1)
	license.data = append([]byte(licence), 0)
	symtab := o.addSection(".symtab", elf.SHT_SYMTAB, 0, 8)
	symtab.link, symtab.Entsize = o.names, elfSymbolSize
	for _, f := range functions {
		if err := o.addFunction(f); err != nil {
			return err
		}
	}
	o.addSymbol("_license", elf.STT_OBJECT, license, 0, uint64(len(license.data)))
	_, err := w.Write(o.bytes())
	return err
}

// newObject makes an object with a section for names and nothing else.
func newObject(order binary.ByteOrder) *Object {
	o := &Object{Order: order}
	o.header.Type, o.header.Machine, o.header.Version = uint16(elf.ET_REL), uint16(elf.EM_BPF), uint32(elf.EV_CURRENT)
	copy(o.header.Ident[:], elf.ELFMAG)
	o.header.Ident[elf.EI_CLASS], o.header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.EV_CURRENT)
	o.header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	if isBig(order) {
		o.header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	o.names = &elfSection{data: []byte{0}}
	o.names.Type, o.names.Addralign = uint32(elf.SHT_STRTAB), 1
	o.names.Name = o.addName(".strtab")
	o.sections = append(o.sections, o.names)
	return o
}

// addName puts a name into the table of names and returns its place.
func (o *Object) addName(name string) uint32 {
	at := len(o.names.data)
	o.names.data = append(append(o.names.data, name...), 0)
	return uint32(at)
}

func (o *Object) addSection(name string, kind elf.SectionType, flags elf.SectionFlag, align uint64) *elfSection {
	s := &elfSection{name: name}
	s.Name, s.Type, s.Flags, s.Addralign = o.addName(name), uint32(kind), uint64(flags), align
	o.sections = append(o.sections, s)
	return s
}

// addSymbol adds a global symbol.
func (o *Object) addSymbol(name string, kind elf.SymType, section *elfSection, value, size uint64) {
	s := &elfSymbol{name: name, section: section}
	s.Name, s.Info, s.Value, s.Size = o.addName(name), elf.ST_INFO(elf.STB_GLOBAL, kind), value, size
	o.symbols = append(o.symbols, s)
}

// addFunction appends a function to its section, which is made where there is none.
func (o *Object) addFunction(f Function) error {
	switch {
	case f.Name == "" || strings.Contains(f.Name, "\x00"):
		return fault(ReasonFunction, -1, "its name is %q", f.Name)
	case f.Section == "" || strings.Contains(f.Section, "\x00"):
		return fault(ReasonFunction, -1, "the name of its section is %q", f.Section)
	case len(f.Program) == 0:
		return fault(ReasonFunction, -1, "%s is empty", f.Name)
	case len(f.Relocations) > 0:
		return fault(ReasonFunction, -1, "%s depends on %s", f.Name, f.Relocations[0].Symbol)
	}
	for _, s := range o.symbols {
		if s.name == f.Name {
			return fault(ReasonFunction, -1, "there are two of the name %s", f.Name)
		}
	}
	s := o.section(f.Section)
	switch {
	case s == nil:
		s = o.addSection(f.Section, elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_EXECINSTR, SlotSize)
	case !s.executable():
		return fault(ReasonFunction, -1, "the name of its section, %s, is taken by another", f.Section)
	}
	start := uint64(len(s.data))
	s.data = AppendTo(s.data, f.Program, o.Order)
	o.addSymbol(f.Name, elf.STT_FUNC, s, start, uint64(len(s.data))-start)
	return nil
}

// section returns the first section of the name, nil if there is none.
func (o *Object) section(name string) *elfSection {
	for _, s := range o.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

// executable reports whether the section holds code.
func (s *elfSection) executable() bool {
	return elf.SectionType(s.Type) == elf.SHT_PROGBITS && elf.SectionFlag(s.Flags)&elf.SHF_EXECINSTR != 0
}

// Licence is the licence of the programs; empty where the object names none.
func (o *Object) Licence() string {
	if s := o.section("license"); s != nil {
		return strings.TrimRight(string(s.data), "\x00")
	}
	return ""
}
