package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// fields are the extensions that are a word of the SkBuff.
var fields = map[cbpf.Ext]struct {
	off       int16
	bigEndian bool // 16 bits in network order
}{
	cbpf.ExtProto:       {ebpf.SkbProtocol, true},
	cbpf.ExtPktType:     {ebpf.SkbPktType, false},
	cbpf.ExtIfIndex:     {ebpf.SkbIfIndex, false},
	cbpf.ExtMark:        {ebpf.SkbMark, false},
	cbpf.ExtQueue:       {ebpf.SkbQueue, false},
	cbpf.ExtRxHash:      {ebpf.SkbHash, false},
	cbpf.ExtVlanTCI:     {ebpf.SkbVlanTCI, false},
	cbpf.ExtVlanPresent: {ebpf.SkbVlanPresent, false},
	cbpf.ExtVlanTPID:    {ebpf.SkbVlanProto, true},
}

// skbField loads the field of the SkBuff in a register that an extension yields; ok is false where there is none.
func (e *emitter) skbField(dst, skb ebpf.Register, ext cbpf.Ext) (ok bool) {
	f, ok := fields[ext]
	if !ok {
		return false
	}
	e.b.Emit(ebpf.Load(4, dst, skb, f.off))
	if f.bigEndian {
		e.b.Emit(ebpf.ToBE(dst, 16))
	}
	return true
}

// helpers are the extensions that are the result of a helper function.
var helpers = map[cbpf.Ext]int32{
	cbpf.ExtCPU:    ebpf.HelperProcessorID,
	cbpf.ExtRandom: ebpf.HelperPrandomU32,
}

// extension loads a property of the packet into A.
func (e *emitter) extension(pc int, ext cbpf.Ext) error {
	switch ext {
	case cbpf.ExtXorX:
		e.b.Emit(ebpf.Xor.Reg32(e.regA, e.regX))
		return nil
	case cbpf.ExtIfIndex:
		if e.interfaceKnown() {
			e.b.Emit(ebpf.Mov.Reg32(e.regA, e.regTmp))
			return nil
		}
	case cbpf.ExtHaType:
		if n, ok := e.hatype(); ok && e.interfaceKnown() {
			e.b.Emit(ebpf.Mov.Imm32(e.regA, uint32(n)))
			return nil
		}
	default:
		if e.property(e, e.regA, ext) {
			return nil
		}
	}
	if id, ok := helpers[ext]; ok {
		e.b.Emit(ebpf.CallHelper(id), ebpf.Mov.Reg32(e.regA, ebpf.R0))
		return nil
	}
	if t, ok := e.access.(searchable); ok && searches[ext] != nil {
		return e.searchFor(pc, ext, t.headers())
	}
	return e.unsupported(pc, ext)
}

// interfaceKnown leaves the index of the interface in regTmp. Where there is none, which the target shows as index 0, it
// ends the program with what A holds, as the kernel does. ok is false where the target does not know the index.
func (e *emitter) interfaceKnown() (ok bool) {
	if !e.property(e, e.regTmp, cbpf.ExtIfIndex) {
		return false
	}
	known := e.b.NewLabel()
	e.b.Branch(ebpf.JNe.Imm32(e.regTmp, 0), known)
	e.returnsA()
	e.b.Place(known)
	return true
}

// lacking says, for the extensions without a field or helper, what is missing and what to do.
var lacking = map[cbpf.Ext][2]string{
	cbpf.ExtHaType:     {"no field of struct __sk_buff holds the type of the interface", "leave it out where all interfaces are alike"},
	cbpf.ExtNlattr:     {"no helper function searches netlink attributes", "attach the classic program, with SO_ATTACH_FILTER"},
	cbpf.ExtNlattrNest: {"no helper function searches netlink attributes", "attach the classic program, with SO_ATTACH_FILTER"},
	cbpf.ExtPayOff:     {"no helper function dissects the packet", "compute the offset from the header lengths in the filter itself"},
}

func (e *emitter) unsupported(pc int, ext cbpf.Ext) error {
	why := lacking[ext]
	if d, isDirect := e.access.(*direct); isDirect && !d.skb && xdpLacking[ext] != [2]string{} {
		why = xdpLacking[ext]
	}
	if ext == cbpf.ExtHaType && (e.target == User || e.target == TC) {
		why = [2]string{"the type of the interface is not known", "say it, with Options.HaType or --linktype"}
	}
	return &UnsupportedError{PC: pc, Ext: ext, Target: e.target, Why: why[0], Instead: why[1]}
}
