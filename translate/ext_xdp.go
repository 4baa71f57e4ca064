package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// xdpHeaders reads packets that are not in a struct sk_buff yet: between the pointers of the context, or, where they may lie in
// several buffers, by xdp_load_bytes. All that is known of a packet stands in it, so a VLAN tag is among the headers whatever
// Options.Tags says.
type xdpHeaders struct{ *direct }

// regOpen is where what is open begins, if it lies between the pointers.
const regOpen = regBegin

func (xdpHeaders) variables(e *emitter) (at, proto, ip variable) { return e.stackVariables() }

func (x xdpHeaders) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.in(at, regOffset)
	if x.shift != 0 { // the sum does not wrap: it is one of 64 bits
		e.b.Emit(ebpf.Add.Imm(regOffset, x.shift))
	}
	e.only(ebpf.JLe.Imm(regOffset, int32(mostDirect-n)), miss)
	if x.rest != noRest {
		e.copyBytes(ebpf.HelperXDPLoadBytes, headerSlot, n)
		e.only(ebpf.JEq.Imm(ebpf.R0, 0), miss)
		return
	}
	x.pointers(e)
	e.b.Emit(ebpf.Add.Reg(regOpen, regOffset), ebpf.Mov.Reg(regBehind, regOpen), ebpf.Add.Imm(regBehind, int32(n)))
	e.only(ebpf.JLe.Reg(regBehind, regEnd), miss)
}

func (x xdpHeaders) part(e *emitter, dst ebpf.Register, i, size int) {
	if x.rest != noRest {
		e.copied(dst, i, size)
		return
	}
	e.b.Emit(ebpf.Load(size, dst, regOpen, int16(i)))
}

// captured leaves regOpen alone, which length does not.
func (x xdpHeaders) captured(e *emitter, dst ebpf.Register) {
	if x.rest != noRest {
		e.b.Emit(ebpf.Mov.Reg(ebpf.R1, e.regCtx), ebpf.CallHelper(ebpf.HelperXDPBuffLen), ebpf.Mov.Reg32(dst, ebpf.R0))
	} else {
		e.distance(dst, x.data, x.end)
	}
	e.behind(dst, x.shift)
}

func (xdpHeaders) blur(e *emitter, r ebpf.Register) { e.blurBy(r, e.regCtx, ebpf.XDPIngressIfIndex) }

// begin reads the EtherType in front of the network header. Where none can be, the first header is of no known kind.
func (x xdpHeaders) begin(d *dissection) {
	d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, x.net.at))
	x.blur(d.emitter, ebpf.R0)
	d.set(d.at, ebpf.R0)
	d.setImm(d.ip, ipNothing)
	if at := int32(x.net.at) + x.shift - 2; at >= 0 && at+2 <= mostDirect {
		x.hookFixed(d.emitter, ebpf.R0, 2, uint32(at), d.bad)
	} else {
		d.b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
	}
	d.set(d.proto, ebpf.R0)
}
