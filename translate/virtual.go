package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Programs for Ethernet packets find an Ethernet header in front of packets that have none. Its EtherType is
// skb->protocol. Nobody can know its addresses: absolute loads of them are refused, indirect ones find zeros.
//
// What loads at run time may read around the end of this header is kept in a word on the stack, the front: as the big-endian
// number that bytes 9 to 16 of the packet make, three of them addresses, two the EtherType, and three the beginning of what
// is there.

// frontSlot is where the front is, and frontEndSlot tells how far the packet goes that it is of, no further than the front
// itself. The latter is the upper half of 8 bytes, which the verifier does not follow.
var (
	frontSlot    = ownSlot(0)
	frontEndSlot = ownSlot(1) + 4
)

const (
	frontBegin = 9  // the first byte of the packet that the front holds
	frontEnd   = 17 // and the one behind the last
	frontData  = frontEnd - ethernetHeader
)

// addresses reports whether a load from k reads addresses that packets of the hook do not have.
func (e *emitter) addresses(k uint32) bool {
	d, ok := e.access.(*direct)
	return ok && d.addresses(k)
}

func (e *emitter) noAddresses(pc int) error {
	return &UnsupportedError{
		PC: pc, Load: "an Ethernet address", Target: e.target,
		Why:     "packets begin with their network header there",
		Instead: "leave the addresses out of the filter, or attach it where packets have them",
	}
}

// needsFront reports whether any load cannot do with the EtherType alone.
func (d *direct) needsFront(e *emitter) bool {
	for pc, ins := range e.prog {
		if !e.paths.reached(pc) {
			continue
		}
		switch info := cbpf.Info(ins.Op); info.Form {
		case cbpf.FormInd:
			return true
		case cbpf.FormAbs, cbpf.FormMSH:
			from, off := d.find(ins.K)
			if from == inVirtual && int(off)+info.Size > ethernetHeader && !isExtension(info, ins) {
				return true
			}
		}
	}
	return false
}

// makeFront reads the first bytes of the packet, as many as there are, and puts the EtherType in front of them.
func (d *direct) makeFront(e *emitter) {
	const number, proto, end = ebpf.R1, ebpf.R2, ebpf.R3
	read := e.b.NewLabel()
	e.stack = max(e.stack, -loadSlot)
	e.b.Emit(ebpf.Mov.Imm32(number, 0), ebpf.Store(8, ebpf.R10, loadSlot, number))
	for n := frontData; n > 0; n-- {
		e.b.Emit(ebpf.Mov.Imm32(regOffset, 0))
		e.read(ebpf.HelperSkbLoadBytes, n)
		e.b.Emit(ebpf.Mov.Imm32(end, ethernetHeader+uint32(n)))
		e.b.Branch(ebpf.JEq.Imm(ebpf.R0, 0), read)
	}
	e.b.Emit(ebpf.Mov.Imm32(end, ethernetHeader))
	e.b.Place(read)
	e.b.Emit(ebpf.Store(4, ebpf.R10, frontEndSlot, end), ebpf.Load(4, number, ebpf.R10, loadSlot))
	e.toHost(number, 4)
	e.b.Emit(ebpf.Rsh.Imm(number, 8*(4-frontData)))
	e.skbField(proto, e.regCtx, cbpf.ExtProto)
	e.b.Emit(
		ebpf.Lsh.Imm(proto, 8*frontData),
		ebpf.Or.Reg(number, proto),
		ebpf.Store(8, ebpf.R10, frontSlot, number),
	)
}

// virtualFixed loads from an offset in the header, which is not among the addresses.
func (d *direct) virtualFixed(e *emitter, dst ebpf.Register, size int, off uint32, miss ebpf.Label) {
	end := int32(off) + int32(size)
	if end <= ethernetHeader {
		e.skbField(dst, e.regCtx, cbpf.ExtProto)
		switch {
		case size == 2:
		case off == etherType:
			e.b.Emit(ebpf.Rsh.Imm32(dst, 8))
		default:
			e.b.Emit(ebpf.And.Imm32(dst, 0xff))
		}
		return
	}
	e.b.Emit(ebpf.Load(4, regEnd, ebpf.R10, frontEndSlot))
	e.goUnless(ebpf.JGe.Imm32(regEnd, uint32(end)), miss)
	e.b.Emit(ebpf.Load(8, dst, ebpf.R10, frontSlot))
	if shift := frontEnd - end; shift > 0 {
		e.b.Emit(ebpf.Rsh.Imm(dst, 8*shift))
	}
	e.narrow(dst, size)
}

// virtualIndexed loads from the offset in regOffset and goes to whole, where it lies in the header; that it lies among the
// addresses it finds without comparing: see goUnless.
func (in *indexed) virtualIndexed(e *emitter) {
	const front, shift, mask = regBegin, regBehind, regEnd
	behind := e.b.NewLabel()
	e.b.Branch(ebpf.JGt.Imm(regOffset, ethernetHeader-1), behind)
	if in.size > 1 {
		e.b.Emit(ebpf.Load(4, regEnd, ebpf.R10, frontEndSlot), ebpf.Sub.Imm(regEnd, int32(in.size)))
		e.goUnless(ebpf.JLe.Reg(regOffset, regEnd), in.miss)
	}
	e.b.Emit(
		ebpf.Load(8, front, ebpf.R10, frontSlot),
		ebpf.Mov.Reg(mask, regOffset), // becomes 0 for what lies before it, else all ones
		ebpf.Sub.Imm(mask, frontBegin),
		ebpf.Arsh.Imm(mask, 63),
		ebpf.Xor.Imm(mask, -1),
		ebpf.And.Reg(front, mask),
		ebpf.Mov.Imm32(shift, frontEnd-uint32(in.size)),
		ebpf.Sub.Reg(shift, regOffset),
		ebpf.Lsh.Imm(shift, 3),
		ebpf.Rsh.Reg(front, shift),
		ebpf.Mov.Reg(in.dst, front),
	)
	e.b.Branch(ebpf.Jump(), in.whole)
	e.b.Place(behind)
}
