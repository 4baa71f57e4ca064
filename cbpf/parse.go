package cbpf

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/bpf"
)

// Faults of a text. ReasonEmpty and ReasonTooManyInsns are faults of a program as well.
const (
	ReasonEmpty           Reason = "no instructions"
	ReasonTooManyInsns    Reason = "too many instructions"
	ReasonTextTooLong     Reason = "text too long"
	ReasonUnknownNotation Reason = "unknown notation"
	ReasonNotRecognised   Reason = "text is in no known notation"
	ReasonBadLine         Reason = "not a line of a listing"
	ReasonWrongIndex      Reason = "wrong index"
	ReasonUnknownMnemonic Reason = "unknown mnemonic"
	ReasonBadOperand      Reason = "wrong operand"
	ReasonLostOperand     Reason = "operand lost"
	ReasonBadTargets      Reason = "wrong jump targets"
	ReasonOutOfReach      Reason = "jump target out of reach"
	ReasonRawConflict     Reason = "raw fields contradict the text"
	ReasonBadLabel        Reason = "not a label"
	ReasonUnknownLabel    Reason = "unknown label"
	ReasonDuplicateLabel  Reason = "label defined twice"
	ReasonStrayLabel      Reason = "label without an instruction"
	ReasonUnknownConstant Reason = "unknown constant"
	ReasonCutInstruction  Reason = "last instruction is cut off"
	ReasonBadHex          Reason = "not hexadecimal digits"
	ReasonUnclosedComment Reason = "comment is not closed"
	ReasonBadRow          Reason = "not a row of four numbers"
	ReasonWrongCount      Reason = "wrong number of instructions"
	ReasonSecondProgram   Reason = "a second program"
	ReasonBadNumber       Reason = "not a number"
	ReasonNumberTooBig    Reason = "number too big"
)

// Bounds on what is read, so that no text can exhaust memory. They are far above what the kernel takes: that a program
// is too long for it is for Validate to say, and not for the parser.
const (
	maxText   = 128 << 20 // bytes; maxInsns of the longest lines that Print writes fit
	maxInsns  = 1 << 20
	maxFaults = 20
)

// Parse reads a program in whichever notation it is written.
func Parse(text []byte) (Program, error) { return ParseAs(Auto, text) }

// ParseAs reads a program in the given notation. In text, Windows line ends, a byte order mark, blank lines and lines that
// start with #, ;, // or ``` are skipped; it may be UTF-16 if it begins with the mark. The error is an *Error where the notation itself is at fault, otherwise an
// Errors with up to twenty faults. The program need not be valid: see Validate.
func ParseAs(n Notation, text []byte) (Program, error) {
	p, _, err := parse(n, text, false)
	if err != nil {
		return nil, err
	}
	return p.prog, nil
}

// parse is ParseAs, and also returns the notation that was read. The parser holds the places of the instructions if they
// are wanted.
func parse(n Notation, text []byte, places bool) (*parser, Notation, error) {
	if len(text) > maxText {
		return nil, "", &Error{Reason: ReasonTextTooLong, PC: -1, Detail: fmt.Sprintf("%d bytes, %d are the most", len(text), maxText)}
	}
	source := string(text)
	if n != Raw && n != RawBE {
		source = legible(source)
	}
	p := newParser(source)
	p.wantPlaces = places
	if n == Auto {
		var err error
		if n, err = p.sniff(); err != nil {
			return nil, "", err
		}
	}
	row, err := lookup(n)
	if err != nil {
		return nil, "", err
	}
	row.parse(p)
	return p, n, p.result()
}

// parser reads one text. Each notation is a method that consumes text, adds instructions and records faults; when enough
// faults are found the text is cut off, which ends every loop over it.
type parser struct {
	source string // the whole text, of which text is always the end
	text   string // what is not read yet
	next   int    // number of the line that text begins on, from 1
	span          // what is being read, for errors
	speech        // of the notations with mnemonics
	pc     int    // index of the instruction being read, for errors and for jumps
	prog   Program
	errs   Errors

	wantPlaces bool
	places     []span // of the instructions, if wanted
}

func newParser(text string) *parser {
	return &parser{source: text, text: strings.TrimPrefix(text, byteOrderMark), next: 1}
}

// skipBlank consumes blanks, line ends and comments up to the next thing that is said.
func (p *parser) skipBlank() {
	for {
		p.consume(len(p.text) - len(trimLeft(p.text)))
		length := commentLength(p.text)
		if length == 0 {
			return
		}
		p.consume(length)
	}
}

