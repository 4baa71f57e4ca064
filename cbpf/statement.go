package cbpf

import (
	"strings"

	"golang.org/x/net/bpf"
)

// mnemonic is what a word at the start of a statement can mean.
type mnemonic struct {
	rows     []*OpInfo // told apart by the shape of the operand
	opposite bool      // the comparison is the opposite one: the target is that of jf
	bare     bool      // the # of the operand can be left out
}

// The mnemonics of a listing and of the other dialects, and in which order they are suggested.
var (
	listingNames, listingWords = tcpdumpNames()
	asmNames, asmWords         = bpfAsmNames()
)

func tcpdumpNames() (names map[string]*mnemonic, words []string) {
	names = make(map[string]*mnemonic)
	for i := range Ops {
		name := Ops[i].Name
		if names[name] == nil {
			names[name] = &mnemonic{}
			words = append(words, name)
		}
		names[name].rows = append(names[name].rows, &Ops[i])
	}
	names["ldx"].rows = append(names["ldx"].rows, Info(OpLdxMSH)) // x/net and bpf_asm leave out the b of ldxb
	return names, words
}

// bpfAsmNames adds the aliases that bpf_asm knows.
func bpfAsmNames() (names map[string]*mnemonic, words []string) {
	names, words = tcpdumpNames()
	names["ret"].rows = append(names["ret"].rows, &retX)
	names["jmp"] = names["ja"]
	names["ldi"] = &mnemonic{rows: []*OpInfo{Info(OpLdImm)}, bare: true}
	names["ldxi"] = &mnemonic{rows: []*OpInfo{Info(OpLdxImm)}, bare: true}
	for i := range Ops {
		not := Ops[i].Not
		if not == "" {
			continue
		}
		if names[not] == nil {
			names[not] = &mnemonic{opposite: true}
		}
		names[not].rows = append(names[not].rows, &Ops[i])
	}
	names["jne"] = names["jneq"]
	return names, append(words, "jmp", "jne", "jneq", "jlt", "jle", "ldi", "ldxi")
}

// mnemonicByName looks a word up, in whichever case it is. nil is for one that is none.
func mnemonicByName(names map[string]*mnemonic, word string) *mnemonic {
	var buffer [4]byte // no mnemonic is longer
	if len(word) > len(buffer) {
		return nil
	}
	for i := range word {
		buffer[i] = lower(word[i])
	}
	return names[string(buffer[:len(word)])]
}

// speech is the state of a parser while it reads a dialect.
type speech struct {
	dialect *dialect
	targets func(m *mnemonic, text string) (jt, jf uint8, ok bool) // reads what follows the operand
	raws    []rawComment
}

// rawComment is what a comment says of the instruction in front of it.
type rawComment struct {
	span
	pc, index int // the same unless indices are wrong
	raw       bpf.RawInstruction
	unimp     bool // the text tells nothing but the opcode
}

// statement reads mnemonic, operand and targets, and behind them a comment, which is data where it says `raw` and four
// numbers.
func (p *parser) statement(text string) {
	whole := len(text)
	text, comment := cutComment(text)
	p.length = len(text)
	fields, isRaw := rawFields(comment)
	ins, ok := p.plain(text, isRaw)
	if ok && isRaw {
		p.length = whole
		if raw, ok := p.row(fields, cutField); ok {
			name, _ := cutName(text)
			p.raws = append(p.raws, rawComment{p.span, p.pc, len(p.prog), raw, isUnimp(name)})
		}
	}
	p.add(ins)
}

// rawFields returns the four numbers of a comment that says `raw` and numbers.
func rawFields(comment string) (fields string, ok bool) {
	fields, ok = strings.CutPrefix(comment, "raw ")
	fields = trim(fields)
	return fields, ok && fields != "" && digit(fields[0]) <= 9
}

