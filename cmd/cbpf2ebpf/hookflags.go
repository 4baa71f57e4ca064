package main

import (
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// hookFlags say what is to be known of the hook that a program is for.
type hookFlags struct {
	link, hookLink string
	actions        []string
	frags, tags    bool
}

// linkNames are what packets begin with, as flags name it.
var linkNames = map[string]translate.Link{"l2": translate.LinkEthernet, "l3": translate.LinkIP, "hook": translate.LinkAsHook}

func (h *hookFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&h.link, "link", "", "`LAYER` that the program's packets begin with: l2 (Ethernet), l3 (IP) or hook (as those of the hook) (default after --linktype)")
	f.StringVar(&h.hookLink, "hook-link", "", "`LAYER` that packets begin with at the hook: l2 or l3 (default of tc and xdp l2, of cgroup-skb l3)")
	f.StringSliceVar(&h.actions, "action", nil, "`ACTION` to return, as match=NAME or drop=NAME: names like pass, drop, tx (xdp), ok, shot (tc), allow, deny (cgroup-skb), or numbers")
	f.BoolVar(&h.frags, "frags", false, "see packets that lie in several buffers (xdp)")
	f.BoolVar(&h.tags, "tags", false, "look for VLAN tags and EtherType in the packet, for vlan_tci and the like (xdp)")
	complete(cmd, "link", "l2", "l3", "hook")
	complete(cmd, "hook-link", "l2", "l3")
}

// set puts what the flags say into options for programs that were written for packets of the link type. Of a hook whose packets
// may begin otherwise, these have to be told.
func (h *hookFlags) set(opts *translate.Options, link difftest.LinkType) error {
	opts.Frags, opts.Tags = h.frags, h.tags
	if slices.Contains([]translate.Target{translate.TC, translate.CGroupSKB, translate.XDP}, opts.Target) {
		switch link {
		case difftest.LinkEthernet:
			opts.Link = translate.LinkEthernet
		case difftest.LinkRaw:
			opts.Link = translate.LinkIP
		}
	}
	for _, flag := range []struct {
		name, value string
		to          *translate.Link
	}{{"link", h.link, &opts.Link}, {"hook-link", h.hookLink, &opts.HookLink}} {
		if flag.value == "" {
			continue
		}
		known := false
		if *flag.to, known = linkNames[flag.value]; !known {
			return usagef("--%s %q: the layers are l2, l3", flag.name, flag.value)
		}
	}
	return h.setActions(opts)
}

// setActions reads --action.
func (h *hookFlags) setActions(opts *translate.Options) error {
	if len(h.actions) == 0 {
		return nil
	}
	actions := translate.DefaultActions(opts.Target)
	told := map[string]bool{}
	for _, action := range h.actions {
		of, name, _ := strings.Cut(action, "=")
		if told[of] {
			return usagef("--action %s is given twice", of)
		}
		told[of] = true
		n, err := translate.ParseAction(opts.Target, name)
		if err != nil {
			return &usageError{err}
		}
		switch of {
		case "match":
			actions.Match = n
		case "drop":
			actions.Drop = n
		default:
			return usagef("--action %q: give match=NAME or drop=NAME", action)
		}
	}
	opts.Actions = &actions
	return nil
}
