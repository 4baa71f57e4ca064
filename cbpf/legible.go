package cbpf

import (
	"strings"
	"unicode/utf16"
)

const noBreakSpace = "\u00a0"

// legible returns a text as the parsers expect it. What shells of Windows write is UTF-16, old files end their lines with
// carriage returns alone, and what is copied from a web page has no-break spaces. What is not text stays as it is.
func legible(text string) string {
	if decoded, ok := decodeUTF16(text); ok {
		text = decoded
	}
	oldLines, noBreak := !strings.Contains(text, "\n"), strings.Contains(text, noBreakSpace)
	if !oldLines && !noBreak || isBinary(text) {
		return text
	}
	if oldLines {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return strings.ReplaceAll(text, noBreakSpace, "  ")
}

// decodeUTF16 returns the text in UTF-8 if it is in UTF-16: begins with a byte order mark, and has nothing that no text has.
func decodeUTF16(text string) (decoded string, ok bool) {
	high, low := 0, 1 // the places of the bytes of each unit
	switch {
	case strings.HasPrefix(text, "\xff\xfe"):
		high, low = 1, 0
	case !strings.HasPrefix(text, "\xfe\xff"):
		return "", false
	}
	if len(text)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i < len(text); i += 2 {
		units = append(units, uint16(text[i+high])<<8|uint16(text[i+low]))
	}
	decoded = string(utf16.Decode(units))
	return decoded, !isBinary(decoded)
}
