package difftest

import (
	"bytes"
	"slices"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// maxShrinkCalls is how often Shrink asks; a question is a run of all engines.
const maxShrinkCalls = 20_000

// Shrink looks for a small program and a small packet that are still bad, by taking away and simplifying whatever can
// be: instructions, fields, bytes, properties. bad says yes to p and pkt, and is asked about valid programs only. The
// result is the same each time; the arguments are not changed.
func Shrink(p cbpf.Program, pkt cbpf.Packet, bad func(cbpf.Program, cbpf.Packet) bool) (cbpf.Program, cbpf.Packet) {
	s := shrinker{p: p, pkt: pkt, bad: bad}
	s.clearMeta()
	for s.smaller = true; s.smaller; {
		s.smaller = false
		s.halves(func() int { return len(s.p) }, s.removeInstructions)
		s.simplifyInstructions()
		s.cutPacket()
		s.halves(func() int { return len(s.pkt.Data) }, s.clearBytes)
	}
	s.clearMeta()
	return s.p, s.pkt
}

// shrinker holds the smallest pair known to be bad.
type shrinker struct {
	p       cbpf.Program
	pkt     cbpf.Packet
	bad     func(cbpf.Program, cbpf.Packet) bool
	calls   int
	smaller bool // than when this round began
}

// try takes over a pair if it is bad.
func (s *shrinker) try(p cbpf.Program, pkt cbpf.Packet) bool {
	if s.calls >= maxShrinkCalls {
		return false
	}
	s.calls++
	if !s.bad(p, pkt) {
		return false
	}
	s.p, s.pkt, s.smaller = p, pkt, true
	return true
}

// tryProgram takes over a program, if it is valid and bad with the packet there is.
func (s *shrinker) tryProgram(p cbpf.Program) bool {
	return cbpf.Validate(p) == nil && s.try(p, s.pkt)
}

// halves gives try all of something, then halves, quarters and so on down to single ones. What try takes away is not
// there any more at the next call; where it returns false nothing changed.
func (s *shrinker) halves(length func() int, try func(from, n int) bool) {
	for n := length(); n > 0; n /= 2 {
		for from := 0; from+n <= length(); {
			if !try(from, n) {
				from += n
			}
		}
	}
}

// removeInstructions takes n instructions out. Jumps to one of them lead to what followed.
func (s *shrinker) removeInstructions(from, n int) bool {
	// moved is where a pc of the old program is in the new one.
	moved := func(target int) int {
		if target >= from+n {
			return target - n
		}
		return min(target, from)
	}
	var p cbpf.Program
	for pc, ins := range s.p {
		if pc >= from && pc < from+n {
			continue
		}
		skip := func(d uint32) uint32 { return uint32(moved(pc+1+int(d)) - moved(pc) - 1) }
		switch cbpf.Info(ins.Op).Form {
		case cbpf.FormJump:
			ins.K = skip(ins.K)
		case cbpf.FormCondK, cbpf.FormCondX:
			ins.Jt, ins.Jf = uint8(skip(uint32(ins.Jt))), uint8(skip(uint32(ins.Jf)))
		}
		p = append(p, ins)
	}
	return s.tryProgram(p)
}

// simplifyInstructions replaces each instruction by the simplest one that will do.
func (s *shrinker) simplifyInstructions() {
	for pc := range s.p {
		for again := true; again; {
			again = slices.ContainsFunc(simpler(s.p[pc]), func(ins bpf.RawInstruction) bool {
				p := slices.Clone(s.p)
				p[pc] = ins
				return s.tryProgram(p)
			})
		}
	}
}

// simpler lists what to try in place of an instruction, the simplest first. Nothing is simpler than itself, directly or
// through others, so that trying ends.
func simpler(ins bpf.RawInstruction) []bpf.RawInstruction {
	const ldxImm, sourceX, modeBits, modeAbs = 0x01, 0x08, 0xe0, 0x20
	list := []bpf.RawInstruction{
		{Op: cbpf.OpRetK}, {Op: cbpf.OpRetK, K: 1}, {Op: cbpf.OpLdImm}, {Op: ldxImm}, {Op: ldxImm, K: 1},
	}
	info := cbpf.Info(ins.Op)
	switch info.Form {
	// A comparison that always comes out one way, and one with a constant.
	case cbpf.FormCondK, cbpf.FormCondX:
		list = append(list,
			bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(ins.Jt)},
			bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(ins.Jf)},
			bpf.RawInstruction{Op: ins.Op &^ sourceX, Jt: ins.Jt, Jf: ins.Jf, K: ins.K})
	case cbpf.FormInd:
		list = append(list, bpf.RawInstruction{Op: ins.Op&^modeBits | modeAbs, K: ins.K})
	}
	// Half the number, and the number without its lowest bit: 32 steps each at most.
	for _, k := range []uint32{0, 1, ins.K / 2, ins.K & (ins.K - 1)} {
		list = append(list, bpf.RawInstruction{Op: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: k})
	}
	list = append(list,
		bpf.RawInstruction{Op: ins.Op, Jf: ins.Jf, K: ins.K},
		bpf.RawInstruction{Op: ins.Op, Jt: ins.Jt, K: ins.K})
	// What is not simpler would make the trying go round in circles.
	return slices.DeleteFunc(list, func(other bpf.RawInstruction) bool { return cost(other) >= cost(ins) })
}

