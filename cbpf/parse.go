package cbpf

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// Faults of a text. Empty and TooManyInsns are faults of a program as well.
const (
	Empty           Reason = "no instructions"
	TooManyInsns    Reason = "too many instructions"
	TextTooLong     Reason = "text too long"
	UnknownNotation Reason = "unknown notation"
	NotRecognised   Reason = "text is in no known notation"
	BadLine         Reason = "not a line of a listing"
	WrongIndex      Reason = "wrong index"
	UnknownMnemonic Reason = "unknown mnemonic"
	BadOperand      Reason = "wrong operand"
	LostOperand     Reason = "operand lost"
	BadTargets      Reason = "wrong jump targets"
	OutOfReach      Reason = "jump target out of reach"
	RawConflict     Reason = "raw fields contradict the text"
	BadRow          Reason = "not a row of four numbers"
	WrongCount      Reason = "wrong number of instructions"
	BadNumber       Reason = "not a number"
	NumberTooBig    Reason = "number too big"
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

// ParseAs reads a program in the given notation. Windows line ends, a byte order mark, blank lines and leading lines
// that start with #, ; or // are skipped. The error is an *Error where the notation itself is at fault, otherwise an
// Errors with up to twenty faults. The program need not be valid: see Validate.
func ParseAs(n Notation, text []byte) (Program, error) {
	if len(text) > maxText {
		return nil, &Error{Reason: TextTooLong, PC: -1, Detail: fmt.Sprintf("%d bytes, %d are the most", len(text), maxText)}
	}
	p := newParser(string(text))
	if n == Auto {
		var err error
		if n, err = p.sniff(); err != nil {
			return nil, err
		}
	}
	row, err := lookup(n)
	if err != nil {
		return nil, err
	}
	row.parse(p)
	return p.result()
}

// parser reads one text. Each notation is a method that consumes text, adds instructions and records faults; when enough
// faults are found the text is cut off, which ends every loop over it.
type parser struct {
	text string // what is not read yet
	next int    // number of the line that text begins on, from 1
	line int    // number of the line being read, for errors
	pc   int    // index of the instruction being read, for errors and for jumps
	prog Program
	errs Errors
}

func newParser(text string) *parser {
	return &parser{text: strings.TrimPrefix(text, "\ufeff"), next: 1}
}

// skipBlank consumes blanks, line ends and comments up to the next thing that is said.
func (p *parser) skipBlank() {
	for {
		rest := trimLeft(p.text)
		p.next += strings.Count(p.text[:len(p.text)-len(rest)], "\n")
		p.text = rest
		if !isComment(rest) {
			return
		}
		_, p.text, _ = strings.Cut(rest, "\n")
		p.next++
	}
}

// nextLine consumes the next line that says something, and returns it without blanks around.
func (p *parser) nextLine() (line string, ok bool) {
	p.skipBlank()
	p.line = p.next
	if p.text == "" {
		return "", false
	}
	line, p.text, _ = strings.Cut(p.text, "\n")
	p.next++
	return trim(line), true
}

func isComment(s string) bool {
	return strings.HasPrefix(s, "#") || strings.HasPrefix(s, ";") || strings.HasPrefix(s, "//")
}

// add appends an instruction, and moves on to the next pc.
func (p *parser) add(ins bpf.RawInstruction) {
	if len(p.prog) == maxInsns {
		p.fail(TooManyInsns, "%d are the most that are read", maxInsns)
		p.text = ""
		return
	}
	p.prog = append(p.prog, ins)
	p.pc++
}

// fail records a fault of the line and instruction being read. The last one allowed ends the reading.
func (p *parser) fail(r Reason, format string, args ...any) {
	if len(p.errs) == maxFaults {
		return
	}
	p.errs = append(p.errs, &Error{Reason: r, PC: p.pc, Line: p.line, Detail: fmt.Sprintf(format, args...)})
	if len(p.errs) == maxFaults {
		p.text = ""
	}
}

// failNumber records what number found wrong with a text.
func (p *parser) failNumber(r Reason, what, text string, limit uint32) {
	if r == NumberTooBig {
		p.fail(r, "%s %s, %d is the most", what, quote(text), limit)
		return
	}
	p.fail(r, "%s %s, where a decimal or 0x number without leading zeros is expected", what, quote(text))
}

// failHeader records a fault of the text as a whole, not of an instruction.
func (p *parser) failHeader(r Reason, format string, args ...any) {
	pc := p.pc
	p.pc = -1
	p.fail(r, format, args...)
	p.pc = pc
}

func (p *parser) result() (Program, error) {
	if len(p.prog) == 0 && len(p.errs) == 0 {
		p.failHeader(Empty, "the text holds none")
	}
	if err := p.errs.asError(); err != nil {
		return nil, err
	}
	return p.prog, nil
}
