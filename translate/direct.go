package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// direct reads packets between the pointers data and data_end of its context, which each load fetches anew: a pointer that
// stays in a register carries what each path has learnt of it, and then the verifier takes no two paths for alike. A, X and
// the context are in registers that calls keep.
type direct struct {
	frame
	data, end int16 // places of the pointers in the context
	rest      rest  // how to read what is not between the pointers
	restOnly  bool  // read everything in that way
	skb       bool  // the context is a struct __sk_buff, otherwise a struct xdp_md
	tags      bool
	haType    uint16
	netOff    uint32 // where to look for the network header first, where only the kernel knows
}

// rest is a way to read bytes that do not lie between data and data_end.
type rest uint8

const (
	noRest     rest = iota // there are none
	legacyRest             // the legacy loads; helper functions where a miss is not to end the program
	helperRest             // helper functions
)

// Registers of a direct load, all of which calls destroy.
const (
	regOffset = ebpf.R2 // place in the packet: as helper functions want it
	regBegin  = ebpf.R3
	regBehind = ebpf.R4
	regEnd    = ebpf.R5
)

func (d *direct) holds() registers {
	regA := ebpf.R8
	if d.restOnly && !d.tags {
		regA = ebpf.R0 // where the loads leave what they read
	}
	return registers{
		regA: regA, regX: ebpf.R7, regTmp: ebpf.R5, regCtx: ebpf.R6, regZero: ebpf.R9, copyA: regCopyA, copyX: regCopyX,
		lost: byCalls,
	}
}

func (d *direct) entry(e *emitter) { e.b.Emit(ebpf.Mov.Reg(e.regCtx, ebpf.R1)) }

func (d *direct) begin(e *emitter) {
	if d.virtual() && d.needsFront(e) {
		d.makeFront(e)
	}
	if d.needsTags(e) {
		d.findTags(e)
	}
	if e.forget {
		off := ebpf.SkbLen
		if !d.skb {
			off = ebpf.XDPIngressIfIndex
		}
		e.b.Emit(ebpf.Load(4, e.regZero, e.regCtx, off))
	}
}

func (d *direct) ends(k uint32, size int) bool {
	from, off := d.find(k)
	switch {
	case from == nowhere:
		return true
	case from != inHook || d.skb:
		return false
	case d.rest == noRest:
		return int(off)+size > mostDirect
	}
	return off > mostDirect // xdp_load_bytes takes no more
}

func (d *direct) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	from, off := d.find(k)
	switch from {
	case inVirtual:
		d.virtualFixed(e, dst, size, off, miss)
	case inHook:
		d.hookFixed(e, dst, size, off, miss)
	default: // a window
		if d.legacy(e, miss) {
			e.legacy(dst, ebpf.LoadAbs(size, k))
			return
		}
		e.readFixed(dst, size, k, miss)
	}
}

// hookFixed loads from an offset in the packets of the hook.
func (d *direct) hookFixed(e *emitter, dst ebpf.Register, size int, off uint32, miss ebpf.Label) {
	slow, done := e.b.NewLabel(), e.b.NewLabel()
	near := int(off)+size <= mostDirect && !d.restOnly
	if near {
		base, at := regBegin, off
		d.pointers(e)
		if at > 0x7fff { // what an instruction has room for
			e.b.Emit(ebpf.Add.Imm(base, int32(at)))
			at = 0
		}
		e.b.Emit(ebpf.Mov.Reg(regBehind, base), ebpf.Add.Imm(regBehind, int32(at)+int32(size)))
		d.unless(e, slow, miss)
		e.b.Emit(ebpf.Load(size, dst, base, int16(at)))
	}
	if d.rest == noRest {
		e.toHost(dst, size)
		return
	}
	legacy := d.legacy(e, miss)
	if near {
		d.fast(e, dst, size, legacy, done)
		e.b.Place(slow)
	}
	if legacy {
		e.legacy(dst, ebpf.LoadAbs(size, off))
		e.b.Place(done)
		if near {
			e.narrow(dst, size)
		}
		return
	}
	e.b.Emit(ebpf.Mov.Imm32(regOffset, off))
	d.slow(e, dst, size, miss, done)
}

