package cbpf

import (
	"cmp"
	"strings"
)

// Sniff tells the notation of a text, mostly by its first line that is neither blank nor a comment. That the rest is in
// the same notation is for ParseAs to find out. Where a program reads the same in two notations, as one without jumps does
// in Asm and XNet, either may be returned.
func Sniff(text []byte) (Notation, error) { return newParser(legible(string(text))).sniff() }

// sniff is Sniff, and leaves the text to be read in that notation.
func (p *parser) sniff() (Notation, error) {
	if isBinary(p.source) {
		if n, ok := byteOrder(p.source); ok {
			return n, nil
		}
	}
	head := *p
	line, ok := head.nextLine()
	if !ok {
		return "", &Error{Reason: ReasonEmpty, PC: -1, Detail: "the text is blank"}
	}
	n := sniffLine(line)
	if n == "" || n == Asm && !begins(line) {
		n = cmp.Or(p.sniffInside(), n)
	}
	switch {
	case n == Asm:
		n = head.sniffJumps(line)
	case n == Dbg && !head.goesOn():
		n = Asm
	}
	if n == "" {
		e := &Error{Reason: ReasonNotRecognised, PC: -1, Detail: quote(line) + ", where the known notations have " + examples()}
		head.mark(e, head.source)
		return "", e
	}
	return n, nil
}

// sniffInside tells the notation of a program that other things stand in front of: what a terminal shows, or source code.
func (p *parser) sniffInside() Notation {
	if _, _, n := findArray(p.text); n != "" {
		return n
	}
	if _, _, found := findBytecode(p.text); found {
		return XTBPF
	}
	for _, n := range []Notation{Listing, Dump} {
		if head := *p; head.skipTo(firstLines[n]) {
			return n
		}
	}
	return ""
}

// sniffLine tells the notation of the first line of a program, "" if it is none. What can be Asm or XNet is Asm.
func sniffLine(line string) Notation {
	switch {
	case line == "":
		return ""
	case line[0] == '(':
		if e, _ := cutElement(line); e != nil && strings.Contains(line, ",") {
			return CStruct
		}
		return Listing
	case line[0] == '{':
		return sniffBrace(line[1:])
	case line[0] == '[':
		return sniffBracket(line)
	case isHex(line) || isHexDump(line) || isEscaped(line):
		return Hex
	case isDumpLine(line) || strings.HasPrefix(line, "line  CODE"):
		return Dump
	case strings.Contains(line, "RawInstruction") || strings.Contains(line, "SockFilter{") || strings.Contains(line, "bpf.Instruction{"):
		return Go
	case strings.Contains(line, "sock_filter") || strings.HasPrefix(line, "BPF_STMT") || strings.HasPrefix(line, "BPF_JUMP"):
		return CStruct
	case line[0] >= '0' && line[0] <= '9' && strings.Contains(line, ","):
		return XTBPF
	case line[0] >= '0' && line[0] <= '9':
		return Decimal
	case strings.HasPrefix(line, "l0:"):
		return Dbg
	case isStatement(line):
		return Asm
	}
	return ""
}

// sniffBrace tells the notation of a row by what follows its bracket.
func sniffBrace(s string) Notation {
	switch s = trimLeft(s); {
	case strings.HasPrefix(s, `"`):
		return JSON
	case strings.HasPrefix(strings.ToLower(s), "op:"):
		return Go
	}
	return CStruct
}

// sniffBracket tells arrays of JSON from types of Go.
func sniffBracket(s string) Notation {
	switch s = trimLeft(s[1:]); {
	case s == "" || s[0] == '{' || s[0] == '[':
		return JSON
	case s[0] == '(' || digit(s[0]) > 9 && isWord(s[0]):
		return CStruct
	}
	return Go
}

// isHex reports whether a line is pairs of hexadecimal digits, and too long for the count that Decimal starts with.
func isHex(line string) bool {
	digits := 0
	for i := 0; i < len(line); i++ {
		switch {
		case digit(line[i]) < 16:
			digits++
		case !isBlank(line[i]) || digits%2 != 0:
			return false
		}
	}
	return digits%2 == 0 && (digits >= 2*insnSize || digits < len(line))
}

// isStatement reports whether a line is a label, or begins with a mnemonic or with what seems meant as one.
func isStatement(line string) bool {
	name, bare := cutLabels(line)
	return bare || isMnemonic(name) || suggest(name, asmWords) != ""
}

// begins reports whether a line is a label, or begins with a mnemonic.
func begins(line string) bool {
	name, bare := cutLabels(line)
	return bare || isMnemonic(name)
}

// cutLabels returns the name behind the labels of a line; bare says that nothing is.
func cutLabels(line string) (name string, bare bool) {
	name, rest := cutName(line)
	for isLabel(name) && strings.HasPrefix(rest, ":") {
		if rest = trim(rest[1:]); rest == "" || commentLength(rest) > 0 {
			return "", true
		}
		name, rest = cutName(rest)
	}
	return name, false
}

func isMnemonic(name string) bool { return isUnimp(name) || mnemonicByName(asmNames, name) != nil }

// sniffJumps tells Asm, whose jumps go to labels, from XNet, whose jumps go over a number of instructions. line is the
// first line, and the parser is behind it.
func (p *parser) sniffJumps(line string) Notation {
	for ok := true; ok; line, ok = p.nextLine() {
		text, comment := cutComment(line)
		name, rest := cutName(text)
		if sharesText(name, comment) {
			return XNet
		}
		m := mnemonicByName(asmNames, name)
		if strings.HasPrefix(rest, ":") {
			return Asm
		}
		if m == nil {
			continue
		}
		_, target := asmDialect.cutTargets(rest)
		if m.rows[0].Form == FormJump {
			target = rest
		}
		switch {
		case target == "":
		case digit(target[0]) <= 9:
			return XNet
		default:
			return Asm
		}
	}
	return Asm
}

// sharesText reports whether a comment completes what only XNet writes with this mnemonic.
func sharesText(name, comment string) bool {
	fields, isRaw := rawFields(comment)
	if !isRaw {
		return false
	}
	code, _ := cutField(fields)
	v, reason := number(code, 0xffff)
	info, hidden := xnetDialect.info(uint16(v))
	return reason == "" && hidden && info.Name == name
}

// goesOn reports whether the next line has the index of the second line of a Dbg listing, or is not there.
func (p *parser) goesOn() bool {
	line, ok := p.nextLine()
	return !ok || strings.HasPrefix(line, "l1:")
}
