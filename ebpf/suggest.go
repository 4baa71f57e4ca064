package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	lines := strings.Split(string(text), "\n")
	for _, one := range e {
		fmt.Fprintln(&b, one)
		if one.Line < 1 || one.Line > len(lines) {
			continue
		}
		line := strings.TrimSuffix(lines[one.Line-1], "\r")
		fmt.Fprintf(&b, "%5d | %s\n%5s | %s^\n", one.Line, line, "", indent(line, one.Column))
	}
	return b.String()
}

// indent is as wide as what stands before the column, whatever the width of a tab.
func indent(line string, column int) string {
	before := line[:min(max(column-1, 0), len(line))]
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
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
