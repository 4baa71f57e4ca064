package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Optimised programs keep both pointers in registers, which calls leave alone, from beginning to end. What is not between
// them the slow twin reads.
const (
	regData    = ebpf.R7
	regDataEnd = ebpf.R9
)

func (d *direct) hook() *hook {
	if d.restOnly {
		return &hook{
			ends: d.ends, place: func(uint32) (uint32, bool) { return 0, false }, ownIndexed: true, prepared: d.prepared, hatype: d.hatype,
		}
	}
	return &hook{
		ends:      d.ends,
		place:     d.inHook,
		shift:     int64(d.shift),
		prepared:  d.prepared,
		paged:     d.rest != noRest,
		byAddress: true,
		most:      maxOffset,
		hatype:    d.hatype,
	}
}

// inHook tells where a byte is in the packets of the hook, if it is there.
func (d *direct) inHook(k uint32) (off uint32, ok bool) {
	from, off := d.find(k)
	return off, from == inHook
}

// prepared: begin puts an Ethernet header together for loads that are not in the EtherType alone, and looks for tags.
func (d *direct) prepared(e *expr) bool {
	if e.kind == exprProperty || e.a != noValue {
		return true
	}
	from, off := d.find(e.k)
	return from == inVirtual && int(off)+int(e.size) > ethernetHeader
}

func (d *direct) layout(cbpf.Program, bool) layout {
	if d.restOnly {
		return layout{pinned: setOf(d.holds().regCtx), stack: plainStack, halves: d.rest == legacyRest}
	}
	return layout{
		data: regData, limit: regDataEnd, byAddress: true,
		pinned:        setOf(d.holds().regCtx, regData, regDataEnd),
		stack:         plainStack,
		lengthByLimit: !d.skb && d.rest == noRest && d.shift == 0,
		enter: func(b *ebpf.Builder, ctx ebpf.Register) {
			b.Emit(ebpf.Load(4, regData, ctx, d.data), ebpf.Load(4, regDataEnd, ctx, d.end))
		},
	}
}
