package main

import (
	"fmt"
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var src source
	var seccomp bool
	var archs []string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Accept or refuse a program as the kernel would, with every reason",
		Long: `Accept or refuse a program as SO_ATTACH_FILTER would, with every reason.

The exit status is 0 if the kernel would accept the program, and 1 if it would not. Warnings tell of what
only some engines do alike, and of limits that only loading meets.

With --seccomp the rules are those of seccomp(2), and for an accepted filter a table says which system calls
end in which action, on each architecture that the filter tells apart (or on those of --arch). The table comes
from all paths through the filter, not from samples.`,
		Example: `  cbpf2ebpf check filter.d
  tcpdump -ddd 'tcp port 80' | cbpf2ebpf check
  cbpf2ebpf check --seccomp filter.bin --arch x86_64`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			link, err := src.link(difftest.LinkEthernet)
			if err != nil {
				return err
			}
			if seccomp {
				return checkSeccomp(cmd, args, &src, archs)
			}
			if len(archs) > 0 {
				return usagef("--arch goes with --seccomp")
			}
			in, err := src.valid(cmd, args, link)
			if err != nil {
				return err
			}
			return buffered(cmd.OutOrStdout(), func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: accepted, %d instructions of %d\n", in.name, len(in.program), cbpf.MaxInsns)
				in.warn(w, cbpf.Warnings(in.program))
				return err
			})
		},
	}
	src.flags(cmd)
	cmd.Flags().BoolVar(&seccomp, "seccomp", false, "check a seccomp filter, and list which system calls end in which action")
	archFlag(cmd, &archs, "`ARCH` to list")
	return cmd
}
