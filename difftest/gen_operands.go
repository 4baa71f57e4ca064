package difftest

import "github.com/cbpf2ebpf/cbpf2ebpf/cbpf"

// edges are the numbers at which 32-bit code goes wrong.
var edges = []uint32{
	0, 1, 2, 3, 4, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
}

// headerValues are numbers that stand in headers.
var headerValues = []uint32{
	etherIPv4, etherARP, etherVLAN, etherIPv6, etherQinQ, etherMPLS,
	protoICMP, protoTCP, protoUDP, protoICMPv6, protoSCTP,
	22, 53, 80, 443, 8080, 0x45, 0x1fff, 0x47455420, 0xc0000211, 0xc6336450,
}

// headerOffsets are where filters look: Ethernet, IPv4, IPv6 and what is behind them.
var headerOffsets = []uint32{0, 2, 4, 6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 23, 26, 28, 30, 34, 36, 38, 46, 47, 54, 56}

// edgeOffsets are absolute offsets that no packet reaches, up to where the windows begin.
var edgeOffsets = []uint32{
	0x7ffffffc, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff, cbpf.LLOff - 4, cbpf.LLOff - 1, 0xffff, 0x10000,
}

// windowOffsets are the first of ranges of offsets in and around the windows.
var windowOffsets = []uint32{cbpf.LLOff, cbpf.LLOff + 12, cbpf.NetOff - 4, cbpf.NetOff, cbpf.NetOff + 8, cbpf.AdOff - 20}

// pick draws one of a list.
func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// constant is the right operand of arithmetic or of a comparison: one that filters have, that is an edge, small, or any.
func (g *generator) constant() uint32 {
	switch g.IntN(8) {
	case 0, 1:
		return pick(g, edges)
	case 2, 3, 4:
		return pick(g, headerValues)
	case 5, 6:
		return g.Uint32N(256)
	default:
		return g.Uint32()
	}
}

// comparand is a constant that A can be equal to, mostly.
func (g *generator) comparand() uint32 {
	k := g.constant()
	if g.IntN(20) != 0 {
		k &= 1<<(8*g.width) - 1
	}
	return k
}

// verdict is what a program returns: drop, keep everything as tcpdump says it, or any number.
func (g *generator) verdict() uint32 {
	switch g.IntN(4) {
	case 0:
		return 0
	case 1:
		return 262144
	default:
		return g.constant()
	}
}

// offset is a place in a packet, mostly one that packets have.
func (g *generator) offset() uint32 {
	switch n := g.IntN(200); {
	case n < 120:
		return pick(g, headerOffsets)
	case n < 195:
		return g.Uint32N(80)
	case n < 199:
		return g.Uint32N(1600)
	default:
		return pick(g, edgeOffsets)
	}
}

// absOffset is the operand of an absolute load. Extensions and windows come up only where the options allow them.
func (g *generator) absOffset() uint32 {
	switch n := g.IntN(100); {
	case n < 6 && len(g.opts.Exts) > 0:
		return cbpf.AdOff + uint32(pick(g, g.opts.Exts))
	case n < 12 && g.opts.Windows:
		return pick(g, windowOffsets) + g.Uint32N(20)
	default:
		return g.offset()
	}
}

// indOffset is what an indirect load adds to X: the sum may wrap.
func (g *generator) indOffset() uint32 {
	switch n := g.IntN(100); {
	case n < 92:
		return g.offset()
	case n < 95: // with X above it, the sum wraps to a small offset
		return -(1 + g.Uint32N(40))
	case n < 98 && g.opts.Windows:
		return pick(g, windowOffsets) + g.Uint32N(20)
	default:
		return pick(g, edges)
	}
}

// skip is a distance to jump: short mostly, and sometimes as far as the field or the program allows.
func (g *generator) skip() uint8 {
	far := min(255, max(0, g.room()-1))
	switch g.IntN(30) {
	case 0:
		return uint8(far)
	case 1:
		return uint8(g.IntN(far + 1))
	case 2, 3, 4, 5:
		return uint8(g.IntN(min(far, 15) + 1))
	default:
		return uint8(g.IntN(min(far, 3) + 1))
	}
}

// skipTo is the distance to a pc where the field can hold it, or any distance.
func (g *generator) skipTo(target int) uint8 {
	if d := target - len(g.p) - 1; d >= 0 && d <= 255 {
		return uint8(d)
	}
	return g.skip()
}

// scratch is a word: one of a few mostly, so that stores and loads meet.
func (g *generator) scratch() uint32 {
	if g.IntN(3) == 0 {
		return g.Uint32N(cbpf.ScratchWords)
	}
	return g.Uint32N(3)
}
