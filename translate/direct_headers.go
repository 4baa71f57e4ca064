package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// How the code of poff, nla and nlan reads packets of tc, cgroup-skb and XDP. What is open is a copy on the stack, as
// on Socket, for which functions read paged bytes too; only XDP packets in one piece are read where they are.

// regOpen is where what is open begins, for XDP packets in one piece.
const regOpen = regBehind

func (*direct) variables(e *emitter) (at, proto, ip variable) { return skbHeaders{}.variables(e) }

// inPlace reports whether what is open is no copy.
func (d *direct) inPlace() bool { return d.rest == noRest }

func (d *direct) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.in(at, regOffset)
	if d.virtual() && n == attrHeader {
		d.openAnywhere(e, miss)
		return
	}
	if d.shift > 0 { // a sum of 2^32 and more would be small to a function
		e.only(ebpf.JSGe.Imm32(regOffset, 0), miss)
	}
	d.shiftOffset(e)
	if d.inPlace() {
		e.only(ebpf.JLe.Imm(regOffset, int32(mostDirect-n)), miss)
		d.pointers(e)
		e.b.Emit(ebpf.Add.Reg(regBegin, regOffset), ebpf.Mov.Reg(regOpen, regBegin), ebpf.Add.Imm(regBegin, int32(n)))
		e.only(ebpf.JLe.Reg(regBegin, regEnd), miss)
		return
	}
	e.stack = max(e.stack, -headerSlot)
	e.copyBytes(d.helper(), headerSlot, n)
	e.only(ebpf.JEq.Imm(ebpf.R0, 0), miss)
}

// openAnywhere opens the header of an attribute at the offset in regOffset, which may lie in the Ethernet header that the hook
// does not have. The headers that poff looks at are all behind that.
func (d *direct) openAnywhere(e *emitter, miss ebpf.Label) {
	e.stack = max(e.stack, -headerSlot)
	e.b.Emit(ebpf.Mov.Reg32(ebpf.R1, regOffset))
	d.loadIndexed(e, ebpf.R0, ebpf.R1, attrHeader, 0, packetOnly, miss)
	e.toHost(ebpf.R0, attrHeader)
	e.b.Emit(ebpf.Store(attrHeader, ebpf.R10, headerSlot, ebpf.R0))
}

func (d *direct) part(e *emitter, dst ebpf.Register, i, size int) {
	if d.inPlace() {
		e.b.Emit(ebpf.Load(size, dst, regOpen, int16(i)))
		return
	}
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, int16(headerSlot+i)))
}

// lengthSlot is where XDP programs for packets in pieces keep the length: it takes a call to find out. It is the upper half of
// 8 bytes, which the verifier does not follow.
var lengthSlot = ownSlot(4) + 4

func (d *direct) captured(e *emitter, dst ebpf.Register) {
	if d.skb || d.inPlace() {
		d.length(e, dst)
		return
	}
	e.b.Emit(ebpf.Load(4, dst, ebpf.R10, lengthSlot))
}

// keepLength does so, if captured is going to be asked.
func (d *direct) keepLength(e *emitter) {
	if d.skb || d.inPlace() || !e.search.any() {
		return
	}
	e.stack = max(e.stack, -int(lengthSlot))
	d.length(e, ebpf.R0)
	e.b.Emit(ebpf.Store(4, ebpf.R10, lengthSlot, ebpf.R0))
}

func (d *direct) blur(e *emitter, r ebpf.Register) {
	unknown := ebpf.SkbLen
	if !d.skb {
		unknown = ebpf.XDPIngressIfIndex
	}
	e.b.Emit(
		ebpf.Load(4, ebpf.R1, e.regCtx, unknown),
		ebpf.Load(4, ebpf.R2, e.regCtx, unknown),
		ebpf.Sub.Reg32(ebpf.R1, ebpf.R2),
		ebpf.Add.Reg32(r, ebpf.R1),
	)
}

// field: XDP packets have no tag aside, and what is not looked at yet stands in the Ethernet header.
func (d *direct) field(e *emitter, dst ebpf.Register, off int16) {
	if d.skb {
		e.b.Emit(ebpf.Load(4, dst, e.regCtx, off))
		return
	}
	if off != ebpf.SkbProtocol {
		e.b.Emit(ebpf.Mov.Imm32(dst, 0))
		return
	}
	none, done := e.b.NewLabel(), e.b.NewLabel()
	d.hookFixed(e, dst, 2, etherType, none)
	e.toHost(dst, 2)
	e.b.Branch(ebpf.Jump(), done)
	e.b.Place(none)
	e.b.Emit(ebpf.Mov.Imm32(dst, noProto))
	e.b.Place(done)
}

// noProto is no protocol that anybody follows. It is not 0, which the verifier would tell from other numbers.
const noProto = 1

// networkOffset: only TC does not know where the network header is.
func (d *direct) networkOffset(e *emitter, at variable, miss ebpf.Label) {
	if d.net.header {
		skbHeaders{d.network}.networkOffset(e, at, miss)
		return
	}
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R0, d.net.at))
	d.blur(e, ebpf.R0)
	e.set(at, ebpf.R0)
	d.captured(e, ebpf.R0)
	e.only(ebpf.JGe.Imm32(ebpf.R0, d.net.at), miss)
}
