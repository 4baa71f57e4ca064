package difftest

import (
	"encoding/binary"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// madeUpSkb and madeUpXDP are layouts like those of a kernel, with a bit field, gaps, and members that lie in each other.
var (
	madeUpSkb = ebpf.SkbLayout{
		Head: ebpf.Member{Off: 200, Size: 8}, Data: ebpf.Member{Off: 208, Size: 8},
		Tail: ebpf.Member{Off: 188, Size: 4}, End: ebpf.Member{Off: 192, Size: 4},
		Len: ebpf.Member{Off: 112, Size: 4}, DataLen: ebpf.Member{Off: 116, Size: 4},
		MACHeader: ebpf.Member{Off: 182, Size: 2}, NetworkHeader: ebpf.Member{Off: 178, Size: 2},
		TransportHeader: ebpf.Member{Off: 176, Size: 2}, Protocol: ebpf.Member{Off: 180, Size: 2},
		PktType: ebpf.Member{Off: 128, Size: 1, Shift: 2, Bits: 3}, Mark: ebpf.Member{Off: 168, Size: 4},
		QueueMapping: ebpf.Member{Off: 124, Size: 2}, Hash: ebpf.Member{Off: 148, Size: 4}, IIF: ebpf.Member{Off: 144, Size: 4},
		VlanPresent: ebpf.Member{Off: 152, Size: 4}, VlanProto: ebpf.Member{Off: 152, Size: 2}, VlanTCI: ebpf.Member{Off: 154, Size: 2},
		Dev: ebpf.Member{Off: 16, Size: 8}, DevIfIndex: ebpf.Member{Off: 224, Size: 4}, DevType: ebpf.Member{Off: 580, Size: 2},
	}
	madeUpXDP = ebpf.XDPLayout{
		Data: ebpf.Member{Off: 0, Size: 8}, DataEnd: ebpf.Member{Off: 8, Size: 8}, DataMeta: ebpf.Member{Off: 16, Size: 8},
		DataHardStart: ebpf.Member{Off: 24, Size: 8}, Flags: ebpf.Member{Off: 52, Size: 4}, RxQ: ebpf.Member{Off: 32, Size: 8},
		RxQDev: ebpf.Member{Off: 0, Size: 8}, RxQIndex: ebpf.Member{Off: 8, Size: 4},
		DevIfIndex: ebpf.Member{Off: 224, Size: 4}, DevType: ebpf.Member{Off: 580, Size: 2},
	}
)

// Addresses of the structures, and of the buffer.
const (
	objectAddr = 0xffff_8881_0000_1000 // struct sk_buff or xdp_buff
	rxqAddr    = 0xffff_8881_0000_2000
	devAddr    = 0xffff_8881_0000_3000
	headAddr   = 0xffff_8881_0001_0000

	headroom   = 40 // bytes of the buffer in front of the packet
	structSize = 640
	noHeader   = 0xffff // the place of a header that there is none of
)

// structure is one of the kernel in the making.
type structure [structSize]byte

// set gives a member a value, and leaves alone what is beside a bit field.
func (s *structure) set(m ebpf.Member, v uint64) {
	b := s[m.Off:][:m.Size]
	if m.Bits > 0 {
		v = uint64(b[0])&^(1<<m.Bits-1)<<m.Shift | v<<m.Shift // bit fields here are in one byte
	}
	switch m.Size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.NativeEndian.PutUint16(b, uint16(v))
	case 4:
		binary.NativeEndian.PutUint32(b, uint32(v))
	case 8:
		binary.NativeEndian.PutUint64(b, v)
	}
}

// traced is a packet in the memory of a kernel.
type traced struct {
	object, rxq, dev structure
	buffer           []byte
}

// packet is what a program at a function of that kernel gets, in the word arg of its context.
func (t *traced) packet(pkt *cbpf.Packet, arg int) *ebpf.Packet {
	args := make([]uint64, arg+1)
	args[arg] = objectAddr
	return &ebpf.Packet{
		Args: args,
		Kernel: []ebpf.Region{
			{Addr: objectAddr, Bytes: t.object[:]}, {Addr: rxqAddr, Bytes: t.rxq[:]}, {Addr: devAddr, Bytes: t.dev[:]},
			{Addr: headAddr, Bytes: t.buffer},
		},
		CPU: pkt.Meta.CPU, Random: pkt.Meta.Random,
	}
}

// shared is the size of what kernels have behind a packet (struct skb_shared_info).
const shared = 320

// setBuffer lays the packet into the buffer, with bytes around it that are none of it. Behind packets of odd length are fewer than
// kernels have.
func (t *traced) setBuffer(pkt *cbpf.Packet) {
	t.buffer = append(t.buffer[:0], make([]byte, headroom)...)
	t.buffer = append(append(t.buffer, pkt.Meta.Head...), pkt.Data...)
	t.buffer = append(t.buffer, "behind the packet"...)
	if len(pkt.Data)%2 == 0 {
		t.buffer = append(t.buffer, make([]byte, shared)...)
	}
}

