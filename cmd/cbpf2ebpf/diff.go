package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

// diffFlags are what the diff command is told.
type diffFlags struct {
	src     source
	traces  []string
	engines []string
}

func diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [FILE...] -r TRACE...",
		Short: "Run programs over traces in every engine, and show whether all agree",
		Long: `Run programs over traces in every engine, and show whether all agree.

Every verdict is held against that of the reference interpreter on the packet as the engine sees it. The
exit status is 1 if any differs without a known reason; then program, packet and verdicts are printed,
and the smallest program and packet found that show the same.

Engines:
  ` + columns(difftest.EngineNames()) + `.`,
		Example: `  cbpf2ebpf diff filter.d -r trace.pcap
  cbpf2ebpf diff filters/*.d -r a.pcap -r b.pcapng
  cbpf2ebpf diff -e 'tcp port 80' -r trace.pcap --engine jit,kernel-ebpf`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.src.flags(cmd)
	cmd.Flags().StringArrayVarP(&f.traces, "read", "r", nil, "`TRACE` to read, pcap or pcapng; may be given more than once")
	cmd.Flags().StringSliceVar(&f.engines, "engine", nil, "`ENGINES` to compare with the reference (default all)")
	complete(cmd, "engine", difftest.EngineNames()...)
	return cmd
}

func (f *diffFlags) run(cmd *cobra.Command, args []string) error {
	if len(f.traces) == 0 {
		return usagef("no trace: give -r TRACE")
	}
	if bothFromStdin(cmd, args, f.traces...) {
		return errBothFromStdin
	}
	if len(f.engines) == 0 {
		f.engines = difftest.EngineNames()
	}
	engines, err := difftest.EnginesByName(f.engines)
	if err != nil {
		return &usageError{err}
	}
	return f.runEngines(cmd, args, engines)
}

// runEngines compares, and shows what was found even where an error ended the comparison.
func (f *diffFlags) runEngines(cmd *cobra.Command, args []string, engines []difftest.Engine) error {
	var report difftest.Report
	err := f.compare(cmd, args, engines, &report)
	if report.Packets > 0 {
		if printErr := report.Fprint(cmd.OutOrStdout()); printErr != nil {
			return printErr
		}
	}
	switch {
	case err != nil:
		return err
	case report.Differ > 0:
		fmt.Fprintf(cmd.ErrOrStderr(), "cbpf2ebpf: %d disagreements\n", report.Differ)
		return errTold
	case report.Packets == 0:
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "no packets: nothing was compared")
	default:
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "no disagreement")
	}
	return err
}

// compare runs the programs over all traces. The report holds what was found in front of an error.
func (f *diffFlags) compare(cmd *cobra.Command, args []string, engines []difftest.Engine, report *difftest.Report) error {
	var programs []difftest.Named
	var link difftest.LinkType // that an expression was compiled for
	bar := newProgress(cmd, "packets x programs", false, -1)
	defer bar.end()
	for _, path := range f.traces {
		trace, err := openTrace(cmd, path)
		if err != nil {
			return err
		}
		if programs == nil || cmd.Flags().Changed("expr") && trace.Link() != link {
			link = trace.Link()
			programs, err = f.programs(cmd, args, link)
		}
		if err == nil {
			err = report.Compare(programs, engines, trace.Trace, bar.add)
		}
		trace.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// programs reads and validates all programs of the command line. An expression is compiled for the given link type.
func (f *diffFlags) programs(cmd *cobra.Command, files []string, traceLink difftest.LinkType) ([]difftest.Named, error) {
	link, err := f.src.link(traceLink)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		files = []string{"-"}
		if cmd.Flags().Changed("expr") {
			files = []string{""}
		}
	}
	var programs []difftest.Named
	for _, file := range files {
		var one []string
		if file != "" {
			one = []string{file}
		}
		in, err := f.src.valid(cmd, one, link)
		if err != nil {
			return nil, err
		}
		programs = append(programs, difftest.Named{Name: in.name, Program: in.program})
	}
	return programs, nil
}

// columns lists names with a few in each line.
func columns(names []string) string {
	const perLine = 8
	var lines []string
	for line := range slices.Chunk(names, perLine) {
		lines = append(lines, strings.Join(line, ", "))
	}
	return strings.Join(lines, ",\n  ")
}
