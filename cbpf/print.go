package cbpf

import (
	"fmt"
	"strconv"

	"golang.org/x/net/bpf"
)

// Print writes a program. The text is byte for byte what the tool prints that the notation is named after, tcpdump with
// libpcap 1.10 among them, with two exceptions: in listings 0x81 is `ldx #pktlen`, as in libpcap 1.11, and where mnemonics
// do not tell all of an instruction they are followed by its fields: `tax ; raw 0x0007 0 0 99`. ParseAs reads back the
// same program; Print refuses nothing but what ParseAs could not, the empty program and those of more than 1048576
// instructions. The result for Raw and RawBE is bytes, not text.
func Print(p Program, n Notation) (string, error) {
	row, err := lookup(n)
	if err != nil {
		return "", err
	}
	if len(p) == 0 {
		return "", &Error{Reason: ReasonEmpty, PC: -1, Detail: "there is nothing to print"}
	}
	if len(p) > maxInsns {
		return "", &Error{Reason: ReasonTooManyInsns, PC: -1, Detail: fmt.Sprintf("%d, %d are the most that can be read again",
			len(p), maxInsns)}
	}
	return string(row.print(make([]byte, 0, 32*len(p)), p)), nil
}

// Line returns the line of a listing that stands for the instruction at pc, without a newline.
func Line(pc int, ins bpf.RawInstruction) string { return string(appendIndexed(nil, pc, ins)) }

func appendListing(b []byte, p Program) []byte {
	for pc, ins := range p {
		b = append(appendIndexed(b, pc, ins), '\n')
	}
	return b
}

func appendIndexed(b []byte, pc int, ins bpf.RawInstruction) []byte {
	b = append(b, '(')
	for width := 100; width > 1 && pc < width; width /= 10 {
		b = append(b, '0')
	}
	b = append(strconv.AppendInt(b, int64(pc), 10), ") "...)
	return listingDialect.appendLine(b, pc, ins, 0)
}

// listingText appends mnemonic, operand and targets in the columns of libpcap's bpf_image.c: %-8s %s, and before jump
// targets %-8s %-16s.
func (d *dialect) listingText(b []byte, pc int, ins bpf.RawInstruction, _ int) []byte {
	name, jumps := d.unimp, isTest(ins.Op)
	info, _ := d.info(ins.Op)
	if info != nil {
		name, jumps = info.Name, d.shapes[info.Form].jumps
	}
	start := len(b)
	b = append(b, name...)
	b = append(pad(b, start+8), ' ')

	start = len(b)
	switch {
	case info == nil:
		b = strconv.AppendUint(append(b, "0x"...), uint64(ins.Op), 16)
	case info.Form == FormJump:
		b = d.appendJump(b, pc, ins.K)
	default:
		b = d.appendOperand(b, info, ins.K)
	}
	if !jumps {
		return b
	}
	b = append(pad(b, start+16), " jt "...)
	b = strconv.AppendInt(b, int64(pc)+1+int64(ins.Jt), 10)
	b = append(b, "\tjf "...)
	return strconv.AppendInt(b, int64(pc)+1+int64(ins.Jf), 10)
}

func appendDecimal(b []byte, p Program) []byte { return append(appendRows(b, p, '\n'), '\n') }

// appendXTBPF ends in a newline, that it be a line of a file; iptables' own form has none.
func appendXTBPF(b []byte, p Program) []byte { return append(appendRows(b, p, ','), '\n') }

func appendRows(b []byte, p Program, separator byte) []byte {
	b = strconv.AppendInt(b, int64(len(p)), 10)
	for _, ins := range p {
		b = strconv.AppendUint(append(b, separator), uint64(ins.Op), 10)
		b = appendNumbers(b, ' ', uint32(ins.Jt), uint32(ins.Jf), ins.K)
	}
	return b
}

// appendNumbers appends each number with the separator in front.
func appendNumbers(b []byte, separator byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		b = strconv.AppendUint(append(b, separator), uint64(n), 10)
	}
	return b
}

// pad appends spaces up to a length.
func pad(b []byte, length int) []byte {
	for len(b) < length {
		b = append(b, ' ')
	}
	return b
}
