package ebpf

// step applies the instruction to c.cur. Jumps are left to branch.
func (c *checker) step(pc int, ins Instruction) error {
	info := ins.Op.Info()
	if err := c.readable(pc, ins, info); err != nil {
		return err
	}
	switch info.Form {
	case FormALUImm, FormALUReg, FormNeg, FormEnd:
		return c.arithmetic(pc, ins, info)
	case FormLoadWide:
		c.cur.regs[ins.Dst] = constant(uint64(uint32(ins.Imm)) | uint64(uint32(c.p[pc+1].Imm))<<32)
	case FormLoad:
		return c.load(pc, ins, info)
	case FormStoreImm, FormStoreReg:
		return c.store(pc, ins, info)
	case FormLoadAbs, FormLoadInd:
		return c.packetLoad(pc, info)
	case FormCondImm, FormCondReg:
		if a, b := c.operands(ins); !comparable(info, a, b) {
			return fault(ReasonLeak, pc, "comparison")
		}
		c.part(ins)
	case FormCall:
		return c.call(pc, ins)
	case FormExit:
		return c.exit(pc)
	}
	return nil
}

// comparable reports whether two values may be compared: numbers, and pointers into the packet with each other.
func comparable(info *OpInfo, a, b value) bool {
	return a.kind == number && b.kind == number || a.kind.intoPacket() && b.kind.intoPacket() && info.Wide && info.Jump != JSet
}

// exit checks what the program returns.
func (c *checker) exit(pc int) error {
	switch r0 := c.cur.regs[R0]; {
	case r0.kind != number:
		return fault(ReasonLeak, pc, "return")
	case r0.hi > c.info.result:
		return fault(ReasonResult, pc, "r0 may be %d, %d is the most", r0.hi, c.info.result)
	default:
		c.facts.Result = max(c.facts.Result, r0.hi)
	}
	return nil
}

// readable checks that the registers that the instruction reads are set, and not mixed where they are used.
func (c *checker) readable(pc int, ins Instruction, info *OpInfo) error {
	reads, n := [2]Register{ins.Dst, ins.Src}, 0 // the first n
	switch info.Form {
	case FormALUImm:
		if info.ALU != Mov {
			n = 1
		}
	case FormALUReg:
		reads, n = [2]Register{ins.Src, ins.Dst}, 2
		if info.ALU == Mov {
			if n = 1; c.cur.regs[ins.Src].kind == mixed && info.Wide && ins.Off == 0 {
				return nil
			}
		}
	case FormNeg, FormEnd, FormCondImm, FormStoreImm:
		n = 1
	case FormLoad, FormLoadInd:
		reads[0], n = ins.Src, 1
	case FormStoreReg, FormCondReg:
		n = 2
	case FormExit:
		reads[0], n = R0, 1
	}
	for _, r := range reads[:n] {
		switch c.cur.regs[r].kind {
		case unset:
			return fault(ReasonUnset, pc, "%s", r)
		case stale:
			return fault(ReasonStale, pc, "%s", r)
		case mixed:
			return fault(ReasonMixed, pc, "%s", r)
		}
	}
	return nil
}

// operands returns what is known of the two sides of an operation or comparison.
func (c *checker) operands(ins Instruction) (a, b value) {
	a = c.cur.regs[ins.Dst]
	switch ins.Op.Info().Form {
	case FormALUReg, FormCondReg:
		return a, c.cur.regs[ins.Src]
	}
	if ins.Op.Info().Wide {
		return a, constant(uint64(int64(ins.Imm)))
	}
	return a, constant(uint64(uint32(ins.Imm)))
}
