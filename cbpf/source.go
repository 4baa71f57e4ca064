package cbpf

import (
	"errors"
	"strings"
)

// byteOrderMark may stand at the start of a text.
const byteOrderMark = "\ufeff"

// Source is a program together with the text that it was read from.
type Source struct {
	Program  Program
	Notation Notation // the one that the text is in, never Auto
	text     string
	places   []span
}

// ParseSource is ParseAs for callers that report on the program later: it keeps the line of each instruction.
func ParseSource(n Notation, text []byte) (*Source, error) {
	p, n, err := parse(n, text, true)
	if err != nil {
		return nil, err
	}
	return &Source{Program: p.prog, Notation: n, text: p.source, places: p.places}, nil
}

// Line returns the line of the text, from 1, on which the instruction at pc begins; 0 for a pc that is not in the
// program, and in binary notations.
func (s *Source) Line(pc int) int {
	if pc < 0 || pc >= len(s.places) {
		return 0
	}
	return s.places[pc].line
}

// Place returns err with the place in the text added to each fault that tells of a pc and not yet of a line. The faults
// are copies. An err that holds neither Errors nor an *Error is returned as it is.
func (s *Source) Place(err error) error {
	var many Errors
	var one *Error
	switch {
	case errors.As(err, &many):
		placed := make(Errors, len(many))
		for i, e := range many {
			placed[i] = s.placed(e)
		}
		return placed
	case errors.As(err, &one):
		return s.placed(one)
	}
	return err
}

func (s *Source) placed(e *Error) *Error {
	at := *e
	if at.Line == 0 && e.PC >= 0 && e.PC < len(s.places) {
		s.places[e.PC].mark(&at, s.text)
	}
	return &at
}

// span is a piece of a text.
type span struct {
	line   int // number of the line that it begins on, from 1; 0 for none
	start  int // offset of its first byte
	length int
}

// begin makes the text that is not read yet the place being read. Its length is for the caller to tell, once known.
func (p *parser) begin() { p.span = span{line: p.next, start: len(p.source) - len(p.text)} }

// within returns the place of the last of the words, which stand in this order in the piece being read. If they do not, or
// one is empty, it returns that of the piece.
func (p *parser) within(words ...string) span {
	at := p.span
	end := min(p.start+p.length, len(p.source))
	for _, word := range words {
		if word == "" {
			return p.span
		}
		from := at.start
		if at != p.span {
			from += at.length
		}
		i := indexWord(p.source[min(from, end):end], word)
		if i < 0 {
			return p.span
		}
		at.line += strings.Count(p.source[at.start:from+i], "\n")
		at.start, at.length = from+i, len(word)
	}
	return at
}

// indexWord returns where word first stands in s and is not a part of a longer one; anywhere if there is no such place,
// and -1 if it is not in s.
func indexWord(s, word string) int {
	first := strings.Index(s, word)
	for i := first; i >= 0 && word != ""; {
		end := i + len(word)
		if (i == 0 || !isWord(s[i-1]) || !isWord(word[0])) && (end == len(s) || !isWord(s[end]) || !isWord(word[len(word)-1])) {
			return i
		}
		next := strings.Index(s[i+1:], word)
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return first
}

// mark fills in where a fault is, and the line around it. What goes on over line ends is marked up to the first.
func (at span) mark(e *Error, source string) {
	if e.Line = at.line; at.line == 0 {
		return
	}
	start := strings.LastIndexByte(source[:at.start], '\n') + 1
	if start == 0 && strings.HasPrefix(source, byteOrderMark) {
		start = len(byteOrderMark)
	}
	line, _, _ := strings.Cut(source[start:], "\n")
	e.Text = strings.TrimSuffix(line, "\r")
	e.Column = min(at.start-start, len(e.Text)) + 1
	e.Width = max(0, min(at.length, len(e.Text)-e.Column+1))
}
