package ebpf

import "slices"

// packetLoad follows LoadAbs and LoadInd, which are calls in disguise.
func (c *checker) packetLoad(pc int, info *OpInfo) error {
	if !c.info.windows {
		return fault(ReasonNoPacketLoads, pc, "this is a %s program", c.abi)
	}
	if c.cur.regs[R6] != (value{kind: contextPtr}) {
		return &Error{Reason: ReasonNeedsContext, PC: pc}
	}
	if info.Form == FormLoadInd && c.cur.regs[c.p[pc].Src].kind != number {
		return fault(ReasonLeak, pc, "packet offset")
	}
	c.clobber()
	c.cur.regs[R0] = c.anything() // the kernel's verifier knows no bounds either
	return nil
}

// clobber forgets the registers that a call destroys.
func (c *checker) clobber() {
	for r := R0; r <= R5; r++ {
		c.cur.regs[r] = value{}
	}
}

// call follows the call of a helper function.
func (c *checker) call(pc int, ins Instruction) error {
	h := helperFor(ins.Imm, c.abi)
	if h == nil {
		return fault(ReasonCall, pc, "helper %d from %s programs", ins.Imm, c.abi)
	}
	for i, a := range h.args {
		r := R1 + Register(i)
		v := c.cur.regs[r]
		wants := a.wants(v)
		switch {
		case a.mayBe(v):
			return fault(ReasonUnproved, pc, "%s is not a constant", r)
		case a == argNumber && v.kind > number && v.kind != stale:
			return fault(ReasonLeak, pc, "%s must be %s", r, wants)
		case wants != "":
			return fault(ReasonCall, pc, "%s must be %s", r, wants)
		}
	}
	r0 := c.anything()
	if i := slices.Index(h.args, argBuffer); i >= 0 {
		if err := c.fill(pc, R1+Register(i), h.untouched, r0); err != nil {
			return err
		}
	}
	if h.moves {
		c.cur.movePacket()
	}
	c.facts.Calls = true
	c.facts.GPL = c.facts.GPL || h.gpl
	c.clobber()
	c.cur.regs[R0] = r0
	return nil
}

// mayBe reports whether the value may be what the argument has to be, for all that is known of it.
func (a argument) mayBe(v value) bool {
	switch a {
	case argBuffer:
		return v.kind == stackPtr && v.sym != 0
	case argSize, argSizeOrZero:
		return v.kind == number && v.sym != 0
	}
	return false
}

// wants says what the argument has to be, if the value is not that.
func (a argument) wants(v value) string {
	length := v.kind == number && v.off >= 0
	switch {
	case a == argNumber && v.kind != number:
		return "a number"
	case a == argContext && v != value{kind: contextPtr}:
		return "the context"
	case a == argBuffer && v.kind != stackPtr:
		return "a place on the stack"
	case a == argSize && (!length || v.off == 0):
		return "a constant length above 0"
	case a == argSizeOrZero && !length:
		return "a constant length"
	}
	return ""
}

// fill marks what a function writes to the stack at the place in the register, with the length in the next one. Where it
// does so only if it returned none of its failures, comparing what it returned will tell.
func (c *checker) fill(pc int, r Register, failed []uint64, r0 value) error {
	to, n := c.cur.regs[r].off, c.cur.regs[r+1].off
	if to < -StackSize || to > 0 || n > -to {
		return fault(ReasonStackRange, pc, "%d bytes at r10%+d", n, to)
	}
	c.facts.Stack = max(c.facts.Stack, int(-to))
	if c.cur.cutsPointer(to, int(n)) {
		return fault(ReasonLeak, pc, "store over a part of it")
	}
	c.cur.putSpill(to, int(n), value{})
	if failed == nil {
		c.cur.markStack(to, int(n))
		return nil
	}
	c.cur.fills = append(slices.Clone(c.cur.fills), fill{r0.sym, to, int(n), failed})
	return nil
}
