package translate

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

func (t *trace) hook() *hook {
	return &hook{ends: t.ends, place: t.place, most: math.MaxInt32, ownFar: true, measured: true, hatype: t.hatype}
}

// place: of the windows, that of the header with which packets begin is in the packet; the other one only where it is known
// how far away it is.
func (t *trace) place(k uint32) (off uint32, ok bool) {
	switch {
	case k >= cbpf.NetOff && t.fromNetwork:
		return k - cbpf.NetOff, true
	case k >= cbpf.NetOff:
		return k - cbpf.NetOff + uint32(t.netOff), t.XDP != nil
	case k >= cbpf.LLOff && !t.fromNetwork:
		return k - cbpf.LLOff, true
	}
	return k, k < cbpf.LLOff
}

func (t *trace) layout(cbpf.Program, bool) layout {
	return layout{pinned: setOf(regFirst, ebpf.R10), stack: plainStack, copier: t}
}

// ahead: each call of probe_read_kernel takes 22 ns on x86-64, Linux 6.18, whether it copies 8 bytes or 120. Behind the bytes
// of a struct sk_buff or xdp_buff stands a struct skb_shared_info, of 320 bytes.
func (*trace) ahead() bool { return true }

func (*trace) within(e *emitter, base ebpf.Register, bytes int64) {
	e.asked(base, bytes, func(dst ebpf.Register) { e.b.Emit(ebpf.Load(8, dst, ebpf.R10, capturedSlot)) })
}

func (*trace) asking() registerSet { return setOf(ebpf.R0, ebpf.R1) }

// refuses: probe_read_kernel knows nothing of packets.
func (*trace) refuses() bool { return false }

// asked is within for targets that have the number of bytes, with a sign, from captured.
func (e *emitter) asked(base ebpf.Register, bytes int64, captured func(dst ebpf.Register)) {
	if base == noBase {
		captured(ebpf.R0)
		e.dropIf(ebpf.JSLt.Imm(ebpf.R0, int32(bytes)))
		return
	}
	e.b.Emit(ebpf.Mov.Reg(ebpf.R1, base), ebpf.Add.Imm(ebpf.R1, int32(bytes)))
	captured(ebpf.R0)
	e.dropIf(ebpf.JSGt.Reg(ebpf.R1, ebpf.R0))
}

func (*trace) copyTo(e *emitter, to int16, base ebpf.Register, off int64, n int, miss ebpf.Label) {
	e.probeCopy(to, regFirst, base, off, n, miss)
}

// probeCopy copies n bytes at start+base+off to the stack, or goes to miss where that is not possible.
func (e *emitter) probeCopy(to int16, start, base ebpf.Register, off int64, n int, miss ebpf.Label) {
	e.b.Emit(ebpf.Mov.Reg(ebpf.R3, start))
	if base != noBase {
		e.b.Emit(ebpf.Add.Reg(ebpf.R3, base))
	}
	if off != 0 {
		e.b.Emit(ebpf.Add.Imm(ebpf.R3, int32(off)))
	}
	e.probeRead(to, n)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), miss)
}

// exactTrace is the slow twin: it copies no more than guards ask for, which cannot fail where all of it is there.
type exactTrace struct{ *trace }

func (t *trace) twin() optimizable { return exactTrace{t} }

func (exactTrace) ahead() bool { return false }

func (t exactTrace) layout(p cbpf.Program, twin bool) layout {
	at := t.trace.layout(p, twin)
	at.copier = t
	return at
}
