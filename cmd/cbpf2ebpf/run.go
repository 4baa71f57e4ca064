package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
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
	perfMap  bool
	profile  string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [FILE] -r TRACE | --syscall CALL",
		Short: "Run a program over a packet trace, or a seccomp filter on system calls",
		Long: `Run a program over a pcap or pcapng trace, or a seccomp filter on system calls.

The program is translated and, by default, compiled to machine code; where that is not possible it is
interpreted, and a note on stderr says so. A packet matches if its verdict is not 0. What is written
with -w is what a capture would keep: of each matching packet as many bytes as the verdict says, or all of it with
targets and actions that only say whether it matches.

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
	f.t.flags(cmd, "", translate.MaxOptimize)
	cmd.Flags().StringVarP(&f.trace, "read", "r", "", "`TRACE` to read, pcap or pcapng; - for stdin")
	cmd.Flags().StringVarP(&f.out, "write", "w", "", "write what matches to `FILE` as pcap, whole or not at all; - for stdout")
	cmd.Flags().StringVar(&f.engine, "engine", "jit", "`ENGINE` that runs the program: "+strings.Join(engineNames(), ", "))
	cmd.Flags().BoolVar(&f.verdicts, "verdicts", false, "print the verdict of each packet, one decimal number a line")
	cmd.Flags().BoolVar(&f.count, "count", false, "print nothing but the number of packets that match")
	cmd.Flags().StringArrayVar(&f.syscalls, "syscall", nil, "`CALL` to run a seccomp filter on; may be given more than once")
	archFlag(cmd, &f.archs, "`ARCH` of the calls")
	cmd.Flags().BoolVar(&f.perfMap, "perf-map", false, "leave a file with the name of the machine code where perf report looks for it")
	cmd.Flags().StringVar(&f.profile, "cpu-profile", "", "write a CPU profile of the run to `FILE`, for go tool pprof")
	complete(cmd, "engine", engineNames()...)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.trace == "" && len(f.syscalls) > 0 && f.out == "" && !f.count && !f.perfMap && f.profile == "":
		return f.runSyscalls(cmd, args)
	case len(f.syscalls) > 0:
		return usagef("--syscall goes with neither -r nor -w nor --count, nor with a profile")
	case len(f.archs) > 0:
		return usagef("--arch goes with --syscall")
	case f.trace == "":
		return usagef("no trace: give -r TRACE, or --syscall CALL for a seccomp filter")
	case bothFromStdin(cmd, args, f.trace):
		return errBothFromStdin
	case f.verdicts && f.count:
		return usagef("--verdicts or --count, not both")
	case (f.verdicts || f.count) && f.out == "-":
		return usagef("packets and text cannot both go to stdout: -w FILE, or neither --verdicts nor --count")
	case f.perfMap && f.engine != "jit":
		return usagef("engine %s runs no machine code of ours: --perf-map goes with --engine jit", f.engine)
	case f.profile == "-":
		return usagef("a profile cannot go to stdout: give --cpu-profile FILE")
	case f.out == "-" && isTerminal(cmd.OutOrStdout()):
		return usagef("packets would upset the terminal: give -w FILE")
	}
	prepare, err := f.engineMaker(cmd)
	if err != nil {
		return err
	}
	trace, in, link, err := f.src.withTrace(cmd, args, f.trace)
	if err != nil {
		return err
	}
	defer trace.Close()
	engine, err := prepare(in.program, link)
	if err != nil {
		return in.fault(err)
	}
	defer engine.close()
	if err := f.notes(cmd, in, link); err != nil {
		return err
	}
	engine.label = pprof.Labels(f.engine, filepath.Base(in.name))
	if f.perfMap {
		if err := engine.writePerfMap(filepath.Base(in.name), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if engine.note != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "cbpf2ebpf: %s\n", engine.note)
	}
	return f.profiled(cmd, func() error { return f.overTrace(cmd, trace, engine) })
}

// notes tells of the limits of the translation, if one is run.
func (f *runFlags) notes(cmd *cobra.Command, in *input, link difftest.LinkType) error {
	if f.t.target == "" {
		return nil
	}
	opts, err := f.t.options(link)
	if err != nil {
		return err
	}
	r, err := translate.Translate(in.program, opts)
	if err != nil {
		return in.fault(err)
	}
	in.notes(cmd.ErrOrStderr(), r.Bounds)
	return nil
}

// profiled does the job, with a profile of it if one is asked for.
func (f *runFlags) profiled(cmd *cobra.Command, job func() error) error {
	if f.profile == "" {
		return job()
	}
	return writeWhole(cmd, f.profile, func(w io.Writer) error {
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		return job()
	})
}

// overTrace runs the engine over the packets and writes what is asked for.
func (f *runFlags) overTrace(cmd *cobra.Command, trace *openedTrace, engine *engine) error {
	bar := new(progress)
	if !f.verdicts || !isTerminal(cmd.OutOrStdout()) { // it would stand between the verdicts on a terminal
		bar = trace.progress(cmd)
		defer bar.end()
	}
	job := overTrace{engine: engine, bar: bar}
	if f.verdicts {
		job.lines = cmd.OutOrStdout()
	}
	if err := f.withOutput(cmd, trace.Trace, &job); err != nil {
		return err
	}
	bar.end()
	var err error
	switch {
	case f.count:
		_, err = fmt.Fprintln(cmd.OutOrStdout(), job.matched)
	case !f.verdicts && f.out != "-":
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d of %d packets match\n", job.matched, job.total)
	}
	return err
}

// withOutput does the job with the place that packets are written to.
func (f *runFlags) withOutput(cmd *cobra.Command, trace *difftest.Trace, job *overTrace) error {
	switch f.out {
	case "":
		return job.do(trace)
	case "-": // at once: somebody may look on
		return job.write(trace, cmd.OutOrStdout())
	}
	return writeWhole(cmd, f.out, func(out io.Writer) error { return job.write(trace, out) })
}

// overTrace is the job of one engine on one trace: what it writes, and what it counts.
type overTrace struct {
	engine  *engine
	bar     *progress
	lines   io.Writer        // where the verdicts go; nil: nowhere
	packets *difftest.Writer // where the packets go that match; nil: nowhere

	total, matched int
	verdicts       []uint32 // of the batch in hand
	text           []byte
}

// write does the job, and writes to out what matches.
func (j *overTrace) write(trace *difftest.Trace, out io.Writer) (err error) {
	if j.packets, err = trace.Writer(out); err != nil {
		return err
	}
	return j.do(trace)
}

// do judges all packets of the trace.
func (j *overTrace) do(trace *difftest.Trace) error {
	return eachBatch(trace, func(b *difftest.Batch) error {
		j.bar.add(len(b.Data))
		j.verdicts = slices.Grow(j.verdicts[:0], len(b.Descs))[:len(b.Descs)]
		var err error
		pprof.Do(context.Background(), j.engine.label, func(context.Context) { err = j.engine.judge(b, j.verdicts) })
		if err != nil {
			return fmt.Errorf("%s: %w", trace.Name(), err)
		}
		return j.tell(b)
	})
}

// tell counts and writes what came of a batch.
func (j *overTrace) tell(b *difftest.Batch) error {
	j.total += len(j.verdicts)
	for _, v := range j.verdicts {
		if v != 0 {
			j.matched++
		}
	}
	if j.lines != nil {
		j.text = j.text[:0]
		for _, v := range j.verdicts {
			j.text = append(strconv.AppendUint(j.text, uint64(v), 10), '\n')
		}
		if _, err := j.lines.Write(j.text); err != nil {
			return err
		}
	}
	if j.packets == nil {
		return nil
	}
	if j.engine.whole {
		for i, v := range j.verdicts {
			j.verdicts[i] = -min(v, 1) // all of the packet, or nothing
		}
	}
	return j.packets.WriteBatch(b, j.verdicts)
}
