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
	word   string // in front of the bracket
	open   byte
	close  string
	fields []int // the fields in order, as indices of fields
}

var elements = [...]element{
	{"", '{', "}", []int{0, 1, 2, 3}},
	{"bpf.RawInstruction", '{', "}", []int{0, 1, 2, 3}},
	{"RawInstruction", '{', "}", []int{0, 1, 2, 3}},
	{"BPF_STMT", '(', ")", []int{0, 3}},
	{"BPF_JUMP", '(', ")", []int{0, 3, 1, 2}},
}

// fieldNames are the names of the fields, in whichever case.
var fieldNames = [...]struct {
	name  string
	index int
}{{"code", 0}, {"op", 0}, {"jt", 1}, {"jf", 2}, {"k", 3}}

// cutElement returns which kind of instruction a text begins with, and what follows the bracket.
func cutElement(s string) (e *element, rest string) {
	end := 0
	for end < len(s) && (isWord(s[end]) || s[end] == '.') {
		end++
	}
	rest = trimLeft(s[end:])
	for i := range elements {
		if e := &elements[i]; e.word == s[:end] && rest != "" && rest[0] == e.open {
			return e, rest[1:]
		}
	}
	return nil, ""
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
		e, rest := cutElement(p.text)
		if e == nil {
			between := p.upTo('{', '{')
			p.length = len(between)
			p.fail(BadRow, "%s, where { is expected", quote(between))
			continue
		}
		p.consume(len(p.text) - len(rest))
		row := p.upToClose(e)
		p.length = len(p.source) - len(p.text) - p.start
		if !strings.HasPrefix(p.text, e.close) {
			p.fail(BadRow, "%s, where %s is expected at the end", quote(row), e.close)
			continue
		}
		p.text = strings.TrimPrefix(strings.TrimLeft(p.text[1:], " \t"), ",")
		ins, _ := p.members(row, e.fields)
		p.add(ins)
	}
	if closer != "" && len(p.errs) == 0 {
		p.begin()
		p.failHeader(BadRow, "the text ends, where %s is expected", closer)
	}
}

// opening consumes what stands around the rows, and returns what must stand behind them, "" if there is nothing around.
func (p *parser) opening() (closer string) {
	p.skipBlank()
	if strings.HasPrefix(p.text, "[") && sniffBracket(p.text) == JSON {
		p.text = p.text[1:]
		return "]"
	}
	if !declaresArray(p.text) {
		return ""
	}
	for {
		head, body, found := strings.Cut(p.text, "{")
		if !found {
			return ""
		}
		p.consume(len(head) + 1)
		inside := *p
		inside.skipBlank()
		if e, _ := cutElement(inside.text); e != nil || strings.HasPrefix(inside.text, "}") || body == "" {
			return "}"
		}
	}
}

// declaresArray reports whether a text begins with what declares an array, of C or Go, and not with its elements.
func declaresArray(s string) bool {
	head, _, _ := strings.Cut(s, "{")
	if e, _ := cutElement(s); e != nil {
		return false
	}
	return strings.Contains(head, "sock_filter") || strings.Contains(s, "RawInstruction")
}

// ending consumes the end of an array. Nothing but closing brackets may follow: a second array would be another program.
func (p *parser) ending() {
	p.consume(len(p.text) - len(strings.TrimLeft(p.text, " \t\r\n)}];,")))
	p.skipBlank()
	if p.text != "" {
		p.begin()
		rest, _, _ := strings.Cut(p.text, "\n")
		p.length = len(trim(rest))
		p.failHeader(BadRow, "%s follows the array; a text holds one program", quote(trim(rest)))
	}
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
	if e.open == '{' {
		return p.upTo('{', '}')
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
		if part, rest = cutComma(rest); found < len(parts) {
			parts[found] = part
		}
	}
	if found == 0 || found > len(order) || found < len(order) && fieldName(parts[0]) == "" {
		p.fail(BadRow, "%s has %d, and %s are expected", quote(text), found, fieldList(order))
		return ins, false
	}
	var v [len(fields)]uint32
	var seen [len(fields)]bool
	ok = true
	for j, part := range parts[:found] {
		i, value := order[j], part
		if name := fieldName(part); name != "" {
			if i = fieldByName(name); i < 0 || seen[i] {
				p.failAt(p.within(parts[:j+1]...), BadRow, "field %s, where code, jt, jf and k are expected, once each", quote(name))
				return ins, false
			}
			value = trim(part[indexEither(part, ':', '=')+1:])
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

// fieldName returns the name in front of a value, `"code":`, `Op:` or `.code =`; "" if there is none.
func fieldName(part string) string {
	i := indexEither(part, ':', '=')
	if i < 0 {
		return ""
	}
	name := trim(part[:i])
	name = strings.TrimPrefix(strings.TrimPrefix(name, "."), `"`)
	return strings.TrimSuffix(name, `"`)
}

// fieldByName returns the index of a field, -1 if there is none of this name.
func fieldByName(name string) int {
	for _, f := range fieldNames {
		if strings.EqualFold(f.name, name) {
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
