package cbpf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// goodTexts are texts that no one of our own printers writes, and what they mean.
var goodTexts = []struct {
	name string
	text string
	want cbpf.Program
}{
	{"windows line ends", "(000) ldh      [12]\r\n(001) ret      #0\r\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"byte order mark", "\ufeff(000) ret #1", cbpf.Program{{Op: 0x06, K: 1}}},
	{"blank lines and comments", "\n# a\n  // b\n; c\n(000) tax\n\n; d\n(001) ret \n\n", cbpf.Program{{Op: 0x07}, {Op: 0x16}}},
	{"comments behind", "(000) ldh [12] ; EtherType\n(001) ret #0 // drop", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"a comment about raw sockets", "(000) ret ; raw sockets", cbpf.Program{{Op: 0x16}}},
	{"operandless, padded and not", "(000) tax      \n(001) txa\n(002) neg      \n(003) ret      ",
		cbpf.Program{{Op: 0x07}, {Op: 0x87}, {Op: 0x84}, {Op: 0x16}}},
	{"jf after a tab", "(000) jeq      #0x800           jt 1\tjf 5", cbpf.Program{{Op: 0x15, Jf: 4, K: 0x800}}},
	{"jf after spaces", "(000) jgt x jt 256   jf 1", cbpf.Program{{Op: 0x2d, Jt: 255}}},
	{"negative numbers", "(000) ld [-4095]\n(001) ldb [x + -4]\n(002) ret #-1",
		cbpf.Program{{Op: 0x20, K: 0xfffff001}, {Op: 0x50, K: 0xfffffffc}, {Op: 0x06, K: 0xffffffff}}},
	{"greatest numbers", "(000) add #4294967295\n(001) add #-2147483648\n(002) add #0xFFFFFFFF",
		cbpf.Program{{Op: 0x04, K: 0xffffffff}, {Op: 0x04, K: 0x80000000}, {Op: 0x04, K: 0xffffffff}}},
	{"extensions of any size", "(000) ldb [vlanp]\n(001) ldh [type]\n(002) ld [xor_x]",
		cbpf.Program{{Op: 0x30, K: 0xfffff030}, {Op: 0x28, K: 0xfffff004}, {Op: 0x20, K: 0xfffff028}}},
	{"loose spacing", "(000)ldxb 4 * ( [ 14 ] & 0xf )\n (001)  ld\tM[ 3 ]\n(002) ld [x+4]",
		cbpf.Program{{Op: 0xb1, K: 14}, {Op: 0x60, K: 3}, {Op: 0x40, K: 4}}},
	{"lengths, of both versions", "(000) ld #pktlen\n(001) ldx #pktlen\n(002) unimp 0x81",
		cbpf.Program{{Op: 0x80}, {Op: 0x81}, {Op: 0x81}}},
	{"unknown opcodes", "(000) unimp    0xffff\n(001) unimp    0x55             jt 2\tjf 9",
		cbpf.Program{{Op: 0xffff}, {Op: 0x55, Jf: 7}}},
	{"ja forward", "(000) ja 301", cbpf.Program{{Op: 0x05, K: 300}}},
	{"ja backward", "(000) tax\n(001) ja 0\n(002) ja -1", cbpf.Program{{Op: 0x07}, {Op: 0x05, K: 0xfffffffe}, {Op: 0x05, K: 0xfffffffc}}},
	{"raw fields", "(000) tax       ; raw 0x0007 1 2 99", cbpf.Program{{Op: 0x07, Jt: 1, Jf: 2, K: 99}}},
	{"bpf_asm -c", "{ 0x28,  0,  0, 0x0000000c },\n{ 0000,  0,  0, 0000000000 },\n{ 0x15,  1,  3, 0x000086dd },",
		cbpf.Program{{Op: 0x28, K: 12}, {}, {Op: 0x15, Jt: 1, Jf: 3, K: 0x86dd}}},
	{"C rows on one line", "{6,0,0,1},{ 0x6 , 0X0 ,0\n,\t2, }", cbpf.Program{{Op: 0x06, K: 1}, {Op: 0x06, K: 2}}},
	{"C rows with comments", "// a\n{ 6, 0, 0, 1 }, // b\n# c\n{ 6, 0, 0, 2 }", cbpf.Program{{Op: 0x06, K: 1}, {Op: 0x06, K: 2}}},
	{"tcpdump -ddd", "\n2\r\n40 0 0 12\r\n\n 6\t0 0 4294967295 ", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 0xffffffff}}},
	{"xtbpf", "2,40 0 0 12,6 0 0 0", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"xtbpf of bpf_asm", "2,40 0 0 12,6 0 0 0,\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"xtbpf on many lines", "2,\n40 0 0 12,\n6 0\n0 0\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
}