// legacy reports whether a legacy load is the slow way. It is not in plain translations that forget: there the verifier takes it
// for reason enough to follow many more paths.
func (d *direct) legacy(e *emitter, miss ebpf.Label) bool {
	return d.rest == legacyRest && miss == e.drop && (d.restOnly || !e.forget)
}

// pointers fetches data and data_end.
func (d *direct) pointers(e *emitter) {
	e.b.Emit(ebpf.Load(4, regBegin, e.regCtx, d.data), ebpf.Load(4, regEnd, e.regCtx, d.end))
}

// unless goes on if regBehind is not behind data_end, and elsewhere to slow, or to miss if there is no slow way.
func (d *direct) unless(e *emitter, slow, miss ebpf.Label) {
	if d.rest == noRest {
		e.goUnless(ebpf.JLe.Reg(regBehind, regEnd), miss)
		return
	}
	e.b.Branch(ebpf.JGt.Reg(regBehind, regEnd), slow)
}

// fast ends the fast way of a load that has a slow one too. Legacy loads bring their bytes into the order of the host.
func (d *direct) fast(e *emitter, dst ebpf.Register, size int, legacy bool, done ebpf.Label) {
	if legacy {
		e.toHost(dst, size)
	}
	e.b.Branch(ebpf.Jump(), done)
}

// reader is the function that reads what does not lie between the pointers, and what does too.
func (d *direct) reader() int32 {
	if d.skb {
		return ebpf.HelperSkbLoadBytes
	}
	return ebpf.HelperXDPLoadBytes
}

// slow is the other way of a load: a helper function reads from regOffset.
func (d *direct) slow(e *emitter, dst ebpf.Register, size int, miss, done ebpf.Label) {
	e.read(d.reader(), size)
	d.taken(e, dst, size, miss, done)
}

// taken ends a load: bytes come out of loadSlot, unless they were not there, or are in dst already, at done.
func (d *direct) taken(e *emitter, dst ebpf.Register, size int, miss, done ebpf.Label) {
	e.goUnless(ebpf.JEq.Imm(ebpf.R0, 0), miss)
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, loadSlot))
	e.b.Place(done)
	e.toHost(dst, size)
}

// narrow makes the verifier know the same of what two ways have loaded: its size.
func (e *emitter) narrow(dst ebpf.Register, size int) {
	if size == 4 {
		e.b.Emit(ebpf.Mov.Reg32(dst, dst))
		return
	}
	e.b.Emit(ebpf.And.Imm32(dst, 1<<(8*size)-1))
}

// loadIndexed computes the offset as the kernel does, wrapping in 32 bits. It is small, or far away and known to the slow
// way, or in a window.
func (d *direct) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	in := &indexed{
		direct: d, dst: dst, size: size, miss: miss,
		legacy: d.legacy(e, miss) && d.shift == 0 && reach == withWindows,
		packet: e.b.NewLabel(), slow: e.b.NewLabel(), check: e.b.NewLabel(), done: e.b.NewLabel(), whole: e.b.NewLabel(),
	}
	if in.legacy && d.restOnly {
		e.legacy(dst, ebpf.LoadInd(size, index, k))
		return
	}
	e.b.Emit(ebpf.Mov.Imm32(regOffset, k), ebpf.Add.Reg32(regOffset, index)) // not a copy, of which the verifier would learn for index
	switch {
	case reach == packetOnly:
		e.goUnless(ebpf.JSGe.Imm32(regOffset, 0), miss)
	case d.ll.header || d.net.header:
		if !in.legacy { // which knows the windows
			in.headerWindows(e)
		}
	default:
		in.fixedWindows(e)
	}
	e.b.Place(in.packet)
	in.fastWay(e)
	in.slowWay(e)
}

// indexed is an indexed load in the making. Offsets are in regOffset.
type indexed struct {
	*direct
	dst    ebpf.Register
	size   int
	miss   ebpf.Label
	legacy bool // the slow way is a legacy load, whose windows are those of the program

	packet ebpf.Label // the offset is one in the program's packets
	slow   ebpf.Label // it is one in the hook's packets, for the slow way
	check  ebpf.Label // a function has read, or not
	done   ebpf.Label // bytes are in dst, in the order of the packet; with legacy, in that of the host
	whole  ebpf.Label // the same, always in the order of the host
}

