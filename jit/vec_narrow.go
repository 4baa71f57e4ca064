package jit

import "encoding/binary"

// narrowWriter writes lines with AVX2. A mask is a vector whose numbers are all ones or all zeros. Constants of single
// operations stand eight times in the pool. Vectors y0 to y6 are for the instructions of one line.
type narrowWriter struct{ *encoder }

func (e *narrowWriter) storeVerdict() {
	e.vex(evex{op: &vmovdquTo, dst: uint8(e.register(e.vectors[e.c.verdict], 0)), rm: vat(vOut, 0)})
}

// register is that of a vector or mask, which is loaded into the scratch register if it lives in the frame.
func (e *narrowWriter) register(h home, scratch zreg) zreg {
	if h.slot < 0 {
		return zreg(h.reg)
	}
	e.vex(evex{op: &vmovdqu, dst: uint8(scratch), rm: e.shape.slotOf(h)})
	return scratch
}

// target is the register that something is computed in; keep puts it into the frame if it lives there.
func (e *narrowWriter) target(h home, scratch zreg) zreg {
	if h.slot < 0 {
		return zreg(h.reg)
	}
	return scratch
}

func (e *narrowWriter) keep(h home, from zreg) {
	if h.slot >= 0 {
		e.vex(evex{op: &vmovdquTo, dst: uint8(from), rm: e.shape.slotOf(h)})
	}
}

// place is a vector or mask as second operand.
func (e *narrowWriter) place(h home) vrm {
	if h.slot >= 0 {
		return e.shape.slotOf(h)
	}
	return vreg(zreg(h.reg))
}

// operand is the second operand of a line.
func (e *narrowWriter) operand(l *line) vrm {
	switch {
	case l.mem != none && l.each:
		return e.everywhere(binary.LittleEndian.Uint32(e.c.g.pool.bytes[l.mem:]))
	case l.mem != none:
		return vat(vPool, l.mem)
	}
	return e.place(e.vectors[l.b])
}

// everywhere is a constant in all lanes.
func (e *narrowWriter) everywhere(k uint32) vrm {
	return vat(vPool, e.c.g.pool.table([]uint32{k, k, k, k, k, k, k, k}))
}

