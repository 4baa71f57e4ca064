package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// traceHeaders copies headers to the stack by probe_read_kernel.
type traceHeaders struct{ *trace }

func (t *trace) headers() headers { return traceHeaders{t} }

func (traceHeaders) variables(e *emitter) (at, proto, ip variable) { return e.stackVariables() }

func (t traceHeaders) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.in(at, regAt)
	t.probeUnless(e, e.only, headerSlot, n, miss)
}

func (traceHeaders) part(e *emitter, dst ebpf.Register, i, size int) { e.copied(dst, i, size) }

// captured: programs that count from a link-layer header that is not there have no bytes at all.
func (traceHeaders) captured(e *emitter, dst ebpf.Register) {
	some := e.b.NewLabel()
	e.b.Emit(ebpf.Load(8, dst, ebpf.R10, capturedSlot))
	e.b.Branch(ebpf.JSGe.Imm(dst, 0), some)
	e.b.Emit(ebpf.Mov.Imm32(dst, 0))
	e.b.Place(some)
}

// blur adds the difference of two numbers that are equal, which the verifier does not know.
func (traceHeaders) blur(e *emitter, r ebpf.Register) { e.blurBy(r, ebpf.R10, wireSlot) }

// begin has the kernel tell where the network header is and what it is; the EtherType in front of it where it does not know.
func (t traceHeaders) begin(d *dissection) {
	t.windowPlace(d.emitter, ebpf.R0, fromNetwork)
	t.blur(d.emitter, ebpf.R0)
	d.set(d.at, ebpf.R0)
	t.captured(d.emitter, ebpf.R1)
	d.only(ebpf.JLe.Reg(d.in(d.at, ebpf.R0), ebpf.R1), d.bad)
	if t.Skb != nil {
		d.beginTold()
		return
	}
	d.setImm(d.ip, ipNothing)
	t.windowPlace(d.emitter, regAt, fromNetwork)
	d.b.Emit(ebpf.Sub.Imm(regAt, 2))
	t.probe(d.emitter, loadSlot, 2, d.bad)
	d.b.Emit(ebpf.Load(2, ebpf.R0, ebpf.R10, loadSlot))
	d.toHost(ebpf.R0, 2)
	d.set(d.proto, ebpf.R0)
}
