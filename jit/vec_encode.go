package jit

import "encoding/binary"

// The general registers of the vector body. RSP and RBP belong to Go.
const (
	vBuf  = rdi // first byte of the buffer
	vDesc = rsi // descriptors of the group at hand
	vOut  = rdx // where its verdicts go
	vPool = r9  // constants and tables
	vLast = r10 // descriptors of the last group
	vArgs = r12 // the block of arguments
)

// vTemps hold the places of four packets in the buffer.
var vTemps = [4]reg{rax, rcx, rbx, r8}

// group is the number of packets that are evaluated at once.
const group = 16

// vectorEncoder writes lines down as machine code. Vectors z0 to z7 and masks k6 and k7 are for the instructions of one line.
type vectorEncoder struct {
	asm
	c              *coder
	vectors, masks []home
	giveUp         label // a packet of the group needs the scalar body
}

const (
	scratch  zreg = 0
	scratchK kreg = firstScratchMask
)

// generateVector makes the machine code of a graph: a loop over groups of packets, each of which costs about so many cycles,
// and behind it the constants. Like the scalar body it is a leaf without a frame.
func generateVector(g *graph) (code []byte, cost float64, err error) {
	e := &vectorEncoder{}
	e.c = g.code(&e.asm)
	ok := false
	if e.vectors, e.masks, ok = e.c.allocate(); !ok {
		return nil, 0, &VectorError{NoVectorPressure, -1}
	}
	e.giveUp = e.newLabel()
	top, done := e.newLabel(), e.newLabel()
	poolAt := e.enter()
	e.bind(top)
	e.prefetchGroup()
	for i := range e.c.lines {
		e.line(&e.c.lines[i])
	}
	e.evex(evex{op: &vmovdqu32To, dst: uint8(e.vector(e.c.verdict, scratch)), rm: vat(vOut, 0)})
	e.aluReg(true, aluCmp, direct(vDesc), vLast)
	e.jump(ccE, done)
	e.aluImm(true, aluAdd, direct(vDesc), group*descSize)
	e.aluImm(true, aluAdd, direct(vOut), group*4)
	e.aluReg(true, aluCmp, direct(vDesc), vLast)
	e.jump(ccBE, top)
	e.lastGroup()
	e.jump(always, top)
	e.bind(e.giveUp)
	e.aluMem(true, aluSub, vDesc, at(vArgs, argDescs))
	e.store(8, at(vArgs, argAt), vDesc)
	e.storeImm(8, at(vArgs, argFault), gaveUp)
	e.bind(done)
	e.vzeroupper()
	e.ret()
	return e.finish(poolAt), e.cost(), nil
}

// gaveUp is left in argFault where a group has a packet that only the scalar body can take: one that is shorter than the
// program was specialised for, or leaves the buffer.
const gaveUp = 1

// enter sets up the registers. It returns where the distance to the pool has to be filled in.
func (e *vectorEncoder) enter() (poolAt int) {
	e.move(true, vArgs, rdi)
	e.load(8, vDesc, at(vArgs, argDescs))
	e.load(8, vOut, at(vArgs, argOut))
	e.load(8, vBuf, at(vArgs, argBuf))
	e.load(8, vLast, at(vArgs, argCount))
	e.imulImm(true, vLast, direct(vLast), descSize)
	e.aluReg(true, aluAdd, direct(vLast), vDesc)
	e.aluImm(true, aluSub, direct(vLast), group*descSize)
	e.bytes(0x4c, 0x8d, 0x0d) // lea r9, [rip+...]
	e.imm32(0)
	return len(e.code) - 4
}

// prefetchGroup asks for the packets of the next group: where their headers begin to be read.
func (e *vectorEncoder) prefetchGroup() {
	const next = r11
	inside, from := e.newLabel(), int32(0)
	if w := e.c.g.windows; len(w) > 0 {
		from = int32(w[0].start) + windowSize/2
	}
	e.lea(next, at(vDesc, group*descSize))
	e.aluReg(true, aluCmp, direct(next), vLast)
	e.jump(ccBE, inside)
	e.move(true, next, vLast)
	e.bind(inside)
	for i := range int32(group) {
		r := vTemps[i%4]
		e.load(4, r, at(next, i*descSize+descOff))
		e.prefetch(vBuf, r, from)
	}
}

