package cbpf

import "strings"

// xnet reads what the String methods of golang.org/x/net/bpf print, one instruction a line:
//
//	MNEMONIC [OPERAND] [, SKIP [, SKIP]] [; COMMENT]
//
// Targets are numbers of instructions to leap over.
func (p *parser) xnet() {
	p.dialect, p.targets = &xnetDialect, p.xnetTargets
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		p.statement(line)
	}
	p.applyRaw()
}

// xnetTargets reads one or two skips. The opposite of a comparison has only that of jf.
func (p *parser) xnetTargets(m *mnemonic, text string) (jt, jf uint8, ok bool) {
	first, second := cutComma(text)
	if text == "" || m.opposite && second != "" || strings.Contains(second, ",") {
		expected := "one or two numbers"
		if m.opposite {
			expected = "one number"
		}
		p.failAt(p.within(text), ReasonBadTargets, "found %s, expected %s of instructions to leap over", quote(text), expected)
		return 0, 0, false
	}
	jt, ok = p.relative("jt", first, ",", first)
	if second != "" {
		var okF bool
		jf, okF = p.relative("jf", second, ",", first, second)
		ok = ok && okF
	}
	if m.opposite {
		jt, jf = jf, jt
	}
	return jt, jf, ok
}

// relative reads a number of instructions to leap over. The words lead to its place.
func (p *parser) relative(name, text string, words ...string) (uint8, bool) {
	v, reason := number(text, 255)
	if reason != "" {
		p.failNumber(p.within(words...), reason, name, text, 255)
	}
	return uint8(v), reason == ""
}
