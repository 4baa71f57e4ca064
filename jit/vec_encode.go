package jit

import "encoding/binary"

// The general registers of the vector body. RSP and RBP belong to Go.
const (
	vBuf  = rdi // first byte of the buffer
	vDesc = rsi // descriptors of the group at hand
	vOut  = rdx // where its verdicts go
	vPool = r9  // constants and tables
	vLast = r10 // descriptors of the last group
	vAsk  = r11 // descriptors of the packets that are asked for next
	vArgs = r12 // the block of arguments
)

// vTemps hold the places of four packets in the buffer.
var vTemps = [4]reg{rax, rcx, rbx, r8}

// encoder writes a vector body down as machine code: a loop over groups of packets, whose lines a lineWriter writes.
type encoder struct {
	asm
	c              *coder
	shape          *shape
	vectors, masks []home
	giveUp         label // a packet of the group needs the scalar body
}

// generateVector makes the machine code of a graph: a loop over groups of packets, each of which costs about so many cycles,
// and behind it the constants. Like the scalar body it is a leaf without a frame.
func generateVector(g *graph) (code []byte, cost float64, err error) {
	e := &encoder{shape: g.shape}
	e.c = g.code(&e.asm)
	ok := false
	if e.vectors, e.masks, ok = e.c.allocate(); !ok {
		return nil, 0, &VectorError{NoVectorPressure, -1}
	}
	e.giveUp = e.newLabel()
	top, done, w := e.newLabel(), e.newLabel(), e.shape.writer(e)
	poolAt := e.enter()
	e.bind(top)
	if g.reads.hi > 0 {
		e.askAhead()
	}
	for i := range e.c.lines {
		e.line(w, &e.c.lines[i])
	}
	w.storeVerdict()
	e.aluReg(true, aluCmp, direct(vDesc), vLast)
	e.jump(ccE, done)
	e.aluImm(true, aluAdd, direct(vDesc), e.groupDescs())
	e.aluImm(true, aluAdd, direct(vOut), int32(e.shape.size))
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

// line writes one line: here those that control the flow, the others by means of the writer.
func (e *encoder) line(w lineWriter, l *line) {
	switch {
	case l.kind == lineLabel:
		e.bind(l.to)
	case l.kind == lineSkip:
		w.testMask(l.x)
		e.jump(ccE, l.to)
	case l.kind == lineGiveUp && l.x == none:
		e.jump(always, e.giveUp)
	case l.kind == lineGiveUp:
		w.testMask(l.x)
		e.jump(ccNE, e.giveUp)
	default:
		w.line(l)
	}
}

// placesOf loads the places in the buffer of four packets of the group, from that number on.
func (e *encoder) placesOf(first int) {
	for i, r := range vTemps {
		e.load(4, r, at(vDesc, int32(first+i)*descSize+descOff))
	}
}

// groupDescs is the size of the descriptors of a group.
func (e *encoder) groupDescs() int32 { return int32(e.shape.lanes * descSize) }

// gaveUp is left in argFault where a group has a packet that only the scalar body can take: one that is shorter than the
// program was specialised for, or leaves the buffer.
const gaveUp = 1

// enter sets up the registers. It returns where the distance to the pool has to be filled in.
func (e *encoder) enter() (poolAt int) {
	e.move(true, vArgs, rdi)
	e.load(8, vDesc, at(vArgs, argDescs))
	e.load(8, vOut, at(vArgs, argOut))
	e.load(8, vBuf, at(vArgs, argBuf))
	e.load(8, vLast, at(vArgs, argCount))
	e.imulImm(true, vLast, direct(vLast), descSize)
	e.aluReg(true, aluAdd, direct(vLast), vDesc)
	e.aluImm(true, aluSub, direct(vLast), e.groupDescs())
	e.load(8, vAsk, at(vArgs, argAsk))
	e.aluReg(true, aluAdd, direct(vAsk), vDesc)
	e.aluReg(true, aluAdd, at(vArgs, argAskLast), vDesc)
	e.bytes(0x4c, 0x8d, 0x0d) // lea r9, [rip+...]
	e.imm32(0)
	return len(e.code) - 4
}

// askAhead asks for packets that come later.
func (e *encoder) askAhead() {
	again, enough := e.newLabel(), e.newLabel()
	e.bind(again)
	e.aluMem(true, aluCmp, vAsk, at(vArgs, argAskLast))
	e.jump(ccA, enough)
	e.lea(rax, at(vDesc, aheadPackets*descSize))
	e.aluReg(true, aluCmp, direct(vAsk), rax)
	e.jump(ccA, enough)
	e.ask(vAsk, vBuf, e.c.g.reads)
	e.aluImm(true, aluAdd, direct(vAsk), aheadStep*descSize)
	e.jump(always, again)
	e.bind(enough)
}

// lastGroup moves to the last packets that fill a group, of which some were done already: their verdicts are just written again.
func (e *encoder) lastGroup() {
	e.move(true, vDesc, vLast)
	e.load(8, rax, at(vArgs, argCount))
	e.shiftImm(true, shiftLeft, rax, 2)
	e.load(8, vOut, at(vArgs, argOut))
	e.aluReg(true, aluAdd, direct(vOut), rax)
	e.aluImm(true, aluSub, direct(vOut), int32(e.shape.size))
}

// finish puts the pool behind the code. No jump stands before the place where its distance belongs.
func (e *encoder) finish(poolAt int) []byte {
	code, _ := e.assemble()
	for len(code)%tableAlign != 0 {
		code = append(code, 0xcc)
	}
	binary.LittleEndian.PutUint32(code[poolAt:], uint32(len(code)-(poolAt+4)))
	return append(code, e.c.g.pool.bytes...)
}
