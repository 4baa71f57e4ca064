package main

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var src source
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Accept or refuse a program as the kernel would, with every reason",
		Long: `Accept or refuse a program as SO_ATTACH_FILTER would, with every reason.

The exit status is 0 if the kernel would accept the program, and 1 if it would not.`,
		Example: `  cbpf2ebpf check filter.d
  tcpdump -ddd 'tcp port 80' | cbpf2ebpf check`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			link, err := src.link(difftest.LinkEthernet)
			if err != nil {
				return err
			}
			in, err := src.valid(cmd, args, link)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: accepted, %d instructions of %d\n", in.name, len(in.program), cbpf.MaxInsns)
			return err
		},
	}
	src.flags(cmd)
	return cmd
}
