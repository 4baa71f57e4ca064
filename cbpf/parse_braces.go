package cbpf

import (
	"strings"

	"golang.org/x/net/bpf"
)

// Three notations are rows in braces:
//
//	dd    { 0x28, 0, 0, 0x0000000c },                          rows of C
//	go    {Op: 0x28, Jt: 0, Jf: 0, K: 0xc},                    elements of []bpf.RawInstruction
//	json  {"code": 40, "jt": 0, "jf": 0, "k": 12},             elements of an array
//
// All are read alike. Fields are numbers or, as in C headers, sums of constants; they have a name or stand in order. The
// array may be around them, with what declares it.

// element is a way in which an instruction begins.
type element struct {
	word   string // in front of the bracket, without the name of a package
	open   byte
	close  string
	fields []int // the fields in order, as indices of fields
}

var (
	inOrder  = []int{0, 1, 2, 3}
	elements = [...]element{
		{"", '{', "}", inOrder},
		{"", '(', ")", inOrder}, // tuples of Python
		{"", '[', "]", inOrder}, // and lists
		{"RawInstruction", '{', "}", inOrder},
		{"SockFilter", '{', "}", inOrder},     // of golang.org/x/sys/unix
		{"BPFInstruction", '{', "}", inOrder}, // of gopacket
		{"sock_filter", '{', "}", inOrder},
		{"bpf_insn", '{', "}", inOrder},
		{"BPF_STMT", '(', ")", []int{0, 3}},
		{"BPF_JUMP", '(', ")", []int{0, 3, 1, 2}},
	}
)

// fieldNames are the names of the fields, in whichever case.
var fieldNames = [...]struct {
	name  string
	index int
}{{"code", 0}, {"op", 0}, {"jt", 1}, {"jf", 2}, {"k", 3}}

// cutElement returns which kind of instruction a text begins with, and what follows the bracket.
func cutElement(s string) (e *element, rest string) {
	word, rest := cutTypeName(s)
	if rest == "" {
		return nil, ""
	}
	for i := range elements {
		e := &elements[i]
		if e.word != word || rest[0] != e.open {
			continue
		}
		if word == "" && e.open != '{' && !isTuple(rest[1:]) {
			return nil, ""
		}
		return e, rest[1:]
	}
	return nil, ""
}

// isTuple reports whether a text begins with a number and a comma.
func isTuple(s string) bool {
	word, rest := cutWord(s)
	return word != "" && digit(word[0]) <= 9 && strings.HasPrefix(trimLeft(rest), ",")
}

// cutTypeName returns the name at the start of a text without that of its package, and what follows it and blanks.
func cutTypeName(s string) (name, rest string) {
	end := 0
	for end < len(s) && (isWord(s[end]) || s[end] == '.' || s[end] == ':') {
		end++
	}
	return s[strings.LastIndexAny(s[:end], ".:")+1 : end], trimLeft(s[end:])
}

// braced reads rows, as many to a line as there are. A comma may follow each.
func (p *parser) braced() {
	p.blankComments(false)
	closer := p.opening()
	for p.skipBlank(); p.text != ""; p.skipBlank() {
		p.begin()
		if closer != "" && strings.HasPrefix(p.text, closer) {
			p.ending()
			return
		}
		if !p.element() {
			between := p.upTo('{', '{')
			p.length = len(between)
			p.fail(ReasonBadRow, "%s, where { is expected", quote(between))
		}
	}
	if closer != "" && len(p.errs) == 0 {
		p.begin()
		p.failHeader(ReasonBadRow, "the text ends, where %s is expected", closer)
	}
}

// element reads an instruction and the comma behind it. It returns false, and consumes nothing, where none begins.
func (p *parser) element() bool {
	e, rest := cutElement(p.text)
	var literal *xnetLiteral
	if e == nil {
		if literal, rest = cutXNetLiteral(p.text); literal == nil {
			return false
		}
		e = &elements[0]
	}
	p.consume(len(p.text) - len(rest))
	row := p.upToClose(e)
	p.length = len(p.source) - len(p.text) - p.start
	if !strings.HasPrefix(p.text, e.close) {
		p.fail(ReasonBadRow, "%s, where %s is expected at the end", quote(row), e.close)
		return true
	}
	p.text = strings.TrimPrefix(strings.TrimLeft(p.text[1:], " \t"), ",")
	p.text = skipContinuation(p.text)
	var ins bpf.RawInstruction
	if literal != nil {
		ins = p.xnetLiteral(row, literal)
	} else {
		ins, _ = p.members(row, e.fields)
	}
	p.add(ins)
	return true
}

