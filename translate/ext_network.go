package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// sameBytes is how many bytes are compared to tell whether two places of a packet are one.
const sameBytes = 16

// networkOffset finds the network header of a struct sk_buff. There is no field for it, but skb_load_bytes_relative counts
// from it, and refuses what lies behind the linear part:
//
//	data            network header                 end of the linear part        end of the packet
//	|<-- offset --->|<------------ reach --------->|<-------- in pages --------->|
//	|<--------------------------------- length --------------------------------->|
//
// If nothing lies in pages, offset is length less reach. So where the packet ends at the right distance from the network
// header, the header is where it was expected to be. Where it does not, there are either pages, or another offset: the
// bytes tell. What is in the packet at the expected place must be what the header begins with; otherwise the offset is
// calculated from the reach, and must stand the same test. Where neither does, or the header lies in front of the data,
// the program ends with verdict 0.
func (s skbHeaders) networkOffset(e *emitter, at variable, miss ebpf.Label) {
	unproved, search, found, cut, near := e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel()
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R0, s.netOff))
	s.blur(e, ebpf.R0)
	e.set(at, ebpf.R0)
	s.field(e, ebpf.R0, ebpf.SkbLen)
	e.b.Branch(ebpf.JGe.Imm32(ebpf.R0, s.netOff), near)
	// The packet ends in front of the expected place: if nothing is anywhere else, it is cut off.
	s.fromNetwork(e, 0)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), miss)
	e.b.Branch(ebpf.Jump(), search)

	e.b.Place(near)
	s.fromEnd(e, s.netOff+1)
	e.b.Branch(ebpf.JNe.Imm(ebpf.R0, 0), unproved)
	s.fromEnd(e, s.netOff)
	e.b.Branch(ebpf.JNe.Imm(ebpf.R0, 0), found)

	e.b.Place(unproved)
	s.compare(e, at, search, cut)
	e.b.Branch(ebpf.Jump(), found)

	// Too few bytes to compare: an expected place that leaves room for more lies in front of pages.
	e.b.Place(cut)
	s.field(e, ebpf.R0, ebpf.SkbLen)
	e.b.Branch(ebpf.JGe.Imm32(ebpf.R0, s.netOff+sameBytes), found)

	e.b.Place(search)
	s.fromReach(e, at)
	s.compare(e, at, e.drop, found)
	e.b.Place(found)
}

// fromEnd tries to load a byte from the network header on, at the length of the packet less so many bytes. r0 is 0 where
// there is one.
func (s skbHeaders) fromEnd(e *emitter, less uint32) {
	s.field(e, ebpf.R2, ebpf.SkbLen)
	e.b.Emit(ebpf.Sub.Imm32(ebpf.R2, less))
	s.relative(e, headerSlot, 1)
}

// fromNetwork tries to load a byte at an offset from the network header. r0 is 0 where there is one.
func (s skbHeaders) fromNetwork(e *emitter, at uint32) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, at))
	s.relative(e, headerSlot, 1)
}

// relative copies n bytes at the offset in r2 from the network header.
func (skbHeaders) relative(e *emitter, to int16, n int) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R5, fromNetwork))
	e.copyBytes(ebpf.HelperSkbLoadBytesRelative, to, n)
}

// compare goes to differs if the bytes at the offset in at are not those that the network header begins with, and to cut if
// that has too few in the linear part.
func (s skbHeaders) compare(e *emitter, at variable, differs, cut ebpf.Label) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, 0))
	s.relative(e, headerSlot, sameBytes)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), cut)
	e.in(at, ebpf.R2)
	e.copyBytes(ebpf.HelperSkbLoadBytes, headerSlot+sameBytes, sameBytes)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), differs)
	for i := 0; i < sameBytes; i += 8 {
		e.b.Emit(
			ebpf.Load(8, ebpf.R0, ebpf.R10, int16(headerSlot+i)),
			ebpf.Load(8, ebpf.R1, ebpf.R10, int16(headerSlot+sameBytes+i)),
		)
		e.goIf(ebpf.JNe.Reg(ebpf.R0, ebpf.R1), differs)
	}
}

// fromReach puts the length of the packet less the reach of skb_load_bytes_relative into at. The reach is found bit by bit
// without branches, so that the verifier has one path to follow.
func (s skbHeaders) fromReach(e *emitter, at variable) {
	const bits = 16
	e.clear(at, ebpf.R0, ebpf.R1)
	for bit := bits - 1; bit >= 0; bit-- {
		e.in(at, ebpf.R2)
		e.b.Emit(ebpf.Add.Imm32(ebpf.R2, 1<<bit-1))
		s.relative(e, headerSlot, 1)
		// r0 is 0, or negative.
		e.b.Emit(ebpf.Rsh.Imm(ebpf.R0, 63), ebpf.Xor.Imm32(ebpf.R0, 1), ebpf.Lsh.Imm32(ebpf.R0, uint32(bit)))
		e.add(at, ebpf.R0, ebpf.R1)
	}
	s.field(e, ebpf.R0, ebpf.SkbLen)
	e.b.Emit(ebpf.Sub.Reg32(ebpf.R0, e.in(at, ebpf.R1)))
	e.set(at, ebpf.R0)
	e.dropIf(ebpf.JSLt.Imm32(ebpf.R0, 0))
}
