package cbpf

import (
	"strings"

	"golang.org/x/net/bpf"
)

// The notations of plain numbers differ in what stands between them:
//
//	ddd    2, then lines of  40 0 0 12      the count of instructions comes first
//	xtbpf  2,40 0 0 12,6 0 0 0              the same with commas in place of line ends
//
// Each number may be decimal or hexadecimal in both.

// fields are the four numbers of a row, in order, and the greatest value of each.
var fields = [...]struct {
	name  string
	limit uint32
}{
	{"code", 0xffff},
	{"jt", 0xff},
	{"jf", 0xff},
	{"k", 0xffffffff},
}

// decimal reads what tcpdump -ddd prints: the count on the first line, then one instruction a line. Comments may stand behind
// them, as in the manual page of iptables' match.
func (p *parser) decimal() {
	header, _ := p.nextBare()
	count := p.count(header)
	for line, ok := p.nextBare(); ok; line, ok = p.nextBare() {
		ins, _ := p.row(line, cutField)
		p.add(ins)
	}
	p.checkCount(count)
}

// nextBare is nextLine without a comment that begins with # and ends the line.
func (p *parser) nextBare() (line string, ok bool) {
	line, ok = p.nextLine()
	line, _, _ = strings.Cut(line, "#")
	line = trim(line)
	p.length = len(line)
	return line, ok
}

// xtbpf reads the count and the instructions, with commas between them and perhaps one behind them. Other things may stand
// around them, as in lines of iptables-save and tc; iptables -L and ss show no count.
func (p *parser) xtbpf() {
	if !p.onlyBytecode() {
		return
	}
	count := -1
	if header, _, _ := strings.Cut(p.text, ","); len(strings.Fields(header)) < len(fields) {
		header, _ = p.nextItem()
		count = p.count(header)
	}
	for item, ok := p.nextItem(); ok; item, ok = p.nextItem() {
		ins, _ := p.row(item, cutField)
		p.add(ins)
	}
	p.checkCount(count)
}

// bytecodeMarks stand in front of the instructions in what iptables-save, tc, iptables -L and ss print. Quotes stand around
// the instructions of the first two.
var bytecodeMarks = [...]string{"bytecode '", `bytecode "`, "match bpf ", "bpf filter ("}

// findBytecode returns where bytecode stands that is inside of other things. It ends at the quote or at the end of the
// line.
func findBytecode(text string) (from, to int, found bool) {
	from = len(text)
	quote := "\n"
	for _, mark := range bytecodeMarks {
		if i := strings.Index(text[:from], mark); i >= 0 {
			from, found = i+len(mark), true
			quote = mark[len(mark)-1:]
		}
	}
	if start := behindAssignment(trimLeft(text)); !found && start != "" && (start[0] == '"' || start[0] == '\'') {
		from, found = len(text)-len(start)+1, true
		quote = start[:1]
	}
	if !found {
		return 0, 0, false
	}
	if quote == "(" { // ss tells the count in parentheses
		if _, behind, closed := strings.Cut(text[from:], "):"); closed {
			from = len(text) - len(behind)
		}
	}
	rest := text[from:]
	if quote != "'" && quote != `"` {
		quote = "\n"
	}
	inside, _, _ := strings.Cut(rest, quote)
	return from, from + len(inside), true
}

// behindAssignment returns what a shell's variable is set to, where a text begins with that, and otherwise the text.
func behindAssignment(text string) string {
	end := 0
	for end < len(text) && isWord(text[end]) {
		end++
	}
	if end > 0 && end+1 < len(text) && text[end] == '=' && (text[end+1] == '"' || text[end+1] == '\'') {
		return text[end+1:]
	}
	return text
}

// onlyBytecode narrows the text to the bytecode in it. If that is not the only one, it records a fault and returns false.
func (p *parser) onlyBytecode() bool {
	from, to, found := findBytecode(p.text)
	if !found {
		return true
	}
	rest := p.text[to:]
	if again, _, more := findBytecode(strings.TrimLeft(rest, `'"`)); more {
		again += len(rest) - len(strings.TrimLeft(rest, `'"`))
		p.consume(to + again)
		p.begin()
		p.failHeader(ReasonSecondProgram, "a text holds one")
		return false
	}
	p.source = p.source[:len(p.source)-len(rest)]
	p.text = p.text[:to]
	p.consume(from)
	return true
}

// nextItem consumes the text up to and with the next comma. Blank text at the very end is no item.
func (p *parser) nextItem() (item string, ok bool) {
	p.skipBlank()
	p.begin()
	if p.text == "" {
		return "", false
	}
	item, p.text, _ = strings.Cut(p.text, ",")
	p.next += strings.Count(item, "\n")
	item = trim(item)
	p.length = len(item)
	return item, true
}

// count reads the number of instructions that follow; -1 stands for one that cannot be read.
func (p *parser) count(text string) int {
	v, reason := number(text, maxInsns)
	if reason != "" {
		p.failHeader(reason, "%s, where a count of at most %d is expected", quote(text), maxInsns)
		return -1
	}
	return int(v)
}

// checkCount compares the count, where it is known, with the number of instructions found.
func (p *parser) checkCount(count int) {
	if count >= 0 && count != len(p.prog) {
		p.failHeader(ReasonWrongCount, "%d announced, %d found", count, len(p.prog))
	}
}

// row reads the four numbers of an instruction; cut returns the first of a text and what follows it. If it returns
// false, the fault is recorded.
func (p *parser) row(text string, cut func(string) (string, string)) (ins bpf.RawInstruction, ok bool) {
	var words [len(fields)]string
	found := 0
	for rest := trim(text); rest != ""; found++ {
		var word string
		word, rest = cut(rest)
		if found < len(words) {
			words[found] = word
		}
	}
	if found != len(fields) {
		p.fail(ReasonBadRow, "%s has %d, and code, jt, jf, k are expected", quote(text), found)
		return ins, false
	}
	var v [len(fields)]uint32
	ok = true
	for i, field := range fields {
		var reason Reason
		if v[i], reason = number(words[i], field.limit); reason != "" {
			p.failNumber(p.within(words[:i+1]...), reason, field.name, words[i], field.limit)
			ok = false
		}
	}
	return bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: v[3]}, ok
}
