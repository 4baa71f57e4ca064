package cbpf

import (
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// dump reads the table that `seccomp-tools dump` and `disasm` show:
//
//	 line  CODE  JT   JF      K
//	=================================
//	 0000: 0x20 0x00 0x00 0x00000004  A = arch
//
// The four numbers count. What stands behind them is for readers, and what stands in front of the first row is skipped.
func (p *parser) dump() {
	p.skipTo(isDumpLine)
	for line, ok := p.nextLine(); ok; line, ok = p.nextLine() {
		digits, rest, found := strings.Cut(line, ":")
		if !found || !isNumber(digits) {
			p.strayLine(line, "0000:")
			continue
		}
		p.index(digits, "%04d:")
		rest = p.advance(rest)
		after := rest
		for range fields {
			_, after = cutField(after)
		}
		numbers := trim(strings.TrimSuffix(rest, after))
		p.length = len(numbers)
		ins, _ := p.row(numbers, cutField)
		p.add(ins)
	}
}

// isDumpLine reports whether a line is a row of the table.
func isDumpLine(line string) bool {
	digits, rest, _ := strings.Cut(line, ":")
	return isNumber(digits) && strings.HasPrefix(trimLeft(rest), "0x")
}

// firstLines tell of a line whether a program in the notation begins with it, for those notations that may have other
// things in front.
var firstLines = map[Notation]func(line string) bool{Listing: isListingLine, Dump: isDumpLine}

// appendDump writes the table, with the text of a listing behind the numbers.
func appendDump(b []byte, p Program) []byte {
	b = append(b, " line  CODE  JT   JF      K\n=================================\n"...)
	for pc, ins := range p {
		b = append(appendPadded(append(b, ' '), uint64(pc), 10, 4), ':')
		for _, f := range []struct{ v, width uint32 }{{uint32(ins.Op), 2}, {uint32(ins.Jt), 2}, {uint32(ins.Jf), 2}, {ins.K, 8}} {
			b = appendPadded(append(b, " 0x"...), uint64(f.v), 16, int(f.width))
		}
		text, _, _ := strings.Cut(listingText(pc, ins), ";")
		b = append(append(append(b, "  "...), strings.Join(strings.Fields(text), " ")...), '\n')
	}
	return b
}

// listingText is the line of a listing without the index.
func listingText(pc int, ins bpf.RawInstruction) string {
	_, text, _ := strings.Cut(Line(pc, ins), ") ")
	return text
}

// appendPadded appends a number with zeros in front up to a width.
func appendPadded(b []byte, v uint64, base, width int) []byte {
	digits := strconv.FormatUint(v, base)
	for n := len(digits); n < width; n++ {
		b = append(b, '0')
	}
	return append(b, digits...)
}
