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
	return &hook{
		ends: d.ends,
		place: func(k uint32) (uint32, bool) {
			from, off := d.find(k)
			return off, from == inHook
		},
		ownIndexed: d.shift != 0,
		paged:      d.rest != noRest,
		byAddress:  true,
		most:       maxOffset,
		hatype:     d.hatype,
	}
}

func (d *direct) layout(cbpf.Program, bool) layout {
	ctx := d.holds().regCtx
	return layout{
		data: regData, limit: regDataEnd, byAddress: true,
		pinned: setOf(ctx, regData, regDataEnd),
		stack:  plainStack,
		enter: func(b *ebpf.Builder) {
			b.Emit(ebpf.Load(4, regData, ctx, d.data), ebpf.Load(4, regDataEnd, ctx, d.end))
		},
	}
}
