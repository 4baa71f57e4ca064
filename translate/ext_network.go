package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// sameBytes is how many bytes are compared to tell whether two places of a packet are one.
const sameBytes = 16

// findNetwork puts the place of the network header into at, and goes to miss where the packet ends in front of it. There is no
// field for it, but skb_load_bytes_relative counts from it, and refuses what lies behind the linear part:
//
//	data            network header                 end of the linear part        end of the packet
//	|<-- offset --->|<------------ reach --------->|<-------- in pages --------->|
//	|<--------------------------------- length --------------------------------->|
//
// So if nothing lies in pages, or the length of the linear part is known, offset is that length less reach. Where the header
// is said to be is tried first: it is there if the linear part ends at the right distance from it. Otherwise, where that length
// is not known, there are either pages, or another offset: the bytes tell. What is in the packet at the place must be what
// the header begins with; if not, the place is calculated from the reach, and must stand the same test. Where neither does,
// or the header lies in front of the data, the program ends with verdict 0.
func (s skbHeaders) findNetwork(e *emitter, at variable, miss ebpf.Label) {
	near, unproved, search, found := e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel(), e.b.NewLabel()
	s.told(e, at)
	s.length(e, ebpf.R0)
	e.b.Branch(ebpf.JGe.Imm32(ebpf.R0, s.netOff), near)
	// The packet ends in front of the place: if nothing is anywhere else, it is cut off.
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, 0))
	s.relative(e, 1)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), miss)
	e.b.Branch(ebpf.Jump(), search)

	e.b.Place(near)
	s.fromEnd(e, s.netOff+1)
	e.b.Branch(ebpf.JNe.Imm(ebpf.R0, 0), unproved)
	s.fromEnd(e, s.netOff)
	e.b.Branch(ebpf.JNe.Imm(ebpf.R0, 0), found)
	e.b.Place(unproved)
	if !s.pointed {
		s.compareFirst(e, at, search, found)
	}
	e.b.Place(search)
	s.fromReach(e, at)
	if !s.pointed {
		s.compare(e, at, e.drop, found)
	}
	e.b.Place(found)
}

// linear loads the length of the linear part, or of the whole packet where only that is known.
func (s skbHeaders) linear(e *emitter, dst ebpf.Register) {
	if !s.pointed {
		s.length(e, dst)
		return
	}
	e.distance(dst, ebpf.SkbData, ebpf.SkbDataEnd)
}

// fromEnd tries to load a byte from the network header on, at the length of the linear part less so many bytes. r0 is 0 where
// there is one.
func (s skbHeaders) fromEnd(e *emitter, less uint32) {
	s.linear(e, ebpf.R2)
	e.b.Emit(ebpf.Sub.Imm32(ebpf.R2, less))
	s.relative(e, 1)
}

// relative copies n bytes at the offset in r2 from the network header.
func (skbHeaders) relative(e *emitter, n int) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R5, fromNetwork))
	e.copyBytes(ebpf.HelperSkbLoadBytesRelative, headerSlot, n)
}

// compareFirst goes to found if the bytes at the offset in at are those that the network header begins with, and to search if
// they are not. Where there are too few, a place that leaves room for more lies in front of pages.
func (s skbHeaders) compareFirst(e *emitter, at variable, search, found ebpf.Label) {
	cut := e.b.NewLabel()
	s.compare(e, at, search, cut)
	e.b.Branch(ebpf.Jump(), found)
	e.b.Place(cut)
	s.length(e, ebpf.R0)
	e.b.Branch(ebpf.JGe.Imm32(ebpf.R0, s.netOff+sameBytes), found)
}

// compare goes to differs if the bytes at the offset in at are not those that the network header begins with, and to cut if
// that has too few in the linear part.
func (s skbHeaders) compare(e *emitter, at variable, differs, cut ebpf.Label) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R2, 0))
	s.relative(e, sameBytes)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), cut)
	e.in(at, ebpf.R2)
	e.copyBytes(ebpf.HelperSkbLoadBytes, headerSlot+sameBytes, sameBytes)
	e.goIf(ebpf.JNe.Imm(ebpf.R0, 0), differs)
	for i := 0; i < sameBytes; i += 8 {
		e.copied(ebpf.R0, i, 8)
		e.copied(ebpf.R1, sameBytes+i, 8)
		e.goIf(ebpf.JNe.Reg(ebpf.R0, ebpf.R1), differs)
	}
}

// fromReach puts the length of the linear part less the reach of skb_load_bytes_relative into at. The reach is found bit by
// bit without branches, so that the verifier has one path to follow.
func (s skbHeaders) fromReach(e *emitter, at variable) {
	const bits = 16
	e.clear(at, ebpf.R0, ebpf.R1)
	for bit := bits - 1; bit >= 0; bit-- {
		e.in(at, ebpf.R2)
		e.b.Emit(ebpf.Add.Imm32(ebpf.R2, 1<<bit-1))
		s.relative(e, 1)
		// r0 is 0, or negative.
		e.b.Emit(ebpf.Rsh.Imm(ebpf.R0, 63), ebpf.Xor.Imm32(ebpf.R0, 1), ebpf.Lsh.Imm32(ebpf.R0, uint32(bit)))
		e.add(at, ebpf.R0, ebpf.R1)
	}
	s.linear(e, ebpf.R0)
	e.b.Emit(ebpf.Sub.Reg32(ebpf.R0, e.in(at, ebpf.R1)))
	e.set(at, ebpf.R0)
	e.dropIf(ebpf.JSLt.Imm32(ebpf.R0, 0))
}
