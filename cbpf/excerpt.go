package cbpf

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerptWidth is how much of a long line an excerpt shows, in bytes.
const excerptWidth = 100

// Excerpt draws the line of the text that the fault is on, with a caret under what is at fault, as compilers do:
//
//	3 | jeq #0x800, lbl1, lbl2
//	  |             ^~~~
//
// It ends in a newline. It is "" where a fault is not one of a text.
func (e *Error) Excerpt() string {
	if e.Column <= 0 || e.Column > len(e.Text)+1 {
		return ""
	}
	at := e.Column - 1
	end := min(len(e.Text), at+max(0, e.Width))
	before, word, after := clip(e.Text, at, end)
	var b strings.Builder
	number := fmt.Sprintf("%3d", e.Line)
	fmt.Fprintf(&b, "%s | %s%s%s\n", number, printable(before), printable(word), printable(after))
	fmt.Fprintf(&b, "%*s | %s^", len(number), "", strings.Map(blankOut, before))
	b.WriteString(strings.Repeat("~", max(0, utf8.RuneCountInString(word)-1)))
	b.WriteByte('\n')
	return b.String()
}

// Excerpt shows each fault: the line that Error gives, and the excerpt of the text if there is one.
func (e Errors) Excerpt() string {
	var b strings.Builder
	for _, one := range e {
		b.WriteString(one.Error())
		b.WriteByte('\n')
		b.WriteString(one.Excerpt())
	}
	return b.String()
}

// clip splits a line into what is at fault and what stands around it, and cuts off what is too far away.
func clip(line string, start, end int) (before, word, after string) {
	const near = excerptWidth / 2
	before, word, after = line[:start], line[start:end], line[end:]
	if len(before) > near {
		before = "..." + before[len(before)-near:]
	}
	if len(word) > near {
		word, after = word[:near], ""
	}
	if len(after) > near {
		after = after[:near] + "..."
	}
	return before, word, after
}

// printable replaces what would not show, tabs excepted.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// blankOut keeps tabs, so that the caret stands below what it points at.
func blankOut(r rune) rune {
	if r == '\t' {
		return r
	}
	return ' '
}
