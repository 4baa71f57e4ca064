package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// elfSections are the sections in which loaders look for programs of each target. What no loader takes stands in ".text",
// where machines in user space look. A target that is missing needs to be told where it is to be attached.
var elfSections = map[string]string{
	"user":       ".text",
	"seccomp":    ".text",
	"socket":     "socket",
	"tc":         "tc",
	"cgroup-skb": "cgroup_skb/ingress",
	"xdp":        "xdp",
}

// traceContexts tell what programs for tracing find in their context, by the part of the section in front of the slash (libbpf's
// table of sections). Other names are left to those who have a loader of their own.
var traceContexts = map[string]traceContext{
	"fentry": arguments, "fentry.s": arguments, "fexit": arguments, "fexit.s": arguments, "fmod_ret": arguments, "fmod_ret.s": arguments,
	"tp_btf": arguments, "raw_tp": arguments, "raw_tp.w": arguments, "raw_tracepoint": arguments, "raw_tracepoint.w": arguments,
	"kprobe": registers, "kprobe.multi": registers, "kprobe.session": registers,
	"kretprobe": noArguments, "kretprobe.multi": noArguments, "tp": noArguments, "tracepoint": noArguments,
	"socket": noArguments, "tc": noArguments, "tcx": noArguments, "xdp": noArguments,
	"cgroup_skb": noArguments,
}

// traceContext is what a context holds.
type traceContext uint8

const (
	arguments   traceContext = iota + 1 // words, the arguments of the function or tracepoint
	registers                           // struct pt_regs, when the function is entered
	noArguments                         // something else
)

// checkTraceSection refuses a section whose programs have the packet elsewhere: they would load, and read something else.
func checkTraceSection(section string, kprobe bool) error {
	kind, _, _ := strings.Cut(section, "/")
	switch has := traceContexts[kind]; {
	case has == noArguments:
		return usagef("--section %s: the context of such programs does not hold the arguments of a function or tracepoint", section)
	case has == registers && !kprobe:
		return usagef("--section %s: programs there find the argument in registers, for which --kprobe is missing", section)
	case has == arguments && kprobe:
		return usagef("--section %s: programs there have the arguments themselves, not the registers that --kprobe looks into", section)
	}
	return nil
}

// gplCompatible are the licences that open all helper functions (license_is_gpl_compatible in linux/license.h, Linux 6.18).
var gplCompatible = []string{"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}

// writeELF writes an object with the program as its only function, which loaders take as it is.
func writeELF(w io.Writer, t *translated) error {
	section := t.section
	if section == "" {
		section = elfSections[t.Target.String()]
		if t.frags {
			section += ".frags"
		}
	}
	if section == "" {
		return usagef("say what the program is for, as in --section fentry/FUNCTION: loaders tell it by the section")
	}
	if t.Target == translate.Trace {
		if err := checkTraceSection(section, t.kprobe); err != nil {
			return err
		}
	}
	licence := t.licence
	switch {
	case licence == "":
		licence = t.Licence
	case t.Licence != "" && !slices.Contains(gplCompatible, licence):
		return fmt.Errorf("the program calls helper functions that the kernel keeps for licences like %q, not for %q", t.Licence, licence)
	}
	return ebpf.WriteELF(w, t.order, licence, ebpf.Function{Name: t.name, Section: section, Program: t.Program})
}
