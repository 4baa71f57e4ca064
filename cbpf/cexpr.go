package cbpf

import (
	"strings"
)

// expression reads a constant expression of C, as filters are made of in sources and in what `cc -E` makes of them:
// numbers with suffixes, names of headers, casts, parentheses, offsetof on struct seccomp_data, and the operators
//
//   - + ~    * / %    + -    << >>    &    ^    |
//
// Arithmetic is in 64 bits. The first fault ends the reading.
type expression struct {
	rest   string // what is not read yet
	depth  int    // of parentheses and signs
	bad    string // what is at fault
	reason Reason // why; empty if nothing is
}

// maxNesting bounds parentheses inside of each other, and signs in a row.
const maxNesting = 100

// operators are the binary ones in the order of their binding, the loosest first.
var operators = [...][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

// constants reads a number or an expression, which must be at most limit. Below 0 it may be where the limit is that of 32
// bits, whose two's complement it is then. bad is what the reason is about.
func constants(s string, limit uint32) (v uint32, bad string, reason Reason) {
	if v, reason := number(s, limit); reason != ReasonBadNumber {
		return v, s, reason
	}
	e := expression{rest: s}
	sum := e.binary(0)
	if e.reason == "" && trim(e.rest) != "" {
		e.fail(trim(e.rest), ReasonBadNumber)
	}
	least := int64(0)
	if limit == 0xffffffff {
		least = -1 << 31
	}
	switch {
	case e.reason != "":
		return 0, e.bad, e.reason
	case sum < least || sum > int64(limit):
		return 0, s, ReasonNumberTooBig
	}
	return uint32(sum), "", ""
}

func (e *expression) fail(bad string, r Reason) {
	if e.reason == "" {
		e.bad, e.reason = bad, r
	}
	e.rest = ""
}

// binary reads operands with operators of the given level, or of one that binds more closely, between them.
func (e *expression) binary(level int) int64 {
	if level == len(operators) {
		return e.unary()
	}
	v := e.binary(level + 1)
	for e.reason == "" {
		operator := e.operator(level)
		if operator == "" {
			break
		}
		right := e.rest
		v = e.apply(operator, v, e.binary(level+1), right)
	}
	return v
}

// operator consumes an operator of the level if one comes next; "" is for none.
func (e *expression) operator(level int) string {
	rest := trimLeft(e.rest)
	for _, operator := range operators[level] {
		if strings.HasPrefix(rest, operator) {
			e.rest = rest[len(operator):]
			return operator
		}
	}
	return ""
}

// apply computes a op b; right is the text from b on.
func (e *expression) apply(operator string, a, b int64, right string) int64 {
	switch operator {
	case "|":
		return a | b
	case "^":
		return a ^ b
	case "&":
		return a & b
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	}
	operand := trim(strings.TrimSuffix(right, e.rest))
	switch {
	case operator == "<<" || operator == ">>":
		if b < 0 || b > 63 {
			e.fail(operand, ReasonNumberTooBig)
			return 0
		}
		if operator == "<<" {
			return a << b
		}
		return a >> b
	case b == 0:
		e.fail(operand, ReasonDivisionByZero)
		return 0
	case operator == "/":
		return a / b
	}
	return a % b
}

// unary reads an operand and the signs and casts in front of it.
func (e *expression) unary() int64 {
	if e.depth++; e.depth > maxNesting {
		e.fail(trim(e.rest), ReasonBadNumber)
	}
	defer func() { e.depth-- }()
	rest := trimLeft(e.rest)
	if rest == "" {
		e.fail("", ReasonBadNumber)
		return 0
	}
	switch e.rest = rest[1:]; rest[0] {
	case '-':
		return -e.unary()
	case '+':
		return e.unary()
	case '~':
		return ^e.unary()
	case '(':
		return e.parentheses()
	}
	e.rest = rest
	return e.operand()
}

// parentheses reads what follows an opening one: an expression, or a type and what is cast to it.
func (e *expression) parentheses() int64 {
	if inside, behind, closed := strings.Cut(e.rest, ")"); closed {
		if cast := castTo(inside); cast != nil {
			e.rest = behind
			return cast(e.unary())
		}
	}
	v := e.binary(0)
	e.closing()
	return v
}

func (e *expression) closing() {
	rest := trimLeft(e.rest)
	if !strings.HasPrefix(rest, ")") {
		e.fail(trim(rest), ReasonBadNumber)
		return
	}
	e.rest = rest[1:]
}

// castTo returns what a cast to a type does, nil for a text that is no integer type of at most 64 bits.
func castTo(text string) func(int64) int64 {
	if kind, ok := typeNames[strings.Join(strings.Fields(text), " ")]; ok {
		return casts[kind]
	}
	return nil
}

// casts are what the integer types make of a number, by their width in bits; negative ones are signed.
var casts = map[int]func(int64) int64{
	8:   func(v int64) int64 { return int64(uint8(v)) },
	16:  func(v int64) int64 { return int64(uint16(v)) },
	32:  func(v int64) int64 { return int64(uint32(v)) },
	-8:  func(v int64) int64 { return int64(int8(v)) },
	-16: func(v int64) int64 { return int64(int16(v)) },
	-32: func(v int64) int64 { return int64(int32(v)) },
	64:  func(v int64) int64 { return v },
}

// typeNames are the integer types that casts in filters are to, and their kind in casts.
var typeNames = map[string]int{
	"unsigned char": 8, "u_char": 8, "__u8": 8, "u8": 8, "uint8_t": 8,
	"unsigned short": 16, "unsigned short int": 16, "u_short": 16, "__u16": 16, "u16": 16, "uint16_t": 16,
	"unsigned": 32, "unsigned int": 32, "u_int": 32, "__u32": 32, "u32": 32, "uint32_t": 32, "bpf_u_int32": 32, "u_int32_t": 32,
	"signed char": -8, "__s8": -8, "int8_t": -8, "short": -16, "__s16": -16, "int16_t": -16,
	"int": -32, "__s32": -32, "int32_t": -32, "bpf_int32": -32,
	"long": 64, "unsigned long": 64, "long long": 64, "unsigned long long": 64, "__u64": 64, "uint64_t": 64, "size_t": 64,
}

// operand reads a number, a name, or an offsetof.
func (e *expression) operand() int64 {
	end := 0
	for end < len(e.rest) && (isWord(e.rest[end]) && e.rest[end] != '-' || e.rest[end] == '.') {
		end++
	}
	word := e.rest[:end]
	e.rest = e.rest[end:]
	if word == "offsetof" || word == "__builtin_offsetof" {
		return e.offsetof()
	}
	v, reason := term(word)
	if reason != "" {
		if word == "" {
			word = trim(e.rest)
		}
		e.fail(word, reason)
	}
	return v
}

// term reads a name, or a number as C writes it. Go's names of constants have that of a package in front.
func term(s string) (int64, Reason) {
	if s == "" || digit(s[0]) <= 9 {
		v, reason := number(strings.TrimRight(s, "uUlL"), 0xffffffff)
		return int64(v), reason
	}
	name := s[strings.LastIndexByte(s, '.')+1:]
	if v, known := constantsOfC()[name]; known {
		return int64(v), ""
	}
	return 0, ReasonUnknownConstant
}

// offsetof reads `(struct seccomp_data, MEMBER)`.
func (e *expression) offsetof() int64 {
	text, behind, closed := strings.Cut(e.rest, ")")
	parts := strings.Fields(strings.NewReplacer("(", " ", ",", " ").Replace(text))
	if !closed || len(parts) != 3 || parts[0] != "struct" || parts[1] != "seccomp_data" {
		e.fail(trim(text), ReasonUnknownConstant)
		return 0
	}
	e.rest = behind
	member, index, isElement := strings.Cut(strings.TrimSuffix(parts[2], "]"), "[")
	offset, known := seccompMembers[member]
	i, reason := number(index, uint32(len(SeccompData{}.Args)-1))
	switch {
	case !known || isElement != strings.HasSuffix(parts[2], "]"):
		e.fail(parts[2], ReasonUnknownConstant)
	case isElement && (member != "args" || reason != ""):
		e.fail(parts[2], ReasonUnknownConstant)
	case isElement:
		offset += 8 * int64(i)
	}
	return offset
}

// seccompMembers are the offsets of the members of struct seccomp_data.
var seccompMembers = map[string]int64{"nr": 0, "arch": 4, "instruction_pointer": 8, "args": 16}
