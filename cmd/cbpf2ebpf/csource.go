package main

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
	"github.com/spf13/cobra"
)

// cForms are the forms of C for each target.
var cForms = map[string]csource.Form{
	"user":       csource.Packet,
	"seccomp":    csource.Seccomp,
	"socket":     csource.Socket,
	"tc":         csource.TC,
	"cgroup-skb": csource.CgroupSkb,
	"xdp":        csource.XDP,
	"xdp-frags":  csource.XDPFrags,
}

func targetForm(target string) (csource.Form, error) {
	form, ok := cForms[target]
	if !ok {
		return 0, usagef("no C can be made for target %q; it can for %s", target, strings.Join(slices.Sorted(maps.Keys(cForms)), ", "))
	}
	return form, nil
}

// translateToC writes C, which is made of the classic program itself.
func translateToC(cmd *cobra.Command, args []string, src *source, target string, link difftest.LinkType, out string, as *translated,
	formOf func(string) (csource.Form, error)) error {
	form, err := formOf(target)
	if err != nil {
		return err
	}
	in, err := src.programOrCommand(cmd, args, link)
	if err != nil {
		return err
	}
	text, err := csource.Translate(in.program, csource.Options{
		Form: form, Name: as.name, Windows: true, NetOff: link.Options(0).NetOff, Licence: as.licence,
	})
	if err != nil {
		return in.fault(err)
	}
	return writeWhole(cmd, out, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}
