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
	{"spellings of bpf_asm in a listing", "(000) ldh proto\n(001) LDX #len\n(002) ld [%x + 4]\n(003) ret a",
		cbpf.Program{{Op: 0x28, K: 0xfffff000}, {Op: 0x81}, {Op: 0x40, K: 4}, {Op: 0x16}}},
	{"labels", "start: ldh [12]\n jeq #0x800, ip, drop\nip:\n ret #-1\ndrop: ret #0\n",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jt: 0, Jf: 1, K: 0x800}, {Op: 0x06, K: 0xffffffff}, {Op: 0x06}}},
	{"labels differ by case", "jmp Aa\nAa: ja aa\naa: RET A", cbpf.Program{{Op: 0x05}, {Op: 0x05}, {Op: 0x16}}},
	{"aliases", "aa: jmp bb\n bb: jne #1, cc\njneq x, cc\njlt #2, cc\njle %x, cc\nldi 5\nldi #6\nldxi 7\ncc: ret a",
		cbpf.Program{{Op: 0x05}, {Op: 0x15, Jf: 6, K: 1}, {Op: 0x1d, Jf: 5}, {Op: 0x35, Jf: 4, K: 2}, {Op: 0x2d, Jf: 3},
			{K: 5}, {K: 6}, {Op: 0x01, K: 7}, {Op: 0x16}}},
	{"one label is for the truth", "jset #4, aa\nret a\naa: ret %a", cbpf.Program{{Op: 0x45, Jt: 1, K: 4}, {Op: 0x16}, {Op: 0x16}}},
	{"a backward jump", "aa: tax\njmp aa", cbpf.Program{{Op: 0x07}, {Op: 0x05, K: 0xfffffffe}}},
	{"numbers of bpf_asm", "ld #-5\nld #+5\nld #0x1F\nld #0b101\nld #017\nld #0\nld #00",
		cbpf.Program{{K: 0xfffffffb}, {K: 5}, {K: 31}, {K: 5}, {K: 15}, {}, {}}},
	{"operands of bpf_asm", "LDB [ %X + -1 ]\nldh[12]\nld len\nldx #LEN\nld m[3]\nldx 4*([14]&0xf)\nldxb 4 * ([14] & 15)\nadd %x\nret x",
		cbpf.Program{{Op: 0x50, K: 0xffffffff}, {Op: 0x28, K: 12}, {Op: 0x80}, {Op: 0x81}, {Op: 0x60, K: 3}, {Op: 0xb1, K: 14},
			{Op: 0xb1, K: 14}, {Op: 0x0c}, {Op: 0x0e}}},
	{"extensions of bpf_asm", "ld vlan_pr\nldb #vlan_avail\nldh rand\nld #poff",
		cbpf.Program{{Op: 0x20, K: 0xfffff030}, {Op: 0x30, K: 0xfffff030}, {Op: 0x28, K: 0xfffff038}, {Op: 0x20, K: 0xfffff034}}},
	{"comments of bpf_asm", "/* a\n b */ tax ; c /* d\n# e */\ntxa /* f */ tax /**/\n ret #1 // g",
		cbpf.Program{{Op: 0x07}, {Op: 0x87}, {Op: 0x07}, {Op: 0x06, K: 1}}},
	{"a comment behind a label", "aa: // b\n tax\nbb: ; c\nret a", cbpf.Program{{Op: 0x07}, {Op: 0x16}}},
	{"instructions on one line", "tax aa: txa ret #1 ja aa", cbpf.Program{{Op: 0x07}, {Op: 0x87}, {Op: 0x06, K: 1}, {Op: 0x05, K: 0xfffffffd}}},
	{"raw fields of bpf_asm", "tax ; raw 0x0007 1 2 99\nunimp 0x5 ; raw 0x0005 0 0 700",
		cbpf.Program{{Op: 0x07, Jt: 1, Jf: 2, K: 99}, {Op: 0x05, K: 700}}},
	{"a first label of bpf_dbg's form", "l0: tax\nja l0", cbpf.Program{{Op: 0x07}, {Op: 0x05, K: 0xfffffffe}}},
	{"bpf_dbg", "l0:\tldh [12]\nl1:\tjeq #0x800, l2, l3\nl2:\tret #0xffff\nl3:\tldb [x+14]\nl4:\tja 6\nl5:\ttax \nl6:\tld #len\nl7:\tret a\n",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jf: 1, K: 0x800}, {Op: 0x06, K: 0xffff}, {Op: 0x50, K: 14}, {Op: 0x05, K: 1},
			{Op: 0x07}, {Op: 0x80}, {Op: 0x16}}},
	{"what bpf_dbg does not know", "l0:\tnosup 0x81\nl1:\tnosup 0x55, l3, l5\nl2:\tret x\n",
		cbpf.Program{{Op: 0x81}, {Op: 0x55, Jt: 1, Jf: 3}, {Op: 0x0e}}},
	{"x/net", "ldh [12]\njneq #2048,5\njeq #5,1,2\njset #5,0,3\njlt x,3\nldx 4*([14]&0xf)\nld #vlan_avail\nja 4294967295\nret a",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jf: 5, K: 2048}, {Op: 0x15, Jt: 1, Jf: 2, K: 5}, {Op: 0x45, Jf: 3, K: 5}, {Op: 0x3d, Jf: 3},
			{Op: 0xb1, K: 14}, {Op: 0x20, K: 0xfffff030}, {Op: 0x05, K: 0xffffffff}, {Op: 0x16}}},
	{"a C array", "#include <linux/filter.h>\n\nstatic struct sock_filter code[] = {\n\t{ 0x28, 0, 0, 12 }, /* type */\n\t{ 0x6, 0, 0, 1 },\n};\n",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 1}}},
	{"designated fields", "struct sock_filter f[2] = {{ .code = 0x15, .jf = 1, .k = 0x800u }, { .code = BPF_RET }};",
		cbpf.Program{{Op: 0x15, Jf: 1, K: 0x800}, {Op: 0x06}}},
	{"C macros", "BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),\nBPF_JUMP (BPF_JMP+BPF_JEQ+BPF_K, 0x800, 0, 1),\n" +
		"BPF_STMT(BPF_LD+BPF_W+BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL),\nBPF_STMT(BPF_RET | BPF_K, -1),",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jf: 1, K: 0x800}, {Op: 0x20, K: 0xfffff000}, {Op: 0x06, K: 0xffffffff}}},
	{"a Go literal", "[]bpf.RawInstruction{{Op: 0x28, K: 12}, {0x15, 1, 2, 3}, bpf.RawInstruction{Op: 0x6}}",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jt: 1, Jf: 2, K: 3}, {Op: 0x06}}},
	{"a Go file", "// Package x\npackage x\n\nimport \"golang.org/x/net/bpf\"\n\nfunc f() []bpf.RawInstruction {\n\treturn []bpf.RawInstruction{\n" +
		"\t\t{Op: 0x28, Jt: 0, Jf: 0, K: 0xc}, // type\n\t\tbpf.RawInstruction{Op: 6},\n\t}\n}\n",
		cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"elements of a Go literal", "{Op: 0x28, Jt: 0, Jf: 0, K: 0xc},\n{Op: 0x6},", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"Go structs", "bpf.RawInstruction{Op: 0x28, K: 12}\nbpf.RawInstruction{Op: 6}", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"JSON", "[\n{\"code\":40,\"jt\":0,\"jf\":0,\"k\":12},{\"Op\": 6, \"K\": 1}\n]\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 1}}},
	{"JSON lines", "{\"code\":40,\"k\":12}\n{\"code\":6}\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06}}},
	{"bytes", "\x28\x00\x00\x00\x0c\x00\x00\x00\x06\x00\x00\x00\x00\x00\x04\x00", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 0x40000}}},
	{"big-endian bytes", "\x00\x28\x00\x00\x00\x00\x00\x0c\x00\x06\x00\x00\x00\x04\x00\x00", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 0x40000}}},
	{"hexadecimal", "28000000 0c000000\n06 00 0000 00 00 04 00\n", cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x06, K: 0x40000}}},
	{"hexadecimal letters", "B1 00 00 00 0E 00 00 00", cbpf.Program{{Op: 0xb1, K: 14}}},
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
	{"nothing", "", []cbpf.Reason{cbpf.ReasonEmpty}, ""},
	{"only a carriage return", "\r", []cbpf.Reason{cbpf.ReasonEmpty}, ""},
	{"only blanks and comments", "\n \r\n# none\n", []cbpf.Reason{cbpf.ReasonEmpty}, ""},
	{"a count of nothing", "0\n", []cbpf.Reason{cbpf.ReasonEmpty}, ""},
	{"prose", "\nhello world", []cbpf.Reason{cbpf.ReasonNotRecognised}, "line 2: "},
	{"binary garbage", "\x7fELF\x00\x01\xff", []cbpf.Reason{cbpf.ReasonNotRecognised}, `"\x7fELF\x00\x01\xff"`},
	{"a missing line", "(000) tax\n(002) tax\n(003) ret", []cbpf.Reason{cbpf.ReasonWrongIndex}, "line 2: (001) wrong index: found (002), expected (001)"},
	{"a truncated index", "(000) tax\n(00", []cbpf.Reason{cbpf.ReasonBadLine}, "line 2: "},
	{"a truncated line", "(000)", []cbpf.Reason{cbpf.ReasonBadLine}, "nothing stands after"},
	{"a warning in between", "(000) tax\nWarning: assuming Ethernet\n(001) ret", []cbpf.Reason{cbpf.ReasonBadLine}, "line 2: "},
	{"a listing goes on as C", "(000) tax\n{ 0x6, 0, 0, 0x0 },", []cbpf.Reason{cbpf.ReasonBadLine}, "looks like notation dd"},
	{"an index that is none", "(0x1) tax", []cbpf.Reason{cbpf.ReasonBadNumber}, "index"},
	{"an index beyond all", "(99999999999) tax", []cbpf.Reason{cbpf.ReasonNumberTooBig}, "1048575 is the most"},
	{"a mnemonic of bpf_asm", "(000) jmp 3", []cbpf.Reason{cbpf.ReasonUnknownMnemonic}, `"jmp"`},
	{"no operand", "(000) ldh", []cbpf.Reason{cbpf.ReasonBadOperand}, "ldh takes [k] or [x + k]"},
	{"an operand of another opcode", "(000) ldh M[3]", []cbpf.Reason{cbpf.ReasonBadOperand}, `"M[3]"`},
	{"an operand too many", "(000) tax x", []cbpf.Reason{cbpf.ReasonBadOperand}, "tax takes nothing"},
	{"two numbers", "(000) ret #1 2", []cbpf.Reason{cbpf.ReasonBadOperand}, `"#1 2"`},
	{"a name of no extension", "(000) ld [skb]", []cbpf.Reason{cbpf.ReasonBadNumber}, `"skb"`},
	{"an operand too big", "(000) ret #4294967296", []cbpf.Reason{cbpf.ReasonNumberTooBig}, "4294967295 fit"},
	{"an operand too small", "(000) ret #-2147483649", []cbpf.Reason{cbpf.ReasonNumberTooBig}, "-2147483648 to"},
	{"hexadecimal without digits", "(000) ret #0x", []cbpf.Reason{cbpf.ReasonBadNumber}, ""},
	{"lost operand", "(000) unimp 0xa4", []cbpf.Reason{cbpf.ReasonLostOperand}, "xor #k"},
	{"lost comparison", "(000) unimp 0x15 jt 1 jf 2", []cbpf.Reason{cbpf.ReasonLostOperand}, "jeq #k"},
	{"an opcode too big", "(000) unimp 0x10000", []cbpf.Reason{cbpf.ReasonNumberTooBig}, "65535"},
	{"a jump without targets", "(000) jeq #0x1", []cbpf.Reason{cbpf.ReasonBadTargets}, "jt N jf N"},
	{"a jump with one target", "(000) jeq #0x1 jt 2", []cbpf.Reason{cbpf.ReasonBadTargets}, ""},
	{"targets without a jump", "(000) tax jt 1 jf 2", []cbpf.Reason{cbpf.ReasonBadTargets}, "tax has none"},
	{"a target that is no number", "(000) jeq #0x1 jt a jf 2", []cbpf.Reason{cbpf.ReasonBadNumber}, `jt "a"`},
	{"a backward conditional jump", "(000) tax\n(001) jeq x jt 2 jf 1", []cbpf.Reason{cbpf.ReasonOutOfReach}, "jf 1, 2 to 257"},
	{"both targets too far", "(000) jeq x jt 257 jf 257", []cbpf.Reason{cbpf.ReasonOutOfReach, cbpf.ReasonOutOfReach}, "jt 257, 1 to 256"},
	{"raw fields of another opcode", "(000) tax ; raw 0x0087 0 0 1", []cbpf.Reason{cbpf.ReasonRawConflict}, "`txa`"},
	{"raw fields of another operand", "(000) ret #1 ; raw 0x0006 1 0 2", []cbpf.Reason{cbpf.ReasonRawConflict}, "`ret      #2`"},
	{"raw fields too few", "(000) tax ; raw 0x0007 0 1", []cbpf.Reason{cbpf.ReasonBadRow}, "has 3"},
	{"a near miss", "ldw [12]\nret #1", []cbpf.Reason{cbpf.ReasonUnknownMnemonic}, "line 1: (000) unknown mnemonic: \"ldw\"; did you mean ld?"},
	{"a near miss of an extension", "ld #vlan_tcl", []cbpf.Reason{cbpf.ReasonBadNumber}, "did you mean vlan_tci?"},
	{"a near miss in a listing", "(000) ld [vlan]", []cbpf.Reason{cbpf.ReasonBadNumber}, "did you mean vlanp?"},
	{"a label nowhere", "ja drop\ndrip: ret #0", []cbpf.Reason{cbpf.ReasonUnknownLabel}, `"drop"; did you mean drip?`},
	{"a label twice", "aa: ret #0\naa: ret #1", []cbpf.Reason{cbpf.ReasonDuplicateLabel}, "line 2: (001) "},
	{"a label that is an instruction", "ret: ret #0", []cbpf.Reason{cbpf.ReasonBadLabel}, `"ret"`},
	{"a number as a label", "aa: ret #0\nja 0", []cbpf.Reason{cbpf.ReasonBadLabel}, `"0"`},
	{"a label at the end", "ret #0\naa:", []cbpf.Reason{cbpf.ReasonStrayLabel}, "line 2: "},
	{"no label", "jeq #1", []cbpf.Reason{cbpf.ReasonBadTargets}, "a label is expected"},
	{"two labels for the opposite", "jne #1, aa, aa\naa: ret a", []cbpf.Reason{cbpf.ReasonBadLabel}, `"aa, aa"`},
	{"a label behind", "aa: ret #0\njeq #1, aa", []cbpf.Reason{cbpf.ReasonOutOfReach}, "aa is (000), (002) to (257) are in reach"},
	{"both labels nowhere", "jeq #1, aa, bb", []cbpf.Reason{cbpf.ReasonUnknownLabel, cbpf.ReasonUnknownLabel}, ""},
	{"a bad octal number", "ld #08", []cbpf.Reason{cbpf.ReasonBadNumber}, `"08"`},
	{"a comment not closed", "ret #0 /* x\n", []cbpf.Reason{cbpf.ReasonUnclosedComment}, ""},
	{"raw fields of another label", "ja aa ; raw 0x0005 0 0 1\naa: ret a", []cbpf.Reason{cbpf.ReasonRawConflict}, "`unimp 0x5`"},
	{"a missing line of bpf_dbg", "l0: tax\nl1: tax\nl3: ret a", []cbpf.Reason{cbpf.ReasonWrongIndex}, "found l3:, expected l2:"},
	{"one target in bpf_dbg", "l0:\tjeq #0x1, l1", []cbpf.Reason{cbpf.ReasonBadTargets}, "two such as l1"},
	{"a target too far in bpf_dbg", "l0:\tjeq x, l1, l257", []cbpf.Reason{cbpf.ReasonOutOfReach}, "jf 257"},
	{"a lost operand in bpf_dbg", "l0:\tnosup 0x20", []cbpf.Reason{cbpf.ReasonLostOperand}, ""},
	{"an index missing in bpf_dbg", "l0: tax\nl1: tax\nret a", []cbpf.Reason{cbpf.ReasonBadLine}, "line 3: (002) not a line of a listing: \"ret a\", which looks like notation asm"},
	{"a skip too far", "jeq #1,2,256", []cbpf.Reason{cbpf.ReasonNumberTooBig}, `jf "256", 255 is the most`},
	{"two skips of the opposite", "jneq #1,2,3", []cbpf.Reason{cbpf.ReasonBadTargets}, "one number"},
	{"what x/net has no text for", "ja 1\nunknown instruction: bpf.LoadExtension{Num:40}", []cbpf.Reason{cbpf.ReasonUnknownMnemonic}, "line 2: "},
	{"C row too short", "{ 1, 2, 3 },", []cbpf.Reason{cbpf.ReasonBadRow}, "has 3"},
	{"C row cut off", "{ 6, 0, 0, 0 },\n{ 6, 0, 0", []cbpf.Reason{cbpf.ReasonBadRow}, "line 2: (001) "},
	{"C row not closed", "{ 6, 0, 0, 0\n{ 6, 0, 0, 0 }", []cbpf.Reason{cbpf.ReasonBadRow}, "} is expected"},
	{"words between C rows", "{ 6, 0, 0, 0 },\n\nx\n{ 6, 0, 0, 0 }", []cbpf.Reason{cbpf.ReasonBadRow}, "line 3: (001) "},
	{"an array that does not end", "struct sock_filter f[] = {\n{ 6, 0, 0, 0 },\n", []cbpf.Reason{cbpf.ReasonBadRow}, "line 3: "},
	{"two arrays", "struct sock_filter f[] = {{6,0,0,0}};\nstruct sock_filter g[] = {{6,0,0,1}};", []cbpf.Reason{cbpf.ReasonSecondProgram}, "holds one"},
	{"an unknown constant", "BPF_STMT(BPF_LD | BPF_HH, 12)", []cbpf.Reason{cbpf.ReasonUnknownConstant}, `"BPF_HH"; did you mean BPF_H?`},
	{"a macro without its fields", "BPF_STMT(BPF_RET | BPF_K)", []cbpf.Reason{cbpf.ReasonBadRow}, "has 1, and code, k are expected"},
	{"a macro not closed", "BPF_STMT(BPF_RET | BPF_K, 1;", []cbpf.Reason{cbpf.ReasonBadRow}, ") is expected"},
	{"C comment not closed", "{ 6, 0, 0, 0 },\n /* x", []cbpf.Reason{cbpf.ReasonUnclosedComment}, "line 2: "},
	{"an unknown field", "[]bpf.RawInstruction{{Op: 6, X: 1}}", []cbpf.Reason{cbpf.ReasonBadRow}, `field "X"`},
	{"a field twice", `[{"code": 6, "op": 6}]`, []cbpf.Reason{cbpf.ReasonBadRow}, `field "op"`},
	{"a field that is no number", `[{"code": 6, "k": null}]`, []cbpf.Reason{cbpf.ReasonUnknownConstant}, `k "null"`},
	{"C goes on as a listing", "{ 6, 0, 0, 0 },\n(001) tax", []cbpf.Reason{cbpf.ReasonBadRow}, "{ is expected"},
	{"fields too big", "{ 0x10000, 256, 300, 0x100000000 }", []cbpf.Reason{cbpf.ReasonNumberTooBig, cbpf.ReasonNumberTooBig,
		cbpf.ReasonNumberTooBig, cbpf.ReasonNumberTooBig}, `jt "256", 255 is the most`},
	{"octal", "{ 0x28, 0, 0, 014 }", []cbpf.Reason{cbpf.ReasonBadNumber}, "leading zeros"},
	{"an empty field", "{ 0x28, , 0, 1 }", []cbpf.Reason{cbpf.ReasonBadNumber}, `jt ""`},
	{"hexadecimal cut off", "28 00 00 00 0c 00 00 00\n06 0", []cbpf.Reason{cbpf.ReasonBadHex}, `line 2: (001) not hexadecimal digits: "0"`},
	{"hexadecimal of half an instruction", "28 00 00 00 0c 00 00 00 06", []cbpf.Reason{cbpf.ReasonCutInstruction}, "(001) "},
	{"bytes cut off", "\x28\x00\x00\x00\x0c\x00\x00\x00\x06\x00", []cbpf.Reason{cbpf.ReasonCutInstruction}, "2 bytes, where an instruction has 8"},
	{"no count", "40 0 0 12\n6 0 0 0", []cbpf.Reason{cbpf.ReasonBadNumber}, "count"},
	{"a count too big", "4294967295\n6 0 0 0", []cbpf.Reason{cbpf.ReasonNumberTooBig}, "1048576"},
	{"instructions missing", "3\n40 0 0 12\n6 0 0 0", []cbpf.Reason{cbpf.ReasonWrongCount}, "3 announced, 2 found"},
	{"instructions too many", "1,40 0 0 12,6 0 0 0", []cbpf.Reason{cbpf.ReasonWrongCount}, "1 announced, 2 found"},
	{"a double comma", "2,6 0 0 0,,6 0 0 0", []cbpf.Reason{cbpf.ReasonBadRow, cbpf.ReasonWrongCount}, "(001) "},
	{"a negative field", "1\n6 0 0 -1", []cbpf.Reason{cbpf.ReasonBadNumber}, `k "-1"`},
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
		for _, unit := range []string{"x\n", "(000) x\n", "{", "{ }", ",", "1 2 3\n", "{\n", "(", "jt ", "a:", "/*", "a/", "[]", "(", "ld\nx:"} {
			_, err := cbpf.ParseAs(n, []byte(strings.Repeat(unit, 1<<16)))
			if n == cbpf.Raw || n == cbpf.RawBE { // any bytes are instructions
				continue
			}
			require.Error(t, err, "%s %q", n, unit)
			require.LessOrEqual(t, len(reasonsOf(err)), 20, "%s %q", n, unit)
			require.Less(t, len(err.Error()), 10000, "%s %q", n, unit)
		}
	}
}

