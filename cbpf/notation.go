package cbpf

import (
	"fmt"
	"strings"
)

// Notation is a way of writing a program down. Its value is the name that flags use.
type Notation string

// The notations. Every program that has an instruction can be written and read back in each of them without loss.
const (
	Auto    Notation = "auto"    // whichever one the text is in; for reading only
	Listing Notation = "tcpdump" // tcpdump -d
	CStruct Notation = "dd"      // tcpdump -dd, bpf_asm -c, and arrays of struct sock_filter
	Decimal Notation = "ddd"     // tcpdump -ddd
	XTBPF   Notation = "xtbpf"   // iptables -m bpf --bytecode, tc's bytecode, bpf_asm without -c
	Asm     Notation = "asm"     // source of the kernel's bpf_asm
	Dbg     Notation = "dbg"     // bpf_dbg's `disassemble`
	XNet    Notation = "xnet"    // the String methods of golang.org/x/net/bpf, one instruction a line
	Raw     Notation = "raw"     // struct sock_filter in memory, little-endian
	RawBE   Notation = "raw-be"  // the same, big-endian
	Hex     Notation = "hex"     // the bytes of Raw in hexadecimal
	Go      Notation = "go"      // a literal []bpf.RawInstruction
	JSON    Notation = "json"    // an array of objects with code, jt, jf and k
	Dump    Notation = "dump"    // what `seccomp-tools dump` shows: the fields as a table
)

// notation is what there is to know of one Notation.
type notation struct {
	name    Notation
	example string
	parse   func(*parser)
	print   func([]byte, Program) []byte
}

var notations = [...]notation{
	{Listing, "(000) ldh      [12]", (*parser).listing, appendListing},
	{CStruct, "{ 0x28, 0, 0, 0x0000000c },", (*parser).braced, appendCStruct},
	{Decimal, "2, newline, 40 0 0 12, newline, 6 0 0 0", (*parser).decimal, appendDecimal},
	{XTBPF, "2,40 0 0 12,6 0 0 0", (*parser).xtbpf, appendXTBPF},
	{Asm, "jeq #0x800, ip, drop", (*parser).asm, appendAsm},
	{Dbg, "l0: jeq #0x800, l1, l5", (*parser).dbg, appendDbg},
	{XNet, "jneq #2048,5", (*parser).xnet, appendXNet},
	{Raw, "bytes", (*parser).raw, appendRaw},
	{RawBE, "bytes", (*parser).rawBE, appendRawBE},
	{Hex, "28 00 00 00 0c 00 00 00", (*parser).hex, appendHex},
	{Go, "[]bpf.RawInstruction{{Op: 0x28, K: 0xc}}", (*parser).braced, appendGo},
	{JSON, `[{"code": 40, "jt": 0, "jf": 0, "k": 12}]`, (*parser).braced, appendJSON},
	{Dump, "0000: 0x28 0x00 0x00 0x0000000c", (*parser).dump, appendDump},
}

// Notations returns the notations that can be read and written: all but Auto.
func Notations() []Notation {
	all := make([]Notation, len(notations))
	for i, row := range notations {
		all[i] = row.name
	}
	return all
}

// NotationByName returns the notation that a flag names; Auto is one of them. Any other name is an error that lists the
// known ones.
func NotationByName(name string) (Notation, error) {
	if Notation(name) == Auto {
		return Auto, nil
	}
	row, err := lookup(Notation(name))
	if err != nil {
		return "", &Error{Reason: ReasonUnknownNotation, PC: -1, Detail: fmt.Sprintf("%s; known are %s, %s",
			quote(name), Auto, names())}
	}
	return row.name, nil
}

// lookup finds the row of a notation that is not Auto.
func lookup(n Notation) (*notation, error) {
	for i := range notations {
		if notations[i].name == n {
			return &notations[i], nil
		}
	}
	return nil, &Error{Reason: ReasonUnknownNotation, PC: -1, Detail: fmt.Sprintf("%s; known are %s", quote(string(n)), names())}
}

func names() string {
	var b strings.Builder
	for i, row := range notations {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(row.name))
	}
	return b.String()
}

func examples() string {
	var b strings.Builder
	for i, row := range notations {
		if row.example == "bytes" {
			continue
		}
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "`%s` (%s)", row.example, row.name)
	}
	return b.String()
}
