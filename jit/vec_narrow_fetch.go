package jit

// head reads the descriptors of the group, and leaves unless all its packets lie in the buffer and are long enough.
func (e *narrowWriter) head(l *line) {
	for i := range zreg(3) {
		e.vex(evex{op: &vmovdqu, dst: uint8(i), rm: vat(vDesc, int32(i)*int32(narrow.size))})
	}
	var fields [3]zreg
	for field := range fields {
		to := zreg(3 + field)
		if v := l.outs[field]; v != none {
			to = e.target(e.vectors[v], to)
		} else if field == 2 {
			continue
		}
		e.field(to, field)
		fields[field] = to
	}
	step := func(op *vop, dst, src zreg, rm vrm) { e.vex(evex{op: op, dst: uint8(dst), src: src, rm: rm}) }
	const ok, end, other = 0, 1, 2
	off, caplen := fields[0], fields[1]
	step(&vpaddd, end, off, vreg(caplen))
	step(&vpminud, ok, end, vreg(off)) // off is at most its sum
	step(&vpcmpeqd, ok, ok, vreg(off))
	step(&vpbroadcastd, other, 0, vat(vArgs, argBufLen))
	step(&vpminud, other, other, vreg(end)) // the end is at most the length of the buffer
	step(&vpcmpeqd, other, other, vreg(end))
	step(&vpand, ok, ok, vreg(other))
	least := e.everywhere(e.c.g.least)
	step(&vpminud, other, caplen, least)
	step(&vpcmpeqd, other, other, least)
	step(&vpand, ok, ok, vreg(other))
	step(&vptest, ok, 0, e.everywhere(^uint32(0)))
	e.jump(ccAE, e.giveUp)
	for field, v := range l.outs[:len(fields)] {
		if v != none {
			e.keep(e.vectors[v], fields[field])
		}
	}
}

// field takes one word out of each of the descriptors in y0 to y2. The words lie in different lanes, so that they can be
// blended before they are put into order.
func (e *narrowWriter) field(to zreg, field int) {
	const descWords, words, order = descSize / 4, 8, 6
	var from [3]byte
	var lanes [words]uint32
	for i := range lanes {
		word := descWords*i + field
		from[word/words] |= 1 << (word % words)
		lanes[i] = uint32(word % words)
	}
	e.vex(evex{op: &vpblendd, dst: uint8(to), src: 0, rm: vreg(1), imm: from[1]})
	e.vex(evex{op: &vpblendd, dst: uint8(to), src: to, rm: vreg(2), imm: from[2]})
	e.vex(evex{op: &vmovdqu, dst: order, rm: vat(vPool, e.c.g.pool.table(lanes[:]))})
	e.vex(evex{op: &vpermd, dst: uint8(to), src: order, rm: vreg(to)})
}

// windowOfOne reads the one column of a window: four bytes of each packet.
func (e *narrowWriter) windowOfOne(v lanes, column int32) {
	for half := range zreg(2) {
		e.placesOf(4 * int(half))
		for i, r := range vTemps {
			from := vat(vBuf, column).plusReg(r)
			if i == 0 {
				e.vex(evex{op: &vmovd, dst: uint8(half), rm: from})
			} else {
				e.vex(evex{op: &vpinsrd, dst: uint8(half), src: half, rm: from, imm: byte(i)})
			}
		}
	}
	h := e.vectors[v]
	to := e.target(h, 0)
	e.vex(evex{op: &vinserti32x4, dst: uint8(to), src: 0, rm: vreg(1), imm: 1})
	e.keep(h, to)
}

// window reads 16 bytes of each packet: packets i and i+4 into yi. Then the words that are wanted are put together.
func (e *narrowWriter) window(l *line) {
	w := &e.c.g.windows[l.window]
	if len(w.columns) == 1 {
		e.windowOfOne(l.outs[0], int32(w.columns[0]))
		return
	}
	for part := range 2 {
		e.placesOf(4 * part)
		for i, r := range vTemps {
			y, from := zreg(i), vat(vBuf, int32(w.start)).plusReg(r)
			if part == 0 {
				e.vex(evex{op: &vmovdqu128, dst: uint8(y), rm: from})
			} else {
				e.vex(evex{op: &vinserti32x4, dst: uint8(y), src: y, rm: from, imm: 1})
			}
		}
	}
	slots, shuffle := w.slots()
	if shuffle != nil {
		at := e.c.g.pool.block(shuffle)
		for y := range zreg(4) {
			e.vex(evex{op: &vpshufb, dst: uint8(y), src: y, rm: vat(vPool, at)})
		}
	}
	e.transpose(l, slots)
}

// transpose makes vectors of the words in y0 to y3: of the lower two words by way of y4 and y5, of the upper two by way of y0
// and y2, which are read no more then.
func (e *narrowWriter) transpose(l *line, slots [windowColumns]int) {
	ops := [2]*vop{&vpunpcklqdq, &vpunpckhqdq}
	pairs := [2]struct {
		op        *vop
		low, high zreg
	}{{&vpunpckldq, 4, 5}, {&vpunpckhdq, 0, 2}}
	for upper, p := range pairs {
		made := false
		for i, v := range l.outs {
			if v == none || slots[i]/2 != upper {
				continue
			}
			if !made {
				e.vex(evex{op: p.op, dst: uint8(p.low), src: 0, rm: vreg(1)})
				e.vex(evex{op: p.op, dst: uint8(p.high), src: 2, rm: vreg(3)})
				made = true
			}
			h := e.vectors[v]
			to := e.target(h, 6)
			e.vex(evex{op: ops[slots[i]%2], dst: uint8(to), src: p.low, rm: vreg(p.high)})
			e.keep(h, to)
		}
	}
}