// cost orders instructions: by what they do, then by their numbers.
func cost(ins bpf.RawInstruction) uint64 {
	rank := map[cbpf.Form]uint64{
		cbpf.FormRetK: 0, cbpf.FormRetA: 1, cbpf.FormJump: 2, cbpf.FormImm: 3, cbpf.FormNone: 4, cbpf.FormLen: 4,
		cbpf.FormAbs: 5, cbpf.FormMem: 5, cbpf.FormX: 5, cbpf.FormCondK: 6, cbpf.FormInd: 6, cbpf.FormMSH: 6, cbpf.FormCondX: 7,
	}[cbpf.Info(ins.Op).Form]
	return rank<<40 + uint64(ins.K) + uint64(ins.Jt) + uint64(ins.Jf)
}

// cutPacket takes bytes off the end, and off the wire if that was all there was.
func (s *shrinker) cutPacket() {
	for n := len(s.pkt.Data); n > 0; {
		if n > len(s.pkt.Data) || !s.try(s.p, cutBy(s.pkt, n)) {
			n /= 2
		}
	}
}

// cutBy returns the packet without its last n bytes.
func cutBy(pkt cbpf.Packet, n int) cbpf.Packet {
	if pkt.WireLen == uint32(len(pkt.Data)) {
		pkt.WireLen -= uint32(n)
	}
	pkt.Data = pkt.Data[:len(pkt.Data)-n]
	return pkt
}

// clearBytes makes n bytes 0. The slice is not the caller's, whose packet stays as it was.
func (s *shrinker) clearBytes(from, n int) bool {
	zeros := make([]byte, n)
	if bytes.Equal(s.pkt.Data[from:from+n], zeros) {
		return false
	}
	pkt := s.pkt
	pkt.Data = bytes.Clone(pkt.Data)
	copy(pkt.Data[from:], zeros)
	return s.try(s.p, pkt)
}

// clearMeta takes away properties of the packet, all of them at best, and then a wire length of its own.
func (s *shrinker) clearMeta() {
	for _, clear := range []func(pkt *cbpf.Packet){
		func(pkt *cbpf.Packet) { pkt.Meta = cbpf.Meta{} },
		func(pkt *cbpf.Packet) { pkt.Meta = cbpf.Meta{NetOff: pkt.Meta.NetOff, Head: pkt.Meta.Head} },
		func(pkt *cbpf.Packet) { pkt.Meta.NoLink, pkt.Meta.Random = false, nil },
		func(pkt *cbpf.Packet) { pkt.Meta.Mark, pkt.Meta.RxHash, pkt.Meta.Queue, pkt.Meta.CPU = 0, 0, 0, 0 },
		func(pkt *cbpf.Packet) { pkt.Meta.VlanPresent, pkt.Meta.VlanTCI, pkt.Meta.VlanTPID = false, 0, 0 },
		func(pkt *cbpf.Packet) { pkt.Meta.Protocol, pkt.Meta.PktType = 0, 0 },
		func(pkt *cbpf.Packet) { pkt.Meta.HasDev, pkt.Meta.IfIndex, pkt.Meta.HaType = false, 0, 0 },
		func(pkt *cbpf.Packet) { pkt.WireLen = uint32(len(pkt.Data)) },
	} {
		pkt := s.pkt
		clear(&pkt)
		s.try(s.p, pkt)
	}
}
