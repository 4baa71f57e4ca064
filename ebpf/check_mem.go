package ebpf

import "slices"

// access decides about n bytes at the address in base plus off: which memory they are in, and whether that is proved.
func (c *checker) access(pc int, base value, off int16, n int) (Memory, error) {
	m := base.kind.memory()
	at := base.off + int64(off)
	switch m {
	case NoMemory:
		return m, fault(ReasonNotPointer, pc, "%s", describe(c.p[pc]))
	case DataMemory:
		c.facts.Proved[pc] = c.inPacket(base.sym, at, n)
	case ContextMemory:
		c.facts.Proved[pc] = base.sym == 0
		if base.sym == 0 && (at < 0 || at+int64(n) > SkbSize) {
			return m, fault(ReasonContextRange, pc, "bytes %d to %d, %d is its size", at, at+int64(n)-1, SkbSize)
		}
	case StackMemory:
		if base.sym != 0 {
			break
		}
		if at < -StackSize || at+int64(n) > 0 {
			return m, fault(ReasonStackRange, pc, "bytes r10%+d to r10%+d, %d is its size", at, at+int64(n)-1, StackSize)
		}
		c.facts.Proved[pc] = true
		c.facts.Stack = max(c.facts.Stack, int(-at))
	}
	c.facts.Access[pc] = m
	return m, nil
}

// inPacket reports whether the guards passed so far prove that n bytes at sym+at are captured.
func (c *checker) inPacket(sym int32, at int64, n int) bool {
	if at < 0 {
		return false
	}
	if sym == 0 {
		return at+int64(n) <= c.cur.caplen
	}
	return at+int64(n) <= c.cur.room(sym)
}

func (c *checker) load(pc int, ins Instruction, info *OpInfo) error {
	base := c.cur.regs[ins.Src]
	m, err := c.access(pc, base, ins.Off, info.Size)
	if err != nil {
		return err
	}
	dst := &c.cur.regs[ins.Dst]
	*dst = c.loaded(info)
	if m != StackMemory {
		return nil
	}
	if base.sym != 0 {
		return fault(ReasonStackRange, pc, "the offset is not a constant")
	}
	at := base.off + int64(ins.Off)
	if !c.cur.stackSet(at, info.Size) {
		return fault(ReasonStackUnset, pc, "%d bytes at r10%+d", info.Size, at)
	}
	if v, ok := c.cur.spillAt(at); ok && info.Size == 8 {
		*dst = v
	} else if c.cur.overlapsPointer(at, info.Size) {
		return fault(ReasonPointer, pc, "load of a part of it")
	}
	return nil
}

// loaded is what is known of a number out of memory: its width.
func (c *checker) loaded(info *OpInfo) value {
	if info.Size == 8 || info.Signed {
		return c.anything()
	}
	return c.unknown(0, 1<<(8*info.Size)-1)
}

func (c *checker) store(pc int, ins Instruction, info *OpInfo) error {
	base := c.cur.regs[ins.Dst]
	m, err := c.access(pc, base, ins.Off, info.Size)
	if err != nil {
		return err
	}
	var kept value
	if info.Form == FormStoreReg {
		kept = c.cur.regs[ins.Src]
	}
	switch {
	case m == DataMemory && c.abi == Buffer && kept.kind > number:
		return fault(ReasonPointer, pc, "store to the buffer")
	case m == DataMemory && c.abi == Buffer:
		return nil
	case m != StackMemory:
		return fault(ReasonReadOnly, pc, "%s", describe(ins))
	case base.sym != 0:
		return fault(ReasonStackRange, pc, "the offset is not a constant")
	}
	at := base.off + int64(ins.Off)
	if info.Size < 8 || at%8 != 0 {
		if kept.kind > number {
			return fault(ReasonPointer, pc, "store to less than 8 aligned bytes")
		}
		kept = value{}
	}
	if c.cur.cutsPointer(at, info.Size) {
		return fault(ReasonPointer, pc, "store over a part of it")
	}
	c.cur.putSpill(at, info.Size, kept)
	c.cur.markStack(at, info.Size)
	return nil
}

// packetLoad follows LoadAbs and LoadInd, which are calls in disguise.
func (c *checker) packetLoad(pc int, info *OpInfo) error {
	if c.abi != Socket {
		return &Error{Reason: ReasonNoPacketLoads, PC: pc}
	}
	if c.cur.regs[R6] != (value{kind: contextPtr}) {
		return &Error{Reason: ReasonNeedsContext, PC: pc}
	}
	if info.Form == FormLoadInd && c.cur.regs[c.p[pc].Src].kind != number {
		return fault(ReasonPointer, pc, "packet offset")
	}
	c.clobber()
	c.cur.regs[R0] = c.loaded(info)
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
	h, ok := helpers[ins.Imm]
	if !ok || !slices.Contains(h.abis, c.abi) {
		return fault(ReasonCall, pc, "helper %d from %s programs", ins.Imm, c.abi)
	}
	if h.check != nil {
		if err := h.check(c, pc); err != nil {
			return err
		}
	}
	c.facts.Calls = true
	c.clobber()
	c.cur.regs[R0] = c.anything()
	return nil
}

// loadsToStack checks the arguments of skb_load_bytes(context, offset, stack, length) and marks what it writes.
func (c *checker) loadsToStack(pc int) error {
	r := &c.cur.regs
	to, n := r[R3], r[R4]
	switch {
	case r[R1] != (value{kind: contextPtr}):
		return fault(ReasonCall, pc, "r1 must be the context")
	case r[R2].kind != number:
		return fault(ReasonCall, pc, "r2 must be an offset")
	case to.kind != stackPtr || to.sym != 0:
		return fault(ReasonCall, pc, "r3 must be a place on the stack")
	case n.kind != number || n.sym != 0 || n.off <= 0:
		return fault(ReasonCall, pc, "r4 must be a constant length above 0")
	case to.off < -StackSize || n.off > -to.off:
		return fault(ReasonStackRange, pc, "%d bytes at r10%+d", n.off, to.off)
	}
	c.facts.Stack = max(c.facts.Stack, int(-to.off))
	if c.cur.cutsPointer(to.off, int(n.off)) {
		return fault(ReasonPointer, pc, "store over a part of it")
	}
	c.cur.putSpill(to.off, int(n.off), value{})
	c.cur.markStack(to.off, int(n.off))
	return nil
}
