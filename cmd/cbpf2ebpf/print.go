package main

import (
	"io"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

func printCommand() *cobra.Command {
	var src source
	var to, out string
	names := make([]string, 0, len(cbpf.Notations()))
	for _, n := range cbpf.Notations() {
		names = append(names, string(n))
	}
	cmd := &cobra.Command{
		Use:   "print [FILE] --to NOTATION",
		Short: "Write a program in another notation",
		Long: `Write a classic program in another notation.

Nothing is lost and nothing is judged: what is printed reads back as the very same instructions, invalid
ones and fields without meaning included.`,
		Example: `  tcpdump -ddd 'tcp port 80' | cbpf2ebpf print --to tcpdump
  cbpf2ebpf print filter.d --to asm -o filter.s
  iptables -m bpf --bytecode "$(cbpf2ebpf print filter.d --to xtbpf)"`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			notation, err := cbpf.NotationByName(to)
			if err != nil || notation == cbpf.Auto {
				return usagef("unknown notation %q; the notations are %s", to, strings.Join(names, ", "))
			}
			if strings.HasPrefix(to, "raw") && out == "" && isTerminal(cmd.OutOrStdout()) {
				return errUpset("raw")
			}
			link, err := src.link(difftest.LinkEthernet)
			if err != nil {
				return err
			}
			in, err := src.program(cmd, args, link)
			if err != nil {
				return err
			}
			text, err := cbpf.Print(in.program, notation)
			if err != nil {
				return in.fault(err)
			}
			return writeWhole(cmd, out, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})
		},
	}
	src.flags(cmd)
	cmd.Flags().StringVar(&to, "to", string(cbpf.Listing), "`NOTATION` to write: "+strings.Join(names, ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	complete(cmd, "to", names...)
	return cmd
}
