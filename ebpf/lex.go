package ebpf

import (
	"bytes"
	"math"
	"strconv"
)

// Reasons for which Assemble refuses a piece of text.
const (
	ReasonSyntax Reason = "this cannot be read"
	ReasonNumber Reason = "the number does not fit"
)

// lexer takes a text apart, line by line. The first fault of a line is kept in err; after it the methods go on with what
// they find, and nobody looks at what they return.
type lexer struct {
	text  []byte
	line  int // number of the line at hand, from 1
	start int // where it begins
	pos   int // what has not been read of it yet
	end   int // where it ends, without its comment
	after int // where the next one begins
	err   *Error
}

// byteOrderMark may stand at the start of a text. Columns are counted behind it.
const byteOrderMark = "\ufeff"

func newLexer(text []byte) lexer {
	l := lexer{text: blankBlocks(text)}
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		l.after = len(byteOrderMark)
	}
	return l
}

// nextLine goes to the next line; false at the end of the text.
func (l *lexer) nextLine() bool {
	if l.after >= len(l.text) {
		return false
	}
	l.line++
	l.start, l.pos, l.err = l.after, l.after, nil
	l.end, l.after = len(l.text), len(l.text)
	if n := bytes.IndexByte(l.text[l.start:], '\n'); n >= 0 {
		l.end, l.after = l.start+n, l.start+n+1
	}
	l.end = l.start + comment(l.text[l.start:l.end])
	return true
}

// comment returns where the comment of a line begins: at a `;`, a `//`, or a `#` that is not part of a name like
// `kernel-function#5`. It is the length of the line where there is none.
func comment(line []byte) int {
	for i, c := range line {
		switch {
		case c == ';',
			c == '/' && i+1 < len(line) && line[i+1] == '/',
			c == '#' && !(i > 0 && i+1 < len(line) && isName(line[i-1]) && (isDigit(line[i+1]) || line[i+1] == '-')):
			return i
		}
	}
	return len(line)
}