func TestParse(t *testing.T) {
	for _, tc := range goodTexts {
		t.Run(tc.name, func(t *testing.T) {
			got, err := cbpf.Parse([]byte(tc.text))
			require.NoError(t, err, "%s", tc.text)
			require.Equal(t, tc.want, got, "%s", tc.text)
		})
	}
}

// badTexts are texts with exactly these faults. The error must also contain says, which has the place or the limit.
var badTexts = []struct {
	name    string
	text    string
	reasons []cbpf.Reason
	says    string
}{
	{"nothing", "", []cbpf.Reason{cbpf.Empty}, ""},
	{"only blanks and comments", "\n \r\n# none\n", []cbpf.Reason{cbpf.Empty}, ""},
	{"a count of nothing", "0\n", []cbpf.Reason{cbpf.Empty}, ""},
	{"prose", "\nhello world", []cbpf.Reason{cbpf.NotRecognised}, "line 2: "},
	{"binary garbage", "\x7fELF\x00\x01\xff", []cbpf.Reason{cbpf.NotRecognised}, `"\x7fELF\x00\x01\xff"`},
	{"a missing line", "(000) tax\n(002) tax\n(003) ret", []cbpf.Reason{cbpf.WrongIndex}, "line 2: (001) wrong index: found (002), expected (001)"},
	{"a truncated index", "(000) tax\n(00", []cbpf.Reason{cbpf.BadLine}, "line 2: "},
	{"a truncated line", "(000)", []cbpf.Reason{cbpf.BadLine}, "nothing stands after"},
	{"a warning in between", "(000) tax\nWarning: assuming Ethernet\n(001) ret", []cbpf.Reason{cbpf.BadLine}, "line 2: "},
	{"a listing goes on as C", "(000) tax\n{ 0x6, 0, 0, 0x0 },", []cbpf.Reason{cbpf.BadLine}, "looks like notation dd"},
	{"an index that is none", "(0x1) tax", []cbpf.Reason{cbpf.BadNumber}, "index"},
	{"an index beyond all", "(99999999999) tax", []cbpf.Reason{cbpf.NumberTooBig}, "1048575 is the most"},
	{"a mnemonic of bpf_asm", "(000) jmp 3", []cbpf.Reason{cbpf.UnknownMnemonic}, `"jmp"`},
	{"no operand", "(000) ldh", []cbpf.Reason{cbpf.BadOperand}, "ldh takes [k] or [x + k]"},
	{"an operand of another opcode", "(000) ldh M[3]", []cbpf.Reason{cbpf.BadOperand}, `"M[3]"`},
	{"an operand too many", "(000) tax x", []cbpf.Reason{cbpf.BadOperand}, "tax takes nothing"},
	{"two numbers", "(000) ret #1 2", []cbpf.Reason{cbpf.BadOperand}, `"#1 2"`},
	{"a name of no extension", "(000) ld [skb]", []cbpf.Reason{cbpf.BadNumber}, `"skb"`},
	{"an operand too big", "(000) ret #4294967296", []cbpf.Reason{cbpf.NumberTooBig}, "4294967295 fit"},
	{"an operand too small", "(000) ret #-2147483649", []cbpf.Reason{cbpf.NumberTooBig}, "-2147483648 to"},
	{"hexadecimal without digits", "(000) ret #0x", []cbpf.Reason{cbpf.BadNumber}, ""},
	{"lost operand", "(000) unimp 0xa4", []cbpf.Reason{cbpf.LostOperand}, "xor #k"},
	{"lost comparison", "(000) unimp 0x15 jt 1 jf 2", []cbpf.Reason{cbpf.LostOperand}, "jeq #k"},
	{"an opcode too big", "(000) unimp 0x10000", []cbpf.Reason{cbpf.NumberTooBig}, "65535"},
	{"a jump without targets", "(000) jeq #0x1", []cbpf.Reason{cbpf.BadTargets}, "jt N jf N"},
	{"a jump with one target", "(000) jeq #0x1 jt 2", []cbpf.Reason{cbpf.BadTargets}, ""},
	{"targets without a jump", "(000) tax jt 1 jf 2", []cbpf.Reason{cbpf.BadTargets}, "tax has none"},
	{"a target that is no number", "(000) jeq #0x1 jt a jf 2", []cbpf.Reason{cbpf.BadNumber}, `jt "a"`},
	{"a backward conditional jump", "(000) tax\n(001) jeq x jt 2 jf 1", []cbpf.Reason{cbpf.OutOfReach}, "jf 1, 2 to 257"},
	{"both targets too far", "(000) jeq x jt 257 jf 257", []cbpf.Reason{cbpf.OutOfReach, cbpf.OutOfReach}, "jt 257, 1 to 256"},
	{"raw fields of another opcode", "(000) tax ; raw 0x0087 0 0 1", []cbpf.Reason{cbpf.RawConflict}, "`txa`"},
	{"raw fields of another operand", "(000) ret #1 ; raw 0x0006 1 0 2", []cbpf.Reason{cbpf.RawConflict}, "`ret      #2`"},
	{"raw fields too few", "(000) tax ; raw 0x0007 0 1", []cbpf.Reason{cbpf.BadRow}, "has 3"},
	{"C row too short", "{ 1, 2, 3 },", []cbpf.Reason{cbpf.BadRow}, "has 3"},
	{"C row cut off", "{ 6, 0, 0, 0 },\n{ 6, 0, 0", []cbpf.Reason{cbpf.BadRow}, "line 2: (001) "},
	{"C row not closed", "{ 6, 0, 0, 0\n{ 6, 0, 0, 0 }", []cbpf.Reason{cbpf.BadRow}, "} is expected"},
	{"words between C rows", "{ 6, 0, 0, 0 },\n\nx\n{ 6, 0, 0, 0 }", []cbpf.Reason{cbpf.BadRow}, "line 3: (001) "},
	{"C goes on as a listing", "{ 6, 0, 0, 0 },\n(001) tax", []cbpf.Reason{cbpf.BadRow}, "{ is expected"},
	{"fields too big", "{ 0x10000, 256, 300, 0x100000000 }", []cbpf.Reason{cbpf.NumberTooBig, cbpf.NumberTooBig,
		cbpf.NumberTooBig, cbpf.NumberTooBig}, `jt "256", 255 is the most`},
	{"octal", "{ 0x28, 0, 0, 014 }", []cbpf.Reason{cbpf.BadNumber}, "leading zeros"},
	{"an empty field", "{ 0x28, , 0, 1 }", []cbpf.Reason{cbpf.BadNumber}, `jt ""`},
	{"no count", "40 0 0 12\n6 0 0 0", []cbpf.Reason{cbpf.BadNumber}, "count"},
	{"a count too big", "4294967295\n6 0 0 0", []cbpf.Reason{cbpf.NumberTooBig}, "1048576"},
	{"instructions missing", "3\n40 0 0 12\n6 0 0 0", []cbpf.Reason{cbpf.WrongCount}, "3 announced, 2 found"},
	{"instructions too many", "1,40 0 0 12,6 0 0 0", []cbpf.Reason{cbpf.WrongCount}, "1 announced, 2 found"},
	{"a double comma", "2,6 0 0 0,,6 0 0 0", []cbpf.Reason{cbpf.BadRow, cbpf.WrongCount}, "(001) "},
	{"a negative field", "1\n6 0 0 -1", []cbpf.Reason{cbpf.BadNumber}, `k "-1"`},
}

