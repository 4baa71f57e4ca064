package cbpf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// number reads a decimal or 0x number of at most limit. A leading zero is refused: C reads such a number as octal,
// iptables as decimal. The reason is "" if all is well.
func number(s string, limit uint32) (uint32, Reason) {
	base, digits := uint64(10), s
	switch {
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		base, digits = 16, s[2:]
	case strings.HasPrefix(s, "0") && strings.Trim(s, "0") != "":
		return 0, ReasonBadNumber
	}
	if digits == "" {
		return 0, ReasonBadNumber
	}
	var v uint64
	big := false // recorded, not returned at once: what is no number is not too big a number
	for i := 0; i < len(digits); i++ {
		d := digit(digits[i])
		if d >= base {
			return 0, ReasonBadNumber
		}
		v = v*base + d
		if v > uint64(limit) {
			v, big = uint64(limit), true
		}
	}
	if big {
		return 0, ReasonNumberTooBig
	}
	return uint32(v), ""
}

// numberOfC is number for the constants of C: a leading zero means octal, and 0b binary.
func numberOfC(s string, limit uint32) (uint32, Reason) {
	base := 8
	switch digits := strings.TrimPrefix(s, "0"); {
	case digits == s || digits == "" || digits[0] == 'x' || digits[0] == 'X':
		return number(s, limit)
	case digits[0] == 'b' || digits[0] == 'B':
		base, s = 2, digits[1:]
	}
	v, err := strconv.ParseUint(s, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && v > uint64(limit):
		return 0, ReasonNumberTooBig
	case err != nil:
		return 0, ReasonBadNumber
	}
	return uint32(v), ""
}

// digit returns the value of a decimal or hexadecimal digit, and 16 for anything else.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return 16
}

// isBlank reports whether c can stand between the words of a program.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// trim removes the blanks around s.
func trim(s string) string {
	s = trimLeft(s)
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func trimLeft(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

// cutField returns the first word of s that blanks delimit, and what follows it and the blanks.
func cutField(s string) (field, rest string) {
	s = trimLeft(s)
	end := 0
	for end < len(s) && !isBlank(s[end]) {
		end++
	}
	return s[:end], trimLeft(s[end:])
}

// cutComma returns what stands before the first comma, and what follows it, both without blanks around.
func cutComma(s string) (field, rest string) {
	field, rest, _ = strings.Cut(s, ",")
	return trim(field), trim(rest)
}

// cutName returns the letters, digits and underscores at the start of s after blanks, and what follows them and blanks.
func cutName(s string) (name, rest string) {
	s = trimLeft(s)
	end := 0
	for end < len(s) && isWord(s[end]) && s[end] != '-' {
		end++
	}
	return s[:end], trimLeft(s[end:])
}

// cutWord returns the number or name at the start of s after blanks, and what follows it.
func cutWord(s string) (word, rest string) {
	s = trimLeft(s)
	end := 0
	if s != "" && s[0] == '+' {
		end = 1
	}
	for end < len(s) && isWord(s[end]) {
		end++
	}
	return s[:end], s[end:]
}

// indexEither returns where the first of two bytes stands in s, -1 if neither does.
func indexEither(s string, one, other byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] == one || s[i] == other {
			return i
		}
	}
	return -1
}

// isWord reports whether c can be in a number or in the name of an extension.
func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '-'
}

// cutLoose returns what follows the literal at the start of s. Blanks count in neither, nor does the case of letters.
func cutLoose(s, literal string) (rest string, ok bool) {
	for i := 0; i < len(literal); i++ {
		if isBlank(literal[i]) {
			continue
		}
		if s = trimLeft(s); s == "" || lower(s[0]) != lower(literal[i]) {
			return "", false
		}
		s = s[1:]
	}
	return s, true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// quote makes any text fit for a message: on one line, printable and short.
func quote(s string) string { return quoteN(s, 40) }

// quoteN is quote for texts of which so many bytes are enough.
func quoteN(s string, most int) string {
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
