package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// newTC makes the way to packets of traffic control. They begin with their link-layer header, so the LL window begins with
// them. Where the network header is only the kernel knows.
//
// Bytes that are not in one piece with the first ones the legacy loads find. They end the program with 0, so they serve
// programs that return 0 on a miss; elsewhere helper functions do, of which skb_load_bytes_relative, for the NET window,
// sees no more than the linear part, and 64 KiB.
func newTC(_ cbpf.Program, opts Options) access {
	d := &direct{
		frame: newFrame(opts, frame{net: window{header: true}}),
		data:  ebpf.SkbData, end: ebpf.SkbDataEnd,
		rest: helperRest, skb: true, haType: opts.HaType, netOff: opts.networkHeader(),
	}
	if opts.Actions.of(0) == 0 {
		d.rest = legacyRest
	}
	return d
}

// newCGroupSKB makes the way to packets of control groups. They begin with their network header, so the NET window begins
// with them. In front of it may be a link-layer header. Of that skb_load_bytes_relative tells; it sees no more than the
// linear part, and 64 KiB.
func newCGroupSKB(_ cbpf.Program, opts Options) access {
	return &direct{
		frame: newFrame(opts, frame{ll: window{header: true}}),
		data:  ebpf.SkbData, end: ebpf.SkbDataEnd,
		rest: helperRest, skb: true,
	}
}

func (d *direct) length(e *emitter, dst ebpf.Register) {
	switch {
	case d.skb:
		e.b.Emit(ebpf.Load(4, dst, e.regCtx, ebpf.SkbLen))
	case d.rest == noRest:
		e.b.Emit(
			ebpf.Load(4, regBegin, e.regCtx, d.data),
			ebpf.Load(4, dst, e.regCtx, d.end),
			ebpf.Sub.Reg(dst, regBegin),
			ebpf.Mov.Reg32(dst, dst),
		)
	default:
		e.b.Emit(ebpf.Mov.Reg(ebpf.R1, e.regCtx), ebpf.CallHelper(ebpf.HelperXDPBuffLen), ebpf.Mov.Reg32(dst, ebpf.R0))
	}
	if d.shift != 0 {
		e.b.Emit(ebpf.Sub.Imm32(dst, uint32(d.shift)))
	}
}

func (d *direct) property(e *emitter, dst ebpf.Register, ext cbpf.Ext) bool {
	if d.skb {
		return e.skbField(dst, e.regCtx, ext)
	}
	return d.xdpProperty(e, dst, ext)
}

func (d *direct) hatype() (uint16, bool) { return d.haType, d.haType != 0 }
