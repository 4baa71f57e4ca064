package jit

// head reads the descriptors of the group, and leaves unless all its packets lie in the buffer and are long enough.
func (e *wideWriter) head(l *line) {
	const first, words = scratch, scratch + 3
	for i := range zreg(3) {
		e.evex(evex{op: &vmovdqu32, dst: uint8(first + i), rm: vat(vDesc, int32(i)*int32(wide.size))})
	}
	var fields [3]zreg
	for field := range fields {
		to := words + zreg(field)
		if l.outs[field] != none {
			to = e.target(l.outs[field], to)
		} else if field == 2 {
			continue
		}
		e.field(to, field)
		fields[field] = to
	}
	off, caplen, end, ok := fields[0], fields[1], scratch, scratchK
	e.evex(evex{op: &vpaddd, dst: uint8(end), src: off, rm: vreg(caplen)})
	e.evex(evex{op: &vpcmpud, dst: uint8(ok), src: end, rm: vreg(off), imm: byte(predGE)})
	e.evex(evex{op: &vpcmpud, dst: uint8(ok), src: end, rm: veach(vArgs, argBufLen), mask: ok, imm: byte(predLE)})
	e.evex(evex{op: &vpcmpud, dst: uint8(ok), src: caplen, rm: veach(vPool, e.c.g.pool.word(e.c.g.least)), mask: ok, imm: byte(predGE)})
	e.maskTest(ok, ok)
	e.jump(ccAE, e.giveUp)
	for field, v := range l.outs[:len(fields)] {
		if v != none {
			e.keep(v, fields[field])
		}
	}
}

// field takes one word out of each of the descriptors in z0 to z2: out of the first two registers, then out of the third.
func (e *wideWriter) field(to zreg, field int) {
	const descWords, index = descSize / 4, scratch + 6
	var early, late [16]uint32
	for i := range early {
		word := uint32(descWords*i + field)
		if early[i], late[i] = word, uint32(i); word >= 32 {
			early[i], late[i] = 0, 16+word-32
		}
	}
	pool := &e.c.g.pool
	e.evex(evex{op: &vmovdqu32, dst: uint8(to), rm: vat(vPool, pool.table(early[:]))})
	e.evex(evex{op: &vpermi2d, dst: uint8(to), src: scratch, rm: vreg(scratch + 1)})
	e.evex(evex{op: &vmovdqu32, dst: uint8(index), rm: vat(vPool, pool.table(late[:]))})
	e.evex(evex{op: &vpermt2d, dst: uint8(to), src: index, rm: vreg(scratch + 2)})
}

// quarters are the registers in which four numbers each are collected. Between them are those of the index and of a quarter of it.
var quarters = [4]zreg{scratch, scratch + 2, scratch + 3, scratch + 5}

// collect loads four numbers, each at its index in vTemps.
func (e *wideWriter) collect(to zreg, from vrm) {
	for i, r := range vTemps {
		x := from.plusReg(r)
		if i == 0 {
			e.evex(evex{op: &vmovd, dst: uint8(to), rm: x})
		} else {
			e.evex(evex{op: &vpinsrd, dst: uint8(to), src: to, rm: x, imm: byte(i)})
		}
	}
}

// joinQuarters puts four times four numbers together.
func (e *wideWriter) joinQuarters(to zreg) {
	for i := 0; i < 4; i += 2 {
		low, high := quarters[i], quarters[i+1]
		e.evex(evex{op: &vinserti32y4, dst: uint8(low), src: low, rm: vreg(high), imm: 1})
	}
	e.evex(evex{op: &vinserti64x4, dst: uint8(to), src: quarters[0], rm: vreg(quarters[2]), imm: 1})
}

// gatherByHand does what a gather does, where the processor is slow at that.
func (e *wideWriter) gatherByHand(to, index zreg, from vrm) {
	const part = scratch + 4
	for i, q := range quarters {
		four := index
		if i > 0 {
			four = part
			e.evex(evex{op: &vextracti32x4, dst: uint8(index), rm: vreg(part), imm: byte(i)})
		}
		e.evex(evex{op: &vmovqTo, dst: uint8(four), rm: vreg(zreg(vTemps[0]))})
		e.evex(evex{op: &vpextrq, dst: uint8(four), rm: vreg(zreg(vTemps[2])), imm: 1})
		for pair := 0; pair < 4; pair += 2 {
			e.move(true, vTemps[pair+1], vTemps[pair])
			e.move(false, vTemps[pair], vTemps[pair])
			e.shiftImm(true, shiftRight, vTemps[pair+1], 32)
		}
		e.collect(q, from)
	}
	e.joinQuarters(to)
}

// windowOfOne reads the one column of a window: four bytes of each packet.
func (e *wideWriter) windowOfOne(v lanes, column uint32) {
	for i, q := range quarters {
		e.placesOf(4 * i)
		e.collect(q, vat(vBuf, int32(column)))
	}
	to := e.target(v, scratch)
	e.joinQuarters(to)
	e.keep(v, to)
}

// window reads 16 bytes of each packet: four packets into each of z0 to z3, in an order that makes up for what the
// transposition does to it. Then the words that are wanted are put together.
func (e *wideWriter) window(l *line) {
	w := &e.c.g.windows[l.window]
	if len(w.columns) == 1 {
		e.windowOfOne(l.outs[0], w.columns[0])
		return
	}
	for part := range 4 {
		e.placesOf(4 * part)
		for i, r := range vTemps {
			z, from := scratch+zreg(i), vat(vBuf, int32(w.start)).plusReg(r)
			if part == 0 {
				e.evex(evex{op: &vmovdqu128, dst: uint8(z), rm: from})
			} else {
				e.evex(evex{op: &vinserti32x4, dst: uint8(z), src: z, rm: from, imm: byte(part)})
			}
		}
	}
	slots, shuffle := w.slots()
	if shuffle != nil {
		at := e.c.g.pool.block(shuffle)
		for z := range zreg(4) {
			e.evex(evex{op: &vpshufb, dst: uint8(scratch + z), src: scratch + z, rm: vat(vPool, at)})
		}
	}
	e.transpose(l, slots)
}

// transpose makes vectors of the words in z0 to z3: pairs of them first, of the lower two words in z4 and z5, of the upper two
// in z6 and z7.
func (e *wideWriter) transpose(l *line, slots [windowColumns]int) {
	made := [2]bool{}
	for i, v := range l.outs {
		if upper := slots[i] / 2; v != none && !made[upper] {
			op, to := [2]*vop{&vpunpckldq, &vpunpckhdq}[upper], scratch+4+zreg(2*upper)
			e.evex(evex{op: op, dst: uint8(to), src: scratch, rm: vreg(scratch + 1)})
			e.evex(evex{op: op, dst: uint8(to + 1), src: scratch + 2, rm: vreg(scratch + 3)})
			made[upper] = true
		}
	}
	for i, v := range l.outs {
		if v == none {
			continue
		}
		op, from := [2]*vop{&vpunpcklqdq, &vpunpckhqdq}[slots[i]%2], scratch+4+zreg(slots[i]/2*2)
		to := e.target(v, scratch)
		e.evex(evex{op: op, dst: uint8(to), src: from, rm: vreg(from + 1)})
		e.keep(v, to)
	}
}
