package cbpf

import (
	"encoding/binary"
	"testing"
)

// attrs joins 16-bit words, as attributes are made of them, in the order of the host.
func attrs(words ...uint16) (b []byte) {
	for _, w := range words {
		b = binary.NativeEndian.AppendUint16(b, w)
	}
	return b
}

// findFrom is a program that searches an attribute of a type from a place on.
func findFrom(e Ext, from, kind uint32) Program {
	return Program{do(cLdImm, from), do(cLdxImm, kind), ext(e), do(cRetA, 0)}
}

var (
	// oddStart has, behind two bytes, an attribute of type 2 without contents and one of type 3.
	oddStart = append([]byte{0xff, 0xff}, attrs(4, 2, 4, 3)...)
	// nested has, behind two bytes, one of type 1 that holds those of type 2 and 3.
	nested = append([]byte{0xff, 0xff}, attrs(12, 1, 4, 2, 4, 3)...)
	// padded has one of 5 bytes, which takes 8, and then one of type 9.
	padded = attrs(5, 7, 0x00aa, 0, 4, 9)
)

var nlaCases = []runCase{
	{name: "LD_NLATTR", want: 6, data: oddStart, p: findFrom(ExtNlattr, 2, 3)},
	{name: "LD_NLATTR, the first one", want: 2, data: oddStart, p: findFrom(ExtNlattr, 2, 2)},
	{name: "LD_NLATTR, none of the type", want: 0, data: oddStart, p: findFrom(ExtNlattr, 2, 4)},
	{name: "LD_NLATTR, types have no upper half", want: 0, data: oddStart, p: findFrom(ExtNlattr, 2, 0x10003)},
	{name: "LD_NLATTR, last place for a header", want: 6, data: oddStart, p: findFrom(ExtNlattr, 6, 3)},
	{name: "LD_NLATTR, A > len - 4", want: 0, data: oddStart, p: findFrom(ExtNlattr, 7, 3)},
	{name: "LD_NLATTR, A near 2^32", want: 0, data: oddStart, p: findFrom(ExtNlattr, 0xffffffff, 3)},
	{name: "LD_NLATTR, packet of 3 bytes", want: 0, data: oddStart[:3], p: findFrom(ExtNlattr, 0, 0)},
	{name: "LD_NLATTR, padding to 4", want: 8, data: padded, p: findFrom(ExtNlattr, 0, 9)},
	{name: "LD_NLATTR, length below 4", want: 0, data: attrs(3, 1, 4, 2), p: findFrom(ExtNlattr, 0, 1)},
	{name: "LD_NLATTR, length past the end", want: 0, data: attrs(9, 1, 0, 0), p: findFrom(ExtNlattr, 0, 1)},
	{name: "LD_NLATTR, length to the end", want: 4, data: attrs(4, 0, 6, 1, 7), p: findFrom(ExtNlattr, 0, 1)},
	{name: "LD_NLATTR, flags are no part of the type", want: 4, data: attrs(4, 1, 4, 0xc005), p: findFrom(ExtNlattr, 0, 5)},
	{name: "LD_NLATTR keeps X", want: 3, data: oddStart, p: Program{do(cLdImm, 2), do(cLdxImm, 3), ext(ExtNlattr), do(cTxa, 0), do(cRetA, 0)}},
	{name: "LD_NLATTR_NEST", want: 10, data: nested, p: findFrom(ExtNlattrNest, 2, 3)},
	{name: "LD_NLATTR_NEST, again and again", want: 10, data: nested, p: Program{do(cLdImm, 2), do(cLdxImm, 3), ext(ExtNlattrNest),
		do(cLdImm, 2), ext(ExtNlattrNest), do(cLdImm, 2), ext(ExtNlattrNest), do(cRetA, 0)}},
	{name: "LD_NLATTR_NEST, itself is not inside", want: 0, data: nested, p: findFrom(ExtNlattrNest, 2, 1)},
	{name: "LD_NLATTR_NEST, what follows is not inside", want: 0, data: attrs(8, 1, 4, 2, 4, 3), p: findFrom(ExtNlattrNest, 0, 3)},
	{name: "LD_NLATTR_NEST, the inner one sticks out", want: 0, data: attrs(8, 1, 6, 2, 0, 0), p: findFrom(ExtNlattrNest, 0, 2)},
	{name: "LD_NLATTR_NEST, the outer one is too long", want: 0, data: attrs(12, 1, 4, 2), p: findFrom(ExtNlattrNest, 0, 2)},
	{name: "LD_NLATTR_NEST, the outer one is too short", want: 0, data: attrs(3, 1, 4, 2), p: findFrom(ExtNlattrNest, 0, 2)},
	{name: "LD_NLATTR_NEST, A > len - 4", want: 0, data: nested, p: findFrom(ExtNlattrNest, 11, 3)},
}

func TestRunNlattr(t *testing.T) { checkRuns(t, nlaCases) }
