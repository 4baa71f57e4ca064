package ebpf_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// keepAll is a program that has all to do with byte order: wide constants, registers, offsets.
var keepAll = Program{
	Load(4, R2, R1, SkbLen),
	{Op: OpLoadWide, Dst: R0, Imm: 0x11223344}, {Imm: 0x55667788},
	Mov.Reg32(R0, R2),
	Return(),
}

var drop = Program{Mov.Imm32(R0, 0), Return()}

func writeELF(t testing.TB, order binary.ByteOrder, licence string, functions ...Function) []byte {
	var b bytes.Buffer
	require.NoError(t, WriteELF(&b, order, licence, functions...))
	return b.Bytes()
}

var byteOrders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// debug/elf reads what we wrote as it was meant.
func TestWriteELFIsELF(t *testing.T) {
	for _, order := range byteOrders {
		data := writeELF(t, order, "Dual BSD/GPL",
			Function{Name: "keep", Section: "socket", Program: keepAll},
			Function{Name: "drop", Section: "xdp", Program: drop},
			Function{Name: "none", Section: "socket", Program: drop})
		f, err := elf.NewFile(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, elf.ELFCLASS64, f.Class)
		require.Equal(t, elf.ET_REL, f.Type)
		require.Equal(t, elf.EM_BPF, f.Machine)
		require.Equal(t, order.String(), f.ByteOrder.String())
		socket := f.Section("socket")
		require.Equal(t, elf.SHF_ALLOC|elf.SHF_EXECINSTR, socket.Flags)
		require.Equal(t, uint64(8), socket.Addralign)
		require.Zero(t, socket.Offset%8)
		code, err := socket.Data()
		require.NoError(t, err)
		require.Equal(t, Encode(append(append(Program{}, keepAll...), drop...), order), code)
		licence, err := f.Section("license").Data()
		require.NoError(t, err)
		require.Equal(t, "Dual BSD/GPL\x00", string(licence))
		symbols, err := f.Symbols()
		require.NoError(t, err)
		require.Len(t, symbols, 4)
		none := symbols[2]
		require.Equal(t, "none", none.Name)
		require.Equal(t, elf.STB_GLOBAL, elf.ST_BIND(none.Info))
		require.Equal(t, elf.STT_FUNC, elf.ST_TYPE(none.Info))
		require.Equal(t, uint64(len(keepAll)*SlotSize), none.Value)
		require.Equal(t, uint64(len(drop)*SlotSize), none.Size)
		require.Equal(t, "socket", f.Sections[none.Section].Name)
		require.Equal(t, elf.STT_OBJECT, elf.ST_TYPE(symbols[3].Info))
	}
}

func TestReadELFUndoesWriteELF(t *testing.T) {
	for _, order := range append(byteOrders, binary.NativeEndian) {
		data := writeELF(t, order, "GPL", Function{Name: "keep", Section: "tc", Program: keepAll}, Function{Name: "drop", Section: "tc", Program: drop})
		require.True(t, IsELF(data))
		o, err := ReadELF(data)
		require.NoError(t, err)
		require.Equal(t, "GPL", o.Licence())
		sections, err := o.Code()
		require.NoError(t, err)
		require.Len(t, sections, 1)
		require.Equal(t, append(append(Program{}, keepAll...), drop...), sections[0].Program)
		keep, err := o.Function("keep")
		require.NoError(t, err)
		require.Equal(t, Function{Name: "keep", Section: "tc", Program: keepAll}, keep)
		dropped, err := o.Function("drop")
		require.NoError(t, err)
		require.Equal(t, Function{Name: "drop", Section: "tc", Start: len(keepAll), Program: drop}, dropped)
		_, err = o.Function("main")
		require.ErrorIs(t, err, ReasonNotFound)
		require.ErrorContains(t, err, `"main"; there are keep, drop`)
	}
	o, err := ReadELF(writeELF(t, binary.LittleEndian, ""))
	require.NoError(t, err)
	sections, err := o.Code()
	require.NoError(t, err)
	require.Empty(t, sections)
	require.Empty(t, o.Licence())
}

