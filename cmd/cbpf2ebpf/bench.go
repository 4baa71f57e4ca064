package main

import (
	"io"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// benchFlags are what the bench command is told.
type benchFlags struct {
	src       source
	t         translation
	trace     string
	compilers []string
	rounds    int
	sample    time.Duration
	json      bool
}

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [FILE] -r TRACE",
		Short: "Measure how long a program takes for a packet, in every engine side by side",
		Long: `Measure how long a program takes for a packet, in every engine side by side.

Packets come from the trace: small is its first 256 KiB, which stay in the cache, always in the same order, so that
the processor learns every branch; shuf is the same packets in 64 orders, which it cannot learn; big is all of the
trace up to 200 MiB. Engines take turns. Before that, their verdicts are compared.

Engines:
  jit         machine code for all packets in one call, in the way that it finds to be faster
  jit-vector  the same, 16 at once
  jit-scalar  the same, one by one
  jit-run     the same, one call a packet
  interp      the interpreter of extended programs
  classic     the reference interpreter of classic programs
  xnet        the VM of golang.org/x/net/bpf
  kernel      test-runs in the kernel, less the time of an empty program
  libpcap     bpf_filter of libpcap, in builds with cgo and -tags libpcap
  C           what --to cfunc makes, if --cc names a compiler; a loop in a process of its own`,
		Example: `  cbpf2ebpf bench filter.d -r trace.pcap
  cbpf2ebpf bench -e 'tcp port 80' -r trace.pcap --cc clang --cc gcc --json`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.src.flags(cmd)
	f.t.levelFlag(cmd, translate.MaxOptimize)
	cmd.Flags().StringVarP(&f.trace, "read", "r", "", "`TRACE` with the packets, pcap or pcapng; - for stdin")
	cmd.Flags().StringArrayVar(&f.compilers, "cc", nil, "measure C too, compiled by this `COMPILER` with -O2; may be given more than once")
	cmd.Flags().IntVar(&f.rounds, "rounds", 11, "`NUMBER` of rounds")
	cmd.Flags().DurationVar(&f.sample, "sample", 5*time.Millisecond, "`TIME` of an engine's turn")
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON")
	return cmd
}

func (f *benchFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.trace == "":
		return usagef("no trace: give -r TRACE")
	case bothFromStdin(cmd, args, f.trace):
		return errBothFromStdin
	case f.rounds < 1 || f.sample <= 0:
		return usagef("--rounds and --sample must be more than 0")
	}
	if err := checkCompilers(f.compilers); err != nil {
		return err
	}
	f.t.target = translate.User.String()
	if _, err := f.t.options(difftest.LinkEthernet); err != nil {
		return err
	}
	trace, in, link, err := f.src.withTrace(cmd, args, f.trace)
	if err != nil {
		return err
	}
	defer trace.Close()
	b, err := f.prepare(trace.Trace, in, link)
	if err != nil {
		return err
	}
	defer b.close()
	return f.measure(cmd, b, trace.Name())
}

// prepare reads the packets and readies the engines.
func (f *benchFlags) prepare(trace *difftest.Trace, in *input, link difftest.LinkType) (*bench, error) {
	b := &bench{program: difftest.Named{Name: in.name, Program: in.program}, rounds: f.rounds, sample: f.sample}
	properties, err := b.addLibrary(link, f.t.optimize)
	if err != nil {
		return nil, in.fault(err)
	}
	if b.sets, err = readBenchSets(trace); err != nil {
		b.close()
		return nil, err
	}
	for _, s := range b.sets {
		s.ready(link, properties)
	}
	b.addLibpcap()
	for _, compiler := range f.compilers {
		b.add(compiler, func() (*contender, error) { return compilerContender(compiler, in.program, link, b.sets) })
	}
	return b, nil
}

// measure compares, measures and reports.
func (f *benchFlags) measure(cmd *cobra.Command, b *bench, trace string) error {
	if err := b.compare(cmd.ErrOrStderr()); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	bar := newProgress(cmd, "rounds", false, int64(f.rounds*len(b.sets)))
	err := b.measure(bar.add)
	bar.end()
	if err != nil {
		return err
	}
	r := b.report()
	r.Trace, r.Level = trace, f.t.optimize
	return buffered(cmd.OutOrStdout(), func(w io.Writer) error {
		if f.json {
			return r.writeJSON(w)
		}
		return r.writeText(w)
	})
}
