package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/inject"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

func injectCommand() *cobra.Command {
	var src source
	var symbol, out string
	var opts inject.Options
	var t translation
	var probe bool
	cmd := &cobra.Command{
		Use:   "inject OBJECT [FILE] --symbol STUB",
		Short: "Put a filter into an object file of extended programs",
		Long: `Put a classic filter into an object file of extended programs, in the place of a function that takes
five arguments, of which the last two point at the packet and behind it:

  static __attribute__((noinline))
  bool filter_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
  {
      return data != data_end && _1 == _2 && _2 == _3;
  }

The stub then returns 1 for packets that match and 0 for others; with --verdict it returns what the filter
does. With --probe the last two arguments are addresses in the memory of the kernel, as programs for
tracing have them; the object must be under the GPL. All else in the object stays as it is, BTF included; only DWARF is left out.`,
		Example: `  cbpf2ebpf inject prog.o --symbol filter_stub -e 'tcp port 80' -o filtered.o
  tcpdump -ddd 'udp' | cbpf2ebpf inject prog.o --symbol filter_stub -o filtered.o`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("one OBJECT and one FILE at most, not %d: %q", len(args), args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case t.optimize < 0 || t.optimize > translate.MaxOptimize:
				return t.noLevel()
			case symbol == "":
				return usagef("which function is the filter to replace? give --symbol STUB")
			case out == "" && isTerminal(cmd.OutOrStdout()):
				return usagef("an object would upset the terminal: give -o FILE")
			case args[0] == "-" && !cmd.Flags().Changed("expr") && fileName(args[1:]) == "-":
				return usagef("object and filter cannot both come from stdin")
			}
			link, err := src.link(difftest.LinkEthernet)
			if err != nil {
				return err
			}
			in, err := src.program(cmd, args[1:], link)
			if err != nil {
				return err
			}
			object, name, err := readText(cmd, args[0])
			if err != nil {
				return err
			}
			opts.Windows, opts.NetOff, opts.Optimize = true, link.Options(0).NetOff, t.optimize
			if probe {
				opts.Access = translate.AccessProbe
			}
			changed, report, err := inject.Object(object, symbol, in.program, opts)
			if err != nil {
				return injectFault(err, in, name)
			}
			err = writeWhole(cmd, out, func(w io.Writer) error {
				_, err := w.Write(changed)
				return err
			})
			if err == nil && out != "" && out != "-" {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s in section %s has %d instructions now, it had %d\n",
					out, symbol, report.Section, report.Is, report.Was)
			}
			return err
		},
	}
	src.flags(cmd)
	cmd.Flags().StringVar(&symbol, "symbol", "", "`FUNCTION` of the object that the filter replaces")
	t.levelFlag(cmd, translate.MaxOptimize)
	cmd.Flags().BoolVar(&opts.Verdict, "verdict", false, "return what the filter returns, not just whether it is other than 0")
	cmd.Flags().BoolVar(&probe, "probe", false, "read by probe_read_kernel: the last two arguments are addresses, as programs at functions of the kernel have them")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	return cmd
}

// injectFault says of an error whether the filter is at fault or the object.
func injectFault(err error, filter *input, object string) error {
	var classic cbpf.Errors
	var lacks *translate.SnippetError
	if errors.As(err, &classic) || errors.As(err, &lacks) {
		return filter.fault(err)
	}
	return inFile(object, err)
}
