package cbpf

import "strings"

// maxSuggested bounds the labels among which one is sought that may have been meant.
const maxSuggested = 1 << 12

// assembler reads bpf_asm source:
//
//	[LABEL:] [MNEMONIC [OPERAND] [, LABEL [, LABEL]]] [; COMMENT]
//
// /* */ is a comment too, and so is a line that starts with #. As in bpf_asm a line can hold several instructions; unlike
// there, none can go over the end of a line. A comment that says `raw` and four numbers is data, as Print writes it.
type assembler struct {
	*parser
	defs  map[string]int // pc of each label
	names []string       // the labels in their order
	jumps []jump
	label span // the last label if no instruction has followed yet
}

// jump is a target that waits for its label.
type jump struct {
	span
	pc    int
	name  string
	field jumpField
}

// jumpField is the field of an instruction that takes a target.
type jumpField uint8

const (
	fieldJt jumpField = iota
	fieldJf
	fieldK
)

func (p *parser) asm() {
	a := assembler{parser: p, defs: make(map[string]int)}
	p.dialect, p.targets = &asmDialect, a.targets
	p.blankComments(true)
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		for line != "" {
			line = a.labelOrStatement(line)
		}
	}
	if a.label.line > 0 {
		p.failAt(a.label, ReasonStrayLabel, "the program ends behind it")
	}
	if a.resolve() {
		p.applyRaw()
	}
}

// labelOrStatement reads one of them and returns the rest of the line.
func (a *assembler) labelOrStatement(line string) (rest string) {
	a.advance(line)
	name, behind := cutName(line)
	if name == "" || !strings.HasPrefix(behind, ":") {
		statement, rest := cutStatement(line)
		a.length = len(statement)
		a.label = span{}
		a.statement(statement)
		a.length = len(line)
		return rest
	}
	a.length = len(name)
	switch _, defined := a.defs[name]; {
	case !isLabel(name):
		a.fail(ReasonBadLabel, "%s", quote(name))
	case defined:
		a.fail(ReasonDuplicateLabel, "%s", quote(name))
	default:
		a.defs[name] = a.pc
		a.names = append(a.names, name)
	}
	a.label = a.span
	a.length = len(line)
	rest = trim(behind[1:])
	if commentLength(rest) > 0 {
		return ""
	}
	return rest
}

// isLabel reports whether a word can be a label: a name that does not stand for an instruction.
func isLabel(word string) bool {
	name, rest := cutName(word)
	return name != "" && rest == "" && digit(name[0]) > 9 && mnemonicByName(asmNames, name) == nil && !isUnimp(name)
}

// cutStatement returns the first statement of a line, with its comment if it is the last, and what follows: the next
// statement begins with a mnemonic or a label, and no operand has such a word.
func cutStatement(line string) (statement, rest string) {
	_, after := cutName(line)
	for i := len(line) - len(after); i < len(line); {
		switch c := line[i]; {
		case c == ';' || c == '/':
			return line, ""
		case !isWord(c) || c == '-':
			i++
			continue
		}
		name, after := cutName(line[i:])
		if strings.HasPrefix(after, ":") || digit(name[0]) > 9 && mnemonicByName(asmNames, name) != nil {
			return trim(line[:i]), line[i:]
		}
		i += len(name)
	}
	return line, ""
}

// targets notes the labels behind an operand. A comparison without a second one goes on with the next instruction.
func (a *assembler) targets(m *mnemonic, text string) (jt, jf uint8, ok bool) {
	first, second := cutComma(text)
	switch {
	case text == "":
		a.fail(ReasonBadTargets, "a label is expected")
		return 0, 0, false
	case m.rows[0].Form == FormJump:
		return 0, 0, a.jump(text, fieldK)
	case m.opposite:
		return 0, 0, a.jump(text, fieldJf)
	case second != "":
		okT, okF := a.jump(first, fieldJt), a.jump(second, fieldJf)
		return 0, 0, okT && okF
	}
	return 0, 0, a.jump(text, fieldJt)
}

// jump notes a target. It returns false, with the fault recorded, for a word that can be no label.
func (a *assembler) jump(label string, field jumpField) bool {
	if !isLabel(label) {
		a.failAt(a.within(label), ReasonBadLabel, "%s, where one is expected as a jump target", quote(label))
		return false
	}
	a.jumps = append(a.jumps, jump{a.span, a.pc, label, field})
	return true
}

// resolve fills in the jump targets, once all labels are known. It returns false if one of them has a fault: raw fields
// would seem to contradict it.
func (a *assembler) resolve() bool {
	ok := true
	for _, j := range a.jumps {
		if j.pc >= len(a.prog) {
			return false // the program is too long
		}
		target, known := a.defs[j.name]
		skip := target - j.pc - 1
		a.pc, a.span = j.pc, j.span
		switch ins := &a.prog[j.pc]; {
		case !known:
			a.failAt(a.within(j.name), ReasonUnknownLabel, "%s%s", quote(j.name), suggest(j.name, a.names[:min(len(a.names), maxSuggested)]))
			ok = false
		case j.field == fieldK:
			ins.K = uint32(int32(skip))
		case skip < 0 || skip > 255:
			a.failAt(a.within(j.name), ReasonOutOfReach, "%s is (%03d), (%03d) to (%03d) are in reach", j.name, target, j.pc+1, j.pc+256)
			ok = false
		case j.field == fieldJt:
			ins.Jt = uint8(skip)
		default:
			ins.Jf = uint8(skip)
		}
	}
	return ok
}
