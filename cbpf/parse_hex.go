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
	var image []byte
	var places []span
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		read := p.hexDigits
		if isEscaped(line) {
			read = p.escapes
		}
		from := len(image)
		image = read(image, line)
		for i := (from + insnSize - 1) / insnSize; p.wantPlaces && i*insnSize < len(image); i++ {
			places = append(places, p.placeOf(line, i*insnSize-from))
		}
	}
	p.pc = 0
	if len(p.errs) > 0 {
		return
	}
	p.image(image, hexOrder)
	p.places = places
}

// placeOf returns the place of a byte of a line, as near as it can be told: the word that holds it if the line is pairs of
// digits, otherwise the line.
func (p *parser) placeOf(line string, index int) span {
	at := p.span
	for rest, seen := line, 0; rest != "" && isHex(line); {
		var digits string
		at.start += len(rest) - len(trimLeft(rest))
		start := len(rest)
		digits, rest = cutField(rest)
		if at.length = len(digits); seen+len(digits)/2 > index {
			return at
		}
		seen += len(digits) / 2
		at.start += start - len(rest)
	}
	return p.span
}

// hexDigits appends the bytes of a line of digits, which may have an offset in front and letters behind.
func (p *parser) hexDigits(image []byte, line string) []byte {
	rest, isWords := p.cutOffset(line, len(image))
	for rest != "" {
		at := p.span
		at.start += len(line) - len(rest)
		var digits string
		digits, rest = cutField(rest)
		at.length = len(digits)
		p.pc = len(image) / insnSize
		if isWords && len(digits) > 2 {
			p.failAt(at, ReasonBadHex, "%s: words, of which nobody knows the order of bytes; use hexdump -C, od -t x1 or xxd", quote(digits))
			return image
		}
		var ok bool
		if image, ok = appendDigits(image, digits); !ok {
			p.failAt(at, ReasonBadHex, "%s, where pairs of them are expected", quote(digits))
			return image
		}
	}
	return image
}

// cutOffset removes what is no byte from a line of a dump, so that it ends before the letters. The offset that hexdump and
// od write at the end has nothing behind it. isWords says that digits that stand together are numbers, whose bytes may be
// in any order.
func (p *parser) cutOffset(line string, size int) (rest string, isWords bool) {
	offset, rest, found := strings.Cut(line, ":")
	if found { // xxd
		rest, _, _ = strings.Cut(trim(rest), "  ")
		return rest, false
	}
	if bytes, _, found := strings.Cut(line, "|"); found { // hexdump -C
		_, bytes = cutField(bytes)
		return trim(bytes), true
	}
	offset, rest = cutField(line)
	if len(offset) == 7 || rest == "" && len(offset) == 8 && size > 0 && isOffset(offset, size) {
		return rest, true
	}
	return line, false
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

// escapes appends the bytes of a string. What stands outside of the quotes does not count.
func (p *parser) escapes(image []byte, line string) []byte {
	start := 0
	quote := byte(0)
	if line[0] != '\\' {
		start = indexEither(line, '"', '\'') + 1
		quote = line[start-1]
	}
	for i := start; i < len(line); i++ {
		switch c := line[i]; {
		case c == quote, quote == 0 && c == ' ':
			return image
		case c != '\\':
			image = append(image, c)
		default:
			b, length := unescape(line[i:])
			if length == 0 {
				at := p.span
				at.start, at.length = at.start+i, min(4, len(line)-i)
				p.pc = len(image) / insnSize
				p.failAt(at, ReasonBadHex, "%s, where \\x and two digits are expected", quoteN(line[i:], 4))
				return image
			}
			image = append(image, b)
			i += length - 1
		}
	}
	return image
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
