package ebpf

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Reasons for which Assemble refuses a text that it can read.
const (
	ReasonLabel     Reason = "there is no such label, or there are two"
	ReasonDistance  Reason = "the target is too far away for the jump"
	ReasonDisagree  Reason = "the text does not agree with what stands beside it"
	ReasonNoMeaning Reason = "there is no such instruction, as llvm-objdump says itself"
)

// MaxErrors is the number of faults after which Assemble gives up.
const MaxErrors = 20

// Assemble makes a program of text in any Dialect; the lines may be of different ones. It is the inverse of Print:
// Assemble(Print(p, d)) is p for every program p. The text is one instruction a line, and around that
//
//	drop:                            labels, at which jumps may aim: `if r0 == 5 goto drop`, `call drop`. The label exit
//	                                 is there without being written: the first instruction of that name
//	; note  // note  # note  /* */   comments
//	   12:                           the pc of the line, which must be right
//	95 00 00 00 00 00 00 00          bytes of the instruction behind it, as llvm-objdump has them: likewise
//	(b4)                             opcode of the instruction behind it, as bpftool has it: likewise
//	<LBB0_3>                         name of a target behind its distance, which is what counts
//
// A byte order mark may stand in front of it all. A number may be decimal or hexadecimal; distances have a sign: `goto +3`,
// `goto pc+3`. The constant of a 64-bit operation has its sign extended, so one of 2^31 and above is refused in the dialect
// LLVM; in the others it stands for its bits.
//
// The error is an Errors with the place of each fault, of at most MaxErrors of them; Caret shows them.
func Assemble(text []byte) (Program, error) {
	a := &assembler{lexer: newLexer(text), labels: map[string]int{}, exit: -1}
	a.prog = make(Program, 0, len(text)/32+1)
	for len(a.errs) < MaxErrors && a.nextLine() {
		if a.instruction(); a.err != nil && !a.isHeading() {
			a.errs = append(a.errs, a.err)
		}
	}
	if len(a.errs) == 0 {
		a.resolve()
	}
	if err := a.errs.asError(); err != nil {
		return nil, err
	}
	return a.prog, nil
}

// assembler is an Assemble at work.
type assembler struct {
	lexer
	prog   Program
	labels map[string]int // their places
	exit   int            // pc of the first exit; -1 where there is none yet
	uses   []labelUse
	errs   Errors

	// What stands before the instruction of the line at hand.
	tag  int    // opcode; -1 where there is none
	code []byte // bytes as text; nil where there are none
}

// labelUse is a jump that waits for its target.
type labelUse struct {
	pc, line, column int
	name             string
}

// instruction reads a line.
func (a *assembler) instruction() {
	a.tag, a.code = -1, nil
	for a.prefix() {
	}
	if a.err != nil || a.peek() == 0 {
		return
	}
	from, pc := a.pos, len(a.prog)
	a.statement()
	if a.peek() == '<' {
		a.pos = a.end
	}
	if a.err == nil && a.peek() != 0 {
		a.expected("the end of the line")
	}
	if a.err == nil {
		a.confirm(from, pc)
	}
	if a.err != nil {
		a.prog = a.prog[:pc]
	}
}

// prefix reads one of the things that may stand before an instruction; false where none does.
func (a *assembler) prefix() bool {
	c := a.peek()
	switch from := a.pos; {
	case isDigit(c):
		for a.pos < a.end && isDigit(a.text[a.pos]) {
			a.pos++
		}
		if a.pos < a.end && a.text[a.pos] == ':' {
			a.position(from)
			a.column()
			return a.err == nil
		}
		a.pos = from
	case c == '(':
		if rest := a.text[from:a.end]; len(rest) > 3 && rest[3] == ')' {
			high, ok := hexValue(rest[1])
			low, ok2 := hexValue(rest[2])
			if ok && ok2 {
				a.tag, a.pos = int(high<<4|low), from+4
				return true
			}
		}
	case isName(c):
		for a.pos < a.end && isName(a.text[a.pos]) {
			a.pos++
		}
		if a.pos < a.end && a.text[a.pos] == ':' {
			a.define(string(a.text[from:a.pos]), from)
			a.pos++
			return a.err == nil
		}
		a.pos = from
	}
	return false
}

// position checks the pc that is written before an instruction, in front of the colon at hand. Behind a line with a fault
// it cannot be right.
func (a *assembler) position(from int) {
	n, err := strconv.Atoi(string(a.text[from:a.pos]))
	if len(a.errs) == 0 && (err != nil || n != len(a.prog)) {
		a.fail(ReasonDisagree, from, "this is instruction "+strconv.Itoa(len(a.prog)))
	}
	a.pos++
}

