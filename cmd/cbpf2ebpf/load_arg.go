package main

import (
	"errors"
	"runtime"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// namesPlace are the hooks whose programs are loaded for one place, with its types.
var namesPlace = map[kernel.HookKind]bool{kernel.HookFentry: true, kernel.HookTracepoint: true}

// chooseArg finds out in which argument a program for tracing has its packet: the one that is told, or the first that points to
// one, by the types of the running kernel. All hooks must have it in the same place.
func (f *loadFlags) chooseArg(cmd *cobra.Command, p *loadPlan) error {
	if f.iface != "" && f.t.target != "trace" {
		return usagef("--interface goes with functions and tracepoints, which see the packets of all")
	}
	told := cmd.Flags().Changed("arg") || f.t.trace.btf != ""
	p.arg = kernel.PacketArg{Word: f.t.trace.arg, XDP: f.t.trace.object == "xdp"}
	for i, h := range p.place.Hooks {
		if hookTargets[h.Kind] != "trace" {
			return nil
		}
		f.t.trace.kprobe = f.t.trace.kprobe || h.Kind == kernel.HookKprobe
		if told {
			continue
		}
		arg, err := f.argAt(h)
		if err != nil {
			return err
		}
		if i > 0 && (arg.Word != p.arg.Word || arg.XDP != p.arg.XDP) {
			return usagef("one program cannot be attached to both %s and %s: they have the packet in different arguments", p.place.Hooks[0], h)
		}
		p.arg = arg
	}
	if f.t.trace.arg = p.arg.Word; p.arg.XDP {
		f.t.trace.object = "xdp"
	}
	return nil
}

// front is the code in front of the program.
func (f *loadFlags) front(p *loadPlan) (ebpf.Program, error) {
	if f.iface == "" {
		return nil, nil
	}
	at := p.arg
	if p.kind == kernel.Kprobe {
		word, err := translate.KprobeArg(at.Word, runtime.GOARCH)
		if err != nil {
			return nil, &usageError{err}
		}
		at.Word = word
	}
	code, err := kernel.OnlyInterface(f.iface, at)
	if err != nil {
		return nil, advised(err)
	}
	return code, nil
}

// argAt is the first argument at a hook that points to a packet of the kind that is wanted. A kernel that does not tell leaves it at
// the first.
func (f *loadFlags) argAt(h kernel.Hook) (kernel.PacketArg, error) {
	args, err := kernel.PacketArgs(h)
	if errors.Is(err, kernel.ErrUnavailable) {
		return kernel.PacketArg{XDP: f.t.trace.object == "xdp"}, nil
	}
	if err != nil {
		return kernel.PacketArg{}, advised(err)
	}
	i := slices.IndexFunc(args, func(a kernel.PacketArg) bool { return f.t.trace.object == "" || a.XDP == (f.t.trace.object == "xdp") })
	if i < 0 {
		return kernel.PacketArg{}, advised(&kernel.AttachError{Reason: kernel.ReasonNoPacket, Detail: h.String() + ", --object " + f.t.trace.object})
	}
	return args[i], nil
}