// line writes one line.
func (e *narrowWriter) line(l *line) {
	switch l.kind {
	case lineVector:
		e.arithmetic(l)
	case lineCompare:
		e.compare(l)
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

func (e *narrowWriter) testMask(m mask) {
	x := e.register(e.masks[m], 0)
	e.vex(evex{op: &vptest, dst: uint8(x), rm: vreg(x)})
}

// arithmetic writes an instruction on vectors.
func (e *narrowWriter) arithmetic(l *line) {
	h := e.vectors[l.dst]
	to := e.target(h, 0)
	in := evex{op: l.op, dst: uint8(to), imm: l.imm}
	switch {
	case l.op == &vpbroadcastd && l.within == none:
		in.rm = vat(vPool, l.mem)
	case l.op == &vpbroadcastd || l.within != none:
		e.blend(l)
		return
	case l.op == &vmovdqa32:
		in.op, in.rm = &vmovdqu, e.operand(l)
	case l.op.ext != 0: // shifts by a constant take a register
		in.rm = vreg(e.register(e.vectors[l.b], 1))
	default:
		in.src, in.rm = e.register(e.vectors[l.a], 1), e.operand(l)
	}
	e.vex(in)
	e.keep(h, to)
}

// blend moves a vector or a constant into the lanes of a mask. The others stay, or become zero.
func (e *narrowWriter) blend(l *line) {
	h, within := e.vectors[l.dst], e.register(e.masks[l.within], 2)
	var from vrm
	if l.op == &vpbroadcastd {
		from = e.everywhere(binary.LittleEndian.Uint32(e.c.g.pool.bytes[l.mem:]))
	} else {
		from = e.operand(l)
	}
	to := e.target(h, 0)
	if l.zero {
		e.vex(evex{op: &vpand, dst: uint8(to), src: within, rm: from})
	} else {
		to = e.register(h, 0)
		e.vex(evex{op: &vpblendvb, dst: uint8(to), src: to, rm: from, imm: byte(within) << 4})
	}
	e.keep(h, to)
}

// compare writes a comparison, in terms of equality and of greater, which is signed: a number is at most another if it is the
// lesser of the two. Some comparisons come out the wrong way round.
func (e *narrowWriter) compare(l *line) {
	const found, second = 1, 2
	h, pred := e.masks[l.bits], uint32(l.imm)
	a, b := e.register(e.vectors[l.a], 0), e.operand(l)
	to, opposite := zreg(found), pred == predNE || pred == predGT || pred == predLT
	switch l.op {
	case &vptestmd, &vptestnm:
		opposite = l.op == &vptestmd
	case &vpcmpd:
		opposite = pred == predNE || pred == predLE || pred == predGE
	}
	if !opposite && l.within == none {
		to = e.target(h, found)
	}
	step := func(op *vop, dst, src zreg, rm vrm) { e.vex(evex{op: op, dst: uint8(dst), src: src, rm: rm}) }
	switch {
	case l.op == &vptestmd || l.op == &vptestnm:
		step(&vpand, found, a, b)
		step(&vpxor, second, second, vreg(second))
		step(&vpcmpeqd, to, found, vreg(second))
	case pred == predEQ || pred == predNE:
		step(&vpcmpeqd, to, a, b)
	case l.op == &vpcmpd && (pred == predGT || pred == predLE):
		step(&vpcmpgtd, to, a, b)
	case l.op == &vpcmpd:
		e.vex(evex{op: &vmovdqu, dst: second, rm: b})
		step(&vpcmpgtd, to, second, vreg(a))
	case pred == predLE || pred == predGT:
		step(&vpminud, found, a, b)
		step(&vpcmpeqd, to, found, vreg(a))
	default:
		step(&vpminud, found, a, b)
		step(&vpcmpeqd, to, found, b)
	}
	e.finish(l, to, opposite)
}

// finish takes from what was found the lanes of the mask, or those of the mask that it does not have.
func (e *narrowWriter) finish(l *line, found zreg, opposite bool) {
	h, op, rest := e.masks[l.bits], &vpand, e.everywhere(^uint32(0))
	if opposite {
		op = &vpandn
	}
	if l.within != none {
		rest = e.place(e.masks[l.within])
	}
	to := e.target(h, found)
	if opposite || l.within != none {
		e.vex(evex{op: op, dst: uint8(to), src: found, rm: rest})
	}
	e.keep(h, to)
}

func (e *narrowWriter) maskLine(l *line) {
	h := e.masks[l.bits]
	to := e.target(h, 0)
	in := evex{dst: uint8(to)}
	switch l.kind {
	case lineMask:
		in.op = map[kop]*vop{kand: &vpand, kandNot: &vpandn, kor: &vpor}[l.kop]
		in.src, in.rm = e.register(e.masks[l.x], 0), e.place(e.masks[l.y])
	case lineNot:
		in.op, in.src, in.rm = &vpandn, e.register(e.masks[l.x], 0), e.everywhere(^uint32(0))
	case lineCopy:
		in.op, in.rm = &vmovdqu, e.place(e.masks[l.x])
	case lineClear:
		in.op, in.src, in.rm = &vpxor, to, vreg(to)
	}
	e.vex(in)
	e.keep(h, to)
}

// gather reads four bytes for each lane. The instruction uses up its mask.
func (e *narrowWriter) gather(l *line) {
	const all = 2
	h, index := e.vectors[l.dst], e.register(e.vectors[l.a], 1)
	to := e.target(h, 0)
	e.vex(evex{op: &vpcmpeqd, dst: all, src: all, rm: vreg(all)})
	e.vex(evex{op: &vpgatherdd, dst: uint8(to), src: all, rm: vat(l.base, l.mem).plusLanes(index, l.imm)})
	e.keep(h, to)
}

// divide divides as floating-point numbers of 64 bits, four at a time, as the other writer does. AVX2 converts numbers with a
// sign only, so 2^31 is taken off before and added behind.
func (e *narrowWriter) divide(l *line) {
	const sign, other = 1 << 31, 1
	a, b := e.register(e.vectors[l.a], 4), e.register(e.vectors[l.b], 5)
	half := vat(vPool, e.c.g.pool.table([]uint32{0, 0x41e00000, 0, 0x41e00000, 0, 0x41e00000, 0, 0x41e00000})) // 2^31, four times
	step := func(op *vop, dst, src zreg, rm vrm, imm byte) {
		e.vex(evex{op: op, dst: uint8(dst), src: src, rm: rm, imm: imm})
	}
	convert := func(to, from zreg, part byte) {
		if part == 1 {
			e.vex(evex{op: &vextracti128, dst: uint8(from), rm: vreg(to), imm: 1})
			from = to
		}
		step(&vpxor, to, from, e.everywhere(sign), 0)
		step(&vcvtdq2pd, to, 0, vreg(to), 0)
		step(&vaddpd, to, to, half, 0)
	}
	for part, quotient := range [2]zreg{0, 2} {
		convert(quotient, a, byte(part))
		convert(other, b, byte(part))
		step(&vdivpd, quotient, quotient, vreg(other), 0)
		step(&vroundpd, quotient, 0, vreg(quotient), 3) // toward zero
		step(&vsubpd, quotient, quotient, half, 0)
		step(&vcvttpd2dq, quotient, 0, vreg(quotient), 0)
	}
	step(&vinserti32x4, 0, 0, vreg(2), 1)
	step(&vpxor, 0, 0, e.everywhere(sign), 0)
	h := e.vectors[l.dst]
	to := e.target(h, 0)
	step(&vpand, to, 0, e.place(e.masks[l.x]), 0)
	e.keep(h, to)
}