// lastGroup moves to the last 16 packets, of which some were done already: their verdicts are just written again.
func (e *vectorEncoder) lastGroup() {
	e.move(true, vDesc, vLast)
	e.load(8, rax, at(vArgs, argCount))
	e.shiftImm(true, shiftLeft, rax, 2)
	e.load(8, vOut, at(vArgs, argOut))
	e.aluReg(true, aluAdd, direct(vOut), rax)
	e.aluImm(true, aluSub, direct(vOut), group*4)
}

// finish puts the pool behind the code. No jump stands before the place where its distance belongs.
func (e *vectorEncoder) finish(poolAt int) []byte {
	code, _ := e.assemble()
	for len(code)%tableAlign != 0 {
		code = append(code, 0xcc)
	}
	binary.LittleEndian.PutUint32(code[poolAt:], uint32(len(code)-(poolAt+4)))
	return append(code, e.c.g.pool.bytes...)
}

// slotOf is the place of a vector in the frame.
func slotOf(h home) vrm { return vat(rsp, int32(frameVectorAt+h.slot*vectorBytes)) }

// vector is the register of a vector, which is loaded into the scratch register if it lives in the frame.
func (e *vectorEncoder) vector(v lanes, scratch zreg) zreg {
	h := e.vectors[v]
	if h.slot < 0 {
		return zreg(h.reg)
	}
	e.evex(evex{op: &vmovdqu32, dst: uint8(scratch), rm: slotOf(h)})
	return scratch
}

// target is the register that a vector is computed in; keep puts it into the frame if it lives there.
func (e *vectorEncoder) target(v lanes, scratch zreg) zreg {
	if h := e.vectors[v]; h.slot < 0 {
		return zreg(h.reg)
	}
	return scratch
}

func (e *vectorEncoder) keep(v lanes, from zreg) {
	if h := e.vectors[v]; h.slot >= 0 {
		e.evex(evex{op: &vmovdqu32To, dst: uint8(from), rm: slotOf(h)})
	}
}

// The same for masks.
func (e *vectorEncoder) bits(m mask, scratch kreg) kreg {
	h := e.masks[m]
	if h.slot < 0 {
		return kreg(h.reg)
	}
	e.maskLoad(scratch, int32(frameMaskAt+h.slot*maskBytes))
	return scratch
}

func (e *vectorEncoder) bitsTarget(m mask, scratch kreg) kreg {
	if h := e.masks[m]; h.slot < 0 {
		return kreg(h.reg)
	}
	return scratch
}

func (e *vectorEncoder) keepBits(m mask, from kreg) {
	if h := e.masks[m]; h.slot >= 0 {
		e.maskStore(int32(frameMaskAt+h.slot*maskBytes), from)
	}
}

// operand is the second operand of a line.
func (e *vectorEncoder) operand(l *line) vrm {
	switch {
	case l.mem != none && l.each:
		return veach(vPool, l.mem)
	case l.mem != none:
		return vat(vPool, l.mem)
	}
	if h := e.vectors[l.b]; h.slot >= 0 {
		return slotOf(h)
	}
	return vreg(zreg(e.vectors[l.b].reg))
}

// line writes one line.
func (e *vectorEncoder) line(l *line) {
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
	case lineSkip:
		m := e.bits(l.x, scratchK)
		e.maskTest(m, m)
		e.jump(ccE, l.to)
	case lineLabel:
		e.bind(l.to)
	case lineGiveUp:
		if l.x == none {
			e.jump(always, e.giveUp)
			return
		}
		m := e.bits(l.x, scratchK)
		e.maskTest(m, m)
		e.jump(ccNE, e.giveUp)
	}
}

// arithmetic writes an instruction on vectors.
func (e *vectorEncoder) arithmetic(l *line) {
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

func (e *vectorEncoder) maskLine(l *line) {
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
func (e *vectorEncoder) gather(l *line) {
	index, to, all := e.vector(l.a, scratch+1), e.target(l.dst, scratch), scratchK+1
	e.mask(kxnor, all, all, all)
	e.evex(evex{op: &vpgatherdd, dst: uint8(to), rm: vat(l.base, l.mem).plusLanes(index, l.imm), mask: all})
	e.keep(l.dst, to)
}

// divide divides as floating-point numbers of 64 bits, eight at a time. That is exact: a quotient that is no integer is
// further from the next one than it can be rounded.
func (e *vectorEncoder) divide(l *line) {
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
