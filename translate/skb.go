package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// The ways to bytes of a struct sk_buff that are not in one piece with its data pointer, or not known to be.

// ownSlot is one of a few places of 8 bytes on the stack, below the scratch memory, where a target keeps what it needs.
func ownSlot(i int16) int16 { return -8 * (cbpf.ScratchWords + 1 + i) }

const ownSlots = 5

// loadSlot is where helper functions put what they read: below all that. What else needs a place on the stack lies below it.
const loadSlot = -8 * (cbpf.ScratchWords + 1 + ownSlots)

// The last argument of skb_load_bytes_relative (enum bpf_hdr_start_off in linux/bpf.h).
const (
	fromLink    = 0
	fromNetwork = 1
)

// windowSize is the size of the LL window, and the distance from it to the NET window; windowBits is its logarithm.
const (
	windowSize = cbpf.NetOff - cbpf.LLOff
	windowBits = 20
)

// legacy emits one of the legacy loads, whose result is in r0.
func (e *emitter) legacy(dst ebpf.Register, load ebpf.Instruction) {
	e.b.Emit(load)
	if dst != ebpf.R0 {
		e.b.Emit(ebpf.Mov.Reg32(dst, ebpf.R0))
	}
}

// readFixed loads as access.loadFixed does, by a helper function.
func (e *emitter) readFixed(dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	switch {
	case k >= cbpf.NetOff:
		e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, k-cbpf.NetOff), ebpf.Mov.Imm32(ebpf.R5, fromNetwork))
		e.read(ebpf.HelperSkbLoadBytesRelative, size)
	case k >= cbpf.LLOff:
		e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, k-cbpf.LLOff), ebpf.Mov.Imm32(ebpf.R5, fromLink))
		e.read(ebpf.HelperSkbLoadBytesRelative, size)
	default:
		e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, k))
		e.read(ebpf.HelperSkbLoadBytes, size)
	}
	e.fetch(dst, size, miss)
}

// readIndexed loads as access.loadIndexed does, by helper functions. Offsets of 2^31 and more are refused by
// skb_load_bytes itself.
func (e *emitter) readIndexed(dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	e.sum(ebpf.R2, index, k)
	if reach == packetOnly {
		e.read(ebpf.HelperSkbLoadBytes, size)
		e.fetch(dst, size, miss)
		return
	}
	inPacket, relative, done := e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel()
	e.b.Branch(ebpf.JSGe.Imm32(ebpf.R2, 0), inPacket)
	e.goIf(ebpf.JLt.Imm32(ebpf.R2, cbpf.LLOff), miss)
	e.b.Emit(ebpf.Sub.Imm32(ebpf.R2, cbpf.LLOff), ebpf.Mov.Imm32(ebpf.R5, fromLink))
	e.b.Branch(ebpf.JLt.Imm32(ebpf.R2, windowSize), relative)
	e.b.Emit(ebpf.Sub.Imm32(ebpf.R2, windowSize), ebpf.Mov.Imm32(ebpf.R5, fromNetwork))
	e.b.Place(relative)
	e.read(ebpf.HelperSkbLoadBytesRelative, size)
	e.b.Branch(ebpf.Jump(), done)
	e.b.Place(inPacket)
	e.read(ebpf.HelperSkbLoadBytes, size)
	e.b.Place(done)
	e.fetch(dst, size, miss)
}

// read calls a function that reads size bytes at the offset in r2 to loadSlot, and leaves 0 in r0 where they exist.
func (e *emitter) read(helper int32, size int) {
	e.stack = max(e.stack, -loadSlot)
	e.copyBytes(helper, loadSlot, size)
}

// fetch takes what read has read, and goes to miss if that was nothing.
func (e *emitter) fetch(dst ebpf.Register, size int, miss ebpf.Label) {
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), miss)
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, loadSlot))
	e.toHost(dst, size)
}
