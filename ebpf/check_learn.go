package ebpf

import "slices"

// learn draws what the outcome of a comparison of a and b says.
func (s *state) learn(ins Instruction, a, b value, taken bool) {
	info := ins.Op.Info()
	if a.kind.intoPacket() || b.kind.intoPacket() {
		s.learnPacket(ins, a, b, taken)
		return
	}
	s.learnFill(info, a, b, taken)
	s.learnNumbers(info, a, b, taken)
}

// learnNumbers draws what the outcome says about the two numbers and about the captured length.
func (s *state) learnNumbers(info *OpInfo, a, b value, taken bool) {
	if !info.Wide && (a.hi > max32 || b.hi > max32) {
		return
	}
	op, teaches := info.Jump, true
	if !taken {
		op, teaches = opposite(op)
	}
	if !teaches {
		return
	}
	switch op {
	case JEq:
		s.atMost(a, b, 0)
		s.atMost(b, a, 0)
	case JLe:
		s.atMost(a, b, 0)
	case JLt:
		s.atMost(a, b, 1)
	case JGe:
		s.atMost(b, a, 0)
	case JGt:
		s.atMost(b, a, 1)
	}
}

// opposites are the comparisons that hold when others do not, by the upper half of the opcode; those that teach nothing are left out.
var opposites = [16]JumpOp{JEq >> 4: JNe, JNe >> 4: JEq, JGt >> 4: JLe, JLe >> 4: JGt, JGe >> 4: JLt, JLt >> 4: JGe}

// opposite is the comparison that holds when another does not; ok is false if that teaches nothing.
func opposite(op JumpOp) (other JumpOp, ok bool) {
	other = opposites[op>>4]
	return other, other != 0
}

// atMost takes note that a + n is at most b, n being 0 or 1.
func (s *state) atMost(a, b value, n int64) {
	if b.hi < uint64(n) || a.lo > anyResult-uint64(n) {
		return // never so
	}
	s.narrow(a, 0, b.hi-uint64(n))
	s.narrow(b, a.lo+uint64(n), anyResult)
	if b.sym != capSym {
		return
	}
	room := a.off - b.off + n
	if a.sym == 0 {
		s.caplen = max(s.caplen, room)
		return
	}
	if s.room(a.sym) >= room {
		return
	}
	kept := s.guards
	if len(kept) == maxGuards {
		kept = kept[1:]
	}
	s.guards = append(append([]guard(nil), kept...), guard{a.sym, room})
}

// room is the most that can be added to the unknown number with a sum that is at most the captured length.
func (s *state) room(sym int32) int64 {
	most := int64(-1) << 62
	for _, g := range s.guards {
		if g.sym == sym {
			most = max(most, g.room)
		}
	}
	return most
}

// maxLinked is how many copies of a number the kernel's verifier keeps together (LINKED_REGS_MAX in kernel/bpf/verifier.c,
// Linux 6.18).
const maxLinked = 6

// part takes the copies of numbers that are compared for numbers of their own, where the verifier does: it looks for those of
// both sides, even if they are the same, finds six, and parts with the others.
func (c *checker) part(ins Instruction) {
	if !c.info.kernel {
		return
	}
	a, b := c.operands(ins)
	surely, perhaps := 0, 0
	for _, v := range [2]value{a, b} {
		if v.named() {
			n, more := c.cur.copies(&v)
			surely, perhaps = surely+n, max(perhaps, more)
		}
	}
	if surely+perhaps <= maxLinked {
		return
	}
	is := func(o *value) bool { return a.named() && o.copies(&a) || b.named() && o.copies(&b) }
	alone := func(o *value) { o.sym, o.off = c.name(), 0 }
	c.cur.changeStack(is, alone)
	if surely <= maxLinked {
		return
	}
	for r := range c.cur.regs {
		if v := &c.cur.regs[r]; is(v) && Register(r) != ins.Dst && !(ins.Op.Info().Form == FormCondReg && Register(r) == ins.Src) {
			alone(v)
		}
	}
}

// narrow takes note of bounds of the number v, in all places that hold a copy of it, and that the verifier keeps together: it takes
// registers first, and then what is on the stack.
func (s *state) narrow(v value, lo, hi uint64) {
	lo, hi = max(lo, v.lo), min(hi, v.hi)
	if v.sym == 0 || lo > hi || lo == v.lo && hi == v.hi {
		return
	}
	surely, perhaps := s.copies(&v)
	if surely > maxLinked {
		return
	}
	is, to := func(o *value) bool { return o.copies(&v) }, func(o *value) { o.lo, o.hi = max(o.lo, lo), min(o.hi, hi) }
	s.changeRegisters(is, to)
	if surely+perhaps <= maxLinked {
		s.changeStack(is, to)
	}
}

// copies is how many registers and places on the stack hold the number, and how many more the verifier may take for copies of it.
func (s *state) copies(v *value) (surely, perhaps int) {
	count := func(o *value) {
		switch {
		case o.copies(v):
			surely++
		case o.linked:
			perhaps++
		}
	}
	for r := range s.regs {
		count(&s.regs[r])
	}
	for i := range s.spills {
		count(&s.spills[i].val)
	}
	return surely, perhaps
}

// copies reports whether two values are the same unknown number plus the same known one.
func (v *value) copies(o *value) bool { return v.sym == o.sym && v.off == o.off && v.kind == o.kind }

// change changes the values of registers and of the stack that are of a sort.
func (s *state) change(is func(*value) bool, to func(*value)) {
	s.changeRegisters(is, to)
	s.changeStack(is, to)
}

func (s *state) changeRegisters(is func(*value) bool, to func(*value)) {
	for r := range s.regs {
		if is(&s.regs[r]) {
			to(&s.regs[r])
		}
	}
}

func (s *state) changeStack(is func(*value) bool, to func(*value)) {
	copied := false
	for i := range s.spills {
		if !is(&s.spills[i].val) {
			continue
		}
		if !copied {
			s.spills, copied = slices.Clone(s.spills), true
		}
		to(&s.spills[i].val)
	}
}

// learnFill finds out whether a function that was called has filled its buffer: where what it returned is none of its
// failures.
func (s *state) learnFill(info *OpInfo, a, b value, taken bool) {
	var left []fill
	for _, f := range s.fills {
		if f.excluded(info, a, b, taken) {
			s.markStack(f.off, f.n)
		} else {
			left = append(left, f)
		}
	}
	s.fills = left
}

// excluded reports whether the outcome of the comparison, one side of which is a constant, excludes all failures.
func (f *fill) excluded(info *OpInfo, a, b value, taken bool) bool {
	for _, result := range f.failed {
		x, y := constant(result), b
		switch {
		case a.sym == f.sym && b.sym == 0:
		case b.sym == f.sym && a.sym == 0:
			x, y = a, x
		default:
			return false
		}
		if holds(info, uint64(x.off), uint64(y.off)) == taken {
			return false
		}
	}
	return true
}
