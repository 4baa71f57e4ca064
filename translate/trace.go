package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// TraceOptions say what programs of Trace find. One of the two layouts must be given, with all of its members but those that
// are marked here.
type TraceOptions struct {
	// Arg is the word of the context that holds the pointer: the number of the argument for programs at functions (fentry) and
	// tracepoints, and KprobeArg for kprobes.
	Arg int
	// Skb is the layout of the struct sk_buff that the argument points to. Tail, End, TransportHeader and IIF are not used.
	Skb *ebpf.SkbLayout
	// XDP is the layout of the struct xdp_buff that it points to instead. DataMeta, DataHardStart and Flags are not used.
	XDP *ebpf.XDPLayout
}

// trace reads packets of which the program has an address in the memory of the kernel, by probe_read_kernel. Before the first
// instruction it finds out where the packet is; from then on the address of the first byte is in a register. Only the linear
// part is there: what lies in pages is taken for missing.
type trace struct {
	TraceOptions
	fromNetwork bool  // packets begin with the network header, not with the link-layer header
	netOff      int32 // distance of the two, of packets in a struct xdp_buff
	measured    bool  // begin has been here
}

func newTrace(_ cbpf.Program, opts Options) access {
	return &trace{TraceOptions: opts.Trace, fromNetwork: opts.Link == LinkIP, netOff: int32(opts.networkHeader())}
}

// regFirst is the address of the first byte, in the place of the context, which is not needed any more.
const regFirst = ebpf.R6

// Where the rest of what begin finds out is.
var (
	capturedSlot = ownSlot(0) // how many bytes there are; negative if there is no link-layer header to begin with
	objectSlot   = ownSlot(1) // the pointer that is the argument
	windowSlot   = ownSlot(2) // where the window begins that is not the packet itself, counted from the first byte
	wireSlot     = ownSlot(3) // how many bytes there are on the wire
)

func (t *trace) holds() registers {
	return registers{
		regA: ebpf.R8, regX: ebpf.R7, regTmp: ebpf.R5, regCtx: regFirst, regZero: ebpf.R9, copyA: regCopyA, copyX: regCopyX, lost: byCalls,
	}
}

func (t *trace) entry(e *emitter) { e.b.Emit(ebpf.Mov.Reg(e.regCtx, ebpf.R1)) }

// begin measures the packet, once: what it finds out stays where it is.
func (t *trace) begin(e *emitter) {
	if !t.measured {
		t.measured = true
		t.measure(e)
	}
	if e.forget {
		e.b.Emit(ebpf.Load(4, e.regZero, ebpf.R10, wireSlot))
	}
}

// measure has A and X for itself: they have no values yet.
func (t *trace) measure(e *emitter) {
	object := e.regA
	e.stack = max(e.stack, -loadSlot)
	e.b.Emit(
		ebpf.Load(8, object, e.regCtx, 8*int16(t.Arg)),
		ebpf.Store(8, ebpf.R10, objectSlot, object),
	)
	if t.Skb != nil {
		t.beginSkb(e, object)
	} else {
		t.beginXDP(e, object)
	}
	if e.forget {
		blur(e, capturedSlot)
	}
}

// blur writes half of the 8 bytes at a place of the stack once more. The verifier, which takes a number that it wrote as a whole for
// the one that it reads, and learns of it there, then takes that for a new one each time.
func blur(e *emitter, slot int16) {
	e.b.Emit(
		ebpf.Load(4, e.regZero, ebpf.R10, slot+4),
		ebpf.Store(4, ebpf.R10, slot+4, e.regZero),
	)
}

// beginSkb measures a struct sk_buff. All places count from head at first.
func (t *trace) beginSkb(e *emitter, object ebpf.Register) {
	const head, data, wire, start, captured, other = ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R5, ebpf.R0
	l := t.Skb
	from, window := l.MACHeader, l.NetworkHeader
	if t.fromNetwork {
		from, window = window, from
	}
	g := e.gather(object, l.Head, l.Data, l.Len, l.DataLen, from, window)
	g.load(head, l.Head)
	g.load(data, l.Data)
	g.load(wire, l.Len)
	g.load(captured, l.DataLen)
	g.load(start, from)
	e.b.Emit(
		ebpf.Sub.Reg(data, head),
		ebpf.Add.Reg(wire, data), // the ends of the packet, and of its linear part
		ebpf.Mov.Reg(other, wire),
		ebpf.Sub.Reg(other, captured),
		ebpf.Mov.Reg(captured, other),
		ebpf.Sub.Reg(wire, start),
		ebpf.Sub.Reg(captured, start),
		ebpf.Store(8, ebpf.R10, wireSlot, wire),
	)
	g.load(other, window)
	if t.fromNetwork {
		e.farIfUnset(other, window)
	} else {
		e.b.Emit(ebpf.Mov.Reg(wire, start))
		e.farIfUnset(wire, from)
		e.b.Emit(ebpf.Sub.Reg(captured, wire), ebpf.Add.Reg(captured, start))
	}
	e.b.Emit(
		ebpf.Store(8, ebpf.R10, capturedSlot, captured),
		ebpf.Sub.Reg(other, start),
		ebpf.Store(8, ebpf.R10, windowSlot, other),
		ebpf.Add.Reg(head, start),
		ebpf.Mov.Reg(regFirst, head),
	)
}

