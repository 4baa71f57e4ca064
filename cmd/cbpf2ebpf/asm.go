package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/spf13/cobra"
)

// byteOrders are the orders in which slots are written.
var byteOrders = map[string]binary.ByteOrder{"native": binary.NativeEndian, "little": binary.LittleEndian, "big": binary.BigEndian}

var byteOrderNames = []string{"native", "little", "big"}

func byteOrder(name string) (binary.ByteOrder, error) {
	if order, ok := byteOrders[name]; ok {
		return order, nil
	}
	return nil, usagef("unknown byte order %q; the orders are %s", name, strings.Join(byteOrderNames, ", "))
}

// fileName is the FILE of a command line, "-" where there is none.
func fileName(args []string) string {
	if len(args) == 0 {
		return "-"
	}
	return args[0]
}

func asmCommand() *cobra.Command {
	var to, out, order string
	forms := []string{"raw", "hex"}
	cmd := &cobra.Command{
		Use:   "asm [FILE]",
		Short: "Assemble the text of an extended program",
		Long: `Assemble the text of an extended program to its bytes.

The text is in the dialect of llvm-objdump, of bpftool prog dump xlated, or in mnemonics; it may have
labels and comments. It is the exact inverse of disasm.`,
		Example: `  cbpf2ebpf asm prog.s -o prog.bin
  cbpf2ebpf -e ip | cbpf2ebpf asm --to hex`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			bytes, err := byteOrder(order)
			switch {
			case err != nil:
				return err
			case to != "raw" && to != "hex":
				return usagef("unknown form %q; the forms are %s", to, strings.Join(forms, ", "))
			case to == "raw" && out == "" && isTerminal(cmd.OutOrStdout()):
				return usagef("raw bytes would upset the terminal: give -o FILE, or --to hex")
			}
			text, name, err := readText(cmd, fileName(args))
			if err != nil {
				return err
			}
			p, err := ebpf.Assemble(text)
			if err != nil {
				return fmt.Errorf("%s: %s", name, strings.TrimRight(ebpf.Caret(text, err), "\n"))
			}
			return writeWhole(cmd, out, func(w io.Writer) error {
				if to == "hex" {
					return writeHexSlots(w, ebpf.Encode(p, bytes))
				}
				_, err := w.Write(ebpf.Encode(p, bytes))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "raw", "`FORM` of the output: "+strings.Join(forms, ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	cmd.Flags().StringVar(&order, "order", "native", "byte `ORDER` of the slots: "+strings.Join(byteOrderNames, ", "))
	complete(cmd, "to", forms...)
	complete(cmd, "order", byteOrderNames...)
	return cmd
}

// listings are the forms that disasm writes.
var listings = []struct {
	name  string
	write func(w io.Writer, p ebpf.Program) error
}{
	{"text", func(w io.Writer, p ebpf.Program) error { return ebpf.Fprint(w, p, ebpf.LLVM) }},
	{"xlated", func(w io.Writer, p ebpf.Program) error { return ebpf.Fprint(w, p, ebpf.Xlated) }},
	{"mnemonic", func(w io.Writer, p ebpf.Program) error { return ebpf.Fprint(w, p, ebpf.Mnemonic) }},
	{"json", func(w io.Writer, p ebpf.Program) error { return json.NewEncoder(w).Encode(p) }},
	{"carray", func(w io.Writer, p ebpf.Program) error { return ebpf.WriteC(w, p, sourceName) }},
	{"go", func(w io.Writer, p ebpf.Program) error { return ebpf.WriteGo(w, p, sourceName) }},
}

func disasmCommand() *cobra.Command {
	var from, to, out, order string
	var names []string
	for _, l := range listings {
		names = append(names, l.name)
	}
	cmd := &cobra.Command{
		Use:   "disasm [FILE]",
		Short: "Write the text of an extended program",
		Long: `Write the text of an extended program, out of its bytes.

The bytes are 8 a slot, raw or in hexadecimal digits. Whatever they hold, asm makes the same of the text.`,
		Example: `  cbpf2ebpf disasm prog.bin
  bpftool prog dump xlated id 7 opcodes | cbpf2ebpf asm | cbpf2ebpf disasm --to mnemonic`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			bytes, err := byteOrder(order)
			if err != nil {
				return err
			}
			code, name, err := readCode(cmd, fileName(args), from)
			if err != nil {
				return err
			}
			p, err := ebpf.Decode(code, bytes)
			if err != nil {
				return inFile(name, err)
			}
			for _, l := range listings {
				if l.name == to {
					return writeWhole(cmd, out, func(w io.Writer) error { return l.write(w, p) })
				}
			}
			return usagef("unknown form %q; the forms are %s", to, strings.Join(names, ", "))
		},
	}
	cmd.Flags().StringVar(&from, "from", "auto", "`FORM` of the input: auto, raw, hex")
	cmd.Flags().StringVar(&to, "to", "text", "`FORM` of the output: "+strings.Join(names, ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	cmd.Flags().StringVar(&order, "order", "native", "byte `ORDER` of the slots: "+strings.Join(byteOrderNames, ", "))
	complete(cmd, "from", "auto", "raw", "hex")
	complete(cmd, "to", names...)
	complete(cmd, "order", byteOrderNames...)
	return cmd
}

// readCode reads the bytes of a program. Input that is nothing but hexadecimal digits and white space counts as hex.
func readCode(cmd *cobra.Command, file, from string) (code []byte, name string, err error) {
	code, name, err = readText(cmd, file)
	if err != nil {
		return nil, name, err
	}
	digits := strings.Trim(string(code), "0123456789abcdefABCDEF \t\r\n") == ""
	switch {
	case from == "raw" || from == "auto" && !digits:
		return code, name, nil
	case from == "hex" || from == "auto":
		code, err = ebpf.DecodeHex(string(code))
		return code, name, inFile(name, err)
	}
	return nil, name, usagef("unknown form %q; the forms are auto, raw, hex", from)
}