func TestWriteELFRefuses(t *testing.T) {
	good := Function{Name: "f", Section: "xdp", Program: drop}
	for _, c := range []struct {
		functions []Function
		licence   string
		want      string
	}{
		{[]Function{{Section: "xdp", Program: drop}}, "", `its name is ""`},
		{[]Function{{Name: "a\x00b", Section: "xdp", Program: drop}}, "", `its name is "a\x00b"`},
		{[]Function{{Name: "f", Program: drop}}, "", `the name of its section is ""`},
		{[]Function{{Name: "f", Section: "xdp"}}, "", "f is empty"},
		{[]Function{good, good}, "", "there are two of the name f"},
		{[]Function{{Name: "f", Section: "license", Program: drop}}, "", "the name of its section, license, is taken"},
		{[]Function{{Name: "f", Section: ".symtab", Program: drop}}, "", "the name of its section, .symtab, is taken"},
		{[]Function{{Name: "f", Section: "xdp", Program: drop, Relocations: []Relocation{{0, "map"}}}}, "", "f depends on map"},
		{[]Function{good}, "a\x00b", "a licence with a zero byte"},
	} {
		var b bytes.Buffer
		err := WriteELF(&b, binary.LittleEndian, c.licence, c.functions...)
		require.ErrorContains(t, err, c.want)
		require.True(t, errors.Is(err, ReasonFunction) || errors.Is(err, ReasonELF))
		require.Zero(t, b.Len())
	}
}

// TestReadELFRefuses damages one field after the other.
func TestReadELFRefuses(t *testing.T) {
	good := writeELF(t, binary.LittleEndian, "GPL", Function{Name: "f", Section: "xdp", Program: drop})
	var header elf.Header64
	_, err := binary.Decode(good, binary.LittleEndian, &header)
	require.NoError(t, err)
	// section returns the place of a field of the header of a section: .strtab, license, .symtab, xdp.
	section := func(n, field uint64) uint64 { return header.Shoff + n*64 + field }
	const name, kind, off, size, link, align = 0, 4, 24, 32, 40, 48
	symbols := binary.LittleEndian.Uint64(good[section(3, off):])
	for _, c := range []struct {
		at    uint64
		bytes string
		want  string
	}{
		{0, "\x7fELG", "it does not begin as an ELF file"},
		{4, "\x01", "ELFCLASS32, not ELFCLASS64"},
		{5, "\x03", "byte order 3"},
		{16, "\x02", "ET_EXEC, not ET_REL"},
		{18, "\x3e", "it is for EM_X86_64, not EM_BPF"},
		{58, "\x28", "headers of sections have 40 bytes"},
		{60, "\x00", "0 sections"},
		{62, "\x09", "names in section 9"},
		{40, "\xff\xff\xff\xff\xff\xff\xff\xff", "the table of sections leaves the file"},
		{section(4, off), "\xff\xff\xff\xff\xff\xff\xff\xff", "section 4 leaves the file"},
		{section(4, size), "\xff\xff\xff\xff\xff\xff\xff\x7f", "section 4 leaves the file"},
		{section(4, off), strings.Repeat("\x00", 8) + string(binary.LittleEndian.AppendUint64(nil, uint64(len(good)))), "sections overlap"},
		{section(4, align), "\x03", "section 4 is aligned to 3 bytes"},
		{section(4, align), "\x00\x00\x01", "section 4 is aligned to 65536 bytes"},
		{section(4, name), "\xff\xff", "the name of section 4"},
		{section(4, link), "\x05", "section xdp belongs to section 5 of 5"},
		{section(3, link), "\x00", "its table of symbols, .symtab"},
		{section(3, size), "\x47", "its table of symbols, .symtab"},
		{section(4, kind), "\x02", "its table of symbols, xdp"},
		{symbols + 24, "\xff\xff", "the name of symbol 1"},
		{symbols + 24 + 6, "\x07", `symbol "f" is in section 7 of 5`},
		{section(4, kind), "\x09", "its table of relocations, xdp"},
	} {
		bad := append([]byte(nil), good...)
		copy(bad[c.at:], c.bytes)
		_, err := ReadELF(bad)
		require.ErrorIs(t, err, ReasonELF)
		require.ErrorContains(t, err, c.want)
	}
	odd := append([]byte(nil), good...)
	odd[section(4, size)]--
	o, err := ReadELF(odd)
	require.NoError(t, err)
	_, err = o.Code()
	require.ErrorContains(t, err, "section xdp has 15 bytes, which are no whole slots")
}

