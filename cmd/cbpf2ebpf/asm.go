package main

import (
	"encoding/binary"
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
			slots, err := byteOrder(order)
			switch {
			case err != nil:
				return err
			case to != "raw" && to != "hex":
				return usagef("unknown form %q; the forms are %s", to, strings.Join(forms, ", "))
			case to == "raw" && out == "" && isTerminal(cmd.OutOrStdout()):
				return errUpset("raw")
			}
			text, name, err := readText(cmd, fileName(args))
			if err != nil {
				return err
			}
			p, err := ebpf.Assemble(text)
			if err := placed(name, text, notEmpty(p, err)); err != nil {
				return err
			}
			return writeWhole(cmd, out, func(w io.Writer) error {
				if to == "hex" {
					return writeHexSlots(w, ebpf.Encode(p, slots))
				}
				_, err := w.Write(ebpf.Encode(p, slots))
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

// notEmpty is err, or the fault of a program without instructions.
func notEmpty(p ebpf.Program, err error) error {
	if err == nil && len(p) == 0 {
		return &ebpf.Error{Reason: ebpf.ReasonEmpty, PC: -1}
	}
	return err
}

// placed puts the name of the file before an error, and shows the places of the text that it tells of.
func placed(name string, text []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", name, strings.TrimRight(ebpf.Caret(text, err), "\n"))
}