func TestTextTooLong(t *testing.T) {
	_, err := cbpf.Parse(make([]byte, 128<<20+1))
	require.ErrorIs(t, err, cbpf.ReasonTextTooLong)
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
	require.ErrorIs(t, err, cbpf.ReasonTooManyInsns)
	_, err = cbpf.Parse(bytes.Repeat([]byte("{6,0,0,0}"), most+1))
	require.ErrorIs(t, err, cbpf.ReasonTooManyInsns)
}

func TestSniff(t *testing.T) {
	for want, text := range map[cbpf.Notation]string{
		cbpf.Listing: "\n; x\n (000) anything",
		cbpf.CStruct: "{",
		cbpf.Decimal: "12\n6 0,0 0",
		cbpf.XTBPF:   "12,",
		cbpf.Asm:     "# c\n/* d */ ldh [12]\nja drop",
		cbpf.Dbg:     "l0:\tret a\n",
		cbpf.XNet:    "ldh [12]\nja 5",
		cbpf.Raw:     "\x06\x00\x00\x00\x00\x00\x00\x00",
		cbpf.RawBE:   "\x00\x06\x00\x00\x00\x00\x00\x00",
		cbpf.Hex:     "28 00",
		cbpf.Go:      "package x\n\nvar p = []bpf.RawInstruction{",
		cbpf.JSON:    "[\n{",
		cbpf.Dump:    " line  CODE  JT   JF      K",
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
	require.ErrorIs(t, err, cbpf.ReasonUnknownNotation)
	require.EqualError(t, err, `unknown notation: "tcpdmp"; known are auto, tcpdump, dd, ddd, xtbpf, `+
		`asm, dbg, xnet, raw, raw-be, hex, go, json, dump`)

	_, err = cbpf.ParseAs("x", []byte("(000) ret"))
	require.ErrorIs(t, err, cbpf.ReasonUnknownNotation)
	_, err = cbpf.Print(cbpf.Program{{Op: 0x16}}, cbpf.Auto)
	require.ErrorIs(t, err, cbpf.ReasonUnknownNotation)
	var one *cbpf.Error
	require.True(t, errors.As(err, &one) && one.PC == -1, fmt.Sprint(err))
}
