package veth

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// Place is a hook on the way of a frame from the near end to the far one.
type Place uint8

// The places, in the order in which a frame comes by.
const (
	CgroupEgress  Place = iota // a socket at the near end that sends UDP
	TCEgress                   // the near device
	XDPNative                  // the far device, in its driver
	Tracepoint                 // the tracepoint netif_receive_skb, for packets of the far device alone
	RawTracepoint              // the same without BTF types
	XDPGeneric                 // the far device, in front of its network stack
	Socket                     // a packet socket at the far end
	TCIngress                  // the far device
	CgroupIngress              // a socket at the far end that receives UDP
)

// places is the table of what there is to know of each.
var places = [...]struct {
	name string
	kind kernel.Type
	hook kernel.Hook // without the directory of a cgroup
	far  bool
}{
	CgroupEgress:  {"cgroup egress", kernel.CgroupEgress, kernel.Hook{Kind: kernel.HookCgroup, Way: kernel.Egress}, false},
	TCEgress:      {"tc egress", kernel.TC, kernel.Hook{Kind: kernel.HookTC, Where: near, Way: kernel.Egress}, false},
	XDPNative:     {"native XDP", kernel.XDP, kernel.Hook{Kind: kernel.HookXDP, Where: far, Mode: kernel.Native}, true},
	Tracepoint:    {"tracepoint", kernel.Tracepoint, kernel.Hook{Kind: kernel.HookTracepoint, Where: received}, true},
	RawTracepoint: {"raw tracepoint", kernel.RawTracepoint, kernel.Hook{Kind: kernel.HookRawTracepoint, Where: received}, true},
	XDPGeneric:    {"generic XDP", kernel.XDP, kernel.Hook{Kind: kernel.HookXDP, Where: far, Mode: kernel.Generic}, true},
	Socket:        {"packet socket", kernel.SocketFilter, kernel.Hook{Kind: kernel.HookSocket, Where: far}, true},
	TCIngress:     {"tc ingress", kernel.TC, kernel.Hook{Kind: kernel.HookTC, Where: far, Way: kernel.Ingress}, true},
	CgroupIngress: {"cgroup ingress", kernel.CgroupIngress, kernel.Hook{Kind: kernel.HookCgroup, Way: kernel.Ingress}, true},
}

// Names of the devices, and of the tracepoint that received packets come by.
const (
	near     = "near"
	far      = "far"
	received = "netif_receive_skb"
)

// Places lists all places.
func Places() []Place {
	all := make([]Place, len(places))
	for i := range all {
		all[i] = Place(i)
	}
	return all
}

func (p Place) String() string {
	if int(p) >= len(places) {
		return fmt.Sprintf("place %d", uint8(p))
	}
	return places[p].name
}

// Type is what programs for the place are loaded as. XDP programs may be kernel.XDPFrags too.
func (p Place) Type() kernel.Type { return places[p].kind }
