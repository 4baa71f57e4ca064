package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// loadPlan is where a program goes, and as what.
type loadPlan struct {
	place kernel.Placement
	kind  kernel.Type
	link  difftest.LinkType // of the packets that the program is written for
	wire  uint16            // ARPHRD_* of the interface; 0 if there is none
	waits bool              // the command stays, and counts
	acts  bool              // the program does something about packets, other than look on
	match int32             // the result that counts as a match
	arg   kernel.PacketArg  // of programs for tracing: where the packet is
}

// hookTargets are the targets whose programs run at each kind of hook.
var hookTargets = map[kernel.HookKind]string{
	kernel.HookSocket:        "socket",
	kernel.HookTC:            "tc",
	kernel.HookXDP:           "xdp",
	kernel.HookCgroup:        "cgroup-skb",
	kernel.HookFentry:        "trace",
	kernel.HookTracepoint:    "trace",
	kernel.HookRawTracepoint: "trace",
	kernel.HookKprobe:        "trace",
}

// targetTypes are what programs of each target are loaded as where no hook says it.
var targetTypes = map[string]kernel.Type{
	"socket": kernel.SocketFilter, "tc": kernel.TC, "xdp": kernel.XDP, "cgroup-skb": kernel.CgroupIngress,
}

// plan reads what the command line wants.
func (f *loadFlags) plan(cmd *cobra.Command) (*loadPlan, error) {
	p := &loadPlan{place: kernel.Placement{Pin: f.pin}}
	for _, text := range f.attach {
		h, err := kernel.ParseHook(text)
		if err != nil {
			return nil, usagef("--attach: %w", err)
		}
		p.place.Hooks = append(p.place.Hooks, h)
		p.waits = p.waits || f.pin == "" || h.Kind == kernel.HookSocket
	}
	limited := f.count > 0 || f.duration > 0 || f.interval > 0
	p.waits = p.waits || limited && len(p.place.Hooks) > 0
	switch {
	case len(f.attach) == 0 && f.pin == "" && !f.dryRun:
		return nil, usagef("nothing to do with the program: give --attach HOOK, --pin PATH or --dry-run")
	case limited && len(f.attach) == 0:
		return nil, usagef("--count, --duration and --interval go with --attach")
	case f.duration < 0 || f.interval < 0:
		return nil, usagef("times are not negative")
	}
	if err := f.chooseTarget(p); err != nil {
		return nil, err
	}
	if err := f.chooseArg(cmd, p); err != nil {
		return nil, err
	}
	if f.t.hook.frags && p.kind == kernel.XDP {
		p.kind = kernel.XDPFrags
	}
	p.acts, p.match = len(f.t.hook.actions) > 0 || p.kind == kernel.SocketFilter || len(p.place.Hooks) == 0, 1
	return p, f.chooseLink(cmd, p)
}

// chooseTarget finds out what the program is loaded as. All hooks must take the same program.
func (f *loadFlags) chooseTarget(p *loadPlan) error {
	for i, h := range p.place.Hooks {
		target := hookTargets[h.Kind]
		if f.t.target == "" {
			f.t.target = target
		}
		if f.t.target != target {
			return usagef("%s runs programs of the target %s, not %s", h, target, f.t.target)
		}
		if first := p.place.Hooks[0]; h.Types()[0] != first.Types()[0] || namesPlace[h.Kind] && h.Where != first.Where {
			return usagef("one program cannot be attached to both %s and %s", first, p.place.Hooks[i])
		}
		p.kind = h.Types()[0]
	}
	if len(p.place.Hooks) > 0 {
		return nil
	}
	if f.t.target == "" {
		f.t.target = translate.Socket.String()
	}
	kind, ok := targetTypes[f.t.target]
	if !ok {
		if _, err := translate.ParseTarget(f.t.target); err != nil {
			return &usageError{err}
		}
		return usagef("what a program of the target %s is for in the kernel, only --attach could say", f.t.target)
	}
	p.kind = kind
	return nil
}

// chooseLink takes the link type of the packets from the interface, as tcpdump -i does, unless --linktype says it. A
// filter that is compiled here for a cgroup is one for IP packets; one that was compiled elsewhere is for Ethernet, as a
// rule.
func (f *loadFlags) chooseLink(cmd *cobra.Command, p *loadPlan) (err error) {
	p.link = difftest.LinkEthernet
	for _, h := range p.place.Hooks {
		switch h.Kind {
		case kernel.HookSocket, kernel.HookTC, kernel.HookXDP:
			if p.link, p.wire, err = linkOf(h.Where); err != nil {
				return err
			}
			if h.Kind != kernel.HookXDP { // which sees packets before the kernel takes tags out of them
				f.src.iface = h.Where
			}
		case kernel.HookCgroup:
			if cmd.Flags().Changed("expr") {
				p.link = difftest.LinkRaw
			}
		default:
			if f.iface != "" {
				if p.link, _, err = linkOf(f.iface); err != nil {
					return err
				}
			}
			if !p.arg.XDP {
				f.src.iface = cmp.Or(f.iface, anyInterface)
			}
		}
	}
	p.link, err = f.src.link(p.link)
	return err
}

