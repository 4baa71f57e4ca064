package translate

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Slow twins of programs that read directly are there for bytes that do not lie between the pointers, so they do not look there.
// Where legacy loads serve, they read by those. Elsewhere a helper function copies what a guard asks for to the stack, and refuses if
// the packet does not have it.

func (d *direct) twin() optimizable {
	if d.rest == noRest || d.restOnly {
		return nil
	}
	slow := *d
	slow.restOnly = true
	if d.rest == helperRest {
		return &copying{&slow}
	}
	return &slow
}

// copying is a slow twin that reads by copies.
type copying struct{ *direct }

func (c *copying) hook() *hook {
	h := c.direct.hook()
	h.place, h.ownIndexed, h.ownFar, h.most = c.inHook, false, true, math.MaxInt32
	h.shift = int64(c.shift)
	return h
}

func (c *copying) layout(p cbpf.Program, twin bool) layout {
	at := c.direct.layout(p, twin)
	at.pinned |= setOf(ebpf.R10)
	at.copier = c
	return at
}

// ahead: a copy that goes further than the packet fails.
func (*copying) ahead() bool { return false }

func (*copying) refuses() bool { return true }

func (*copying) asking() registerSet { return byCalls }

// within reads the last of the bytes. The length of a packet may say more than there is to be read.
func (c *copying) within(e *emitter, base ebpf.Register, bytes int64) {
	e.stack = max(e.stack, -loadSlot)
	c.copyTo(e, loadSlot, base, bytes-1, 1, e.drop)
}

func (c *copying) copyTo(e *emitter, to int16, base ebpf.Register, off int64, n int, miss ebpf.Label) {
	if base == noBase {
		e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, uint32(off)))
	} else {
		e.sum(ebpf.R2, base, uint32(off))
	}
	e.copyBytes(c.reader(), to, n)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), miss)
}
