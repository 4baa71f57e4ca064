package cbpf

import (
	"fmt"
	"strconv"

	"golang.org/x/net/bpf"
)

// shape is how an operand is written. Spaces count when printing only.
type shape struct {
	prefix, suffix string
	k              bool // k stands between them
	jumps          bool // jt and jf follow
}

// shapeTable has the shape of every form.
type shapeTable [FormRetA + 1]shape

// dialect is what one of the notations with mnemonics has of its own, where the rows of Ops leave a choice.
type dialect struct {
	unimp   string // mnemonic of an opcode that has none; its operand is the opcode
	shapes  shapeTable
	others  []naming              // opcodes that are named otherwise than in Ops
	reads   *map[string]*mnemonic // the mnemonics that are understood
	suggest *[]string             // those that are suggested

	ext      shape // an extension as the operand of a load; without k if it is shown as an offset
	extWords bool  // names extensions in loads of words only
	extAsm   bool  // names them as bpf_asm does

	unsigned bool // k is unsigned and decimal; otherwise hexadecimal or signed, as the row says
	cFormat  bool // as printf does: 0 has no 0x; and the operand of ret is hexadecimal
	octal    bool // numbers are read as in C, with 0b besides

	labels     bool   // jumps go to labels
	label      string // what stands before a jump target of a comparison
	relative   bool   // targets are numbers of instructions to leap over; otherwise instruction numbers
	opposites  bool   // a comparison without jt is written as the opposite one, and a last target of 0 is left out
	comma      string // stands before jump targets
	blank      string // follows a mnemonic that has no operand
	unimpJumps bool   // jump targets follow unimp

	text func(d *dialect, b []byte, pc int, ins bpf.RawInstruction, n int) []byte // in a program of n instructions
}

// naming is the name of an opcode in one dialect.
type naming struct {
	info   OpInfo
	hidden bool // the text is that of another opcode too
}

// The shapes of a listing, and of the others where they differ.
var (
	listingShapes = shapeTable{
		FormNone:  {},
		FormImm:   {prefix: "#", k: true},
		FormAbs:   {prefix: "[", suffix: "]", k: true},
		FormInd:   {prefix: "[x + ", suffix: "]", k: true},
		FormMem:   {prefix: "M[", suffix: "]", k: true},
		FormLen:   {prefix: "#pktlen"},
		FormMSH:   {prefix: "4*([", suffix: "]&0xf)", k: true},
		FormX:     {prefix: "x"},
		FormJump:  {k: true},
		FormCondK: {prefix: "#", k: true, jumps: true},
		FormCondX: {prefix: "x", jumps: true},
		FormRetK:  {prefix: "#", k: true},
		FormRetA:  {},
	}
	asmShapes = listingShapes.with(FormLen, shape{prefix: "#len"}).with(FormRetA, shape{prefix: "a"})
	dbgShapes = asmShapes.with(FormInd, shape{prefix: "[x+", suffix: "]", k: true})
)

// with returns the table with another shape for one form.
func (t shapeTable) with(f Form, s shape) shapeTable {
	t[f] = s
	return t
}

// retX is an opcode that the kernel refuses, and for which its own tools have a name all the same.
var retX = OpInfo{Code: 0x0e, Name: "ret", Form: FormX}

var (
	listingDialect = dialect{unimp: "unimp", shapes: listingShapes, reads: &listingNames, suggest: &listingWords,
		ext: listingShapes[FormAbs], unimpJumps: true, text: (*dialect).listingText}

	asmDialect = dialect{unimp: "unimp", shapes: asmShapes, reads: &asmNames, suggest: &asmWords,
		others: []naming{{info: retX}}, ext: shape{k: true}, extAsm: true, octal: true,
		labels: true, label: "L", opposites: true, comma: ", ", text: (*dialect).commaText}

	// bpf_dbg does not know 0x81.
	dbgDialect = dialect{unimp: "nosup", shapes: dbgShapes, reads: &asmNames, suggest: &listingWords,
		others:  []naming{{info: retX}, {info: OpInfo{Code: 0x81}}},
		cFormat: true, label: "l", comma: ", ", blank: " ", unimpJumps: true, text: (*dialect).commaText}

	// x/net prints 0x81 as it prints 0x80.
	xnetDialect = dialect{unimp: "unimp", shapes: asmShapes, reads: &asmNames, suggest: &asmWords,
		others: []naming{{info: OpInfo{Code: 0x81, Name: "ld", Form: FormLen}, hidden: true},
			{info: OpInfo{Code: 0xb1, Name: "ldx", Form: FormMSH}}},
		ext: shape{prefix: "#", k: true}, extWords: true, extAsm: true, unsigned: true, relative: true, opposites: true,
		comma: ",", text: (*dialect).commaText}
)

