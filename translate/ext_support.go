package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// How says where a target has an extension from.
type How uint8

// The ways.
const (
	Refused       How = iota // it has not
	FromRegisters            // A and X
	FromField                // a field of the context
	FromHelper               // a helper function
	FromPacket               // the first bytes of the packet
	FromCode                 // code that looks through the packet
	FromOption               // what the options say
)

var howNames = [...]string{
	Refused: "refused", FromRegisters: "registers", FromField: "field", FromHelper: "helper", FromPacket: "packet",
	FromCode: "code", FromOption: "option",
}

func (h How) String() string {
	if int(h) >= len(howNames) {
		return fmt.Sprintf("way %d", uint8(h))
	}
	return howNames[h]
}

// Support says how a target has an extension.
type Support struct {
	How How
	// What is the name of the field, the helper function or the option, or what is looked at or for.
	What string
	// Needs is the field of Options without which the extension is refused; empty where it needs none.
	Needs string
	// Why and Instead are those of the *UnsupportedError, where there can be one.
	Why, Instead string
}

// String is short enough for a table.
func (s Support) String() string {
	text := s.How.String()
	if s.What != "" {
		text += " " + s.What
	}
	if s.Needs != "" && s.Needs != s.What {
		text += ", needs " + s.Needs
	}
	return text
}

// ExtensionSupport says how the target has the extension. The zero value, a refusal without a reason, is for numbers that are
// no target or no extension, and for Seccomp, whose programs may not load any.
func ExtensionSupport(t Target, ext cbpf.Ext) Support {
	if t.known() != nil || t == Seccomp || ext.String() == "" {
		return Support{}
	}
	s := found(t, ext)
	if refused, ok := lacking[t][ext]; ok {
		s.Why, s.Instead = refused[0], refused[1]
	}
	return s
}

// found is the support without reasons to refuse it.
func found(t Target, ext cbpf.Ext) Support {
	xdp := t == XDP
	switch {
	case ext == cbpf.ExtXorX:
		return Support{How: FromRegisters}
	case helpers[ext] != 0:
		return Support{How: FromHelper, What: ebpf.HelperName(helpers[ext])}
	case t == Trace && traceNames[ext] != "":
		s := Support{How: FromField, What: traceNames[ext]}
		if !onXDPBuff[ext] {
			s.Needs = "Trace.Skb"
		}
		return s
	case searches[ext] != nil:
		return Support{How: FromCode, What: searched[ext]}
	case ext == cbpf.ExtHaType && t.saysHaType():
		return Support{How: FromOption, What: "HaType", Needs: "HaType"}
	case xdp && xdpFields[ext].name != "":
		return Support{How: FromField, What: xdpFields[ext].name}
	case xdp && tagSlots[ext] != 0:
		return Support{How: FromPacket, What: "Ethernet header", Needs: "Tags"}
	case !xdp && fields[ext].name != "":
		return Support{How: FromField, What: fields[ext].name}
	}
	return Support{}
}

// saysHaType reports whether Options.HaType says what programs of the target have no other way to know.
func (t Target) saysHaType() bool { return t == User || t == TC || t == XDP }

// searched is what the code of an extension looks for.
var searched = map[cbpf.Ext]string{
	cbpf.ExtPayOff: "headers", cbpf.ExtNlattr: "attributes", cbpf.ExtNlattrNest: "attributes",
}

// traceNames are the members of structures of the kernel that Trace programs read.
var traceNames = map[cbpf.Ext]string{
	cbpf.ExtProto: "skb->protocol", cbpf.ExtPktType: "skb->pkt_type", cbpf.ExtIfIndex: "dev->ifindex", cbpf.ExtMark: "skb->mark",
	cbpf.ExtQueue: "queue", cbpf.ExtHaType: "dev->type", cbpf.ExtRxHash: "skb->hash", cbpf.ExtVlanTCI: "skb->vlan_tci",
	cbpf.ExtVlanPresent: "skb->vlan_all", cbpf.ExtVlanTPID: "skb->vlan_proto",
}

// onXDPBuff are those that struct xdp_buff leads to as well.
var onXDPBuff = map[cbpf.Ext]bool{cbpf.ExtIfIndex: true, cbpf.ExtQueue: true, cbpf.ExtHaType: true}

// Reasons that several targets have.
var (
	noSkb     = [2]string{"there is no struct sk_buff yet", "look at a function that has one"}
	noHaType  = [2]string{"no field of struct __sk_buff holds the type of the interface", "leave it out where all interfaces are alike"}
	sayHaType = [2]string{"the type of the interface is not known", "say it, with Options.HaType or --linktype"}
)

// lacking says what a target lacks of an extension, and what to do.
var lacking = map[Target]map[cbpf.Ext][2]string{
	User:      {cbpf.ExtHaType: sayHaType},
	Socket:    {cbpf.ExtHaType: noHaType},
	TC:        {cbpf.ExtHaType: sayHaType},
	CGroupSKB: {cbpf.ExtHaType: noHaType},
	XDP: {
		cbpf.ExtProto:       {"the kernel has not looked at the packet yet", "compare the EtherType in the packet, or have it parsed: Options.Tags or --tags"},
		cbpf.ExtVlanTCI:     {"the kernel has not taken the tag out of the packet yet", "load it from there, or have it parsed: Options.Tags or --tags"},
		cbpf.ExtVlanTPID:    {"the kernel has not taken the tag out of the packet yet", "load it from there, or have it parsed: Options.Tags or --tags"},
		cbpf.ExtVlanPresent: {"the kernel has not taken the tag out of the packet yet", "look for it there, or have it parsed: Options.Tags or --tags"},
		cbpf.ExtPktType:     {"nobody has compared the address with that of the interface yet", "compare the address in the packet, or use target tc"},
		cbpf.ExtMark:        {"packets have no mark before there is a struct sk_buff", "use target tc"},
		cbpf.ExtRxHash:      {"no field of struct xdp_md holds the hash", "use target tc"},
		cbpf.ExtHaType:      sayHaType,
	},
	Trace: {
		cbpf.ExtProto: noSkb, cbpf.ExtPktType: noSkb, cbpf.ExtMark: noSkb, cbpf.ExtRxHash: noSkb, cbpf.ExtVlanTCI: noSkb,
		cbpf.ExtVlanPresent: noSkb, cbpf.ExtVlanTPID: noSkb,
	},
}

// unsupported is the refusal of an extension.
func (e *emitter) unsupported(pc int, ext cbpf.Ext) error {
	s := ExtensionSupport(e.target, ext)
	return &UnsupportedError{PC: pc, Ext: ext, Target: e.target, Why: s.Why, Instead: s.Instead}
}