func TestParseFaults(t *testing.T) {
	for _, tc := range badTexts {
		t.Run(tc.name, func(t *testing.T) {
			got, err := cbpf.Parse([]byte(tc.text))
			require.Nil(t, got, "%s", tc.text)
			require.Equal(t, tc.reasons, reasonsOf(err), "%s\n%v", tc.text, err)
			require.ErrorContains(t, err, tc.says)
			require.ErrorIs(t, err, tc.reasons[0])
		})
	}
}

func TestFaultsHaveTheirPlace(t *testing.T) {
	_, err := cbpf.Parse([]byte("# x\n\n3,\n6 0 0 0,\n\n6 256\n0 1,6 0 0 z"))
	var all cbpf.Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 2)
	require.Equal(t, [2]int{6, 1}, [2]int{all[0].Line, all[0].PC})
	require.Equal(t, [2]int{7, 2}, [2]int{all[1].Line, all[1].PC})
}

func TestFaultsAreBounded(t *testing.T) {
	for _, n := range cbpf.Notations() {
		for _, unit := range []string{"x\n", "(000) x\n", "{", "{ }", ",", "1 2 3\n", "{\n", "(", "jt "} {
			_, err := cbpf.ParseAs(n, []byte(strings.Repeat(unit, 1<<16)))
			require.Error(t, err, "%s %q", n, unit)
			require.LessOrEqual(t, len(reasonsOf(err)), 20, "%s %q", n, unit)
			require.Less(t, len(err.Error()), 10000, "%s %q", n, unit)
		}
	}
}

