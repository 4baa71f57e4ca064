package translate

import (
	"fmt"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Options say what to translate for. The zero value is the plain translation for User.
type Options struct {
	Target Target

	// NetOff is the place of the network header behind the link-layer header: in the packets of User and XDP, for loads through
	// the kernel's NET window and for `ld poff`, and wherever HookLink is LinkEthernet and Link is LinkIP. 14 for Ethernet,
	// which 0 stands for on TC and XDP. Elsewhere programs ask the kernel; those of Socket that load poff look there first,
	// find it anywhere where the whole packet is linear, and where it is not they end with verdict 0.
	NetOff uint16
	// HaType is the ARPHRD_* number of the interface (1 for Ethernet), which the programs of User, TC and XDP have no other
	// way to know; 0 stands for unknown, and then `ld hatype` is refused.
	HaType uint16
	// Optimize is the level of optimisation: 0 translates instruction by instruction, 1 reuses what is known and puts bounds
	// checks together, 2 leads paths past comparisons that are decided and makes trees of lists. The verdicts are the same.
	Optimize int
	// MaxAttrs is how many netlink attributes `ld nla` and `ld nlan` look at; 0 stands for DefaultMaxAttrs. Where one more
	// follows, the program ends with verdict 0; Result.Bounds tells which loads may do so. A list of n bytes has n/4
	// attributes at most.
	MaxAttrs int

	// Link is what the packets begin with that the program is written for. 0: with what those of the hook begin with.
	Link Link
	// HookLink is what the packets of the hook begin with: TC finds IP packets on interfaces without a link layer. 0 is what
	// the target has otherwise: LinkIP on CGroupSKB, LinkEthernet on TC and XDP.
	HookLink Link

	// Actions are what the program returns instead of the classic verdict. nil stands for what the target has: allow and deny
	// (1 and 0) on CGroupSKB, XDP_PASS and XDP_DROP on XDP, and the verdict itself elsewhere.
	Actions *Actions

	// Frags says that XDP packets may lie in several buffers: the program is one of those that the kernel lets see them.
	Frags bool
	// Trace says what Trace programs find in their context. They count from the link-layer header, or, with LinkIP, from the
	// network header. The verdict of one at the entry of a function (fentry) is not taken by the kernel, which wants 0:
	// Actions can say so, or whoever loads the program puts something around it.
	Trace TraceOptions

	// Tags says that VLAN tags are in the packet, and XDP finds what the kernel would have taken out of the first one there.
	// Without, the extensions about tags are refused.
	Tags bool
}

// DefaultMaxAttrs is a number that hardly any list in the messages of Linux exceeds.
const DefaultMaxAttrs = cbpf.ManyAttrs

// maxAttrs is the number that MaxAttrs stands for.
func (o *Options) maxAttrs() int {
	if o.MaxAttrs <= 0 {
		return DefaultMaxAttrs
	}
	return o.MaxAttrs
}

// MaxOptimize is the highest level of optimisation.
const MaxOptimize = 2

// Link is what packets begin with.
type Link uint8

// The links.
const (
	LinkAsHook   Link = iota
	LinkEthernet      // an Ethernet header (L2)
	LinkIP            // an IPv4 or IPv6 header (L3)
)

var linkNames = [...]string{LinkAsHook: "hook", LinkEthernet: "l2", LinkIP: "l3"}

func (l Link) String() string {
	if int(l) >= len(linkNames) {
		return fmt.Sprintf("link %d", uint8(l))
	}
	return linkNames[l]
}

// Actions are what a program returns instead of its verdict.
type Actions struct {
	Match uint32 // for any verdict but 0
	Drop  uint32 // for the verdict 0
}

// OptionError says that an option makes no sense for the target.
type OptionError struct {
	Option string // the name of the field of Options
	Target Target
	Why    string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("option %s on target %s: %s", e.Option, e.Target, e.Why)
}

// check returns the first *OptionError.
func (o *Options) check() error {
	t := &targets[o.Target]
	options := []struct {
		name string
		bad  bool
		why  string
	}{
		{"Link", o.Link > LinkIP, fmt.Sprintf("there is no %s", o.Link)},
		{"HookLink", o.HookLink > LinkIP, fmt.Sprintf("there is no %s", o.HookLink)},
		{"Link", o.Link != LinkAsHook && t.links == nil, "programs are for the packets of the hook, whatever they begin with"},
		{"HookLink", o.HookLink != LinkAsHook && !slices.Contains(t.links, o.HookLink), "packets of this hook do not begin like that"},
		{"Actions", o.Actions != nil && !t.acts, "the verdict is all that these programs return"},
		{"Frags", o.Frags && o.Target != XDP, "only XDP packets lie in several buffers"},
		{"Trace", o.Target == Trace && (o.Trace.Skb == nil) == (o.Trace.XDP == nil), "one layout is needed: of struct sk_buff, or of struct xdp_buff"},
		{"Trace", o.Trace.fault() != "", o.Trace.fault()},
		{"Trace", o.Trace.Arg < 0 || o.Trace.Arg >= ebpf.TraceSize/8, "the context has no such word"},
		{"Trace", o.Target != Trace && o.Trace != TraceOptions{}, "only programs at functions of the kernel find packets by their address"},
		{"Tags", o.Tags && o.Target != XDP, "the kernel has taken the tag out of the packet"},
	}
	for _, opt := range options {
		if opt.bad {
			return &OptionError{Option: opt.name, Target: o.Target, Why: opt.why}
		}
	}
	if o.Target == CGroupSKB && o.Actions != nil && (o.Actions.Match > 1 || o.Actions.Drop > 1) {
		return &OptionError{"Actions", o.Target, "the kernel takes 0 and 1 from these programs, nothing else"}
	}
	return nil
}

// filled returns the options with what the target has otherwise in the place of what is not said.
func (o Options) filled() Options {
	t := &targets[o.Target]
	if o.HookLink == LinkAsHook && len(t.links) > 0 {
		o.HookLink = t.links[0]
	}
	if o.Actions == nil {
		o.Actions = t.actions
	}
	return o
}

// networkHeader is the place of the network header behind an Ethernet header.
func (o *Options) networkHeader() uint32 {
	if o.NetOff == 0 {
		return ethernetHeader
	}
	return uint32(o.NetOff)
}

// ethernetHeader is the length of an Ethernet header without tags.
const ethernetHeader = 14
