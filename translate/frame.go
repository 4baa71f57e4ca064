package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/cbpf"

// frame says where the packets of a program lie in those of its hook. They begin elsewhere where a program that was written
// for Ethernet packets runs at a hook whose packets begin with the network header, or the other way round.
type frame struct {
	// shift is the place of the first byte, counted from the first one of the hook. If it is negative, the packets begin with
	// an Ethernet header that the hook does not have: its EtherType is skb->protocol, the addresses are not known.
	shift   int32
	ll, net window
}

// window is what the LL or the NET window of the kernel shows.
type window struct {
	// header says that offsets count from a header whose place only the kernel knows; otherwise it is at.
	header bool
	at     uint32 // counted from the first byte of the program's packets
}

// newFrame makes the frame of programs that options describe. asHook holds the windows for where the two begin alike.
func newFrame(opts Options, asHook frame) frame {
	switch {
	case opts.Link == LinkAsHook || opts.Link == opts.HookLink:
		return asHook
	case opts.Link == LinkIP:
		return frame{shift: int32(opts.networkHeader())}
	}
	return frame{shift: -ethernetHeader, net: window{at: ethernetHeader}}
}

// start is what an offset counts from.
type start uint8

const (
	inHook    start = iota // the first byte of the hook's packets
	inLink                 // their link-layer header
	inNetwork              // their network header
	inVirtual              // the Ethernet header that they do not have
	nowhere
)

// find says which bytes of the hook's packets a classic offset k means.
func (f *frame) find(k uint32) (from start, off uint32) {
	switch {
	case k >= cbpf.NetOff:
		return f.inside(&f.net, inNetwork, k-cbpf.NetOff)
	case k >= cbpf.LLOff:
		return f.inside(&f.ll, inLink, k-cbpf.LLOff)
	}
	return f.place(k)
}

// inside is find for the windows.
func (f *frame) inside(w *window, from start, off uint32) (start, uint32) {
	if w.header {
		return from, off
	}
	return f.place(w.at + off)
}

// place is find for offsets from the first byte.
func (f *frame) place(at uint32) (from start, off uint32) {
	switch off = at + uint32(f.shift); {
	case int32(at) < 0 || f.shift >= 0 && int32(off) < 0:
		return nowhere, 0
	case int32(off) < 0:
		return inVirtual, at
	}
	return inHook, off
}

// virtual reports whether the packets begin with a header that the hook does not have.
func (f *frame) virtual() bool { return f.shift < 0 }

// addresses reports whether a load from k reads Ethernet addresses that the hook does not have.
func (f *frame) addresses(k uint32) bool {
	from, off := f.find(k)
	return from == inVirtual && off < etherType
}

// etherType is the place of the EtherType in an Ethernet header.
const etherType = 12
