package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// traceFlags say where programs at functions of the kernel find the packet.
type traceFlags struct {
	object string
	arg    int
	kprobe bool
	btf    string
}

func (t *traceFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.object, "object", "", "`STRUCT` that an argument of the function points to: skb or xdp (trace) (default skb)")
	f.IntVar(&t.arg, "arg", 0, "`NUMBER` of that argument, counted from 0 (trace)")
	f.BoolVar(&t.kprobe, "kprobe", false, "find the argument in the registers of this machine, as programs at kprobes have to (trace)")
	f.StringVar(&t.btf, "btf", "", "`FILE` with the types of the kernel that the program is for (trace) (default the running one's)")
	complete(cmd, "object", "skb", "xdp")
}

// set puts what the flags say into the options.
func (t *traceFlags) set(opts *translate.Options) error {
	if opts.Target != translate.Trace {
		if *t != (traceFlags{}) {
			return usagef("--object, --arg, --kprobe and --btf go with target trace")
		}
		return nil
	}
	opts.Trace.Arg = t.arg
	if t.kprobe {
		word, err := translate.KprobeArg(t.arg, runtime.GOARCH)
		if err != nil {
			return &usageError{err}
		}
		opts.Trace.Arg = word
	}
	var err error
	switch t.object {
	case "", "skb":
		opts.Trace.Skb, err = kernel.SkbLayout()
		if t.btf != "" {
			opts.Trace.Skb, _, err = kernel.LayoutsOf(t.btf)
		}
	case "xdp":
		opts.Trace.XDP, err = kernel.XDPLayout()
		if t.btf != "" {
			_, opts.Trace.XDP, err = kernel.LayoutsOf(t.btf)
		}
	default:
		return usagef("--object %q: an argument points to skb or xdp", t.object)
	}
	if errors.Is(err, kernel.ErrUnavailable) {
		return fmt.Errorf("%w; --btf FILE names the types of another kernel", err)
	}
	return err
}

// optionFlags are the flags by the options that they set.
var optionFlags = map[string]string{
	"Link": "--link", "HookLink": "--hook-link", "Actions": "--action", "Frags": "--frags", "Tags": "--tags", "Trace": "--arg",
}

// optionFault makes a usage error of an option that makes no sense, and leaves all other errors alone.
func optionFault(err error) error {
	var option *translate.OptionError
	if errors.As(err, &option) && optionFlags[option.Option] != "" {
		return usagef("%s on target %s: %s", optionFlags[option.Option], option.Target, option.Why)
	}
	return err
}
