package jit

// vectorOps are the instructions of operations on two vectors.
var vectorOps = map[nodeOp]*vop{
	opAdd: &vpaddd, opSub: &vpsubd, opMul: &vpmulld, opAnd: &vpandd, opOr: &vpord, opXor: &vpxord, opMin: &vpminud,
	opShl: &vpsllvd, opShr: &vpsrlvd, opSar: &vpsravd,
}

// shiftOps are those of shifts by a constant.
var shiftOps = map[nodeOp]*vop{opShl: &vpslld, opShr: &vpsrld, opSar: &vpsrad}

// value is the vector of a node, which is computed here if it is not there yet.
func (c *coder) value(id nodeID) lanes {
	n := *c.g.at(id)
	if c.at[id] != none && !c.begun[id] || n.op == opPhi {
		return c.at[id]
	}
	if n.op == opColumn {
		c.fetch(int(n.k))
		c.at[id] = c.columns[n.k][n.n]
		return c.at[id]
	}
	v := c.compute(n)
	switch {
	case c.begun[id]:
		l := newLine(lineVector)
		l.op, l.dst, l.b = &vmovdqa32, c.at[id], v
		c.emit(l)
		c.begun[id] = false
	case n.op != opConst: // a constant in a register is for one use: its place in memory is as good
		c.at[id] = v
	}
	return v
}

// begin gives a node a number before it is computed. Any number will do for lanes for which it never is, as long as it is
// within the bounds that are known: what is computed of it must not leave tables and packets either.
func (c *coder) begin(id nodeID) {
	c.at[id], c.begun[id] = c.vector(), true
	c.broadcast(c.at[id], c.g.known[id].lo, none)
}

// compute writes the lines of one node.
func (c *coder) compute(n node) lanes {
	l := newLine(lineVector)
	switch n.op {
	case opConst:
		v := c.vector()
		c.broadcast(v, n.k, none)
		return v
	case opSwap:
		l.op, l.a, l.mem = &vpshufb, c.value(n.a), c.g.pool.block(swapBytes[:])
	case opFlag:
		v := c.vector()
		m := c.condition(n.a, none)
		c.broadcast(v, 1, m)
		c.lines[len(c.lines)-1].zero = true
		return v
	case opPick:
		return c.pick(n)
	case opRead:
		l = newLine(lineGather)
		l.a, l.base, l.mem, l.imm = c.value(n.a), vPool, int32(n.k), 2
	case opGather:
		index := c.sum(n.a)
		l = newLine(lineGather)
		l.a, l.base, l.mem = index, vBuf, 0
	case opDiv, opMod:
		return c.divide(n)
	default:
		l = c.binary(n)
	}
	l.dst = c.vector()
	c.emit(l)
	return l.dst
}

// binary is the line of an operation on two numbers, without its destination.
func (c *coder) binary(n node) line {
	l := newLine(lineVector)
	k, constant := c.g.isConst(n.b)
	if op := shiftOps[n.op]; op != nil && constant {
		l.op, l.b, l.imm = op, c.value(n.a), byte(min(k, 32))
		return l
	}
	l.op, l.a = vectorOps[n.op], c.value(n.a)
	c.operand(&l, n.b)
	return l
}

// sum is the vector of a node plus the places of the packets in the buffer.
func (c *coder) sum(id nodeID) lanes {
	l := newLine(lineVector)
	l.op, l.a = &vpaddd, c.bytes
	c.operand(&l, id)
	l.dst = c.vector()
	c.emit(l)
	return l.dst
}

// pick looks up words in a table of one or two registers.
func (c *coder) pick(n node) lanes {
	index, second := c.value(n.a), int32(n.k)+int32(c.g.shape.size)
	permute := func(table int32) lanes {
		l := newLine(lineVector)
		l.op, l.a, l.mem, l.dst = &vpermd, index, table, c.vector()
		c.emit(l)
		return l.dst
	}
	if int(n.n) == c.g.shape.lanes {
		return permute(int32(n.k))
	}
	if c.g.shape == &wide {
		l, u := newLine(lineVector), newLine(lineUpdate)
		l.op, l.mem, l.dst = &vmovdqu32, int32(n.k), c.vector()
		c.emit(l)
		u.op, u.a, u.mem, u.dst = &vpermt2d, index, second, l.dst
		c.emit(u)
		return u.dst
	}
	low, high, test, move := permute(int32(n.k)), permute(second), newLine(lineCompare), newLine(lineVector)
	test.op, test.a, test.mem, test.each, test.bits = &vptestmd, index, c.g.pool.word(uint32(c.g.shape.lanes)), true, c.mask()
	c.emit(test)
	move.op, move.dst, move.b, move.within = &vmovdqa32, low, high, test.bits
	c.emit(move)
	return low
}

// divide is a quotient; a remainder is what the quotient leaves. Divided by zero, the quotient is zero.
func (c *coder) divide(n node) lanes {
	a, b := c.value(n.a), c.value(n.b)
	nonzero := newLine(lineCompare)
	nonzero.op, nonzero.a, nonzero.b, nonzero.bits = &vptestmd, b, b, c.mask()
	c.emit(nonzero)
	l := newLine(lineDivide)
	l.a, l.b, l.dst, l.x = a, b, c.vector(), nonzero.bits
	c.emit(l)
	if n.op == opDiv {
		return l.dst
	}
	times, less := newLine(lineVector), newLine(lineVector)
	times.op, times.a, times.b, times.dst = &vpmulld, l.dst, b, c.vector()
	c.emit(times)
	less.op, less.a, less.b, less.dst = &vpsubd, a, times.dst, c.vector()
	c.emit(less)
	return less.dst
}

// fetch reads a window.
func (c *coder) fetch(i int) {
	if c.columns[i] != [windowColumns]lanes{} {
		return
	}
	l := newLine(lineWindow)
	l.window = i
	c.columns[i] = [windowColumns]lanes{none, none, none, none}
	for j := range c.g.windows[i].columns {
		l.outs[j] = c.vector()
		c.columns[i][j] = l.outs[j]
	}
	c.emit(l)
}

// swapBytes is the shuffle that reverses the bytes of each number.
var swapBytes = func() (s [64]byte) {
	for i := range s {
		s[i] = byte(i&15 ^ 3)
	}
	return s
}()