// consume moves on by a number of bytes.
func (p *parser) consume(n int) {
	p.next += strings.Count(p.text[:n], "\n")
	p.text = p.text[n:]
}

// commentLength returns the length of the comment that s begins with: to the end of the line, or up to */.
func commentLength(s string) int {
	end := -1
	switch {
	case strings.HasPrefix(s, "/*"):
		if end = strings.Index(s[2:], "*/"); end < 0 {
			return 0 // for the notation to judge
		}
		return end + 4
	case strings.HasPrefix(s, "#") || strings.HasPrefix(s, ";") || strings.HasPrefix(s, "//") || strings.HasPrefix(s, "```"):
		if end = strings.IndexByte(s, '\n'); end < 0 {
			end = len(s)
		}
		return end
	}
	return 0
}

// blankComments replaces the comments between /* and */ that are not inside of others by blanks. semicolon says that a
// semicolon begins a comment.
func (p *parser) blankComments(semicolon bool) {
	if !strings.Contains(p.text, "/*") {
		return
	}
	text := []byte(p.text)
	first := true // nothing but blanks since the line began
	for i := 0; i < len(text); i++ {
		length := 0
		if c := text[i]; c == '/' || c == ';' && semicolon || c == '#' && first {
			length = commentLength(p.text[i:])
		}
		first = text[i] == '\n' || first && isBlank(text[i])
		switch {
		case strings.HasPrefix(p.text[i:], "/*") && length == 0:
			at := span{p.next + strings.Count(p.text[:i], "\n"), len(p.source) - len(p.text) + i, 2}
			p.failAt(at, ReasonUnclosedComment, "*/ is expected")
			p.text = ""
			return
		case length == 0:
			continue
		case text[i] == '/' && text[i+1] == '*':
			for j := i; j < i+length; j++ {
				if text[j] != '\n' {
					text[j] = ' '
				}
			}
		}
		i += length - 1
	}
	p.text = string(text)
}

// nextLine consumes the next line that says something, and returns it without blanks around.
func (p *parser) nextLine() (line string, ok bool) {
	p.skipBlank()
	p.begin()
	if p.text == "" {
		return "", false
	}
	line, p.text, _ = strings.Cut(p.text, "\n")
	p.next++
	line = trim(line)
	p.length = len(line)
	return line, true
}

// skipTo consumes the lines in front of the first for which begins returns true. Where there is none it consumes nothing
// and returns false.
func (p *parser) skipTo(begins func(line string) bool) bool {
	for at := 0; at < len(p.text); {
		line, _, _ := strings.Cut(p.text[at:], "\n")
		if begins(trim(line)) {
			p.consume(at)
			return true
		}
		at += len(line) + 1
	}
	return false
}

// add appends an instruction, and moves on to the next pc.
func (p *parser) add(ins bpf.RawInstruction) {
	if len(p.prog) == maxInsns {
		p.fail(ReasonTooManyInsns, "%d are the most that are read", maxInsns)
		p.text = ""
		return
	}
	p.prog = append(p.prog, ins)
	if p.wantPlaces {
		p.places = append(p.places, p.span)
	}
	p.pc++
}

// fail records a fault of what is being read. The last one allowed ends the reading.
func (p *parser) fail(r Reason, format string, args ...any) { p.failAt(p.span, r, format, args...) }

// failAt records a fault at a place, which within finds.
func (p *parser) failAt(at span, r Reason, format string, args ...any) {
	if len(p.errs) == maxFaults {
		return
	}
	e := &Error{Reason: r, PC: p.pc, Detail: fmt.Sprintf(format, args...)}
	at.mark(e, p.source)
	p.errs = append(p.errs, e)
	if len(p.errs) == maxFaults {
		p.text = ""
	}
}

// failNumber records what number found wrong with a text.
func (p *parser) failNumber(at span, r Reason, what, text string, limit uint32) {
	if r == ReasonNumberTooBig {
		p.failAt(at, r, "%s %s, %d is the most", what, quote(text), limit)
		return
	}
	p.failAt(at, r, "%s %s, where a decimal or 0x number without leading zeros is expected", what, quote(text))
}

// failHeader records a fault of the text as a whole, not of an instruction.
func (p *parser) failHeader(r Reason, format string, args ...any) {
	pc := p.pc
	p.pc = -1
	p.fail(r, format, args...)
	p.pc = pc
}

// result says whether a program was read.
func (p *parser) result() error {
	if len(p.prog) == 0 && len(p.errs) == 0 {
		p.failHeader(ReasonEmpty, "the text holds none")
	}
	slices.SortStableFunc(p.errs, func(a, b *Error) int { return a.Line - b.Line })
	return p.errs.asError()
}