// anyInterface is one that is everywhere, and of which filters are like those for any other with Ethernet.
const anyInterface = "lo"

// ARPHRD_* of linux/if_arp.h, of interfaces whose packets begin with an Ethernet header, and with that of IP.
var (
	ethernetTypes = map[uint16]bool{1: true, 772: true}                                       // Ethernet, loopback
	ipTypes       = map[uint16]bool{0xfffe: true, 768: true, 769: true, 776: true, 512: true} // none, tunnels of IPv4 and IPv6, SIT, PPP
)

// linkOf is the link type of the packets of an interface, and its number. Where interfaces cannot be asked it is
// Ethernet.
func linkOf(name string) (link difftest.LinkType, wire uint16, err error) {
	wire, err = kernel.InterfaceType(name)
	switch {
	case errors.Is(err, kernel.ErrUnavailable) || err == nil && ethernetTypes[wire]:
		return difftest.LinkEthernet, wire, nil
	case err != nil:
		return 0, 0, advised(err)
	case ipTypes[wire]:
		return difftest.LinkRaw, wire, nil
	}
	return 0, 0, fmt.Errorf("%s: its packets begin with a header that is not known here (interface type %d)", name, wire)
}

// translate reads the program and translates it.
func (f *loadFlags) translate(cmd *cobra.Command, args []string, p *loadPlan) (*input, *translate.Result, error) {
	opts, err := f.t.options(p.link)
	if err != nil {
		return nil, nil, err
	}
	f.adjust(p, &opts)
	in, err := f.src.program(cmd, args, p.link)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w%s", err, suggestion(cmd, args[0]))
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := translate.Translate(in.program, opts)
	if err != nil {
		return nil, nil, in.fault(err)
	}
	in.notes(cmd.ErrOrStderr(), r.Bounds)
	return in, r, nil
}

// adjust fits the options to the interface, and to what becomes of packets.
func (f *loadFlags) adjust(p *loadPlan, opts *translate.Options) {
	if p.wire != 0 && opts.Target != translate.Socket {
		opts.HaType = p.wire
		if opts.HookLink == translate.LinkAsHook && ipTypes[p.wire] {
			opts.HookLink = translate.LinkIP
		}
	}
	switch {
	case p.kind.Acts() && !p.acts:
		opts.Actions = &translate.Actions{Match: 1, Drop: 0} // which count as verdicts
	case opts.Actions != nil && len(p.place.Hooks) > 0:
		f.passOthers(p, opts.Actions)
	}
}

// passOthers lets the packets go on that no action was given for, whatever the target has for them otherwise.
func (f *loadFlags) passOthers(p *loadPlan, actions *translate.Actions) {
	given := func(of string) bool {
		return slices.ContainsFunc(f.t.hook.actions, func(a string) bool { return strings.HasPrefix(a, of+"=") })
	}
	pass := uint32(p.kind.Pass())
	if !given("match") {
		actions.Match = pass
	}
	if !given("drop") {
		actions.Drop = pass
	}
	p.match = int32(actions.Match)
}

// options are those for loading. A program counts if there is somebody to read the counts, or if that is all that it does.
func (f *loadFlags) options(r *translate.Result, p *loadPlan) (kernel.LoadOptions, error) {
	opts := kernel.LoadOptions{Type: p.kind, Name: f.name, Licence: f.licence, Log: kernel.LogStats, Count: p.waits || !p.acts}
	if pass := p.kind.Pass(); p.kind.Acts() && !p.acts {
		opts.Result = &pass
	}
	if opts.Licence == "" {
		opts.Licence = r.Licence
	}
	if f.log {
		opts.Log = kernel.LogAll
	}
	for _, h := range p.place.Hooks {
		if namesPlace[h.Kind] {
			opts.AttachTo = h.Where
		}
	}
	var err error
	opts.Front, err = f.front(p)
	return opts, err
}

// matches counts the packets that matched.
func (p *loadPlan) matches(c *kernel.Counts) uint64 { return c.Ends[p.match] }

// hookForms lists the hooks for a help text, in lines.
func hookForms() string { return "  " + strings.Join(kernel.HookForms(), "\n  ") }
