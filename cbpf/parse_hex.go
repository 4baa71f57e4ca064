package cbpf

import (
	"strings"
)

// The bytes of instructions in memory, in text:
//
//	28 00 00 00 0c 00 00 00                              pairs of digits, with any blanks between them
//	00000000: 2800 0000 0c00 0000  (.......              as xxd
//	00000000  28 00 00 00 0c 00 00 00  |(.......|        as hexdump -C
//	0000000 28 00 00 00 0c 00 00 00                      as od -t x1
//	"\x28\x00\x00\x00\x0c\x00\x00\x00"                   as a string of C, Python or Ruby

// hex reads all of them.
func (p *parser) hex() {
	h := hexReader{parser: p}
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		if isEscaped(line) {
			h.escapes(line)
		} else {
			h.digits(line)
		}
	}
	p.pc = 0
	if len(p.errs) > 0 {
		return
	}
	p.image(h.bytes, hexOrder)
	p.places = h.places
}

// hexReader collects the bytes that a text shows.
type hexReader struct {
	*parser
	bytes  []byte
	places []span // of the first byte of each instruction, if wanted
}

// add appends bytes that stand at a place.
func (h *hexReader) add(at span, bytes ...byte) {
	from := len(h.bytes)
	h.bytes = append(h.bytes, bytes...)
	for i := (from + insnSize - 1) / insnSize; h.wantPlaces && i*insnSize < len(h.bytes); i++ {
		h.places = append(h.places, at)
	}
}

// failHex records a fault at a place of the line.
func (h *hexReader) failHex(at span, format string, args ...any) {
	h.pc = len(h.bytes) / insnSize
	h.failAt(at, ReasonBadHex, format, args...)
}

// digits reads a line of digits, which may have an offset in front and letters behind.
func (h *hexReader) digits(line string) {
	start, rest, isWords := cutOffset(line, len(h.bytes))
	end := start + len(rest)
	var word [insnSize]byte
	for rest != "" {
		at := h.span
		at.start += end - len(rest)
		var digits string
		digits, rest = cutField(rest)
		at.length = len(digits)
		if isWords && len(digits) > 2 {
			h.failHex(at, "%s: words, of which nobody knows the order of bytes; use hexdump -C, od -t x1 or xxd", quote(digits))
			return
		}
		bytes, ok := appendDigits(word[:0], digits)
		if !ok {
			h.failHex(at, "%s, where pairs of them are expected", quote(digits))
			return
		}
		h.add(at, bytes...)
	}
}

// cutOffset finds the digits of bytes in a line of a dump, between an offset and letters. The offset that hexdump and od
// write at the end has nothing behind it. isWords says that digits that stand together are numbers, whose bytes may be in
// any order.
func cutOffset(line string, size int) (start int, digits string, isWords bool) {
	offset, rest := cutField(line)
	switch {
	case strings.HasSuffix(offset, ":"): // xxd
		digits, _, _ = strings.Cut(rest, "  ")
	case strings.HasSuffix(line, "|"): // hexdump -C
		digits, _, _ = strings.Cut(rest, "|")
		isWords = true
	case len(offset) == 7 || rest == "" && len(offset) == 8 && size > 0 && isOffset(offset, size):
		digits, isWords = rest, true
	default:
		return 0, line, false
	}
	return len(line) - len(rest), trim(digits), isWords
}

// isOffset reports whether digits are the number, in hexadecimal or octal.
func isOffset(digits string, n int) bool {
	hexadecimal, octal := 0, 0
	for i := 0; i < len(digits); i++ {
		d := int(digit(digits[i]))
		hexadecimal, octal = hexadecimal<<4|d, octal<<3|d
	}
	return hexadecimal == n || octal == n
}

// isHexDump reports whether a line is one of a dump with offsets.
func isHexDump(line string) bool {
	offset, rest := cutField(line)
	digits := strings.TrimSuffix(offset, ":")
	if rest == "" || len(digits) < 7 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return false
	}
	pair, _ := cutField(rest)
	return len(digits) == 7 || len(digits) < len(offset) && len(pair)%2 == 0 || strings.HasSuffix(line, "|")
}

// isEscaped reports whether a line is a string with escaped bytes in it, with or without quotes around.
func isEscaped(line string) bool {
	return strings.Contains(line, `\x`) && (line[0] == '\\' || strings.Contains(line, `"`) || strings.Contains(line, "'"))
}

// escapeLetters are the bytes that a letter behind a backslash stands for.
var escapeLetters = map[byte]byte{'a': 7, 'b': 8, 't': 9, 'n': 10, 'v': 11, 'f': 12, 'r': 13, 'e': 27}

// escapes reads a string. What stands outside of the quotes does not count.
func (h *hexReader) escapes(line string) {
	start := 0
	quote := byte(0)
	if line[0] != '\\' {
		start = indexEither(line, '"', '\'') + 1
		quote = line[start-1]
	}
	for i := start; i < len(line); i++ {
		b, length := line[i], 1
		switch {
		case b == quote, quote == 0 && b == ' ':
			return
		case b == '\\':
			b, length = unescape(line[i:])
		}
		if length == 0 {
			at := h.span
			at.start, at.length = at.start+i, min(4, len(line)-i)
			h.failHex(at, "%s, where \\x and two digits are expected", quoteN(line[i:], 4))
			return
		}
		h.add(h.span, b)
		i += length - 1
	}
}

// unescape returns the byte that a text beginning with a backslash stands for, and how long that is; 0 for none.
func unescape(s string) (b byte, length int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; {
	case c == 'x':
		if len(s) < 4 || digit(s[2]) > 15 || digit(s[3]) > 15 {
			return 0, 0
		}
		return byte(digit(s[2])<<4 | digit(s[3])), 4
	case '0' <= c && c <= '7':
		length = 1
		for length < len(s) && length < 4 && '0' <= s[length] && s[length] <= '7' {
			b = b<<3 | (s[length] - '0')
			length++
		}
		return b, length
	case escapeLetters[c] != 0:
		return escapeLetters[c], 2
	default: // the character itself
		return c, 2
	}
}

// appendDigits appends the bytes of pairs of hexadecimal digits.
func appendDigits(b []byte, digits string) (_ []byte, ok bool) {
	for ; len(digits) >= 2; digits = digits[2:] {
		high, low := digit(digits[0]), digit(digits[1])
		if high > 0xf || low > 0xf {
			return b, false
		}
		b = append(b, byte(high<<4|low))
	}
	return b, digits == ""
}