// The listing of a section is source of the section, whatever its functions are called.
func TestSectionTextAssembles(t *testing.T) {
	names := []string{"keep", "9lives", "ex it", "räuber", "exit", "x;y", "a\nb", "*/"}
	var functions []Function
	var all Program
	for _, name := range names {
		functions = append(functions, Function{Name: name, Section: "xdp", Program: keepAll})
		all = append(all, keepAll...)
	}
	o, err := ReadELF(writeELF(t, binary.LittleEndian, "", functions...))
	require.NoError(t, err)
	sections, err := o.Code()
	require.NoError(t, err)
	for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
		text := sections[0].AppendText(nil, d)
		back, err := Assemble(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, all, back)
	}
	text := string(sections[0].AppendText(nil, LLVM))
	require.Contains(t, text, "keep:\n       0:\tr2 = ")
	require.Contains(t, text, "; 9lives:\n       5:\tr2 = ")
	require.Contains(t, text, "; \"a\\nb\":\n")
}

// FuzzELF reads anything: it never panics, and what it reads as code prints and assembles again.
func FuzzELF(f *testing.F) {
	for _, order := range byteOrders {
		f.Add(writeELF(f, order, "GPL", Function{Name: "keep", Section: "tc", Program: keepAll}, Function{Name: "drop", Section: "xdp", Program: drop}))
	}
	if _, err := exec.LookPath("clang"); err == nil {
		f.Add(clangObject(f, binary.LittleEndian, withMap))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ReadELF(data)
		if err != nil {
			require.ErrorIs(t, err, ReasonELF)
			return
		}
		_ = o.Licence()
		sections, err := o.Code()
		if err != nil {
			require.ErrorIs(t, err, ReasonELF)
			return
		}
		for _, s := range sections {
			back, err := Assemble(s.AppendText(nil, LLVM))
			require.NoError(t, err)
			require.Equal(t, s.Program, back)
			for _, fn := range s.Functions {
				back, err := Assemble(fn.Only().AppendText(nil, Xlated))
				require.NoError(t, err)
				require.Equal(t, append(Program{}, fn.Program...), append(Program{}, back...))
			}
		}
		for _, s := range sections {
			if len(s.Functions) == 0 {
				continue
			}
			if _, err := o.Replace(s.Functions[0].Name, drop); err == nil {
				_, err := ReadELF(o.Bytes())
				require.NoError(t, err)
			}
			return
		}
	})
}

// clangObject compiles C with all that clang puts into objects.
func clangObject(t testing.TB, order binary.ByteOrder, source string, flags ...string) []byte {
	file := filepath.Join(t.TempDir(), "c.o")
	lines := filepath.Join(t.TempDir(), "source.c") // .BTF quotes it
	require.NoError(t, os.WriteFile(lines, []byte(source), 0o666))
	target := map[binary.ByteOrder]string{binary.LittleEndian: "bpfel", binary.BigEndian: "bpfeb"}[order]
	args := append([]string{"-O2", "-g", "--target=" + target, "-c", lines, "-o", file}, flags...)
	clang := exec.Command("clang", args...)
	out, err := clang.CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return data
}

// withMap is source of an object with a map, functions that are called, and two sections.
const withMap = `
#define SEC(n) __attribute__((section(n), used))
struct { int (*type)[2]; unsigned *key; unsigned long long *value; int (*max_entries)[4]; } counters SEC(".maps");
static void *(*const lookup)(void *, const void *) = (void *)1;
__attribute__((noinline)) int local(int x) { return x * 3; }
static __attribute__((noinline)) int count(unsigned key) {
	unsigned long long *v = lookup(&counters, &key);
	if (v) ++*v;
	return local(key);
}
SEC("xdp") int first(unsigned *ctx) { return count(ctx[3]) & 3; }
SEC("xdp") int second(unsigned *ctx) { return local(ctx[3]) & 3; }
char _license[] SEC("license") = "GPL";
`
