package difftest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// hook is a place in the kernel where packets may be in pieces, and may begin elsewhere than those that the program is for.
type hook struct {
	opts translate.Options
	kind kernel.Type
	// whole says that packets end where their captured bytes end, and that nothing is known of them that does not stand in
	// them, as far as it could not at the hook: see measures.
	whole bool
}

// forProgram returns the hook for a program. XDP programs that look for the payload count in the packet as it is there, tags included; the
// reference, which knows one place for a tag at a time, could not tell of it as well.
func (h hook) forProgram(p cbpf.Program) hook {
	if h.whole = measures(p); h.whole {
		h.opts.Tags = false
	}
	return h
}

// etherLen is the length of an Ethernet header.
const etherLen = 14

func tcHook(link LinkType) hook { return hook{opts: link.Options(translate.TC), kind: kernel.TC} }

func cgroupHook(link LinkType) hook {
	return hook{opts: link.Options(translate.CGroupSKB), kind: kernel.CgroupIngress}
}

func xdpHook(link LinkType) hook { return hook{opts: link.Options(translate.XDP), kind: kernel.XDP} }

// level3 reports whether packets of the hook begin with their network header.
func (h hook) level3() bool {
	return h.opts.Target == translate.CGroupSKB || h.opts.HookLink == translate.LinkIP
}

// takesHeader says that packets lose their Ethernet header on the way to the hook, addsHeader that they get one.
func (h hook) takesHeader() bool { return h.opts.Link == translate.LinkEthernet && h.level3() }
func (h hook) addsHeader() bool  { return h.opts.Link == translate.LinkIP && !h.level3() }

// brings makes of a packet that the program is for the one that the hook gets.
func (h hook) brings(pkt *cbpf.Packet) (cbpf.Packet, error) {
	at := *pkt
	switch {
	case h.takesHeader() && len(pkt.Data) < etherLen:
		return at, cannot("less packet data than an Ethernet header")
	case h.takesHeader():
		at.Data = pkt.Data[etherLen:]
		at.Meta.Head, at.Meta.NoLink = pkt.Data[:etherLen], false
		at.Meta.Protocol = binary.BigEndian.Uint16(pkt.Data[etherLen-2:])
	case h.addsHeader():
		at.Data = append(header(pkt.Meta.Protocol), pkt.Data...)
	}
	at.WireLen += uint32(len(at.Data)) - uint32(len(pkt.Data))
	return h.placed(at), nil
}

// header is an Ethernet header with addresses of zero.
func header(proto uint16) []byte {
	return binary.BigEndian.AppendUint16(make([]byte, etherLen-2), proto)
}

// placed gives the packet the headers and properties that it has at the hook.
func (h hook) placed(at cbpf.Packet) cbpf.Packet {
	if h.opts.HaType != 0 {
		at.Meta.HaType = h.opts.HaType
	}
	if h.whole {
		at.WireLen = uint32(len(at.Data))
	}
	switch h.opts.Target {
	case translate.CGroupSKB:
		at.Meta.NetOff = 0
		return at
	case translate.XDP:
		at.Meta.VlanPresent = at.Meta.VlanPresent && !h.whole
		at.WireLen = uint32(len(at.Data))
		at.Meta.NetOff = etherLen
		if h.opts.NetOff != 0 {
			at.Meta.NetOff = int(h.opts.NetOff)
		}
		if h.opts.Tags {
			at.Meta = untagged(at.Meta, at.Data)
		}
	}
	at.Meta.Head, at.Meta.NoLink = nil, false // packets begin with their link-layer header
	return at
}

// untagged returns what the kernel would know of a frame once it has taken the first VLAN tag out (skb_vlan_untag in
// net/core/skbuff.c); nothing, of one that is too short.
func untagged(m cbpf.Meta, frame []byte) cbpf.Meta {
	const tagAt, tagLen = 12, 4
	m.Protocol, m.VlanPresent, m.VlanTCI, m.VlanTPID = 0, false, 0, 0
	if len(frame) < etherLen {
		return m
	}
	if tpid := binary.BigEndian.Uint16(frame[tagAt:]); tpid == etherVLAN || tpid == etherQinQ {
		if len(frame) < etherLen+tagLen {
			return m
		}
		m.VlanPresent, m.VlanTPID, m.VlanTCI = true, tpid, binary.BigEndian.Uint16(frame[tagAt+2:])
		frame = append(append([]byte(nil), frame[:tagAt]...), frame[tagAt+tagLen:]...)
	}
	m.Protocol = MetaFor(LinkEthernet, frame).Protocol
	return m
}

