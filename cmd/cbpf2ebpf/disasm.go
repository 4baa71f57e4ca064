package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/spf13/cobra"
)

// listings are the forms that disasm writes. Those that are text for people can write several sections, one behind the other.
var listings = []struct {
	name    string
	several bool
	write   func(w io.Writer, s *ebpf.Section) error
}{
	{"text", true, func(w io.Writer, s *ebpf.Section) error { return writeText(w, s, ebpf.LLVM) }},
	{"xlated", true, func(w io.Writer, s *ebpf.Section) error { return writeText(w, s, ebpf.Xlated) }},
	{"mnemonic", true, func(w io.Writer, s *ebpf.Section) error { return writeText(w, s, ebpf.Mnemonic) }},
	{"json", false, func(w io.Writer, s *ebpf.Section) error { return json.NewEncoder(w).Encode(s.Program) }},
	{"carray", false, func(w io.Writer, s *ebpf.Section) error { return ebpf.WriteC(w, s.Program, sourceName) }},
	{"go", false, func(w io.Writer, s *ebpf.Section) error { return ebpf.WriteGo(w, s.Program, sourceName) }},
}

func writeText(w io.Writer, s *ebpf.Section, d ebpf.Dialect) error {
	if s.Name != "" {
		if _, err := fmt.Fprintf(w, "; section %q\n", s.Name); err != nil {
			return err
		}
	}
	_, err := w.Write(s.AppendText(nil, d))
	return err
}

// codeForms are the forms that disasm reads.
var codeForms = []string{"auto", "raw", "hex", "elf"}

// code says where the bytes of an extended program are, and what they are.
type code struct {
	from, order     string
	section, symbol string // of an object; empty for all
}

func (c *code) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.from, "from", "auto", "`FORM` of the input: "+strings.Join(codeForms, ", "))
	cmd.Flags().StringVar(&c.order, "order", "native", "byte `ORDER` of slots outside of an object: "+strings.Join(byteOrderNames, ", "))
	cmd.Flags().StringVar(&c.section, "section", "", "read only this `SECTION` of an object")
	cmd.Flags().StringVar(&c.symbol, "symbol", "", "read only the `FUNCTION` of this name in an object")
	complete(cmd, "from", codeForms...)
	complete(cmd, "order", byteOrderNames...)
}

func disasmCommand() *cobra.Command {
	var in code
	var to, out string
	var names []string
	for _, l := range listings {
		names = append(names, l.name)
	}
	cmd := &cobra.Command{
		Use:   "disasm [FILE]",
		Short: "Write the text of an extended program",
		Long: `Write the text of an extended program, out of its bytes.

The bytes are 8 a slot, raw, in hexadecimal digits, or in an object file as clang makes it, whose
functions and maps are named then. Whatever they hold, asm makes the same of the text of a section.`,
		Example: `  cbpf2ebpf disasm prog.bin
  cbpf2ebpf disasm prog.o --symbol xdp_main
  bpftool prog dump xlated id 7 opcodes | cbpf2ebpf asm | cbpf2ebpf disasm --to mnemonic`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			i := slices.Index(names, to)
			if i < 0 {
				return usagef("unknown form %q; the forms are %s", to, strings.Join(names, ", "))
			}
			sections, err := in.read(cmd, fileName(args))
			if err != nil {
				return err
			}
			if len(sections) > 1 && !listings[i].several {
				return usagef("--to %s is for one section: choose with --section or --symbol; %s", to, contents(sections))
			}
			return writeWhole(cmd, out, func(w io.Writer) error {
				for n := range sections {
					if err := listings[i].write(w, &sections[n]); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	in.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "text", "`FORM` of the output: "+strings.Join(names, ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	complete(cmd, "to", names...)
	return cmd
}

// read reads the code. Input in which there is no other byte than those of text counts as hex.
func (c *code) read(cmd *cobra.Command, file string) ([]ebpf.Section, error) {
	order, err := byteOrder(c.order)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(codeForms, c.from) {
		return nil, usagef("unknown form %q; the forms are %s", c.from, strings.Join(codeForms, ", "))
	}
	data, name, err := readText(cmd, file)
	if err != nil {
		return nil, err
	}
	if c.from == "elf" || c.from == "auto" && ebpf.IsELF(data) {
		sections, err := c.object(data)
		return sections, inFile(name, err)
	}
	if c.section != "" || c.symbol != "" {
		return nil, usagef("--section and --symbol are for object files, which %s is not", name)
	}
	p, err := decodeSlots(data, c.from, order)
	return []ebpf.Section{{Program: p}}, placed(name, data, notEmpty(p, err))
}

// decodeSlots reads slots, raw or in hex.
func decodeSlots(data []byte, from string, order binary.ByteOrder) (ebpf.Program, error) {
	isText := bytes.IndexFunc(data, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }) < 0
	if from == "hex" || from == "auto" && isText {
		var err error
		if data, err = ebpf.DecodeHex(string(data)); err != nil {
			return nil, err
		}
	}
	return ebpf.Decode(data, order)
}

// object reads what is wanted of an object.
func (c *code) object(data []byte) ([]ebpf.Section, error) {
	o, err := ebpf.ReadELF(data)
	if err != nil {
		return nil, err
	}
	sections, err := o.Code()
	if err != nil {
		return nil, err
	}
	var wanted []ebpf.Section
	for _, s := range sections {
		if c.section != "" && s.Name != c.section {
			continue
		}
		if c.symbol == "" {
			wanted = append(wanted, s)
		}
		for i := range s.Functions {
			if f := &s.Functions[i]; f.Name == c.symbol {
				wanted = append(wanted, *f.Only())
			}
		}
	}
	switch {
	case len(wanted) > 0:
		return wanted, nil
	case len(sections) == 0:
		return nil, fmt.Errorf("the object has no code")
	}
	return nil, fmt.Errorf("the object has no such code; %s", contents(sections))
}

// contents lists sections and what they hold.
func contents(sections []ebpf.Section) string {
	var list []string
	for _, s := range sections {
		var names []string
		for _, f := range s.Functions {
			names = append(names, f.Name)
		}
		list = append(list, fmt.Sprintf("%s (%s)", s.Name, strings.Join(names, ", ")))
	}
	return "there are " + strings.Join(list, ", ")
}
