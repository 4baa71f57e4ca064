package ebpf

import "math/bits"

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
		a, b := c.operands(ins)
		if a.kind != number || b.kind != number {
			return fault(ReasonPointer, pc, "comparison")
		}
	case FormCall:
		return c.call(pc, ins)
	case FormExit:
		if c.cur.regs[R0].kind != number {
			return fault(ReasonPointer, pc, "return")
		}
	}
	return nil
}

// readable checks that the registers that the instruction reads are set, and not mixed where they are used.
func (c *checker) readable(pc int, ins Instruction, info *OpInfo) error {
	var reads []Register
	switch info.Form {
	case FormALUImm:
		if info.ALU != Mov {
			reads = []Register{ins.Dst}
		}
	case FormALUReg:
		reads = []Register{ins.Src}
		if info.ALU == Mov {
			if c.cur.regs[ins.Src].kind == mixed && info.Wide && ins.Off == 0 {
				return nil
			}
		} else {
			reads = append(reads, ins.Dst)
		}
	case FormNeg, FormEnd, FormCondImm, FormStoreImm:
		reads = []Register{ins.Dst}
	case FormLoad, FormLoadInd:
		reads = []Register{ins.Src}
	case FormStoreReg, FormCondReg:
		reads = []Register{ins.Dst, ins.Src}
	case FormExit:
		reads = []Register{R0}
	}
	for _, r := range reads {
		switch c.cur.regs[r].kind {
		case unset:
			return fault(ReasonUnset, pc, "%s", r)
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

// arithmetic follows one operation. Of most only the width of the result is known.
func (c *checker) arithmetic(pc int, ins Instruction, info *OpInfo) error {
	a, b := c.operands(ins)
	if ins.Off != 0 && b.kind != number {
		return fault(ReasonPointer, pc, "sign extension")
	}
	dst := &c.cur.regs[ins.Dst]
	switch {
	case info.ALU == Mov && info.Wide && ins.Off == 0:
		*dst = b
		return nil
	case info.ALU == Mov && b.kind == number:
		a = b
	case info.Wide && (info.ALU == Add || info.ALU == Sub):
		v, ok := c.sum(a, b, info.ALU)
		if !ok {
			return fault(ReasonPointer, pc, "%s", info.Sign)
		}
		*dst = v
		return nil
	case info.Form == FormNeg || info.Form == FormEnd:
		b = constant(0)
	}
	if a.kind != number || b.kind != number {
		return fault(ReasonPointer, pc, "%s", info.Sign)
	}
	*dst = c.result(ins, info, a, b)
	return nil
}

// result is what is known of a number that an operation yields.
func (c *checker) result(ins Instruction, info *OpInfo, a, b value) value {
	const max32 = 1<<32 - 1
	whole := info.Wide || a.hi <= max32 && b.hi <= max32 // the operation sees all of its operands
	switch {
	case info.Form == FormEnd && ins.Imm == 64:
		return c.anything()
	case info.Form == FormEnd:
		return c.unknown(0, 1<<ins.Imm-1)
	case info.ALU == Mov && !info.Wide && ins.Off == 0 && whole:
		return b
	case info.ALU == And && whole:
		return c.unknown(0, min(a.hi, b.hi))
	case info.ALU == Or && whole:
		return c.unknown(0, 1<<bits.Len64(a.hi|b.hi)-1)
	case info.ALU == Rsh && info.Form == FormALUImm && whole:
		return c.unknown(0, a.hi>>b.off)
	case info.ALU == Lsh && info.Form == FormALUImm && whole && bits.Len64(a.hi)+int(b.off) <= 32:
		return c.unknown(0, a.hi<<b.off)
	case info.Wide:
		return c.anything()
	}
	return c.unknown(0, max32)
}

// sum follows 64-bit addition and subtraction, the only operations that pointers take part in.
func (c *checker) sum(a, b value, op ALUOp) (value, bool) {
	if op == Add && a.kind == number {
		a, b = b, a
	}
	if b.kind != number {
		return value{}, false
	}
	if b.sym == 0 {
		n := b.off
		if op == Sub {
			n = -n
		}
		return c.plus(a, n), true
	}
	switch {
	case op == Add && a.sym == 0 && a.kind != number:
		return value{kind: a.kind, sym: b.sym, off: a.off + b.off}, true
	case op == Add && a.kind == number && a.sym == 0:
		return c.plus(b, a.off), true
	case a.kind == number:
		return c.anything(), true
	}
	c.symbols++
	return value{kind: a.kind, sym: c.symbols}, true
}

// plus adds a constant. A number that might wrap becomes a new unknown one; offsets of pointers are kept small enough.
func (c *checker) plus(a value, n int64) value {
	const far = 1 << 40
	if a.kind != number {
		if sum := a.off + n; -far < n && n < far && -far < sum && sum < far {
			a.off = sum
			return a
		}
		c.symbols++
		return value{kind: a.kind, sym: c.symbols}
	}
	if a.sym == 0 {
		return constant(uint64(a.off + n))
	}
	up := n >= 0 && a.hi+uint64(n) >= a.hi
	down := n < 0 && n > -far && a.lo >= uint64(-n)
	if n >= far || a.off >= far || a.off <= -far || !up && !down {
		return c.anything()
	}
	return value{kind: number, sym: a.sym, off: a.off + n, lo: a.lo + uint64(n), hi: a.hi + uint64(n)}
}