// sees is what the program finds of a packet at the hook.
func (h hook) sees(at cbpf.Packet) cbpf.Packet {
	before := len(at.Data)
	switch {
	case h.takesHeader():
		at.Data, at.Meta.NetOff = append(header(at.Meta.Protocol), at.Data...), etherLen
	case h.addsHeader():
		at.Data, at.Meta.NetOff = at.Data[min(etherLen, len(at.Data)):], 0
	default:
		return at
	}
	at.Meta.Head, at.Meta.NoLink = nil, false
	at.WireLen += uint32(len(at.Data)) - uint32(before)
	return at
}

// tells turns the verdict of the reference into what programs at the hook return.
func (h hook) tells() func(uint32) uint32 {
	actions := h.opts.Actions
	switch {
	case actions != nil:
	case h.opts.Target == translate.XDP:
		actions = &translate.Actions{Match: translate.XDPPass, Drop: translate.XDPDrop}
	case h.opts.Target == translate.CGroupSKB:
		actions = &translate.Actions{Match: 1, Drop: 0}
	default:
		return nil
	}
	return func(verdict uint32) uint32 {
		if verdict == 0 {
			return actions.Drop
		}
		return actions.Match
	}
}

// runner makes a runner out of one that judges packets at the hook. view, which may be nil, is what becomes of these then.
func (h hook) runner(verdict func(at *cbpf.Packet) (uint32, error), view func(*cbpf.Packet) cbpf.Packet) *Runner {
	return &Runner{
		Tells: h.tells(),
		Verdict: func(pkt *cbpf.Packet) (uint32, error) {
			at, err := h.brings(pkt)
			if err != nil {
				return 0, err
			}
			return verdict(&at)
		},
		Sees: func(pkt *cbpf.Packet) cbpf.Packet {
			at, err := h.brings(pkt)
			if err != nil {
				return *pkt
			}
			if view != nil {
				at = h.placed(view(&at))
			}
			return h.sees(at)
		},
	}
}

// SplitError says that a program at a hook of the kernel gives a packet another verdict if the packet is in pieces.
type SplitError struct {
	Linear  int // bytes in the first piece; -1 for none
	Whole   uint32
	Verdict uint32
}

func (e *SplitError) Error() string {
	return fmt.Sprintf("verdict %d on the packet in one piece, but %d with %d bytes in the first piece", e.Whole, e.Verdict, max(e.Linear, 0))
}

// prepareHook runs the translation for a hook in the interpreter of package ebpf, on each packet in one piece and in two.
func prepareHook(at func(LinkType) hook) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		h := at(link).forProgram(p)
		whole, err := prepareTranslated(p, h.opts)
		if err != nil {
			return nil, err
		}
		inPieces := h.opts
		inPieces.Frags = inPieces.Target == translate.XDP
		split, err := prepareTranslated(p, inPieces)
		if err != nil {
			return nil, err
		}
		abi, convert := h.opts.Target.ABI(), &converter{}
		one, two := ebpf.Prepare(whole, abi), ebpf.Prepare(split, abi)
		return h.runner(func(at *cbpf.Packet) (uint32, error) {
			in := convert.packet(at)
			verdict, err := one.Run(in)
			if err != nil {
				return 0, err
			}
			in.Linear = pieces(at.Data)
			if h.whole { // the kernel has the link-layer header in one piece, and knows where the next one begins
				in.Linear = max(in.Linear, at.Meta.NetOff)
			}
			again, err := two.Run(in)
			if err == nil && uint32(again) != uint32(verdict) {
				err = &SplitError{in.Linear, uint32(verdict), uint32(again)}
			}
			return uint32(verdict), err
		}, nil), nil
	}
}

// pieces draws the length of the first of two pieces, -1 for none: any number, the same for the same packet.
func pieces(data []byte) int {
	n := uint32(len(data))
	for _, b := range data[:min(len(data), 64)] {
		n = n*31 + uint32(b)
	}
	if linear := int(n>>3) % (len(data) + 1); linear > 0 {
		return linear
	}
	return -1
}

// prepareKernelHook loads the translation for a hook into the running kernel.
func prepareKernelHook(at func(LinkType) hook) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		h := at(link).forProgram(p)
		x, err := prepareTranslated(p, h.opts)
		if err != nil {
			return nil, err
		}
		f, err := kernel.Load(x, kernel.LoadOptions{Type: h.kind})
		if errors.Is(err, kernel.ErrUnavailable) {
			return nil, cannot("%v", err)
		}
		if err != nil {
			return nil, err
		}
		r := h.runner(wrongLength(f.RunPacket), f.View)
		r.Close = f.Close
		return r, nil
	}
}
