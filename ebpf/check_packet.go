package ebpf

// maxOffset bounds what the kernel's verifier proves of packet pointers: neither they nor what is read through them may be
// further from the packet's first byte (MAX_PACKET_OFF in kernel/bpf/verifier.c).
const maxOffset = 0xffff

// farOffset is where it takes no part in arithmetic with pointers any more (BPF_MAX_VAR_OFF).
const farOffset = 1 << 29

// learnPacket draws what the outcome of comparing packet pointers says: how many bytes from the unknown part of one of them
// on are there. It follows find_good_pkt_pointers and mark_pkt_end in kernel/bpf/verifier.c, Linux 6.18.
func (s *state) learnPacket(ins Instruction, a, b value, taken bool) {
	op := ins.Op.Info().Jump
	if !taken {
		op = opposites[op>>4]
	}
	p, r := a, ins.Dst
	switch {
	case b.ends(a):
	case a.ends(b):
		p, r, op = b, ins.Src, mirrored[op]
	default:
		return
	}
	switch op {
	case JLe:
		s.reaches(p, 0)
	case JLt:
		s.reaches(p, 1)
	case JGt, JGe:
		if p.kind == packetPtr {
			s.regs[r].room = -1
		}
	}
}

// mirrored gives the comparison that holds when the two sides have changed places.
var mirrored = map[JumpOp]JumpOp{JGt: JLt, JLt: JGt, JGe: JLe, JLe: JGe}

// ends reports whether the pointer stands behind the last byte that can be read through p.
func (v value) ends(p value) bool {
	return p.kind == packetPtr && v.kind == endPtr || p.kind == metaPtr && v.kind == packetPtr && v.sym == 0 && v.off == 0
}

// reaches takes note that p + n is at most the end of its memory, n being 0 or 1, for all pointers with the same unknown
// part.
func (s *state) reaches(p value, n int64) {
	if p.off < 0 || p.off == 0 && n > 0 || p.hi > maxOffset || p.hi+uint64(p.off) > maxOffset {
		return
	}
	same := func(v *value) bool { return v.kind == p.kind && v.sym == p.sym }
	s.change(same, func(v *value) { v.room = max(v.room, int32(p.off+n)) })
}

// movePacket makes all pointers into the packet stale.
func (s *state) movePacket() {
	s.change(func(v *value) bool { return v.kind.intoPacket() }, func(v *value) { *v = value{kind: stale} })
}

// shift adds a number to a packet pointer, or subtracts it. ok is false where the kernel's verifier would not go along.
//
// An unknown number makes another pointer of it, of which no byte is proved to be there: even if the same number was added
// before.
func (c *checker) shift(p, n value, op ALUOp) (sum value, ok bool) {
	if n.lo == n.hi {
		by := int64(n.lo)
		if by <= -farOffset || by >= farOffset {
			return value{}, false
		}
		if op == Sub {
			by = -by
		}
		p.off += by
		return p, -farOffset < p.off && p.off < farOffset
	}
	p.sym, p.room = c.name(), 0
	if op == Sub || n.hi >= farOffset {
		p.hi = anyResult
	} else if p.hi < farOffset {
		p.hi += n.hi
	}
	return p, true
}