// info returns the row by which an opcode is written, nil if it has no mnemonic. hidden says that the text does not tell
// it from another opcode.
func (d *dialect) info(code uint16) (info *OpInfo, hidden bool) {
	for i := range d.others {
		if o := &d.others[i]; o.info.Code == code {
			if o.info.Name == "" {
				return nil, false
			}
			return &o.info, o.hidden
		}
	}
	return Info(code), false
}

// tells reports whether the text of an instruction in a program of n tells all of it.
func (d *dialect) tells(pc int, ins bpf.RawInstruction, n int) bool {
	info, hidden := d.info(ins.Op)
	if info == nil {
		jumps := d.unimpJumps && isTest(ins.Op)
		return ins.K == 0 && (jumps || ins.Jt == 0 && ins.Jf == 0)
	}
	s := &d.shapes[info.Form]
	return !hidden && (s.k || ins.K == 0) && (s.jumps || ins.Jt == 0 && ins.Jf == 0) && d.reaches(info, pc, ins, n)
}

// isTest reports whether an opcode, known or not, is a conditional jump to libpcap and to bpf_dbg.
func isTest(code uint16) bool { return code&0x07 == 0x05 && code&0xf0 != 0 }

// reaches reports whether the targets of a jump can be written. Labels are only inside of the program.
func (d *dialect) reaches(info *OpInfo, pc int, ins bpf.RawInstruction, n int) bool {
	switch {
	case !d.labels:
		return true
	case info.Form == FormJump:
		target := int64(pc) + 1 + int64(int32(ins.K))
		return target >= 0 && target < int64(n)
	case d.shapes[info.Form].jumps:
		return pc+1+int(max(ins.Jt, ins.Jf)) < n
	}
	return true
}

// appendOperand appends an operand with k in its place.
func (d *dialect) appendOperand(b []byte, info *OpInfo, k uint32) []byte {
	s := &d.shapes[info.Form]
	if name := d.extName(info, k); name != "" {
		b = append(b, d.ext.prefix...)
		b = append(b, name...)
		return append(b, d.ext.suffix...)
	}
	b = append(b, s.prefix...)
	if s.k {
		b = d.appendK(b, info, k)
	}
	return append(b, s.suffix...)
}

// extName returns the name by which an absolute load shows an extension, "" if it shows the offset.
func (d *dialect) extName(info *OpInfo, k uint32) string {
	if info.Form != FormAbs || !d.ext.k || d.extWords && info.Size != 4 {
		return ""
	}
	e, ok := Extension(k)
	if !ok || e.String() == "" {
		return ""
	}
	if d.extAsm {
		return Exts[e/4].Asm
	}
	return Exts[e/4].Name
}

func (d *dialect) appendK(b []byte, info *OpInfo, k uint32) []byte {
	hex := info.Hex || d.cFormat && info.Form == FormRetK
	switch {
	case d.unsigned:
		return strconv.AppendUint(b, uint64(k), 10)
	case hex && (k != 0 || !d.cFormat):
		return strconv.AppendUint(append(b, "0x"...), uint64(k), 16)
	}
	return strconv.AppendInt(b, int64(int32(k)), 10)
}

// appendLine appends the text of an instruction, and behind it all the fields if the text does not tell them.
func (d *dialect) appendLine(b []byte, pc int, ins bpf.RawInstruction, n int) []byte {
	b = d.text(d, b, pc, ins, n)
	if d.tells(pc, ins, n) {
		return b
	}
	b = fmt.Appendf(b, " ; raw 0x%04x", ins.Op)
	return appendNumbers(b, ' ', uint32(ins.Jt), uint32(ins.Jf), ins.K)
}
