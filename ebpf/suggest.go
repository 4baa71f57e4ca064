package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Caret shows each fault of the text that the error holds, with its line and a mark under its place:
//
//	line 3, column 1: this cannot be read: no instruction is called "lxdh"; did you mean "ldxh"?
//	    3 | lxdh %r0, [%r1+2]
//	      | ^
//
// The text is the one that was assembled. A fault without a place in it, and any other error, is only its message; no error
// is no text.
func Caret(text []byte, err error) string {
	var all Errors
	var one *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &all):
		return all.caret(text)
	case errors.As(err, &one):
		return Errors{one}.caret(text)
	}
	return err.Error() + "\n"
}

func (e Errors) caret(text []byte) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimPrefix(string(text), byteOrderMark), "\n")
	for _, one := range e {
		fmt.Fprintln(&b, one)
		if one.Line < 1 || one.Line > len(lines) {
			continue
		}
		before, after := clip(strings.TrimSuffix(lines[one.Line-1], "\r"), max(one.Column-1, 0))
		fmt.Fprintf(&b, "%5d | %s%s\n%5s | %s^\n", one.Line, showable(before), showable(after), "", strings.Map(blankOut, before))
	}
	return b.String()
}

// clip splits a line at an index, and cuts off what is too far away.
func clip(line string, at int) (before, after string) {
	const near = 60 // bytes
	at = min(at, len(line))
	before, after = line[:at], line[at:]
	if len(before) > near {
		before = "..." + before[len(before)-near:]
	}
	if len(after) > near {
		after = after[:near] + "..."
	}
	return before, after
}

// showable replaces what would not show, tabs excepted.
func showable(s string) string {
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

// didYouMean is the end of a message about a word that is none: the nearest of the names, if it is near.
func didYouMean(word string, names []string) string {
	slices.Sort(names)
	best, least := "", min(len(word)/2, 2)+1
	for _, name := range names {
		if d := distance(word, name, least); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of characters to insert, remove, replace or swap with their neighbour to get from one word to
// the other; limit stands for that many and more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	row := func(first int) []int { return append(make([]int, 0, len(b)+1), first) }
	var before, last []int
	for i := 0; i <= len(a); i++ {
		now := row(i)
		for j := 1; j <= len(b); j++ {
			if i == 0 {
				now = append(now, j)
				continue
			}
			d := min(last[j]+1, now[j-1]+1)
			if a[i-1] == b[j-1] {
				d = min(d, last[j-1])
			} else {
				d = min(d, last[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			now = append(now, d)
		}
		before, last = last, now
	}
	return min(last[len(b)], limit)
}
