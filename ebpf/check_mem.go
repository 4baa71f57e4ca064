package ebpf

// access decides about n bytes at the address in base plus off: which memory they are in, and whether that is proved.
func (c *checker) access(pc int, base value, off int16, n int) (Memory, error) {
	m := base.kind.memory()
	at := base.off + int64(off)
	switch m {
	case NoMemory:
		return m, fault(ReasonNotPointer, pc, "%s", describe(c.p[pc]))
	case DataMemory:
		c.facts.Proved[pc] = c.inPacket(base, at, n)
	case ContextMemory:
		c.facts.Proved[pc] = base.sym == 0
		if size := c.info.size; base.sym == 0 && (at < 0 || at+int64(n) > int64(size)) {
			return m, fault(ReasonContextRange, pc, "bytes %d to %d, %d is its size", at, at+int64(n)-1, size)
		}
	case StackMemory:
		if base.sym != 0 {
			break
		}
		if at < -StackSize || at+int64(n) > 0 {
			return m, fault(ReasonStackRange, pc, "bytes r10%+d to r10%+d, %d is its size", at, at+int64(n)-1, StackSize)
		}
		if c.info.kernel && at%int64(n) != 0 {
			return m, fault(ReasonAlignment, pc, "%d bytes at r10%+d", n, at)
		}
		c.facts.Proved[pc] = true
		c.facts.Stack = max(c.facts.Stack, int(-at))
	}
	c.facts.Access[pc] = m
	return m, nil
}

// inPacket reports whether the guards passed so far prove that n bytes at the unknown part of the pointer plus at are there.
func (c *checker) inPacket(p value, at int64, n int) bool {
	end := at + int64(n)
	switch {
	case at < 0:
		return false
	case p.kind.intoPacket():
		return end <= int64(p.room)
	case p.sym == 0:
		return end <= c.cur.caplen
	}
	return end <= c.cur.room(p.sym)
}

func (c *checker) load(pc int, ins Instruction, info *OpInfo) error {
	base := c.cur.regs[ins.Src]
	m, err := c.access(pc, base, ins.Off, info.Size)
	if err != nil {
		return err
	}
	if m == ContextMemory && c.info.kernel {
		return c.loadField(pc, ins, info)
	}
	dst := &c.cur.regs[ins.Dst]
	*dst = c.loaded(info)
	if m != StackMemory {
		return nil
	}
	if base.sym != 0 {
		return fault(ReasonUnproved, pc, "the offset into the stack is not a constant")
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

// loadField follows a load of the context, of which the kernel shows only some, and only through the pointer that the
// program got.
func (c *checker) loadField(pc int, ins Instruction, info *OpInfo) error {
	f, ok := c.abi.field(int64(ins.Off), info.Size)
	if c.cur.regs[ins.Src] != (value{kind: contextPtr}) || !ok || f.holds != number && info.Signed {
		return fault(ReasonContextField, pc, "%s", describe(ins))
	}
	c.cur.regs[ins.Dst] = value{kind: f.holds}
	if f.holds == number {
		c.cur.regs[ins.Dst] = c.loaded(info)
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
		return fault(ReasonUnproved, pc, "the offset into the stack is not a constant")
	}
	at := base.off + int64(ins.Off)
	if info.Size < 8 || at%8 != 0 {
		if kept.kind > number {
			return fault(ReasonPointer, pc, "store to less than 8 aligned bytes")
		}
		kept = value{}
	}
	if c.cur.cutsPointer(at, info.Size) {
		return fault(ReasonLeak, pc, "store over a part of it")
	}
	c.cur.putSpill(at, info.Size, kept)
	c.cur.markStack(at, info.Size)
	return nil
}
