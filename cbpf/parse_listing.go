package cbpf

import "strings"

// listing reads what tcpdump -d prints, of libpcap 1.10 and 1.11 alike. A line is
//
//	(INDEX) MNEMONIC [OPERAND] [jt TARGET jf TARGET] [; COMMENT]
//
// with absolute targets, which is why the index counts: one missing line would move them all. A comment can start with
// // too. One that says `raw` and four numbers is data, as Print writes it. In front of the first line may stand what a
// terminal shows there, the command and warnings.
func (p *parser) listing() {
	p.dialect, p.targets = &listingDialect, p.listingTargets
	p.skipTo(isListingLine)
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		digits, rest, found := strings.Cut(line, ")")
		if !found || !strings.HasPrefix(digits, "(") {
			p.strayLine(line, "(000)")
			continue
		}
		p.index(digits[1:], "(%03d)")
		p.statement(p.advance(rest))
	}
	p.applyRaw()
}

// isListingLine reports whether a line begins with an index in parentheses.
func isListingLine(line string) bool {
	digits, _, found := strings.Cut(line, ")")
	return found && strings.HasPrefix(digits, "(") && isNumber(digits[1:])
}

// isNumber reports whether a text is decimal digits.
func isNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if digit(s[i]) > 9 {
			return false
		}
	}
	return s != ""
}

// dbg reads what bpf_dbg's `disassemble` prints. A line is
//
//	lINDEX: MNEMONIC [OPERAND] [, lTARGET, lTARGET] [; COMMENT]
//
// with absolute targets, those of `ja` without the l.
func (p *parser) dbg() {
	p.dialect, p.targets = &dbgDialect, p.dbgTargets
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		digits, rest, found := strings.Cut(line, ":")
		if !found || !strings.HasPrefix(digits, "l") {
			p.strayLine(line, "l0:")
			continue
		}
		p.index(digits[1:], "l%d:")
		p.statement(p.advance(rest))
	}
	p.applyRaw()
}

// advance makes rest, the end of the line being read, the place being read, and returns it without blanks in front.
func (p *parser) advance(rest string) string {
	rest = trimLeft(rest)
	p.start += p.length - len(rest)
	p.length = len(rest)
	return rest
}

// strayLine reports a line without an index, and which notation it seems to be in if not in this one.
func (p *parser) strayLine(line, expected string) {
	switch n := sniffLine(line); n {
	case "", Listing, Dbg, Dump:
		p.fail(ReasonBadLine, "%s, where an index such as %s is expected", quote(line), expected)
	default:
		p.fail(ReasonBadLine, "%s, which looks like notation %s", quote(line), n)
	}
}

// index checks that indices count up from 0. After a fault it goes on from the index found, so that one missing line is
// one fault. format is how an index is written.
func (p *parser) index(digits, format string) {
	written := digits
	for len(digits) > 1 && digits[0] == '0' { // padding, not octal
		digits = digits[1:]
	}
	found, reason := number(digits, maxInsns)
	switch {
	case reason != "":
		p.failNumber(p.within(written), reason, "index", digits, maxInsns-1)
	case int(found) != p.pc:
		p.failAt(p.within(written), ReasonWrongIndex, "found "+format+", expected "+format, found, p.pc)
		p.pc = int(found)
	}
}

// listingTargets reads `jt N jf N`, absolute in the text and relative in the instruction.
func (p *parser) listingTargets(_ *mnemonic, text string) (jt, jf uint8, ok bool) {
	first, rest := cutField(text)
	trueTarget, rest := cutField(rest)
	second, rest := cutField(rest)
	falseTarget, rest := cutField(rest)
	if first != "jt" || second != "jf" || rest != "" {
		p.failAt(p.within(text), ReasonBadTargets, "found %s, expected `jt N jf N`", quote(text))
		return 0, 0, false
	}
	jt, okT := p.skip(first, trueTarget, first, trueTarget)
	jf, okF := p.skip(second, falseTarget, first, second, falseTarget)
	return jt, jf, okT && okF
}

// dbgTargets reads `lN, lN`.
func (p *parser) dbgTargets(_ *mnemonic, text string) (jt, jf uint8, ok bool) {
	trueTarget, falseTarget := cutComma(text)
	first, okT := strings.CutPrefix(trueTarget, "l")
	second, okF := strings.CutPrefix(falseTarget, "l")
	if !okT || !okF {
		p.failAt(p.within(",", text), ReasonBadTargets, "found %s, expected two such as l%d", quote(text), p.pc+1)
		return 0, 0, false
	}
	jt, okT = p.skip("jt", first, ",", trueTarget)
	jf, okF = p.skip("jf", second, ",", trueTarget, falseTarget)
	return jt, jf, okT && okF
}

// skip reads an absolute target and returns the number of instructions that a jump from pc to it leaps over. The words
// lead to its place.
func (p *parser) skip(name, target string, words ...string) (uint8, bool) {
	v, reason := number(target, 0xffffffff)
	skip := int64(v) - int64(p.pc) - 1
	switch {
	case reason != "":
		p.failNumber(p.within(words...), reason, name, target, 0xffffffff)
	case skip < 0 || skip > 255:
		p.failAt(p.within(words...), ReasonOutOfReach, "%s %d, %d to %d are in reach", name, v, p.pc+1, p.pc+256)
	default:
		return uint8(skip), true
	}
	return 0, false
}