// farIfUnset adds so much to the place of a header, if that is all ones, that no packet reaches there. It does so without
// comparing, so that the verifier has one way to follow. It destroys r2.
func (e *emitter) farIfUnset(place ebpf.Register, m ebpf.Member) {
	const far, tmp = 40, ebpf.R2
	e.b.Emit(
		ebpf.Mov.Reg(tmp, place),
		ebpf.Add.Imm(tmp, 1),
		ebpf.Rsh.Imm(tmp, 8*int32(m.Size)),
		ebpf.Lsh.Imm(tmp, far),
		ebpf.Add.Reg(place, tmp),
	)
}

// beginXDP measures a struct xdp_buff, as far as it is in one piece.
func (t *trace) beginXDP(e *emitter, object ebpf.Register) {
	const data, end = ebpf.R1, ebpf.R2
	g := e.gather(object, t.XDP.Data, t.XDP.DataEnd)
	g.load(data, t.XDP.Data)
	g.load(end, t.XDP.DataEnd)
	if t.fromNetwork {
		e.b.Emit(ebpf.Add.Imm(data, t.netOff))
	}
	e.b.Emit(
		ebpf.Sub.Reg(end, data),
		ebpf.Store(8, ebpf.R10, capturedSlot, end),
		ebpf.Store(8, ebpf.R10, wireSlot, end),
		ebpf.Mov.Reg(regFirst, data),
	)
}

// ends: between the packet and the windows of the kernel there is nothing.
func (t *trace) ends(k uint32, _ int) bool { return int32(k) < 0 && k < cbpf.LLOff }

// Registers of a load.
const (
	regAt  = ebpf.R4 // place in the packet, 64 bits with a sign
	regTop = ebpf.R5
)

func (t *trace) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	switch {
	case k >= cbpf.NetOff:
		t.windowPlace(e, regAt, fromNetwork)
		e.b.Emit(ebpf.Add.Imm(regAt, int32(k-cbpf.NetOff)))
	case k >= cbpf.LLOff:
		t.windowPlace(e, regAt, fromLink)
		e.b.Emit(ebpf.Add.Imm(regAt, int32(k-cbpf.LLOff)))
	default:
		e.b.Emit(ebpf.Mov.Imm32(regAt, k))
	}
	t.probe(e, loadSlot, size, miss)
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, loadSlot))
	e.toHost(dst, size)
}

func (t *trace) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	inPacket, add := e.b.NewLabel(), e.b.NewLabel()
	e.b.Emit(ebpf.Mov.Imm32(regAt, k), ebpf.Add.Reg32(regAt, index))
	if reach == withWindows {
		e.b.Branch(ebpf.JLt.Imm32(regAt, cbpf.LLOff), inPacket)
		t.windowPlace(e, regTop, fromLink)
		e.b.Branch(ebpf.JLt.Imm32(regAt, cbpf.NetOff), add)
		t.windowPlace(e, regTop, fromNetwork)
		e.b.Place(add)
		e.b.Emit(ebpf.And.Imm32(regAt, windowSize-1), ebpf.Add.Reg(regAt, regTop))
	}
	e.b.Place(inPacket)
	t.probe(e, loadSlot, size, miss)
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, loadSlot))
	e.toHost(dst, size)
}

// windowPlace loads where a window begins, counted from the first byte.
func (t *trace) windowPlace(e *emitter, dst ebpf.Register, from uint32) {
	own, other := uint32(fromLink), t.netOff
	if t.fromNetwork {
		own, other = fromNetwork, -t.netOff
	}
	switch {
	case from == own:
		e.b.Emit(ebpf.Mov.Imm(dst, 0))
	case t.XDP != nil:
		e.b.Emit(ebpf.Mov.Imm(dst, other))
	default:
		e.b.Emit(ebpf.Load(8, dst, ebpf.R10, windowSlot))
	}
}

// probe copies n bytes at regAt to the stack, and goes to miss where the linear part does not have all of them.
func (t *trace) probe(e *emitter, to int16, n int, miss ebpf.Label) {
	t.probeUnless(e, e.goUnless, to, n, miss)
}

// probeUnless is probe by another goUnless.
func (t *trace) probeUnless(e *emitter, unless func(ebpf.Instruction, ebpf.Label), to int16, n int, miss ebpf.Label) {
	e.b.Emit(
		ebpf.Mov.Reg(regTop, regAt),
		ebpf.Add.Imm(regTop, int32(n)),
		ebpf.Load(8, ebpf.R3, ebpf.R10, capturedSlot),
	)
	unless(ebpf.JSLe.Reg(regTop, ebpf.R3), miss)
	e.b.Emit(ebpf.Mov.Reg(ebpf.R3, regFirst), ebpf.Add.Reg(ebpf.R3, regAt))
	e.probeRead(to, n)
	unless(ebpf.JEq.Imm(ebpf.R0, 0), miss)
}

// probeRead calls the function that copies n bytes at the address in r3 to the stack. Where there are none it copies zeros,
// and r0 is not 0.
func (e *emitter) probeRead(to int16, n int) {
	e.stack = max(e.stack, -int(to))
	e.b.Emit(
		ebpf.Mov.Reg(ebpf.R1, ebpf.R10),
		ebpf.Add.Imm(ebpf.R1, int32(to)),
		ebpf.Mov.Imm32(ebpf.R2, uint32(n)),
		ebpf.CallHelper(ebpf.HelperProbeReadKernel),
	)
}

func (t *trace) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Load(8, dst, ebpf.R10, wireSlot), ebpf.Mov.Reg32(dst, dst))
}

// hatype: the interface itself tells.
func (t *trace) hatype() (uint16, bool) { return 0, false }
