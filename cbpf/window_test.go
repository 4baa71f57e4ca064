package cbpf

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// twenty is a packet with a header of 14 bytes in front of six.
var twenty = []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5}

// behindLink is what a packet socket sees: Data begins at the link-layer header.
var behindLink = &Meta{NetOff: 14}

// atTransport is what a UDP socket sees: link and network header lie in front of Data.
var atTransport = &Meta{Head: []byte{0xa0, 0xa1, 0xa2, 0xb0, 0xb1}, NetOff: -2}

// k32 is a negative k.
func k32(k int32) uint32 { return uint32(k) }

var loadCases = []runCase{
	{name: "LD_ABS byte, last", want: 0xe5, data: twenty, p: Program{do(cLdB, 19), do(cRetA, 0)}},
	{name: "LD_ABS byte, first past the end", want: 0, data: twenty, p: Program{do(cLdB, 20), do(cRetK, 1)}},
	{name: "LD_ABS half is big-endian", want: 0xe4e5, data: twenty, p: Program{do(cLdH, 18), do(cRetA, 0)}},
	{name: "LD_ABS half, one byte past", want: 0, data: twenty, p: Program{do(cLdH, 19), do(cRetK, 1)}},
	{name: "LD_ABS word, last", want: 0xe2e3e4e5, data: twenty, p: Program{do(cLdW, 16), do(cRetA, 0)}},
	{name: "LD_ABS word, unaligned by 1", want: 0x01020304, data: twenty, p: Program{do(cLdW, 1), do(cRetA, 0)}},
	{name: "LD_ABS word, unaligned by 3", want: 0x03040506, data: twenty, p: Program{do(cLdW, 3), do(cRetA, 0)}},
	{name: "LD_ABS word, one byte past", want: 0, data: twenty, p: Program{do(cLdW, 17), do(cRetK, 1)}},
	{name: "LD_ABS word of ones is a value", want: 0xffffffff, data: []byte{255, 255, 255, 255}, p: Program{do(cLdW, 0), do(cRetA, 0)}},
	{name: "LD_ABS far out", want: 0, data: twenty, p: Program{do(cLdB, math.MaxInt32), do(cRetK, 1)}},
	{name: "LD_ABS below the windows", want: 0, data: twenty, p: Program{do(cLdB, 0x80000000), do(cRetK, 1)}},
	{name: "LD_ABS just below the LL window", want: 0, data: twenty, p: Program{do(cLdB, LLOff-1), do(cRetK, 1)}},
	{name: "a failing load is final", want: 0, data: twenty, p: Program{do(cLdImm, 9), do(cLdB, 99), do(cRetA, 0)}},
	{name: "LD_IND byte default X", want: 0x01, data: twenty, p: Program{do(cIndB, 1), do(cRetA, 0)}},
	{name: "LD_IND byte frag, negative k", want: 0xe5, data: twenty, p: Program{do(cLdxLen, 0), do(cIndB, k32(-1)), do(cRetA, 0)}},
	{name: "LD_IND half, negative k, past the end", want: 0, data: twenty, p: Program{do(cLdxLen, 0), do(cIndH, k32(-1)), do(cRetK, 1)}},
	{name: "LD_IND word, negative k", want: 0xe2e3e4e5, data: twenty, p: Program{do(cLdxLen, 0), do(cIndW, k32(-4)), do(cRetA, 0)}},
	{name: "LD_IND negative X", want: 0xe2, data: twenty, p: Program{do(cLdxImm, k32(-4)), do(cIndB, 20), do(cRetA, 0)}},
	{name: "LD_IND sum 0x80000000", want: 0, data: twenty, p: Program{do(cLdxImm, 0x7fffffff), do(cIndB, 1), do(cRetK, 1)}},
	{name: "LD_IND half big-endian", want: 0x0203, data: twenty, p: Program{do(cLdxImm, 1), do(cIndH, 1), do(cRetA, 0)}},
	{name: "LD_IND keeps X", want: 7, data: twenty, p: Program{do(cLdxImm, 7), do(cIndB, 1), do(cTxa, 0), do(cRetA, 0)}},
}