// fixedWindows turns offsets in windows into ones in the packet. It does so without comparing: see goUnless.
func (in *indexed) fixedWindows(e *emitter) {
	const which = ebpf.R3 // 0 for LL, 1 for NET
	e.b.Branch(ebpf.JLt.Imm32(regOffset, cbpf.LLOff), in.packet)
	if in.net.at > 0 {
		e.b.Emit(
			ebpf.Mov.Reg32(which, regOffset),
			ebpf.Rsh.Imm32(which, windowBits),
			ebpf.And.Imm32(which, 1),
			ebpf.Mul.Imm32(which, in.net.at),
		)
	}
	e.b.Emit(ebpf.And.Imm32(regOffset, windowSize-1))
	if in.net.at > 0 {
		e.b.Emit(ebpf.Add.Reg32(regOffset, which))
	}
	if in.rest != noRest && !in.virtual() {
		in.shiftOffset(e)
		e.b.Branch(ebpf.Jump(), in.slow)
	}
}

// headerWindows serves offsets in windows that count from a header; those of the other window go the slow way.
func (in *indexed) headerWindows(e *emitter) {
	network := e.b.NewLabel()
	e.b.Branch(ebpf.JLt.Imm32(regOffset, cbpf.LLOff), in.packet)
	e.b.Branch(ebpf.JGe.Imm32(regOffset, cbpf.NetOff), network)
	e.b.Emit(ebpf.And.Imm32(regOffset, windowSize-1))
	in.headerWindow(e, &in.ll, fromLink)
	e.b.Place(network)
	e.b.Emit(ebpf.And.Imm32(regOffset, windowSize-1))
	in.headerWindow(e, &in.net, fromNetwork)
}

func (in *indexed) headerWindow(e *emitter, w *window, from uint32) {
	if !w.header {
		e.b.Branch(ebpf.Jump(), in.slow)
		return
	}
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R5, from))
	e.read(ebpf.HelperSkbLoadBytesRelative, in.size)
	e.b.Branch(ebpf.Jump(), in.check)
}

// shiftOffset makes an offset in the program's packets one in the hook's. Those of 2^31 and more stay that large.
func (in *indexed) shiftOffset(e *emitter) {
	if in.shift != 0 {
		e.b.Emit(ebpf.Add.Imm(regOffset, in.shift))
	}
}

// fastWay loads between data and data_end. From here on regOffset counts from the first byte of the hook's packets.
func (in *indexed) fastWay(e *emitter) {
	if in.virtual() {
		in.virtualIndexed(e)
	}
	in.shiftOffset(e)
	if in.restOnly {
		return
	}
	most := int32(mostDirect - in.size)
	if in.rest == noRest {
		e.goUnless(ebpf.JLe.Imm(regOffset, most), in.miss)
	} else {
		e.b.Branch(ebpf.JGt.Imm(regOffset, most), in.slow)
	}
	in.pointers(e)
	e.b.Emit(
		ebpf.Add.Reg(regBegin, regOffset),
		ebpf.Mov.Reg(regBehind, regBegin),
		ebpf.Add.Imm(regBehind, int32(in.size)),
	)
	in.unless(e, in.slow, in.miss)
	e.b.Emit(ebpf.Load(in.size, in.dst, regBegin, 0))
}

// slowWay loads what the fast way has not, and ends the load.
func (in *indexed) slowWay(e *emitter) {
	switch {
	case in.rest == noRest:
		e.toHost(in.dst, in.size)
		return
	case in.legacy:
		in.fast(e, in.dst, in.size, true, in.done)
		e.b.Place(in.slow)
		e.legacy(in.dst, ebpf.LoadInd(in.size, regOffset, 0))
		e.b.Place(in.done)
	default:
		if !in.restOnly {
			in.fast(e, in.dst, in.size, false, in.done)
		}
		e.b.Place(in.slow)
		e.read(in.reader(), in.size)
		e.b.Place(in.check)
		in.taken(e, in.dst, in.size, in.miss, in.done)
	}
	e.b.Place(in.whole)
	if in.legacy || in.virtual() {
		e.narrow(in.dst, in.size)
	}
}
