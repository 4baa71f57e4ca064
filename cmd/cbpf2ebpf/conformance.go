package main

import (
	"encoding/binary"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/spf13/cobra"
)

func conformanceCommand() *cobra.Command {
	var machineCode bool
	cmd := &cobra.Command{
		Use:   "conformance-plugin [MEMORY]",
		Short: "Speak the plugin protocol of the public bpf_conformance suite",
		Long: `Speak the plugin protocol of the public bpf_conformance suite.

A program in hexadecimal comes on stdin, the memory that it works on as an argument in hexadecimal; r0 is
printed in hexadecimal. r1 points at the memory and r2 holds its length. What this engine does not
support is told on stderr, with exit status 1: the JIT takes no loops, atomic operations or calls between
functions.`,
		Example: `  bpf_conformance_runner --test_file_directory tests --plugin_path cbpf2ebpf --plugin_options conformance-plugin
  echo 'b7 00 00 00 2a 00 00 00 95 00 00 00 00 00 00 00' | cbpf2ebpf conformance-plugin --jit`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			var memory string
			if len(args) > 0 {
				memory = args[0]
			}
			program, _, err := readText(cmd, "-")
			if err != nil {
				return err
			}
			run := ebpf.Conformance
			if machineCode {
				run = conformanceJIT
			}
			r0, err := run(string(program), memory)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%x\n", r0)
			return err
		},
	}
	cmd.Flags().BoolVar(&machineCode, "jit", false, "run machine code instead of the interpreter")
	return cmd
}

// conformanceJIT is ebpf.Conformance in machine code.
func conformanceJIT(program, memory string) (uint64, error) {
	code, err := ebpf.DecodeHex(program)
	if err != nil {
		return 0, err
	}
	data, err := ebpf.DecodeHex(memory)
	if err != nil {
		return 0, err
	}
	p, err := ebpf.Decode(code, binary.NativeEndian)
	if err != nil {
		return 0, err
	}
	f, err := jit.CompileBuffer(p)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Run(&ebpf.Packet{Data: data, WireLen: uint32(len(data))})
}
