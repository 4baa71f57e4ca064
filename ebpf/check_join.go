package ebpf

import "slices"

// joiner joins two states. Registers that hold the same on either side do so afterwards.
type joiner struct {
	*checker
	named []joined
	names []int32
}

// joined is a pair of numbers, one on either side: unknown ones by name, and what is added to them.
type joined struct {
	kind       kind
	a, b       int32
	aOff, bOff int64
}

// join keeps in a what holds in both states, and returns it.
func (c *checker) join(a, b *state) *state {
	j := joiner{checker: c, named: c.named[:0], names: c.names[:0]}
	for r := range a.regs {
		if a.regs[r] != b.regs[r] {
			a.regs[r] = j.value(a.regs[r], b.regs[r])
		}
	}
	for i := range a.set {
		a.set[i] &= b.set[i]
	}
	a.guards = j.guards(a, b)
	a.caplen = min(a.caplen, b.caplen)
	a.spills = j.spills(a, b)
	a.fills = j.fills(a, b)
	c.named, c.names = j.named, j.names
	return a
}

// value keeps what two values have in common. What is a number on one side alone, or another one, may there be a copy of one that
// is known elsewhere.
func (j *joiner) value(a, b value) value {
	linked := a.linked || b.linked
	a.linked, b.linked = linked, linked
	if a == b {
		return a
	}
	v := j.common(a, b)
	v.linked = linked || j.info.kernel && (v.kind != number || v.sym != a.sym || v.sym != b.sym) && (a.named() || b.named())
	return v
}

// named reports whether it is a number that may have copies.
func (v value) named() bool { return v.kind == number && v.sym != 0 }

// common is what two values that differ have in common. Different numbers become a new unknown one.
func (j *joiner) common(a, b value) value {
	switch {
	case a.kind == unset || b.kind == unset:
		return value{}
	case a.kind != b.kind || a.kind == mixed:
		return value{kind: mixed}
	case a.kind == packetPtr || a.kind == metaPtr:
		return j.packetPointer(a, b)
	case a.kind != number:
		return value{kind: a.kind, sym: j.name(a.kind, a.sym, b.sym, a.off, b.off)}
	case a.sym == b.sym && a.off == b.off && a.sym != 0:
		return value{kind: number, sym: a.sym, off: a.off, lo: min(a.lo, b.lo), hi: max(a.hi, b.hi)}
	}
	return value{kind: number, sym: j.name(number, a.sym, b.sym, a.off, b.off), lo: min(a.lo, b.lo), hi: max(a.hi, b.hi)}
}

// packetPointer joins two of them. What they differ by goes into the unknown part.
func (j *joiner) packetPointer(a, b value) value {
	off := min(a.off, b.off)
	aBy, bBy := a.off-off, b.off-off
	a, b = a.absorb(aBy), b.absorb(bBy)
	v := value{kind: a.kind, sym: a.sym, off: off, room: min(a.room, b.room), hi: max(a.hi, b.hi)}
	if a.sym != b.sym || aBy != bBy {
		v.sym = j.name(a.kind, a.sym, b.sym, aBy, bBy)
	}
	return v
}

// absorb moves some of the known part of a pointer into the unknown one.
func (v value) absorb(by int64) value {
	v.off -= by
	if v.room >= 0 {
		v.room = int32(max(int64(v.room)-by, 0))
	}
	if v.hi < farOffset {
		v.hi += uint64(by)
	}
	return v
}

// name is the name of the unknown number that is a plus aOff in one state and b plus bOff in the other.
func (j *joiner) name(k kind, a, b int32, aOff, bOff int64) int32 {
	pair := joined{k, a, b, aOff, bOff}
	for i, known := range j.named {
		if known == pair {
			return j.names[i]
		}
	}
	j.named, j.names = append(j.named, pair), append(j.names, j.checker.name())
	return j.checker.symbols
}

// guards are the facts about the captured length that hold on both sides.
func (j *joiner) guards(a, b *state) []guard {
	var some [maxGuards]guard
	out := some[:0]
	for _, g := range a.guards {
		if room := min(g.room, b.room(g.sym)); room >= 0 {
			out = append(out, guard{g.sym, room})
		}
	}
	for i, n := range j.named {
		room := min(a.reach(n.a)-n.aOff, b.reach(n.b)-n.bOff)
		if room >= 0 && len(out) < maxGuards && n.counts(n.a, n.aOff) && n.counts(n.b, n.bOff) {
			out = append(out, guard{j.names[i], room})
		}
	}
	if slices.Equal(out, a.guards) {
		return a.guards
	}
	return slices.Clone(out)
}

// counts reports whether what is known of the captured length carries over from one of the two numbers: the sum of an unknown
// number never wraps, but a known one alone may stand for 2^64 less something, and a pointer for a place in front of the
// packet.
func (n *joined) counts(sym int32, off int64) bool {
	return n.kind == number && (sym != 0 || off >= 0) || n.kind == dataPtr && off >= 0
}

// reach is room for an unknown number, and what is known to be captured where there is none.
func (s *state) reach(sym int32) int64 {
	if sym == 0 {
		return s.caplen
	}
	return s.room(sym)
}

// spills joins what the stack keeps. Bytes that hold a register on one side only are taken for a number on the other.
func (j *joiner) spills(a, b *state) (out []spill) {
	for _, sp := range a.spills {
		other, ok := b.spillAt(sp.off)
		if !ok {
			other = j.anything()
		}
		out = append(out, spill{sp.off, j.value(sp.val, other)})
	}
	for _, sp := range b.spills {
		if _, ok := a.spillAt(sp.off); !ok {
			out = append(out, spill{sp.off, j.value(j.anything(), sp.val)})
		}
	}
	return out
}

// fills are the buffers that the same call may have filled on both sides.
func (j *joiner) fills(a, b *state) (out []fill) {
	for _, f := range a.fills {
		if slices.ContainsFunc(b.fills, func(o fill) bool { return o.sym == f.sym }) {
			out = append(out, f)
		}
	}
	return out
}
