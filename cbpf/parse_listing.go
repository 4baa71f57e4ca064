package cbpf

import (
	"strings"

	"golang.org/x/net/bpf"
)

// opsByName lists the rows of Ops under their mnemonic; the shape of the operand tells them apart.
var opsByName = func() map[string][]*OpInfo {
	index := make(map[string][]*OpInfo)
	for i := range Ops {
		index[Ops[i].Name] = append(index[Ops[i].Name], &Ops[i])
	}
	return index
}()

var extByName = func() map[string]Ext {
	index := make(map[string]Ext)
	for _, info := range Exts {
		index[info.Name] = info.Ext
	}
	return index
}()

// listing reads what tcpdump -d prints, of libpcap 1.10 and 1.11 alike. A line is
//
//	(INDEX) MNEMONIC [OPERAND] [jt TARGET jf TARGET] [; COMMENT]
//
// with absolute targets, which is why the index counts: one missing line would move them all. A comment can start with
// // too. One that says `raw` and four numbers is data, as Print writes it.
func (p *parser) listing() {
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		digits, rest, found := strings.Cut(line, ")")
		if !found || !strings.HasPrefix(digits, "(") {
			p.strayLine(line)
			continue
		}
		p.index(digits[1:])
		p.add(p.instruction(rest))
	}
}

// strayLine reports a line without an index, and which notation it seems to be in if not in this one.
func (p *parser) strayLine(line string) {
	switch n := sniffLine(line); n {
	case "", Listing:
		p.fail(BadLine, "%s, where an index such as (%03d) is expected", quote(line), p.pc)
	default:
		p.fail(BadLine, "%s, which looks like notation %s", quote(line), n)
	}
}

// index checks that indices count up from 0. After a fault it goes on from the index found, so that one missing line is
// one fault.
func (p *parser) index(digits string) {
	for len(digits) > 1 && digits[0] == '0' { // padding, not octal
		digits = digits[1:]
	}
	found, reason := number(digits, maxInsns)
	switch {
	case reason != "":
		p.failNumber(reason, "index", digits, maxInsns-1)
	case int(found) != p.pc:
		p.fail(WrongIndex, "found (%03d), expected (%03d)", found, p.pc)
		p.pc = int(found)
	}
}

// instruction reads a line without its index. The fields of a `raw` comment win, as they can say more than the text
// does, but must not contradict it.
func (p *parser) instruction(text string) bpf.RawInstruction {
	text, comment := cutComment(text)
	ins, ok := p.plain(text)
	if !ok {
		return ins
	}
	fields, isRaw := strings.CutPrefix(comment, "raw ")
	if fields = trim(fields); !isRaw || fields == "" || digit(fields[0]) > 9 {
		return ins
	}
	raw, ok := p.row(fields, cutField)
	if ok && said(raw) != ins {
		p.fail(RawConflict, "%s is `%s`", quote(comment), trim(string(appendText(nil, p.pc, raw))))
	}
	return raw
}

// cutComment returns the text in front of the first ; or //, and the trimmed text behind it.
func cutComment(s string) (text, comment string) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ';':
			return s[:i], trim(s[i+1:])
		case s[i] == '/' && strings.HasPrefix(s[i:], "//"):
			return s[:i], trim(s[i+2:])
		}
	}
	return s, ""
}

// plain reads mnemonic, operand and jump targets. If it returns false, the fault is recorded.
func (p *parser) plain(text string) (ins bpf.RawInstruction, ok bool) {
	name, rest := cutField(text)
	operand, targets := cutTargets(rest)
	rows := opsByName[name]
	switch {
	case name == unimp:
		ins.Op, ok = p.unknownOp(operand)
	case rows != nil:
		ins.Op, ins.K, ok = p.operand(rows, operand)
	case name == "":
		p.fail(BadLine, "nothing stands after the index")
	default:
		p.fail(UnknownMnemonic, "%s", quote(name))
	}
	if !ok {
		return ins, false
	}
	if info := Info(ins.Op); info != nil && info.Form == FormJump {
		ins.K -= uint32(p.pc) + 1
	}
	if shapeOf(ins.Op).jumps {
		return ins, p.targets(&ins, targets)
	}
	if targets != "" {
		p.fail(BadTargets, "%s has none, but %s follows", name, quote(targets))
	}
	return ins, targets == ""
}