var windowCases = []runCase{
	{name: "NET without link-layer header", want: 3, data: twenty, p: Program{do(cLdB, NetOff+3), do(cRetA, 0)}},
	{name: "LL without link-layer header", want: 0, data: twenty, p: Program{do(cLdB, LLOff), do(cRetK, 1)}},
	{name: "NET, last byte", want: 0xe5, data: twenty, p: Program{do(cLdB, NetOff+19), do(cRetA, 0)}},
	{name: "NET, past the end", want: 0, data: twenty, p: Program{do(cLdH, NetOff+19), do(cRetK, 1)}},
	{name: "IND reaches no extension", want: 0, data: twenty, p: Program{do(cIndW, AdOff), do(cRetK, 1)}},
	{name: "IND wraps into NET", want: 1, data: twenty, p: Program{do(cLdxImm, NetOff), do(cIndB, 1), do(cRetA, 0)}},
	{name: "AD_OFF - 1 is NET", want: 0, data: twenty, p: Program{do(cLdW, AdOff-1), do(cRetK, 1)}},

	{name: "LD_ABS LL+0", want: 0x00010203, data: twenty, meta: behindLink, p: Program{do(cLdW, LLOff), do(cRetA, 0)}},
	{name: "LD_ABS LL+1", want: 0x01, data: twenty, meta: behindLink, p: Program{do(cLdB, LLOff+1), do(cRetA, 0)}},
	{name: "LD_IND LL, last", want: 0xe5, data: twenty, meta: behindLink, p: Program{do(cLdxImm, LLOff-1), do(cIndB, 20), do(cRetA, 0)}},
	{name: "LD_ABS LL, past the end", want: 0, data: twenty, meta: behindLink, p: Program{do(cLdB, LLOff+20), do(cRetK, 1)}},
	{name: "LD_ABS NET+0", want: 0xe0e1, data: twenty, meta: behindLink, p: Program{do(cLdH, NetOff), do(cRetA, 0)}},
	{name: "LD_ABS NET, last", want: 0xe5, data: twenty, meta: behindLink, p: Program{do(cLdB, NetOff+5), do(cRetA, 0)}},
	{name: "LD_ABS NET, past the end", want: 0, data: twenty, meta: behindLink, p: Program{do(cLdB, NetOff+6), do(cRetK, 1)}},
	{name: "LD_ABS NET of a short packet", want: 0, data: twenty[:14], meta: behindLink, p: Program{do(cLdB, NetOff), do(cRetK, 1)}},
	{name: "several in a row keep X", want: 2 + 0xe1, data: twenty, meta: behindLink, p: Program{do(cLdxImm, 2),
		do(cLdB, LLOff), do(cLdB, NetOff+2), do(cLdB, NetOff+1), do(cAddX, 0), do(cRetA, 0)}},

	{name: "LL in Head", want: 0xa0, data: twenty, meta: atTransport, p: Program{do(cLdB, LLOff), do(cRetA, 0)}},
	{name: "LL over Head into Data", want: 0xb0b10001, data: twenty, meta: atTransport, p: Program{do(cLdW, LLOff+3), do(cRetA, 0)}},
	{name: "NET in Head", want: 0xb0b1, data: twenty, meta: atTransport, p: Program{do(cLdH, NetOff), do(cRetA, 0)}},
	{name: "NET over Head into Data", want: 0xb100, data: twenty, meta: atTransport, p: Program{do(cLdH, NetOff+1), do(cRetA, 0)}},
	{name: "Data begins behind Head", want: 0, data: twenty, meta: atTransport, p: Program{do(cLdB, 0), do(cRetA, 0)}},

	{name: "NetOff before Head", want: 0, data: twenty, meta: &Meta{NetOff: -1}, p: Program{do(cLdB, NetOff+1), do(cRetK, 1)}},
	{name: "NetOff past Data", want: 0, data: twenty, meta: &Meta{NetOff: math.MaxInt}, p: Program{do(cLdB, NetOff), do(cRetK, 1)}},
	{name: "NetOff far before", want: 0, data: twenty, meta: &Meta{NetOff: math.MinInt}, p: Program{do(cLdB, AdOff-1), do(cRetK, 1)}},
	{name: "poff with NetOff outside", want: 0, data: twenty, meta: &Meta{NetOff: 21, Protocol: etherARP}, p: Program{ext(ExtPayOff), do(cRetA, 0)}},
}

var mshCases = []runCase{
	{name: "LDX_MSH", want: 0x14, data: []byte{0x45, 0x99}, p: Program{do(cMsh, 0), do(cTxa, 0), do(cRetA, 0)}},
	{name: "LDX_MSH takes the low half of the byte", want: 0x24, data: []byte{0, 0xf9}, p: Program{do(cMsh, 1), do(cTxa, 0), do(cRetA, 0)}},
	{name: "LDX_MSH keeps A", want: 0x42, data: twenty, p: Program{do(cLdImm, 0x42), do(cMsh, 3), do(cMsh, 4), do(cRetA, 0)}},
	{name: "LDX_MSH, k -1", want: 0, data: twenty, p: Program{do(cLdImm, 0x42), do(cMsh, k32(-1)), do(cRetA, 0)}},
	{name: "LDX_MSH past the end", want: 0, data: twenty, p: Program{do(cLdImm, 0x42), do(cMsh, 20), do(cRetA, 0)}},
	{name: "LDX_MSH through LL", want: 4 * 12, data: twenty, meta: behindLink, p: Program{do(cMsh, LLOff+12), do(cTxa, 0), do(cRetA, 0)}},
	{name: "LDX_MSH through NET", want: 4 * 2, data: twenty, meta: behindLink, p: Program{do(cMsh, NetOff+2), do(cTxa, 0), do(cRetA, 0)}},
	{name: "LDX_MSH reaches no extension", want: 0, data: twenty, meta: behindLink, p: Program{do(cMsh, AdOff), do(cRetK, 1)}},
}

func TestRunLoads(t *testing.T) { checkRuns(t, loadCases) }

func TestRunWindows(t *testing.T) { checkRuns(t, windowCases) }

func TestRunMSH(t *testing.T) { checkRuns(t, mshCases) }

func TestPlaceOnAnEmptyPacket(t *testing.T) {
	for _, k := range []uint32{0, LLOff, NetOff, math.MaxUint32} {
		got, err := Run(Program{do(cIndB, k), do(cRetK, 1)}, &Packet{})
		require.NoError(t, err)
		require.Equal(t, uint32(0), got)
	}
}