// applyRaw replaces instructions by those of their comments, which can say more than the text does but must not
// contradict it. It comes last, when labels are resolved.
func (p *parser) applyRaw() {
	d := p.dialect
	for _, c := range p.raws {
		if c.index >= len(p.prog) {
			return // the program is too long
		}
		ins := p.prog[c.index]
		want := string(d.text(d, nil, c.pc, c.raw, len(p.prog)))
		same := c.unimp && ins.Op == c.raw.Op && Info(ins.Op) != nil
		if !same && want != string(d.text(d, nil, c.pc, ins, len(p.prog))) {
			p.pc = c.pc
			p.failAt(c.span, ReasonRawConflict, "the fields are those of `%s`", trim(want))
		}
		p.prog[c.index] = c.raw
	}
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

// plain reads mnemonic, operand and jump targets. If it returns false, the fault is recorded. hasRaw says that the fields
// follow, so that an opcode is enough.
func (p *parser) plain(text string, hasRaw bool) (ins bpf.RawInstruction, ok bool) {
	d := p.dialect
	name, rest := cutName(text)
	m := mnemonicByName(*d.reads, name)
	operand, targets := d.cutTargets(rest)
	switch {
	case isUnimp(name):
		if ins.Op, ok = p.unknownOp(operand, hasRaw); !ok || Info(ins.Op) != nil {
			return ins, ok
		}
	case m == nil:
		p.failMnemonic(name, text)
		return ins, false
	case d.labels && m.rows[0].Form == FormJump:
		ins.Op, targets = m.rows[0].Code, trim(rest)
	default:
		if ins.Op, ins.K, ok = p.operand(m, name, operand); !ok {
			return ins, false
		}
	}
	info, _ := d.info(ins.Op)
	switch {
	case info == nil && isTest(ins.Op) && d.unimpJumps,
		info != nil && info.Form == FormJump && d.labels,
		info != nil && d.shapes[info.Form].jumps:
		ins.Jt, ins.Jf, ok = p.targets(m, targets)
		return ins, ok
	case info != nil && info.Form == FormJump && !d.relative:
		ins.K -= uint32(p.pc) + 1
	}
	if targets != "" {
		p.failAt(p.within(targets), ReasonBadTargets, "%s has none, but %s follows", name, quote(targets))
	}
	return ins, targets == ""
}

// failMnemonic reports a word that is no mnemonic, and which one may be meant.
func (p *parser) failMnemonic(name, text string) {
	if name == "" {
		name, _ = cutField(text)
	}
	if name == "" {
		p.fail(ReasonBadLine, "nothing stands after the index")
		return
	}
	hint := suggest(name, *p.dialect.suggest)
	if m := mnemonicByName(asmNames, name); m != nil && !m.opposite {
		hint = "; did you mean " + m.rows[0].Name + "?"
	}
	p.failAt(p.within(name), ReasonUnknownMnemonic, "%s%s", quote(name), hint)
}

// cutTargets splits the jump targets off the operand: `jt N jf N` in a listing, and what follows the first comma in the
// other dialects. No operand has a comma or the letters jt in it.
func (d *dialect) cutTargets(s string) (operand, targets string) {
	if d.comma != "" {
		return cutComma(s)
	}
	i := strings.Index(s, "jt")
	if i < 0 || i > 0 && !isBlank(s[i-1]) {
		return trim(s), ""
	}
	return trim(s[:i]), trim(s[i:])
}

// isUnimp reports whether a word stands for an opcode without a mnemonic, in whichever dialect.
func isUnimp(name string) bool { return name == listingDialect.unimp || name == dbgDialect.unimp }

// unknownOp reads the operand of `unimp`. libpcap prints that for what it does not know, and with it loses the operand: an
// opcode that has one is refused unless the fields follow. 0x81 has none, and is printed so by libpcap 1.10.
func (p *parser) unknownOp(operand string, hasRaw bool) (code uint16, ok bool) {
	v, reason := number(operand, 0xffff)
	if reason != "" {
		p.failNumber(p.within(operand), reason, "opcode", operand, 0xffff)
		return 0, false
	}
	if info := Info(uint16(v)); info != nil && !hasRaw && (listingShapes[info.Form].k || listingShapes[info.Form].jumps) {
		p.failAt(p.within(operand), ReasonLostOperand, "opcode 0x%x is %s %s", v, info.Name, listingShapes[info.Form])
		return 0, false
	}
	return uint16(v), true
}