// cutTargets splits `jt N jf N` off the operand. No operand has a word of these letters in it.
func cutTargets(s string) (operand, targets string) {
	i := strings.Index(s, "jt")
	if i < 0 || i > 0 && !isBlank(s[i-1]) {
		return trim(s), ""
	}
	return trim(s[:i]), trim(s[i:])
}

// unknownOp reads the operand of `unimp`. libpcap prints that for what it does not know, and with it loses the operand:
// an opcode that has one is refused. 0x81 has none, and is printed so by libpcap 1.10.
func (p *parser) unknownOp(operand string) (code uint16, ok bool) {
	v, reason := number(operand, 0xffff)
	if reason != "" {
		p.failNumber(reason, "opcode", operand, 0xffff)
		return 0, false
	}
	if info := Info(uint16(v)); info != nil && (shapes[info.Form].k || shapes[info.Form].jumps) {
		p.fail(LostOperand, "opcode 0x%x is %s %s", v, info.Name, shapes[info.Form])
		return 0, false
	}
	return uint16(v), true
}

// operand finds the row that has this shape of operand, and reads k. Among several that fit, the one whose k can be read
// wins: `#pktlen` has the shape of `#k` too.
func (p *parser) operand(rows []*OpInfo, text string) (code uint16, k uint32, ok bool) {
	fault, word := BadOperand, text
	for _, row := range rows {
		w, fits := shapes[row.Form].match(text)
		if !fits {
			continue
		}
		k, reason := readK(row.Form, w)
		if reason == "" {
			return row.Code, k, true
		}
		fault, word = reason, w
	}
	switch fault {
	case BadNumber:
		p.fail(fault, "operand %s is neither a number nor a name", quote(word))
	case NumberTooBig:
		p.fail(fault, "operand %s, -2147483648 to 4294967295 fit", quote(word))
	default:
		p.fail(fault, "%s, but %s takes %s", quote(text), rows[0].Name, shapeList(rows))
	}
	return 0, 0, false
}

// readK reads a number, negative ones included, or the name of an extension. It is "" for a form without k.
func readK(f Form, word string) (uint32, Reason) {
	if !shapes[f].k {
		return 0, ""
	}
	if f == FormAbs {
		if ext, ok := extByName[word]; ok {
			return AdOff + uint32(ext), ""
		}
	}
	if magnitude, negative := strings.CutPrefix(word, "-"); negative {
		v, reason := number(magnitude, 1<<31)
		return -v, reason
	}
	return number(word, 0xffffffff)
}

// targets reads `jt N jf N`, absolute in the text and relative in the instruction.
func (p *parser) targets(ins *bpf.RawInstruction, text string) bool {
	jt, rest := cutField(text)
	trueTarget, rest := cutField(rest)
	jf, rest := cutField(rest)
	falseTarget, rest := cutField(rest)
	if jt != "jt" || jf != "jf" || rest != "" {
		p.fail(BadTargets, "found %s, expected `jt N jf N`", quote(text))
		return false
	}
	var okT, okF bool
	ins.Jt, okT = p.skip(jt, trueTarget)
	ins.Jf, okF = p.skip(jf, falseTarget)
	return okT && okF
}

// skip reads an absolute target and returns the number of instructions that a jump from pc to it leaps over.
func (p *parser) skip(name, target string) (uint8, bool) {
	v, reason := number(target, 0xffffffff)
	skip := int64(v) - int64(p.pc) - 1
	switch {
	case reason != "":
		p.failNumber(reason, name, target, 0xffffffff)
	case skip < 0 || skip > 255:
		p.fail(OutOfReach, "%s %d, %d to %d are in reach", name, v, p.pc+1, p.pc+256)
	default:
		return uint8(skip), true
	}
	return 0, false
}

// match tells whether a text has this shape, whatever its spacing, and returns the word that stands for k.
func (s shape) match(text string) (word string, ok bool) {
	rest, ok := cutLoose(text, s.prefix)
	if !ok {
		return "", false
	}
	if s.k {
		if word, rest = cutWord(rest); word == "" {
			return "", false
		}
	}
	rest, ok = cutLoose(rest, s.suffix)
	return word, ok && trim(rest) == ""
}

// String shows the shape with k in its place, for messages.
func (s shape) String() string {
	k := ""
	if s.k {
		k = "k"
	}
	return s.prefix + k + s.suffix
}

func shapeList(rows []*OpInfo) string {
	list := make([]string, len(rows))
	for i, row := range rows {
		if list[i] = shapes[row.Form].String(); list[i] == "" {
			list[i] = "nothing"
		}
	}
	return strings.Join(list, " or ")
}