// column skips the bytes of one or two slots that may follow the pc, and keeps them.
func (a *assembler) column() {
	a.peek()
	from := a.pos
	for n := 0; ; n++ {
		rest := a.text[a.pos:a.end]
		if len(rest) < 2 || len(rest) > 2 && rest[2] != ' ' && rest[2] != '\t' || !isHexPair(rest) {
			a.pos = from
			if n == SlotSize || n == 2*SlotSize {
				a.code = a.text[from : from+3*n-1]
				a.pos = from + 3*n - 1
			}
			return
		}
		a.pos += min(3, len(rest))
	}
}

func isHexPair(b []byte) bool {
	_, high := hexValue(b[0])
	_, low := hexValue(b[1])
	return high && low
}

// define places a label before the next instruction.
func (a *assembler) define(name string, at int) {
	if _, ok := a.labels[name]; ok {
		a.fail(ReasonLabel, at, quoted(name)+" is placed twice")
	}
	a.labels[name] = len(a.prog)
}

// confirm compares the instructions that a line made, those from pc on, with what the line says of them besides.
func (a *assembler) confirm(from, pc int) {
	i := a.prog[pc]
	if reason := i.Malformed(); reason != "" && reason != ReasonBadRegister && !a.isRaw(from) {
		a.fail(reason, from, describe(i))
		return
	}
	if a.tag >= 0 && a.tag != int(i.Op) {
		a.fail(ReasonDisagree, from, "its opcode is "+hexByte(byte(i.Op))+", not "+hexByte(byte(a.tag)))
	}
	if a.code == nil {
		return
	}
	code := strings.Join(strings.Fields(string(a.code)), "")
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if hexText(Encode(a.prog[pc:], order)) == strings.ToLower(code) {
			return
		}
	}
	a.fail(ReasonDisagree, from, "its bytes are "+hexText(Encode(a.prog[pc:], binary.LittleEndian)))
}

// isRaw reports whether the statement is an .insn, which may be anything.
func (a *assembler) isRaw(from int) bool { return bytes.HasPrefix(a.text[from:a.end], []byte(".insn")) }

func hexByte(b byte) string { return string([]byte{hexDigits[b>>4], hexDigits[b&15]}) }

func hexText(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString(hexByte(c))
	}
	return s.String()
}

// isHeading reports whether the line, which is no instruction, is one of the headings that llvm-objdump writes. The name
// of a function is a label.
func (a *assembler) isHeading() bool {
	line := string(bytes.TrimSpace(a.text[a.start:a.end]))
	if strings.Contains(line, ":\tfile format ") || strings.HasPrefix(line, "Disassembly of section ") {
		return true
	}
	address, name, ok := strings.Cut(strings.TrimSuffix(line, ">:"), " <")
	if _, err := strconv.ParseUint(address, 16, 64); !ok || err != nil || !strings.HasSuffix(line, ">:") {
		return false
	}
	a.labels[name] = len(a.prog)
	return true
}

// resolve aims the jumps at their labels.
func (a *assembler) resolve() {
	if _, ok := a.labels["exit"]; !ok && a.exit >= 0 {
		a.labels["exit"] = a.exit
	}
	for _, use := range a.uses {
		if len(a.errs) == MaxErrors {
			return
		}
		at := &Error{PC: -1, Line: use.line, Column: use.column}
		i := &a.prog[use.pc]
		target, ok := a.labels[use.name]
		id, isHelper := HelperNumber(use.name)
		switch n := target - use.pc - 1; {
		case !ok && i.Op == OpCall && isHelper:
			*i = CallHelper(id)
		case !ok:
			at.Reason, at.Detail = ReasonLabel, quoted(use.name)+a.nearLabel(use.name)
			a.errs = append(a.errs, at)
		case i.Op == OpCall || i.Op == OpJumpLong:
			i.Imm = int32(n)
		case n < math.MinInt16 || n > math.MaxInt16:
			at.Reason, at.Detail = ReasonDistance, strconv.Itoa(n)+" instructions; 32767 are the most but for gotol"
			a.errs = append(a.errs, at)
		default:
			i.Off = int16(n)
		}
	}
}

func (a *assembler) nearLabel(name string) string {
	names := make([]string, 0, len(a.labels))
	for label := range a.labels {
		names = append(names, label)
	}
	return didYouMean(name, names)
}
