package jit

// Between the graph and the machine code stands a list of lines: instructions on as many vectors and masks as are wanted.
// vec_alloc.go finds registers for them, vec_encode.go writes them down.

// lanes names a vector of numbers, mask which of its lanes are meant. Each has one place all its life.
type (
	lanes int32
	mask  int32
)

// none stands for an operand that a line does not have. As a mask it also stands for all lanes.
const none = -1

// lineKind is what a line does.
type lineKind uint8

const (
	lineVector  lineKind = iota // op: dst = a op b
	lineUpdate                  // op: dst = dst op a, b
	lineCompare                 // op: bits = a op b, within the mask
	lineMask                    // kop: bits = x kop y
	lineNot                     // bits = not x
	lineCopy                    // bits = x
	lineClear                   // bits = no lane
	lineGather                  // dst = four bytes at index a from the register base, plus mem; units of 1<<imm bytes
	lineWindow                  // outs = columns of the window
	lineDivide                  // dst = a / b
	lineHead                    // outs = offset, captured length and wire length of the packets
	lineSkip                    // go to the label if x has no lane
	lineLabel                   // the label is here
	lineGiveUp                  // leave if x has a lane; in any case if that is none
)

// line is one instruction. Operands that are not used are none.
type line struct {
	kind      lineKind
	op        *vop
	kop       kop
	imm       byte
	zero      bool // lanes outside of the mask become zero
	each      bool // mem is one number for all lanes
	dst, a, b lanes
	mem       int32 // the other operand is there in the pool
	base      reg
	bits      mask // destination
	x, y      mask
	within    mask
	outs      [windowColumns]lanes
	window    int
	to        label
}

// newLine is a line without operands.
func newLine(kind lineKind) line {
	return line{
		kind: kind, dst: none, a: none, b: none, mem: none, bits: none, x: none, y: none, within: none,
		outs: [windowColumns]lanes{none, none, none, none},
	}
}

// updates reports whether the line reads what it writes.
func (l *line) updates() bool {
	return l.kind == lineUpdate || l.kind == lineVector && l.within != none && !l.zero
}

// reads calls f with each vector that the line reads.
func (l *line) reads(f func(lanes)) {
	for _, v := range []lanes{l.a, l.b} {
		if v != none {
			f(v)
		}
	}
	if l.updates() {
		f(l.dst)
	}
}

// writes calls f with each vector that the line writes.
func (l *line) writes(f func(lanes)) {
	if l.dst != none {
		f(l.dst)
	}
	for _, v := range l.outs {
		if v != none {
			f(v)
		}
	}
}

// readsMasks calls f with each mask that the line reads.
func (l *line) readsMasks(f func(mask)) {
	for _, m := range []mask{l.x, l.y, l.within} {
		if m != none {
			f(m)
		}
	}
}

// steps reports whether the line is more than one instruction, so that what it reads must outlive what it writes.
func (l *line) steps() bool {
	return l.kind == lineGather || l.kind == lineDivide || l.kind == lineWindow
}
