package main

import (
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
	"github.com/spf13/cobra"
)

// cForm is what C is made for a target.
type cForm struct {
	form  csource.Form
	begin translate.Link // what the packets of its hook begin with; LinkAsHook where programs are not told
}

var cForms = map[translate.Target]cForm{
	translate.User:      {form: csource.Packet},
	translate.Seccomp:   {form: csource.Seccomp},
	translate.Socket:    {form: csource.Socket},
	translate.TC:        {csource.TC, translate.LinkEthernet},
	translate.CGroupSKB: {csource.CgroupSkb, translate.LinkIP},
	translate.XDP:       {csource.XDP, translate.LinkEthernet},
}

// cOptions are the options for C, out of those for a translation. C takes packets as the hook has them.
func cOptions(opts translate.Options) (csource.Options, error) {
	f, ok := cForms[opts.Target]
	if !ok {
		return csource.Options{}, usagef("no C can be made for target %s", opts.Target)
	}
	begin := opts.HookLink
	if begin == translate.LinkAsHook {
		begin = f.begin
	}
	c := csource.Options{Form: f.form, Windows: true, NetOff: opts.NetOff}
	switch {
	case opts.Link != translate.LinkAsHook && opts.Link != begin:
		return c, usagef("in C, programs are for the packets of the hook, which begin with %s: this one is for %s; "+
			"compile the filter for the hook (--linktype RAW), or say --link hook", begin, opts.Link)
	case opts.Tags:
		return c, usagef("C has no --tags: it does not look for VLAN tags itself")
	case opts.Frags:
		c.Form = csource.XDPFrags
	}
	if opts.Actions != nil {
		c.Match, c.NoMatch = int32(opts.Actions.Match), int32(opts.Actions.Drop)
	}
	return c, nil
}

// headFunction declares the types that a function of two pointers takes from elsewhere. Where <stdint.h> stands in front, they are
// there already; clang finds none for BPF.
const headFunction = `#ifndef UINT32_MAX
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
#endif

`

// translateToC writes C, which is made of the classic program itself: for the target, or a function of two pointers.
func translateToC(cmd *cobra.Command, args []string, src *source, t *translation, link difftest.LinkType, out string, as *translated,
	function bool) error {
	opts, err := t.options(link)
	if err != nil {
		return err
	}
	c := csource.Options{Form: csource.Function, Windows: true, NetOff: link.Options(translate.User).NetOff}
	if !function {
		if c, err = cOptions(opts); err != nil {
			return err
		}
	}
	c.Name, c.Licence = as.name, as.licence
	in, err := src.programOrCommand(cmd, args, link)
	if err != nil {
		return err
	}
	text, err := csource.Translate(in.program, c)
	if err != nil {
		return in.fault(err)
	}
	if function {
		text = headFunction + text
	}
	return writeWhole(cmd, out, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}