func TestTextTooLong(t *testing.T) {
	_, err := cbpf.Parse(make([]byte, 128<<20+1))
	require.ErrorIs(t, err, cbpf.TextTooLong)
}

func TestTooManyInsns(t *testing.T) {
	const most = 1 << 20
	longest := cbpf.Program{{Op: 0xb1, Jt: 255, Jf: 255, K: 0x80000000}}[0]
	p := make(cbpf.Program, most)
	for i := range p {
		p[i] = longest
	}
	for _, n := range cbpf.Notations() {
		text, err := cbpf.Print(p, n)
		require.NoError(t, err)
		got, err := cbpf.Parse([]byte(text))
		require.NoError(t, err)
		require.True(t, len(got) == most && got[most-1] == longest)
	}
	_, err := cbpf.Print(append(p, longest), cbpf.CStruct)
	require.ErrorIs(t, err, cbpf.TooManyInsns)
	_, err = cbpf.Parse(bytes.Repeat([]byte("{6,0,0,0}"), most+1))
	require.ErrorIs(t, err, cbpf.TooManyInsns)
}

func TestSniff(t *testing.T) {
	for want, text := range map[cbpf.Notation]string{
		cbpf.Listing: "\n; x\n (000) anything",
		cbpf.CStruct: "{",
		cbpf.Decimal: "12\n6 0,0 0",
		cbpf.XTBPF:   "12,",
	} {
		got, err := cbpf.Sniff([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, got, "%s", text)
	}
}

func TestNotationByName(t *testing.T) {
	for _, n := range append(cbpf.Notations(), cbpf.Auto) {
		got, err := cbpf.NotationByName(string(n))
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	_, err := cbpf.NotationByName("tcpdmp")
	require.ErrorIs(t, err, cbpf.UnknownNotation)
	require.EqualError(t, err, `unknown notation: "tcpdmp"; known are auto, tcpdump, dd, ddd, xtbpf`)

	_, err = cbpf.ParseAs("x", []byte("(000) ret"))
	require.ErrorIs(t, err, cbpf.UnknownNotation)
	_, err = cbpf.Print(cbpf.Program{{Op: 0x16}}, cbpf.Auto)
	require.ErrorIs(t, err, cbpf.UnknownNotation)
	var one *cbpf.Error
	require.True(t, errors.As(err, &one) && one.PC == -1, fmt.Sprint(err))
}