// skipContinuation returns a text without the backslash that ends the line behind an element of a macro.
func skipContinuation(s string) string {
	if rest, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\r"), "\\"); ok && (trimLeft(rest) == "" || strings.HasPrefix(strings.TrimLeft(rest, " \t\r"), "\n")) {
		return rest
	}
	return s
}

// opening consumes what stands around the rows, and returns what must stand behind them, "" if there is nothing around.
func (p *parser) opening() (closer string) {
	p.skipBlank()
	if e, _ := cutElement(p.text); e != nil {
		return ""
	}
	if literal, _ := cutXNetLiteral(p.text); literal != nil {
		return ""
	}
	at, closer, _ := findArray(p.text)
	p.consume(at)
	return closer
}

// ending consumes the end of an array. Whatever follows may be there, but not a second array: it would be another program.
func (p *parser) ending() {
	p.consume(len(p.text) - len(strings.TrimLeft(p.text, " \t\r\n)}];,")))
	if at, closer, _ := findArray(p.text); closer != "" {
		head := strings.LastIndexByte(p.text[:at], '\n') + 1
		p.consume(head)
		p.skipBlank()
		p.begin()
		rest, _, _ := strings.Cut(p.text, "\n")
		p.length = len(trim(rest))
		p.failHeader(ReasonSecondProgram, "%s; a text holds one", quote(trim(rest)))
	}
	p.text = ""
}

// upTo consumes the text in front of the first of two bytes, or all of it, and returns it trimmed.
func (p *parser) upTo(one, other byte) string {
	end := indexEither(p.text, one, other)
	if end < 0 {
		end = len(p.text)
	}
	s := p.text[:end]
	p.consume(end)
	return trim(s)
}

// upToClose consumes the fields of an instruction, up to the bracket that closes it or to one that must not be there.
func (p *parser) upToClose(e *element) string {
	switch e.open {
	case '{':
		return p.upTo('{', '}')
	case '[':
		return p.upTo('[', ']')
	}
	end := closingParenthesis(p.text)
	s := p.text[:end]
	p.consume(end)
	return trim(s)
}

// closingParenthesis returns where the one stands that closes what is open before s, or what ends a statement; len(s) if
// neither does.
func closingParenthesis(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth == 0 {
				return i
			}
			depth--
		case '{', '}', ';':
			return i
		}
	}
	return len(s)
}

// members reads the fields of an instruction, which stand in the given order or have names. Of those with names some may
// be missing, and are 0.
func (p *parser) members(text string, order []int) (ins bpf.RawInstruction, ok bool) {
	var parts [len(fields)]string
	found := 0
	for rest := text; rest != ""; found++ {
		var part string
		if part, rest = cutArgument(rest); found < len(parts) {
			parts[found] = part
		}
	}
	if first, _ := cutFieldName(parts[0]); found == 0 || found > len(order) || found < len(order) && first == "" {
		p.fail(ReasonBadRow, "%s has %d, and %s are expected", quote(text), found, fieldList(order))
		return ins, false
	}
	var v [len(fields)]uint32
	var seen [len(fields)]bool
	ok = true
	for j, part := range parts[:found] {
		i := order[j]
		name, value := cutFieldName(part)
		if name != "" {
			if i = fieldByName(name); i < 0 || seen[i] {
				p.failAt(p.within(parts[:j+1]...), ReasonBadRow, "field %s, where code, jt, jf and k are expected, once each", quote(name))
				return ins, false
			}
		}
		seen[i] = true
		var reason Reason
		var bad string
		if v[i], bad, reason = constants(value, fields[i].limit); reason != "" {
			p.failConstant(p.within(append(parts[:j:j], bad)...), reason, i, bad)
			ok = false
		}
	}
	return bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: v[3]}, ok
}

// cutArgument is cutComma for a text in which parentheses may have commas inside.
func cutArgument(s string) (field, rest string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case s[i] == ',' && depth <= 0:
			return trim(s[:i]), trim(s[i+1:])
		}
	}
	return trim(s), ""
}

// cutFieldName returns the name in front of a value, `"code":`, `Op:` or `.code =`, and the value; "" is for no name.
func cutFieldName(part string) (name, value string) {
	i := indexEither(part, ':', '=')
	if i < 0 {
		return "", part
	}
	name = trim(part[:i])
	name = strings.TrimPrefix(strings.TrimPrefix(name, "."), `"`)
	return strings.TrimSuffix(name, `"`), trim(part[i+1:])
}

// fieldByName returns the index of a field, -1 if there is none of this name.
func fieldByName(name string) int {
	for _, f := range fieldNames {
		if f.name == name || strings.EqualFold(f.name, name) {
			return f.index
		}
	}
	return -1
}

func fieldList(order []int) string {
	names := make([]string, len(order))
	for j, i := range order {
		names[j] = fields[i].name
	}
	return strings.Join(names, ", ")
}
