package ebpf

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// ReasonHex says that text is no row of bytes.
const ReasonHex Reason = "these are not pairs of hexadecimal digits"

// Conformance runs one case of the plugin protocol of bpf_conformance (github.com/Alan-Jowett/bpf_conformance): a program
// of the ABI Buffer in the byte order of this machine, and the memory that it works on, both as hexadecimal text. It
// returns R0 at exit, which the plugin prints in hexadecimal; an error is for stderr and a status other than 0.
func Conformance(program, memory string) (r0 uint64, err error) {
	code, err := DecodeHex(program)
	if err != nil {
		return 0, err
	}
	mem, err := DecodeHex(memory)
	if err != nil {
		return 0, err
	}
	p, err := Decode(code, binary.NativeEndian)
	if err != nil {
		return 0, err
	}
	return Run(p, Buffer, &Packet{Data: mem})
}

// DecodeHex reads bytes as pairs of hexadecimal digits. Spaces, tabs and line ends may stand between the pairs. The
// error is an *Error with the place of the fault.
func DecodeHex(text string) ([]byte, error) {
	b := make([]byte, 0, len(text)/2)
	for at := 0; at < len(text); {
		switch text[at] {
		case ' ', '\t', '\r', '\n':
			at++
			continue
		}
		if at+1 == len(text) || !isHexPair([]byte(text[at:at+2])) {
			line, column := position(text, at)
			return nil, &Error{Reason: ReasonHex, PC: -1, Line: line, Column: column, Detail: strconv.Quote(text[at:min(at+2, len(text))])}
		}
		high, _ := hexValue(text[at])
		low, _ := hexValue(text[at+1])
		b = append(b, high<<4|low)
		at += 2
	}
	return b, nil
}

// position returns the line and the column of a byte of a text, both from 1.
func position(text string, at int) (line, column int) {
	return strings.Count(text[:at], "\n") + 1, at - strings.LastIndexByte(text[:at], '\n')
}
