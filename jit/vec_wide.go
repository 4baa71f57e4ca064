package jit

// wideWriter writes lines with AVX-512. Vectors z0 to z7 and masks k6 and k7 are for the instructions of one line.
type wideWriter struct{ *encoder }

const (
	scratch  zreg = 0
	scratchK kreg = firstScratchMask
)

func (e *wideWriter) storeVerdict() {
	e.evex(evex{op: &vmovdqu32To, dst: uint8(e.vector(e.c.verdict, scratch)), rm: vat(vOut, 0)})
}

// vector is the register of a vector, which is loaded into the scratch register if it lives in the frame.
func (e *wideWriter) vector(v lanes, scratch zreg) zreg {
	h := e.vectors[v]
	if h.slot < 0 {
		return zreg(h.reg)
	}
	e.evex(evex{op: &vmovdqu32, dst: uint8(scratch), rm: e.shape.slotOf(h)})
	return scratch
}

// target is the register that a vector is computed in; keep puts it into the frame if it lives there.
func (e *wideWriter) target(v lanes, scratch zreg) zreg {
	if h := e.vectors[v]; h.slot < 0 {
		return zreg(h.reg)
	}
	return scratch
}

func (e *wideWriter) keep(v lanes, from zreg) {
	if h := e.vectors[v]; h.slot >= 0 {
		e.evex(evex{op: &vmovdqu32To, dst: uint8(from), rm: e.shape.slotOf(h)})
	}
}

// The same for masks.
func (e *wideWriter) bits(m mask, scratch kreg) kreg {
	h := e.masks[m]
	if h.slot < 0 {
		return kreg(h.reg)
	}
	e.maskLoad(scratch, int32(frameMaskAt+h.slot*maskBytes))
	return scratch
}

func (e *wideWriter) bitsTarget(m mask, scratch kreg) kreg {
	if h := e.masks[m]; h.slot < 0 {
		return kreg(h.reg)
	}
	return scratch
}

func (e *wideWriter) keepBits(m mask, from kreg) {
	if h := e.masks[m]; h.slot >= 0 {
		e.maskStore(int32(frameMaskAt+h.slot*maskBytes), from)
	}
}

// operand is the second operand of a line.
func (e *wideWriter) operand(l *line) vrm {
	switch {
	case l.mem != none && l.each:
		return veach(vPool, l.mem)
	case l.mem != none:
		return vat(vPool, l.mem)
	}
	if h := e.vectors[l.b]; h.slot >= 0 {
		return e.shape.slotOf(h)
	}
	return vreg(zreg(e.vectors[l.b].reg))
}

// line writes one line.
func (e *wideWriter) line(l *line) {
	switch l.kind {
	case lineVector, lineUpdate:
		e.arithmetic(l)
	case lineCompare:
		in := evex{op: l.op, src: e.vector(l.a, scratch), rm: e.operand(l), imm: l.imm}
		if l.within != none {
			in.mask = e.bits(l.within, scratchK)
		}
		to := e.bitsTarget(l.bits, scratchK)
		in.dst = uint8(to)
		e.evex(in)
		e.keepBits(l.bits, to)
	case lineMask, lineNot, lineCopy, lineClear:
		e.maskLine(l)
	case lineGather:
		e.gather(l)
	case lineWindow:
		e.window(l)
	case lineDivide:
		e.divide(l)
	case lineHead:
		e.head(l)
	}
}

func (e *wideWriter) testMask(m mask) {
	k := e.bits(m, scratchK)
	e.maskTest(k, k)
}

// arithmetic writes an instruction on vectors.
func (e *wideWriter) arithmetic(l *line) {
	in := evex{op: l.op, rm: e.operand(l), imm: l.imm, zero: l.zero}
	if l.op == &vmovdqa32 && in.rm.mem {
		in.op = &vmovdqu32
	}
	if l.a != none {
		in.src = e.vector(l.a, scratch+1)
	}
	if l.within != none {
		in.mask = e.bits(l.within, scratchK)
	}
	to := e.target(l.dst, scratch)
	if l.updates() {
		to = e.vector(l.dst, scratch)
	}
	in.dst = uint8(to)
	e.evex(in)
	e.keep(l.dst, to)
}

func (e *wideWriter) maskLine(l *line) {
	to := e.bitsTarget(l.bits, scratchK)
	switch l.kind {
	case lineMask:
		x, y := e.bits(l.x, scratchK), e.bits(l.y, scratchK+1)
		e.mask(l.kop, to, x, y)
	case lineNot:
		e.maskNot(to, e.bits(l.x, scratchK))
	case lineCopy:
		e.maskMove(to, e.bits(l.x, scratchK))
	case lineClear:
		e.mask(kxor, to, to, to)
	}
	e.keepBits(l.bits, to)
}

// gather reads four bytes for each lane. The instruction uses up its mask.
func (e *wideWriter) gather(l *line) {
	index, to, all := e.vector(l.a, scratch+1), e.target(l.dst, scratch), scratchK+1
	if e.shape.slowGather {
		e.gatherByHand(to, index, vrm{mem: true, base: l.base, disp: l.mem, scale: l.imm})
		e.keep(l.dst, to)
		return
	}
	e.mask(kxnor, all, all, all)
	e.evex(evex{op: &vpgatherdd, dst: uint8(to), rm: vat(l.base, l.mem).plusLanes(index, l.imm), mask: all})
	e.keep(l.dst, to)
}

// divide divides as floating-point numbers of 64 bits, eight at a time. That is exact: a quotient that is no integer is
// further from the next one than it can be rounded.
func (e *wideWriter) divide(l *line) {
	a, b := e.vector(l.a, scratch+4), e.vector(l.b, scratch+5)
	half := func(to zreg, x, y vrm) {
		e.evex(evex{op: &vcvtudq2pd, dst: uint8(to), rm: x})
		e.evex(evex{op: &vcvtudq2pd, dst: uint8(to + 1), rm: y})
		e.evex(evex{op: &vdivpd, dst: uint8(to), src: to, rm: vreg(to + 1)})
		e.evex(evex{op: &vcvttpd2udq, dst: uint8(to), rm: vreg(to)})
	}
	half(scratch, vreg(a), vreg(b))
	e.evex(evex{op: &vextracti64x4, dst: uint8(a), rm: vreg(scratch + 2), imm: 1})
	e.evex(evex{op: &vextracti64x4, dst: uint8(b), rm: vreg(scratch + 3), imm: 1})
	half(scratch+2, vreg(scratch+2), vreg(scratch+3))
	e.evex(evex{op: &vinserti64x4, dst: uint8(scratch), src: scratch, rm: vreg(scratch + 2), imm: 1})
	to := e.target(l.dst, scratch)
	e.evex(evex{op: &vmovdqa32, dst: uint8(to), rm: vreg(scratch), mask: e.bits(l.x, scratchK), zero: true})
	e.keep(l.dst, to)
}
