package cbpf_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// pastedTexts are programs as people copy them from terminals, web pages, sources and dumps, with what is around them.
// All are the same program but for those that say otherwise.
var pastedTexts = []struct {
	name, text string
	notation   cbpf.Notation
	want       string // as tcpdump -ddd writes it, with commas; "" for that of `ip`
}{
	{"a terminal", "$ sudo tcpdump -d -i eth0 ip\ntcpdump: data link type EN10MB\nWarning: assuming Ethernet\n" + ipListing, cbpf.Listing, ""},
	{"tabs and a web page's blanks", "\u00a0" + strings.ReplaceAll(ipListing, "      ", "\u00a0\t"), cbpf.Listing, ""},
	{"a block of Markdown", "```\n" + ipListing + "```\n", cbpf.Listing, ""},
	{"PowerShell", utf16LE(strings.ReplaceAll(ipListing, "\n", "\r\n")), cbpf.Listing, ""},
	{"lines of old", strings.ReplaceAll(ipListing, "\n", "\r"), cbpf.Listing, ""},
	{"a comment of two lines", "/* EtherType\n   of IPv4 */ ldh [12]\njne #0x800, drop\nret #262144\ndrop: ret #0", cbpf.Asm, ""},

	{"iptables-save", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m bpf --bytecode \"4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0\" -j ACCEPT\nCOMMIT\n",
		cbpf.XTBPF, ""},
	{"iptables -L", " pkts bytes target     prot opt in     out     source               destination\n" +
		"    0     0 ACCEPT     0    --  any    any     anywhere             anywhere             match bpf 40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0\n",
		cbpf.XTBPF, ""},
	{"tc filter show", "filter protocol all pref 49152 bpf chain 0 \nfilter protocol all pref 49152 bpf chain 0 handle 0x1 flowid 1:1 not_in_hw " +
		"bytecode '4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0'\n", cbpf.XTBPF, ""},
	{"a command of tc", "tc filter add dev em1 parent 1: bpf run bytecode '4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0,' flowid 1:1", cbpf.XTBPF, ""},
	{"a string in quotes", "'4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0'", cbpf.XTBPF, ""},
	{"a variable of a shell", "CBPF_IP=\"4,\n\t\t40 0 0 12,\n\t\t21 0 1 2048,\n\t\t6 0 0 262144,\n\t\t6 0 0 0\"\n", cbpf.XTBPF, ""},
	{"the manual page of iptables' match", "4               # number of instructions\n40 0 0 12       # load half word\n" +
		"21 0 1 2048     # jump equal\n6 0 0 262144    # return     pass\n6 0 0 0         # return     fail\n", cbpf.Decimal, ""},
	{"ss -b", "Netid Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\np_raw 0      0                  *:lo               *    \n" +
		"\t bpf filter (4):  0x28 0 0 12, 0x15 0 1 2048, 0x06 0 0 262144, 0x06 0 0 0, \n", cbpf.XTBPF, ""},

	{"seccomp-tools dump", " line  CODE  JT   JF      K\n=================================\n 0000: 0x20 0x00 0x00 0x00000004  A = arch\n" +
		" 0001: 0x15 0x00 0x01 0xc000003e  if (A != ARCH_X86_64) goto 0003\n 0002: 0x06 0x00 0x00 0x7fff0000  return ALLOW\n" +
		" 0003: 0x06 0x00 0x00 0x00000000  return KILL\n", cbpf.Dump, "4,32 0 0 4,21 0 1 3221225534,6 0 0 2147418112,6 0 0 0"},
	{"seccomp-tools dump -f inspect", `" \x00\x00\x00\x04\x00\x00\x00\x06\x00\x00\x00\n\x00\x05\x00"` + "\n", cbpf.Hex, "2,32 0 0 4,6 0 0 327690"},
	{"bytes of Python", `filter = b'\x28\x00\x00\x00\x0c\x00\x00\x00' \` + "\n" + `         b'\x06\0\0\0\0\0\x04\0'`, cbpf.Hex, "2,40 0 0 12,6 0 0 262144"},
	{"a printf of a shell", `\x28\x00\x00\x00\x0c\x00\x00\x00\x06\x00\x00\x00\x00\x00\x04\x00`, cbpf.Hex, "2,40 0 0 12,6 0 0 262144"},
	{"xxd", "00000000: 2800 0000 0c00 0000 0600 0000 0000 0400  (...............\n", cbpf.Hex, "2,40 0 0 12,6 0 0 262144"},
	{"hexdump -C", "00000000  28 00 00 00 0c 00 00 00  06 00 00 00 00 00 04 00  |(...............|\n00000010\n", cbpf.Hex, "2,40 0 0 12,6 0 0 262144"},
	{"od -t x1", "0000000 28 00 00 00 0c 00 00 00 06 00 00 00 00 00 04 00\n0000020\n", cbpf.Hex, "2,40 0 0 12,6 0 0 262144"},

	{"a source of C", "#include <linux/filter.h>\n\nstatic int f(int a[4]) { return a[0]; }\n\n/* tcpdump -dd ip */\nstatic struct sock_filter code[] = {\n" +
		"\t{ 0x28,  0,  0, 0x0000000c },\n\tBPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 1),\n\tBPF_STMT(BPF_RET | BPF_K, 1 << 18),\n" +
		"\tBPF_STMT(BPF_RET+BPF_K, 0),\n};\n\nstruct sock_fprog bpf = {\n\t.len = ARRAY_SIZE(code),\n\t.filter = code,\n};\n", cbpf.CStruct, ""},
	{"cc -E", "struct sock_filter {\n __u16 code;\n __u8 jt;\n __u8 jf;\n __u32 k;\n};\nint main(void)\n{\n struct sock_filter filter[] = {\n" +
		"  { (unsigned short)(0x00|0x00|0x20), 0, 0, (__builtin_offsetof (struct seccomp_data, arch)) },\n" +
		"  { (unsigned short)(0x05|0x10|0x00), 1, 0, ((62|0x80000000|0x40000000)) },\n" +
		"  { (unsigned short)(0x06|0x00), 0, 0, 0x00050000U | (1 & 0x0000ffffU) },\n  { (unsigned short)(0x06|0x00), 0, 0, (__u32)-1 },\n };\n return 0;\n}\n",
		cbpf.CStruct, "4,32 0 0 4,21 1 0 3221225534,6 0 0 327681,6 0 0 4294967295"},
	{"a filter of a manual page", "struct sock_filter filter[] = {\n BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offsetof(struct seccomp_data, args[1]) + 4)),\n" +
		" BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, ~0 & 1),\n BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA)),\n" +
		" BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),\n};", cbpf.CStruct, "4,32 0 0 28,21 0 1 3221225534,6 0 0 327681,6 0 0 2147483648"},
	{"BSD", "struct bpf_insn dhcp_bpf_filter [] = {\n\t/* Make sure this is an IP packet... */\n\tBPF_STMT (BPF_LD + BPF_H + BPF_ABS, 12),\n" +
		"\tBPF_JUMP (BPF_JMP + BPF_JEQ + BPF_K, ETHERTYPE_IP, 0, 1),\n\tBPF_STMT(BPF_RET+BPF_K, 0x40000),\n\tBPF_STMT(BPF_RET+BPF_K, 0),\n};", cbpf.CStruct, ""},
	{"a macro of C", "#define IP_FILTER\t\\\n\t{ 0x28, 0, 0, 0x0000000c },\t\t\\\n\t{ 0x15, 0, 1, 0x00000800 },\t\\\n\t{ 0x6, 0, 0, 0x00040000 }, \\\n\t{ 0x6, 0, 0, 0x00000000 }\n",
		cbpf.CStruct, ""},
	{"packet types", "BPF_STMT(BPF_LD + BPF_B + BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),\nBPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, PACKET_OUTGOING, 0, 1),\n" +
		"BPF_STMT(BPF_RET + BPF_K, PACKET_HOST),\nBPF_STMT(BPF_RET + BPF_K, 0xFFFF),\n", cbpf.CStruct, "4,48 0 0 4294963204,21 0 1 4,6 0 0 0,6 0 0 65535"},
	{"a compound literal", "prog.filter = (struct sock_filter []) {\n{ 0x28, 0, 0, 12 }, {0x15, 0, 1, 0x800}, {6, 0, 0, 262144}, {6, 0, 0, 0} };", cbpf.CStruct, ""},

	{"a source of Go", "\tfilter := []bpf.RawInstruction{\n\t\t{0x28, 0, 0, 0x0000000c},\n\t\t{0x15, 0, 1, 0x00000800}, // IPv4\n\t\t{0x6, 0, 0, 0x00040000},\n" +
		"\t\t{0x6, 0, 0, 0x00000000},\n\t}\n\tif err := conn.SetBPF(filter); err != nil {\n\t\treturn err\n\t}\n", cbpf.Go, ""},
	{"syscall.SockFilter", "var f = []syscall.SockFilter{\n{Code: syscall.BPF_LD | syscall.BPF_H | syscall.BPF_ABS, K: 12},\nsyscall.SockFilter{Code: 0x15, Jf: 1, K: 0x800},\n" +
		"{Code: 6, K: 262144},\n{Code: 6},\n}", cbpf.Go, ""},
	{"gopacket", "[]pcap.BPFInstruction{\n    {0x28, 0, 0, 0xc},\n    {0x15, 0, 1, 0x800},\n    {6, 0, 0, 262144},\n    {6, 0, 0, 0},\n}", cbpf.Go, ""},
	{"instructions of x/net", "\tprog, err := bpf.Assemble([]bpf.Instruction{\n\t\tbpf.LoadAbsolute{Off: 12, Size: 2}, // EtherType\n" +
		"\t\tbpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x800, SkipTrue: 1},\n\t\tbpf.RetConstant{Val: 1 << 18},\n\t\tbpf.RetConstant{},\n\t})\n", cbpf.Go, ""},
	{"all types of x/net", "[]bpf.Instruction{bpf.LoadConstant{bpf.RegX, 7}, bpf.LoadScratch{Dst: bpf.RegA, N: 3}, bpf.LoadIndirect{Off: 1, Size: 4}," +
		"bpf.LoadMemShift{Off: 14}, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.StoreScratch{Src: bpf.RegX, N: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 5}," +
		"bpf.ALUOpX{Op: bpf.ALUOpXor}, bpf.NegateA{}, bpf.Jump{Skip: 1}, bpf.JumpIfX{Cond: bpf.JumpBitsSet, SkipTrue: 1}, bpf.TXA{}, bpf.TAX{}, bpf.RetA{}}",
		cbpf.Go, "14,1 0 0 7,96 0 0 3,64 0 0 1,177 0 0 14,128 0 0 0,3 0 0 2,4 0 0 5,172 0 0 0,132 0 0 0,5 0 0 1,77 1 0 0,135 0 0 0,7 0 0 0,22 0 0 0"},
	{"Rust", "let filter = [\n    sock_filter { code: 0x28, jt: 0, jf: 0, k: 0xc },\n    libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 0x800 },\n" +
		"    sock_filter { code: 6, jt: 0, jf: 0, k: 262144 },\n    sock_filter { code: 6, jt: 0, jf: 0, k: 0 },\n];", cbpf.CStruct, ""},
	{"tuples of Python", "filters = [\n    (0x28, 0, 0, 0x0000000c),\n    (0x15, 0, 1, 0x00000800),\n    (6, 0, 0, 262144),\n    (6, 0, 0, 0)\n]", cbpf.CStruct, ""},
	{"lists of JSON", "[[40,0,0,12],[21,0,1,2048],[6,0,0,262144],[6,0,0,0]]", cbpf.JSON, ""},
}

const ipListing = "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n(002) ret      #262144\n(003) ret      #0\n"

func utf16LE(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

func TestParsePasted(t *testing.T) {
	for _, tc := range pastedTexts {
		t.Run(tc.name, func(t *testing.T) {
			source, err := cbpf.ParseSource(cbpf.Auto, []byte(tc.text))
			require.NoError(t, err, "%s", tc.text)
			want := tc.want
			if want == "" {
				want = "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0"
			}
			got, err := cbpf.Print(source.Program, cbpf.XTBPF)
			require.NoError(t, err)
			require.Equal(t, want+"\n", got)
			require.Equal(t, tc.notation, source.Notation)
			requireLines(t, source)
		})
	}
}

// TestPastedFaults shows that what cannot be read is not read by halves.
func TestPastedFaults(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		reason     cbpf.Reason
		message    string
	}{
		{"two rules of iptables", "-A INPUT -m bpf --bytecode \"1,6 0 0 1\" -j ACCEPT\n-A INPUT -m bpf --bytecode \"1,6 0 0 2\" -j DROP\n",
			cbpf.ReasonSecondProgram, "line 2: a second program: a text holds one"},
		{"two arrays", "struct sock_filter a[] = { { 6, 0, 0, 1 } };\nint x;\nstruct sock_filter b[] = { { 6, 0, 0, 2 } };\n",
			cbpf.ReasonSecondProgram, `line 3: a second program: "struct sock_filter b[] = { { 6, 0, 0, 2 "...; a text holds one`},
		{"a listing without its first line", "tcpdump -d ip\n(001) ret #1\n", cbpf.ReasonWrongIndex, "line 2: (000) wrong index: found (001)"},
		{"words of hexdump", "0000000 0028 0000 000c 0000\n", cbpf.ReasonBadHex, `"0028": words, of which nobody knows the order of bytes; use hexdump -C`},
		{"half an escape", `"\x06\x0"`, cbpf.ReasonBadHex, `"\\x0\""`},
		{"a number of a system call", "BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K, __NR_write, 0, 1)", cbpf.ReasonUnknownConstant, "depend on the machine"},
		{"a macro of one's own", "BPF_STMT(BPF_RET|BPF_K, DROP_IT)", cbpf.ReasonUnknownConstant, "give what `cc -E` prints"},
		{"a member that there is not", "BPF_STMT(BPF_LD|BPF_ABS, offsetof(struct seccomp_data, args[6]))", cbpf.ReasonUnknownConstant, `"args[6]"`},
		{"division by zero in a constant", "BPF_STMT(BPF_RET|BPF_K, 5 / (2 - 2))", cbpf.ReasonDivisionByZero, `k "(2 - 2)"`},
		{"a shift without end", "BPF_STMT(BPF_RET|BPF_K, 1 << 64)", cbpf.ReasonNumberTooBig, `"64"`},
		{"a parenthesis not closed", "BPF_STMT(BPF_RET|BPF_K, (5)", cbpf.ReasonBadRow, "where ) is expected"},
		{"parentheses without end", "{ 6, 0, 0, " + strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200) + " }", cbpf.ReasonBadNumber, "(000)"},
		{"a field that x/net lacks", "[]bpf.Instruction{bpf.LoadAbsolute{Offset: 12, Size: 2}}", cbpf.ReasonBadRow, `"Offset: 12" is no field of bpf.LoadAbsolute`},
		{"a size that x/net lacks", "[]bpf.Instruction{bpf.LoadAbsolute{Off: 12, Size: 3}}", cbpf.ReasonNotAssembled, "line 1: (000)"},
		{"a field of x/net too big", "[]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, SkipTrue: 256}}", cbpf.ReasonNumberTooBig, "uint8"},
		{"a column of the dump too big", " 0000: 0x20 0x100 0x00 0x00000004  A = arch\n", cbpf.ReasonNumberTooBig, `jt "0x100", 255 is the most`},
		{"a row of the dump missing", " 0000: 0x20 0x00 0x00 0x00000004\n 0002: 0x06 0x00 0x00 0x00000000\n", cbpf.ReasonWrongIndex, "found 0002:, expected 0001:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := cbpf.ParseSource(cbpf.Auto, []byte(tc.text))
			require.ErrorIs(t, err, tc.reason)
			require.ErrorContains(t, err, tc.message)
			requirePlaces(t, asErrors(t, err))
		})
	}
}

// TestHostileTexts shows that text made to be read slowly is not, in any notation.
func TestHostileTexts(t *testing.T) {
	const size = 1 << 20
	for _, piece := range []string{"{", "}", "[", "(", "[1,", "(1,", "sock_filter ", "]x.SockFilter{", "sock_filter a[] = {", "bytecode '", "bpf filter (",
		"/*", "/*\n*/ ", "0000000: 00 ", `\x00`, "\"\\x", "\\x00\n", "x\n", "(00\n", "0: 0x1 ", "```\n", "\u00a0", "x\r", "bpf.TAX{},", "a.", "ld ", ",", "\"", "0:",
		"aa: ja bb\n", "aa:", "1+", "~", "(int)", "offsetof(", "raw "} {
		for _, prefix := range []string{"", "{6,0,0,", "[]bpf.Instruction{bpf.LoadAbsolute{", "(000) ", "ja ", "0000: 0x20 "} {
			start := time.Now()
			text := []byte(prefix + strings.Repeat(piece, size/len(piece)))
			_, err := cbpf.ParseSource(cbpf.Auto, text)
			var all cbpf.Errors
			if errors.As(err, &all) {
				requirePlaces(t, all)
			}
			require.Less(t, time.Since(start), 20*time.Second, "%q behind %q", piece, prefix)
		}
	}
}