// skb makes a struct sk_buff of the packet. What was not captured lies in pages.
func (t *traced) skb(pkt *cbpf.Packet) {
	m, l := &pkt.Meta, &madeUpSkb
	t.object, t.dev = structure{}, structure{}
	t.setBuffer(pkt)
	data := headroom + len(m.Head)
	mac := uint64(headroom)
	if m.NoLink {
		mac = noHeader
	}
	set := t.object.set
	set(l.Head, headAddr)
	set(l.Data, headAddr+uint64(data))
	set(l.Len, uint64(pkt.WireLen))
	set(l.DataLen, uint64(pkt.WireLen)-uint64(len(pkt.Data)))
	set(l.MACHeader, mac)
	set(l.NetworkHeader, uint64(data+m.NetOff))
	set(l.Protocol, uint64(networkOrder(m.Protocol)))
	set(ebpf.Member{Off: l.PktType.Off, Size: 1}, 0xff) // its neighbours
	set(l.PktType, uint64(m.PktType&7))
	set(l.Mark, uint64(m.Mark))
	set(l.QueueMapping, uint64(m.Queue))
	set(l.Hash, uint64(m.RxHash))
	if m.VlanPresent {
		set(l.VlanProto, uint64(networkOrder(m.VlanTPID)))
		set(l.VlanTCI, uint64(m.VlanTCI))
	}
	if m.HasDev {
		set(l.Dev, devAddr)
		t.dev.set(l.DevIfIndex, uint64(m.IfIndex))
		t.dev.set(l.DevType, uint64(m.HaType))
	}
}

// xdp makes a struct xdp_buff of the packet.
func (t *traced) xdp(pkt *cbpf.Packet) {
	m, l := &pkt.Meta, &madeUpXDP
	t.object, t.rxq, t.dev = structure{}, structure{}, structure{}
	t.setBuffer(&cbpf.Packet{Data: pkt.Data})
	t.object.set(l.Data, headAddr+headroom)
	t.object.set(l.DataEnd, headAddr+headroom+uint64(len(pkt.Data)))
	t.object.set(l.RxQ, rxqAddr)
	t.rxq.set(l.RxQIndex, uint64(m.Queue))
	if m.HasDev {
		t.rxq.set(l.RxQDev, devAddr)
		t.dev.set(l.DevIfIndex, uint64(m.IfIndex))
		t.dev.set(l.DevType, uint64(m.HaType))
	}
}

// traceOptions are those for a program at a function that has a struct sk_buff as its third argument, or a struct xdp_buff.
func traceOptions(link LinkType, xdp bool) translate.Options {
	opts := link.Options(translate.Trace)
	opts.Trace = translate.TraceOptions{Arg: 2, Skb: &madeUpSkb}
	if xdp {
		opts.Trace.Skb, opts.Trace.XDP = nil, &madeUpXDP
	}
	return opts
}

// tracedView is the packet as a program finds it that was translated with the options.
func tracedView(opts translate.Options) func(*cbpf.Packet) cbpf.Packet {
	return func(pkt *cbpf.Packet) cbpf.Packet {
		seen := *pkt
		if opts.Trace.XDP != nil {
			seen.WireLen = uint32(len(pkt.Data))
			seen.Meta = cbpf.Meta{
				NetOff: etherLen, HasDev: pkt.Meta.HasDev, IfIndex: pkt.Meta.IfIndex, HaType: pkt.Meta.HaType, Queue: pkt.Meta.Queue,
				CPU: pkt.Meta.CPU, Random: pkt.Meta.Random,
			}
			if len(pkt.Data) >= etherLen {
				seen.Meta.Protocol = binary.BigEndian.Uint16(pkt.Data[etherLen-2:])
			}
		}
		from, m := -len(seen.Meta.Head), &seen.Meta // where the program counts from
		if opts.Link == translate.LinkIP {
			from = m.NetOff
		}
		whole := append(append([]byte(nil), m.Head...), seen.Data...)
		at := from + len(m.Head)
		m.NetOff -= from
		if at > len(whole) {
			m.NetOff, at = m.NetOff+at-len(whole), len(whole)
		}
		m.Head, seen.Data = whole[:at], whole[at:]
		seen.WireLen -= uint32(from)
		return seen
	}
}

// prepareTrace runs the translation for Trace in the interpreter of package ebpf, on packets in the memory of a kernel.
func prepareTrace(opts func(LinkType) translate.Options) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		opts := opts(link)
		x, err := prepareTranslated(p, opts)
		if err != nil {
			return nil, err
		}
		prepared, view, t := ebpf.Prepare(x, ebpf.Trace), tracedView(opts), &traced{}
		return &Runner{Sees: view, Verdict: func(pkt *cbpf.Packet) (uint32, error) {
			switch seen := view(pkt); {
			case opts.Link == translate.LinkIP && seen.Meta.NetOff > len(seen.Data):
				return 0, cannot("the network header lies behind the packet")
			case opts.Trace.XDP != nil:
				t.xdp(pkt)
			case opts.Link != translate.LinkIP && pkt.Meta.NoLink:
				return 0, cannot("there is no link-layer header to count from")
			default:
				t.skb(pkt)
			}
			r0, err := prepared.Run(t.packet(pkt, opts.Trace.Arg))
			return uint32(r0), err
		}}, nil
	}
}
