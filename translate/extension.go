package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// fields are the extensions that are a word of the SkBuff.
var fields = map[cbpf.Ext]contextField{
	cbpf.ExtProto:       {"protocol", ebpf.SkbProtocol, true},
	cbpf.ExtPktType:     {"pkt_type", ebpf.SkbPktType, false},
	cbpf.ExtIfIndex:     {"ifindex", ebpf.SkbIfIndex, false},
	cbpf.ExtMark:        {"mark", ebpf.SkbMark, false},
	cbpf.ExtQueue:       {"queue_mapping", ebpf.SkbQueue, false},
	cbpf.ExtRxHash:      {"hash", ebpf.SkbHash, false},
	cbpf.ExtVlanTCI:     {"vlan_tci", ebpf.SkbVlanTCI, false},
	cbpf.ExtVlanPresent: {"vlan_present", ebpf.SkbVlanPresent, false},
	cbpf.ExtVlanTPID:    {"vlan_proto", ebpf.SkbVlanProto, true},
}

// contextField is a word of the context.
type contextField struct {
	name      string
	off       int16
	bigEndian bool // 16 bits in network order
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
		if e.target == Trace && e.interfaceKnown() && e.property(e, e.regA, ext) {
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
