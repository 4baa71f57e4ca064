package csource

import (
	"fmt"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// hook is a place of the kernel where programs run.
type hook struct {
	section string
	ctx     string // name of the argument
	kind    string // its type
	skb     bool   // that is struct __sk_buff: a helper function knows where headers are
	direct  bool   // the program may look at the first piece of a packet itself
	helper  int    // number of the helper function that fetches bytes; 0 where packets are in one piece
	actions map[int32]string
}

var (
	socketHook = hook{section: "socket", ctx: "skb", kind: "struct __sk_buff", skb: true, helper: 26}
	tcHook     = hook{section: "tc", ctx: "skb", kind: "struct __sk_buff", skb: true, direct: true, helper: 26, actions: tcActions}
	cgroupHook = hook{section: "cgroup_skb/ingress", ctx: "skb", kind: "struct __sk_buff", skb: true, direct: true, helper: 26}
	xdpHook    = hook{section: "xdp", ctx: "ctx", kind: "struct xdp_md", direct: true, actions: xdpActions}
	fragsHook  = hook{section: "xdp.frags", ctx: "ctx", kind: "struct xdp_md", direct: true, helper: 189, actions: xdpActions}
)

// The names of what programs return, out of linux/bpf.h and linux/pkt_cls.h.
var (
	xdpActions = map[int32]string{0: "XDP_ABORTED", 1: "XDP_DROP", 2: "XDP_PASS", 3: "XDP_TX", 4: "XDP_REDIRECT"}
	tcActions  = map[int32]string{-1: "TC_ACT_UNSPEC", 0: "TC_ACT_OK", 1: "TC_ACT_RECLASSIFY", 2: "TC_ACT_SHOT", 3: "TC_ACT_PIPE",
		4: "TC_ACT_STOLEN", 5: "TC_ACT_QUEUED", 6: "TC_ACT_REPEAT", 7: "TC_ACT_REDIRECT", 8: "TC_ACT_TRAP"}
)

func (h *hook) param() string { return fmt.Sprintf("%s *%s", h.kind, h.ctx) }

// ends are the locals that point at a packet.
func (h *hook) ends() [][2]string {
	return [][2]string{
		{"data", fmt.Sprintf("(const uint8_t *)(long)%s->data", h.ctx)},
		{"data_end", fmt.Sprintf("(const uint8_t *)(long)%s->data_end", h.ctx)},
	}
}

// head is what stands in front of all else: it declares what <stdint.h> and linux/bpf.h do, for clang finds neither of them
// for its BPF target on every system.
func (h *hook) head() string {
	if h.skb {
		return headSkBuff
	}
	return headXDP
}

// replacer fills in what pieces leave open.
func (h *hook) replacer() *strings.Replacer {
	return strings.NewReplacer("@kind", h.kind, "@ctx", h.ctx, "@helper", fmt.Sprint(h.helper))
}

// fields are the extensions that are a field of struct __sk_buff.
var fields = map[cbpf.Ext]string{
	cbpf.ExtProto:       "cbpf_be16((uint16_t)%s->protocol)",
	cbpf.ExtPktType:     "%s->pkt_type",
	cbpf.ExtMark:        "%s->mark",
	cbpf.ExtQueue:       "%s->queue_mapping",
	cbpf.ExtRxHash:      "%s->hash",
	cbpf.ExtVlanTCI:     "%s->vlan_tci",
	cbpf.ExtVlanPresent: "%s->vlan_present",
	cbpf.ExtVlanTPID:    "cbpf_be16((uint16_t)%s->vlan_proto)",
}

// extension returns the expression for an extension that is the result of a helper function or a field of the context.
func (h *hook) extension(w *writer, e cbpf.Ext) (string, bool) {
	switch e {
	case cbpf.ExtCPU:
		w.use("cbpf_cpu")
		return "cbpf_cpu()", true
	case cbpf.ExtRandom:
		w.use("cbpf_random")
		return "cbpf_random()", true
	case cbpf.ExtIfIndex:
		return h.ifindex(w), true
	}
	format, ok := fields[e]
	if !ok || !h.skb {
		return "", false
	}
	w.use(h.ctx)
	if e == cbpf.ExtProto || e == cbpf.ExtVlanTPID {
		w.use("cbpf_be16")
	}
	return fmt.Sprintf(format, h.ctx), true
}

// ifindex is the number of the interface. A packet without one ends the function with A; under XDP there is none such.
func (h *hook) ifindex(w *writer) string {
	w.use(h.ctx)
	if !h.skb {
		return h.ctx + "->ingress_ifindex"
	}
	w.printf("if (!%s->ifindex)\n\t\treturn a;", h.ctx)
	return h.ctx + "->ifindex"
}

// lacks says what is missing for an extension.
func (h *hook) lacks(e cbpf.Ext) (why, instead string) {
	switch {
	case e == cbpf.ExtHaType:
		return fmt.Sprintf("no field of %s holds the type of the interface", h.kind), "leave it out where all interfaces are alike"
	case e == cbpf.ExtNlattr, e == cbpf.ExtNlattrNest:
		return "no helper function searches netlink attributes", "attach the classic program, with SO_ATTACH_FILTER"
	case e == cbpf.ExtPayOff:
		return "no helper function dissects the packet", "compute the offset from the header lengths in the filter itself"
	}
	return "XDP runs before the kernel has a socket buffer, of which this is a property", "attach to tc"
}
