package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

// runFlags are what the run command is told.
type runFlags struct {
	src      source
	t        translation
	trace    string
	out      string
	engine   string
	verdicts bool
	count    bool
	syscalls []string
	archs    []string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [FILE] -r TRACE | --syscall CALL",
		Short: "Run a program over a packet trace, or a seccomp filter on system calls",
		Long: `Run a program over a pcap or pcapng trace, or a seccomp filter on system calls.

The program is translated and, by default, compiled to machine code; where that is not possible it is
interpreted, and a note on stderr says so. A packet matches if its verdict is not 0. What is written
with -w is what a capture would keep: of each matching packet as many bytes as the verdict says.

With --syscall the program is a seccomp filter, and its action is printed for each call. Arguments are numbers
or names of constants as C has them; those that are missing are 0. With --engine kernel a child process
installs the filter and makes the calls, which the filter keeps from being executed.`,
		Example: `  cbpf2ebpf run filter.d -r trace.pcap --count
  cbpf2ebpf run -e 'tcp port 80' -r trace.pcap -w web.pcap
  tcpdump -d 'icmp' | cbpf2ebpf run -r trace.pcap --engine kernel --verdicts
  cbpf2ebpf run filter.bin --syscall 'openat(AT_FDCWD, 0, O_RDONLY)' --syscall 'i386:socketcall(1)'`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.src.flags(cmd)
	f.t.flags(cmd, "")
	cmd.Flags().StringVarP(&f.trace, "read", "r", "", "`TRACE` to read, pcap or pcapng; - for stdin")
	cmd.Flags().StringVarP(&f.out, "write", "w", "", "write what matches to `FILE` as pcap, whole or not at all; - for stdout")
	cmd.Flags().StringVar(&f.engine, "engine", "jit", "`ENGINE` that runs the program: "+strings.Join(engineNames(), ", "))
	cmd.Flags().BoolVar(&f.verdicts, "verdicts", false, "print the verdict of each packet, one decimal number a line")
	cmd.Flags().BoolVar(&f.count, "count", false, "print nothing but the number of packets that match")
	cmd.Flags().StringArrayVar(&f.syscalls, "syscall", nil, "`CALL` to run a seccomp filter on; may be given more than once")
	archFlag(cmd, &f.archs, "`ARCH` of the calls")
	complete(cmd, "engine", engineNames()...)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.trace == "" && len(f.syscalls) > 0 && f.out == "" && !f.count:
		return f.runSyscalls(cmd, args)
	case len(f.syscalls) > 0:
		return usagef("--syscall goes with neither -r nor -w nor --count")
	case len(f.archs) > 0:
		return usagef("--arch goes with --syscall")
	case f.trace == "":
		return usagef("no trace: give -r TRACE, or --syscall CALL for a seccomp filter")
	case f.trace == "-" && !cmd.Flags().Changed("expr") && (len(args) == 0 || args[0] == "-"):
		return usagef("program and trace cannot both come from stdin")
	case f.verdicts && f.count:
		return usagef("--verdicts or --count, not both")
	case (f.verdicts || f.count) && f.out == "-":
		return usagef("packets and text cannot both go to stdout: -w FILE, or neither --verdicts nor --count")
	case f.out == "-" && isTerminal(cmd.OutOrStdout()):
		return usagef("packets would upset the terminal: give -w FILE")
	}
	prepare, err := f.engineMaker()
	if err != nil {
		return err
	}
	// A bar would stand between the verdicts on a terminal.
	trace, end, err := openTrace(cmd, f.trace, !f.verdicts || !isTerminal(cmd.OutOrStdout()))
	if err != nil {
		return err
	}
	defer end()
	link, err := f.src.link(trace.Link())
	if err != nil {
		return err
	}
	in, err := f.src.valid(cmd, args, link)
	if err != nil {
		return err
	}
	engine, err := prepare(in.program, link)
	if err != nil {
		return in.fault(err)
	}
	defer engine.close()
	if engine.note != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "cbpf2ebpf: %s\n", engine.note)
	}
	return f.overTrace(cmd, trace, end, engine)
}

// overTrace runs the engine over the packets and writes what is asked for. It calls end when the trace is read.
func (f *runFlags) overTrace(cmd *cobra.Command, trace *difftest.Trace, end func(), engine *engine) error {
	var total, matched int
	pass := func(w *difftest.Writer, lines io.Writer) error {
		return eachVerdict(trace, engine, func(rec *difftest.Record, verdict uint32) error {
			total++
			if verdict != 0 {
				matched++
			}
			if f.verdicts {
				if _, err := fmt.Fprintln(lines, verdict); err != nil {
					return err
				}
			}
			if w != nil {
				return w.Write(*rec, verdict)
			}
			return nil
		})
	}
	err := f.withOutputs(cmd, trace, pass)
	end()
	if err != nil {
		return err
	}
	switch {
	case f.count:
		_, err = fmt.Fprintln(cmd.OutOrStdout(), matched)
	case !f.verdicts && f.out != "-":
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d of %d packets match\n", matched, total)
	}
	return err
}

// withOutputs gives the pass over the trace the places that it writes to.
func (f *runFlags) withOutputs(cmd *cobra.Command, trace *difftest.Trace, pass func(*difftest.Writer, io.Writer) error) error {
	return buffered(cmd.OutOrStdout(), func(lines io.Writer) error {
		if f.out == "" {
			return pass(nil, lines)
		}
		return writeWhole(cmd, f.out, func(out io.Writer) error {
			w, err := difftest.NewWriter(out, trace.Link(), trace.Nanos())
			if err != nil {
				return err
			}
			return pass(w, lines)
		})
	})
}

// eachVerdict calls f for each packet of the trace. Packets are judged by the chunk, so that a batch engine has much to
// do in one call.
func eachVerdict(trace *difftest.Trace, engine *engine, f func(rec *difftest.Record, verdict uint32) error) error {
	var c chunk
	for {
		readErr := c.fill(trace)
		if err := engine.judge(&c); err != nil {
			return fmt.Errorf("%s: %w", trace.Name(), err)
		}
		for i := range c.records {
			if err := f(&c.records[i], c.verdicts[i]); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}
