package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// archFlag adds --arch.
func archFlag(cmd *cobra.Command, arch *[]string, usage string) {
	var names []string
	for _, a := range cbpf.Archs() {
		names = append(names, a.String())
	}
	cmd.Flags().StringSliceVar(arch, "arch", nil, usage+": "+strings.Join(names, ", "))
	complete(cmd, "arch", names...)
}

func parseArchs(names []string) ([]cbpf.Arch, error) {
	var archs []cbpf.Arch
	for _, name := range names {
		a, err := cbpf.ParseArch(name)
		if err != nil {
			return nil, &usageError{err}
		}
		archs = append(archs, a)
	}
	return archs, nil
}

// writeSyscallTable writes what a seccomp filter does with each system call, an architecture after the other.
func writeSyscallTable(w io.Writer, p cbpf.Program, archs []cbpf.Arch) error {
	rows, err := cbpf.SeccompTable(p, archs)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, row := range rows {
		if i > 0 && (row.Arch != rows[i-1].Arch || row.AnyOther != rows[i-1].AnyOther) {
			fmt.Fprintln(tw)
		}
		if i == 0 || row.Arch != rows[i-1].Arch || row.AnyOther != rows[i-1].AnyOther {
			name := row.Arch.String()
			if row.AnyOther {
				name = "any other architecture"
			}
			fmt.Fprintln(tw, name)
		}
		fmt.Fprintf(tw, "  %s\t%s\n", row.Calls(), row.Actions())
	}
	return tw.Flush()
}

// checkSeccomp is check with the rules of seccomp(2).
func checkSeccomp(cmd *cobra.Command, args []string, src *source, names []string) error {
	archs, err := parseArchs(names)
	if err != nil {
		return err
	}
	in, err := src.program(cmd, args, difftest.LinkRaw)
	if err != nil {
		return err
	}
	return in.fault(buffered(cmd.OutOrStdout(), func(w io.Writer) error {
		if err := cbpf.ValidateSeccomp(in.program); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: accepted, %d instructions of %d\n\n", in.name, len(in.program), cbpf.MaxInsns)
		return writeSyscallTable(w, in.program, archs)
	}))
}

// syscallEngine runs a seccomp filter on system calls.
type syscallEngine struct {
	verdict func(d *cbpf.SeccompData) (uint32, error)
	close   func() error
}

// syscallEngine makes the engine that the flags name. The kernel installs the filter in a child process. A translation for
// the target seccomp gets struct seccomp_data as it is, one for another target as a packet of 64 bytes whose words are
// big-endian.
func (f *runFlags) syscallEngine(cmd *cobra.Command, p cbpf.Program) (*syscallEngine, error) {
	switch {
	case f.t.target != "":
	case f.engine == "kernel":
		return &syscallEngine{func(d *cbpf.SeccompData) (uint32, error) { return kernel.SeccompVerdict(p, d) }, nil}, nil
	case f.engine == "jit" || f.engine == "interp":
		f.t.target = translate.Seccomp.String()
	}
	if f.t.target != translate.Seccomp.String() {
		return f.packetSyscallEngine(cmd, p)
	}
	opts, err := f.t.options(difftest.LinkRaw)
	if err != nil {
		return nil, err
	}
	r, err := translate.Translate(p, opts)
	if err != nil {
		return nil, err
	}
	switch f.engine {
	case "interp":
		prepared := ebpf.Prepare(r.Program, ebpf.Seccomp)
		return &syscallEngine{extendedVerdict(prepared.Run), nil}, nil
	case "jit":
		fn, err := jit.CompileSeccomp(r.Program)
		if err != nil {
			return nil, err
		}
		return &syscallEngine{extendedVerdict(fn.Run), fn.Close}, nil
	}
	return nil, usagef("engine %s cannot run programs for target %q; jit and interp run them", f.engine, f.t.target)
}

func extendedVerdict(run func(*ebpf.Packet) (uint64, error)) func(*cbpf.SeccompData) (uint32, error) {
	return func(d *cbpf.SeccompData) (uint32, error) {
		r0, err := run(&ebpf.Packet{Data: d.Bytes()})
		return uint32(r0), err
	}
}

// packetSyscallEngine makes an engine for packets judge system calls.
func (f *runFlags) packetSyscallEngine(cmd *cobra.Command, p cbpf.Program) (*syscallEngine, error) {
	prepare, err := f.engineMaker(cmd)
	if err != nil {
		return nil, err
	}
	e, err := prepare(p, difftest.LinkRaw)
	if err != nil {
		return nil, err
	}
	return &syscallEngine{
		verdict: func(d *cbpf.SeccompData) (uint32, error) {
			var b difftest.Batch
			b.Add(difftest.Record{Packet: *d.Packet(), Link: difftest.LinkRaw})
			var verdict [1]uint32
			err := e.judge(&b, verdict[:])
			return verdict[0], err
		},
		close: e.close,
	}, nil
}

// runSyscalls runs the program on the system calls of the command line.
func (f *runFlags) runSyscalls(cmd *cobra.Command, args []string) error {
	calls, err := f.calls()
	if err != nil {
		return err
	}
	in, err := f.src.program(cmd, args, difftest.LinkRaw)
	if err != nil {
		return err
	}
	if err := in.fault(cbpf.ValidateSeccomp(in.program)); err != nil {
		return err
	}
	e, err := f.syscallEngine(cmd, in.program)
	if err != nil {
		return in.fault(err)
	}
	if e.close != nil {
		defer e.close()
	}
	return buffered(cmd.OutOrStdout(), func(w io.Writer) error {
		for i, d := range calls {
			v, err := e.verdict(&d)
			if err != nil {
				return err
			}
			line := fmt.Sprintf("%s: %s", f.syscalls[i], cbpf.Action(v))
			if f.verdicts {
				line = strconv.FormatUint(uint64(v), 10)
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// calls parses the system calls of the command line.
func (f *runFlags) calls() ([]cbpf.SeccompData, error) {
	archs, err := parseArchs(f.archs)
	switch {
	case err != nil:
		return nil, err
	case len(archs) > 1:
		return nil, usagef("one --arch at most; calls may name their own, as in i386:read(0)")
	case len(archs) == 0:
		archs = []cbpf.Arch{cbpf.ArchX86_64}
	}
	calls := make([]cbpf.SeccompData, len(f.syscalls))
	for i, text := range f.syscalls {
		if calls[i], err = cbpf.ParseSyscall(text, archs[0]); err != nil {
			return nil, &usageError{err}
		}
	}
	return calls, nil
}
