package cbpf

import (
	"fmt"
	"strconv"

	"golang.org/x/net/bpf"
)

// shape is how an operand is written in a listing. Spaces count when printing only.
type shape struct {
	prefix, suffix string
	k              bool // k stands between them
	jumps          bool // jt and jf follow
}

// shapes has the shape of every form.
var shapes = [...]shape{
	FormNone:  {},
	FormImm:   {prefix: "#", k: true},
	FormAbs:   {prefix: "[", suffix: "]", k: true},
	FormInd:   {prefix: "[x + ", suffix: "]", k: true},
	FormMem:   {prefix: "M[", suffix: "]", k: true},
	FormLen:   {prefix: "#pktlen"},
	FormMSH:   {prefix: "4*([", suffix: "]&0xf)", k: true},
	FormX:     {prefix: "x"},
	FormJump:  {k: true},
	FormCondK: {prefix: "#", k: true, jumps: true},
	FormCondX: {prefix: "x", jumps: true},
	FormRetK:  {prefix: "#", k: true},
	FormRetA:  {},
}

// unimp is the mnemonic of an opcode that has none. Its operand is the opcode.
const unimp = "unimp"

// shapeOf returns the shape of an opcode's operand. Unknown opcodes of the jump class show jt and jf, as in libpcap.
func shapeOf(code uint16) shape {
	if info := Info(code); info != nil {
		return shapes[info.Form]
	}
	return shape{prefix: fmt.Sprintf("0x%x", code), jumps: code&0x07 == 0x05 && code&0xf0 != 0}
}

// said returns what the plain text of a listing tells of an instruction: the fields that its operand shows, the rest 0.
func said(ins bpf.RawInstruction) bpf.RawInstruction {
	s := shapeOf(ins.Op)
	if !s.k {
		ins.K = 0
	}
	if !s.jumps {
		ins.Jt, ins.Jf = 0, 0
	}
	return ins
}

// Print writes a program. The text is byte for byte what tcpdump (libpcap 1.10) prints with -d, -dd or -ddd, with two
// exceptions in listings: 0x81 is `ldx #pktlen`, as in libpcap 1.11, and an instruction that has more to it than tcpdump
// shows is followed by all its fields: `tax ; raw 0x0007 0 0 99`. ParseAs reads back the same program; Print refuses
// nothing but what ParseAs could not, the empty program and those of more than 1048576 instructions.
func Print(p Program, n Notation) (string, error) {
	row, err := lookup(n)
	if err != nil {
		return "", err
	}
	if len(p) == 0 {
		return "", &Error{Reason: Empty, PC: -1, Detail: "there is nothing to print"}
	}
	if len(p) > maxInsns {
		return "", &Error{Reason: TooManyInsns, PC: -1, Detail: fmt.Sprintf("%d, %d are the most that can be read again",
			len(p), maxInsns)}
	}
	return string(row.print(make([]byte, 0, 32*len(p)), p)), nil
}

// Line returns the line of a listing that stands for the instruction at pc, without a newline.
func Line(pc int, ins bpf.RawInstruction) string { return string(appendLine(nil, pc, ins)) }

func appendListing(b []byte, p Program) []byte {
	for pc, ins := range p {
		b = append(appendLine(b, pc, ins), '\n')
	}
	return b
}

func appendLine(b []byte, pc int, ins bpf.RawInstruction) []byte {
	b = append(b, '(')
	for width := 100; width > 1 && pc < width; width /= 10 {
		b = append(b, '0')
	}
	b = append(strconv.AppendInt(b, int64(pc), 10), ") "...)
	b = appendText(b, pc, ins)
	if said(ins) == ins {
		return b
	}
	b = fmt.Appendf(b, " ; raw 0x%04x", ins.Op)
	return appendNumbers(b, ' ', uint32(ins.Jt), uint32(ins.Jf), ins.K)
}

// appendText appends mnemonic, operand and targets in the columns of libpcap's bpf_image.c: %-8s %s, and before jump
// targets %-8s %-16s.
func appendText(b []byte, pc int, ins bpf.RawInstruction) []byte {
	name, info := unimp, Info(ins.Op)
	if info != nil {
		name = info.Name
	}
	start := len(b)
	b = append(b, name...)
	b = append(pad(b, start+8), ' ')

	s, start := shapeOf(ins.Op), len(b)
	b = append(b, s.prefix...)
	if s.k {
		b = appendK(b, info, pc, ins.K)
	}
	b = append(b, s.suffix...)
	if !s.jumps {
		return b
	}
	b = append(pad(b, start+16), " jt "...)
	b = strconv.AppendInt(b, int64(pc)+1+int64(ins.Jt), 10)
	b = append(b, "\tjf "...)
	return strconv.AppendInt(b, int64(pc)+1+int64(ins.Jf), 10)
}

// appendK appends k as the opcode shows it: the name of an extension, an absolute target, hexadecimal, or signed decimal.
func appendK(b []byte, info *OpInfo, pc int, k uint32) []byte {
	switch {
	case info.Form == FormAbs:
		if ext, ok := Extension(k); ok && ext.String() != "" {
			return append(b, ext.String()...)
		}
	case info.Form == FormJump:
		k += uint32(pc) + 1
	case info.Hex:
		return strconv.AppendUint(append(b, "0x"...), uint64(k), 16)
	}
	return strconv.AppendInt(b, int64(int32(k)), 10)
}

func appendCStruct(b []byte, p Program) []byte {
	for _, ins := range p {
		b = append(b, "{ 0x"...)
		b = strconv.AppendUint(b, uint64(ins.Op), 16)
		b = append(b, ", "...)
		b = strconv.AppendUint(b, uint64(ins.Jt), 10)
		b = append(b, ", "...)
		b = strconv.AppendUint(b, uint64(ins.Jf), 10)
		b = append(b, ", 0x"...)
		for width := 28; width > 0 && ins.K>>width == 0; width -= 4 {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, uint64(ins.K), 16)
		b = append(b, " },\n"...)
	}
	return b
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