// blankBlocks returns the text with spaces in place of its /* */ comments. Lines stay where they are.
func blankBlocks(text []byte) []byte {
	if !bytes.Contains(text, []byte("/*")) {
		return text
	}
	text = bytes.Clone(text)
	end := 0 // of the line that at is in
	for at := 0; at < len(text); {
		if at >= end {
			if end = len(text); bytes.IndexByte(text[at:], '\n') >= 0 {
				end = at + bytes.IndexByte(text[at:], '\n') + 1
			}
		}
		open := bytes.Index(text[at:end], []byte("/*"))
		if open < 0 || comment(text[at:at+open]) < open {
			at = end
			continue
		}
		open += at
		at = len(text)
		if n := bytes.Index(text[open+2:], []byte("*/")); n >= 0 {
			at = open + 2 + n + 2
		}
		for i := open; i < at; i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
	return text
}

// fail notes the first fault of the line, at a place of the text.
func (l *lexer) fail(reason Reason, at int, detail string) {
	if l.err == nil {
		l.err = &Error{Reason: reason, PC: -1, Line: l.line, Column: at - l.start + 1, Detail: detail}
	}
}

// expected is the fault of something else standing where the line has been read to.
func (l *lexer) expected(what string) {
	l.fail(ReasonSyntax, l.pos, what+" is expected here, not "+l.found())
}

// found names what comes next, for a message.
func (l *lexer) found() string {
	if l.peek() == 0 {
		return "the end of the line"
	}
	rest := l.text[l.pos:l.end]
	n := 1
	for n < len(rest) && n < 20 && isName(rest[0]) && isName(rest[n]) {
		n++
	}
	return strconv.Quote(string(rest[:n]))
}

// quoted makes a word fit for a message: printable and short.
func quoted(word string) string {
	const most = 40
	if len(word) > most {
		return strconv.Quote(word[:most]) + "..."
	}
	return strconv.Quote(word)
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return (c|0x20)-'a' < 26 }

// isName reports whether names of labels and functions are made of the character.
func isName(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' || c == '.' || c == '$' }

// hexValue is the value of a hexadecimal digit; ok is false for any other character.
func hexValue(c byte) (v byte, ok bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case (c|0x20)-'a' < 6:
		return (c | 0x20) - 'a' + 10, true
	}
	return 0, false
}

// peek skips spaces and returns the next character; 0 at the end of the line. A character that is 0 is not read as one.
func (l *lexer) peek() byte {
	for l.pos < l.end {
		switch c := l.text[l.pos]; c {
		case ' ', '\t', '\r':
			l.pos++
		case 0:
			l.fail(ReasonSyntax, l.pos, "a byte of 0, which no text has")
			l.pos = l.end
		default:
			return c
		}
	}
	return 0
}

// accept skips the character if it is the next one.
func (l *lexer) accept(c byte) bool {
	if l.peek() != c {
		return false
	}
	l.pos++
	return true
}

// acceptText skips the text if it is what comes next.
func (l *lexer) acceptText(s string) bool {
	l.peek()
	if !bytes.HasPrefix(l.text[l.pos:l.end], []byte(s)) {
		return false
	}
	l.pos += len(s)
	return true
}

// expect skips the character, which must be the next one.
func (l *lexer) expect(c byte) {
	if !l.accept(c) {
		l.expected(strconv.Quote(string(rune(c))))
	}
}

// word reads a name; nil where none comes next.
func (l *lexer) word() []byte {
	c := l.peek()
	from := l.pos
	if isDigit(c) {
		return nil
	}
	for l.pos < l.end && isName(l.text[l.pos]) {
		l.pos++
	}
	return l.text[from:l.pos]
}

// num is a number as it is written, without the limits of any field.
type num struct {
	size uint64
	neg  bool
	at   int // its place
}

// number reads a decimal or hexadecimal number with an optional sign.
func (l *lexer) number() num {
	c := l.peek()
	n := num{at: l.pos, neg: c == '-'}
	if c == '-' || c == '+' {
		l.pos++
	}
	rest := l.text[l.pos:l.end]
	if len(rest) > 2 && rest[0] == '0' && rest[1]|0x20 == 'x' {
		l.pos += 2
		l.digits(&n, 16)
	} else {
		l.digits(&n, 10)
	}
	return n
}

// digits reads the digits of a number.
func (l *lexer) digits(n *num, base uint64) {
	from := l.pos
	for l.pos < l.end {
		v, ok := hexValue(l.text[l.pos])
		if !ok || uint64(v) >= base {
			break
		}
		if n.size > (math.MaxUint64-uint64(v))/base {
			l.fail(ReasonNumber, n.at, "it has more than 64 bits")
		}
		n.size = n.size*base + uint64(v)
		l.pos++
	}
	if l.pos == from || l.pos < l.end && isName(l.text[l.pos]) {
		l.pos = n.at
		l.expected("a number")
	}
}

// within returns the number, which must be in the range; from is not above 0.
func (l *lexer) within(n num, from int64, to uint64) int64 {
	if n.neg && n.size > uint64(-from) || !n.neg && n.size > to {
		l.fail(ReasonNumber, n.at, strconv.FormatInt(from, 10)+" to "+strconv.FormatUint(to, 10))
	}
	if n.neg {
		return -int64(n.size)
	}
	return int64(n.size)
}

// bits32 returns the number as 32 bits, with or without a sign.
func (l *lexer) bits32(n num) int32 { return int32(l.within(n, math.MinInt32, math.MaxUint32)) }

// int32 returns the number as one with a sign.
func (l *lexer) int32(n num) int32 { return int32(l.within(n, math.MinInt32, math.MaxInt32)) }

// int16 likewise.
func (l *lexer) int16(n num) int16 { return int16(l.within(n, math.MinInt16, math.MaxInt16)) }

// bits64 returns the number as 64 bits.
func (l *lexer) bits64(n num) uint64 {
	if n.neg && n.size > 1<<63 {
		l.fail(ReasonNumber, n.at, "-9223372036854775808 to 18446744073709551615")
	}
	if n.neg {
		return -n.size
	}
	return n.size
}
