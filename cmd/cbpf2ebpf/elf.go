package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
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
	licence := t.licence
	switch {
	case licence == "":
		licence = t.Licence
	case t.Licence != "" && !slices.Contains(gplCompatible, licence):
		return fmt.Errorf("the program calls helper functions that the kernel keeps for licences like %q, not for %q", t.Licence, licence)
	}
	return ebpf.WriteELF(w, t.order, licence, ebpf.Function{Name: t.name, Section: section, Program: t.Program})
}
