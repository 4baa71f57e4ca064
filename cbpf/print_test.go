package cbpf_test

import (
	"encoding/json"
	"go/format"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		name string
		pc   int
		ins  bpf.RawInstruction
		want string
	}{
		{"a load", 0, bpf.RawInstruction{Op: 0x28, K: 12}, "(000) ldh      [12]"},
		{"no operand", 9, bpf.RawInstruction{Op: 0x07}, "(009) tax      "},
		{"return of A", 10, bpf.RawInstruction{Op: 0x16}, "(010) ret      "},
		{"a long index", 1234, bpf.RawInstruction{Op: 0x06, K: 0xffffffff}, "(1234) ret      #-1"},
		{"a comparison", 99, bpf.RawInstruction{Op: 0x15, Jt: 1, Jf: 255, K: 0x800}, "(099) jeq      #0x800           jt 101\tjf 355"},
		{"a comparison with x", 1, bpf.RawInstruction{Op: 0x4d}, "(001) jset     x                jt 2\tjf 2"},
		{"a jump", 5, bpf.RawInstruction{Op: 0x05, K: 10}, "(005) ja       16"},
		{"a backward jump", 5, bpf.RawInstruction{Op: 0x05, K: 0xfffffff0}, "(005) ja       -10"},
		{"an indirect load", 0, bpf.RawInstruction{Op: 0x50, K: 0xfffffffc}, "(000) ldb      [x + -4]"},
		{"a header length", 0, bpf.RawInstruction{Op: 0xb1, K: 14}, "(000) ldxb     4*([14]&0xf)"},
		{"the length in X", 0, bpf.RawInstruction{Op: 0x81}, "(000) ldx      #pktlen"},
		{"an extension", 0, bpf.RawInstruction{Op: 0x30, K: 0xfffff030}, "(000) ldb      [vlanp]"},
		{"no extension", 0, bpf.RawInstruction{Op: 0x20, K: 0xfffff001}, "(000) ld       [-4095]"},
		{"extensions are absolute", 0, bpf.RawInstruction{Op: 0x40, K: 0xfffff030}, "(000) ld       [x + -4048]"},
		{"an unknown opcode", 0, bpf.RawInstruction{Op: 0x0e}, "(000) unimp    0xe"},
		{"an unknown comparison", 0, bpf.RawInstruction{Op: 0x55, Jt: 3}, "(000) unimp    0x55             jt 4\tjf 1"},
		{"an unknown opcode with k", 0, bpf.RawInstruction{Op: 0xfff8, K: 7}, "(000) unimp    0xfff8 ; raw 0xfff8 0 0 7"},
		{"what tcpdump hides", 2, bpf.RawInstruction{Op: 0x07, Jt: 1, K: 99}, "(002) tax       ; raw 0x0007 1 0 99"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, cbpf.Line(tc.pc, tc.ins))
		})
	}
}

func TestPrint(t *testing.T) {
	p := cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x15, Jt: 0, Jf: 1, K: 0x800}, {Op: 0x06, K: 0xffffffff}, {Op: 0x06}}
	for n, want := range map[cbpf.Notation]string{
		cbpf.Listing: "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n(002) ret      #-1\n(003) ret      #0\n",
		cbpf.CStruct: "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n{ 0x6, 0, 0, 0xffffffff },\n{ 0x6, 0, 0, 0x00000000 },\n",
		cbpf.Decimal: "4\n40 0 0 12\n21 0 1 2048\n6 0 0 4294967295\n6 0 0 0\n",
		cbpf.XTBPF:   "4,40 0 0 12,21 0 1 2048,6 0 0 4294967295,6 0 0 0\n",
		cbpf.Asm:     "\tldh [12]\n\tjneq #0x800, L3\n\tret #-1\nL3:\tret #0\n",
		cbpf.Dbg:     "l0:\tldh [12]\nl1:\tjeq #0x800, l2, l3\nl2:\tret #0xffffffff\nl3:\tret #0\n",
		cbpf.XNet:    "ldh [12]\njneq #2048,1\nret #4294967295\nret #0\n",
		cbpf.Raw:     "\x28\x00\x00\x00\x0c\x00\x00\x00\x15\x00\x00\x01\x00\x08\x00\x00\x06\x00\x00\x00\xff\xff\xff\xff\x06\x00\x00\x00\x00\x00\x00\x00",
		cbpf.RawBE:   "\x00\x28\x00\x00\x00\x00\x00\x0c\x00\x15\x00\x01\x00\x00\x08\x00\x00\x06\x00\x00\xff\xff\xff\xff\x00\x06\x00\x00\x00\x00\x00\x00",
		cbpf.Hex:     "28 00 00 00 0c 00 00 00\n15 00 00 01 00 08 00 00\n06 00 00 00 ff ff ff ff\n06 00 00 00 00 00 00 00\n",
		cbpf.Go: "var filter = []bpf.RawInstruction{\n\t{Op: 0x28, Jt: 0, Jf: 0, K: 0xc},\n\t{Op: 0x15, Jt: 0, Jf: 1, K: 0x800},\n" +
			"\t{Op: 0x6, Jt: 0, Jf: 0, K: 0xffffffff},\n\t{Op: 0x6, Jt: 0, Jf: 0, K: 0x0},\n}\n",
		cbpf.JSON: "[\n  {\"code\": 40, \"jt\": 0, \"jf\": 0, \"k\": 12},\n  {\"code\": 21, \"jt\": 0, \"jf\": 1, \"k\": 2048},\n" +
			"  {\"code\": 6, \"jt\": 0, \"jf\": 0, \"k\": 4294967295},\n  {\"code\": 6, \"jt\": 0, \"jf\": 0, \"k\": 0}\n]\n",
	} {
		got, err := cbpf.Print(p, n)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = cbpf.Print(nil, n)
		require.ErrorIs(t, err, cbpf.ReasonEmpty)
	}
}

// TestTextOfDialects shows where the text of a notation is not that of the next.
func TestTextOfDialects(t *testing.T) {
	for _, tc := range []struct {
		name           string
		ins            bpf.RawInstruction
		asm, dbg, xnet string
	}{
		{"the length", bpf.RawInstruction{Op: 0x80}, "\tld #len", "l0:\tld #len", "ld #len"},
		{"the length in X", bpf.RawInstruction{Op: 0x81}, "\tldx #len", "l0:\tnosup 0x81", "ld #len ; raw 0x0081 0 0 0"},
		{"a header length", bpf.RawInstruction{Op: 0xb1, K: 14}, "\tldxb 4*([14]&0xf)", "l0:\tldxb 4*([14]&0xf)", "ldx 4*([14]&0xf)"},
		{"an extension", bpf.RawInstruction{Op: 0x20, K: 0xfffff030}, "\tld vlan_avail", "l0:\tld [-4048]", "ld #vlan_avail"},
		{"an extension by byte", bpf.RawInstruction{Op: 0x30, K: 0xfffff030}, "\tldb vlan_avail", "l0:\tldb [-4048]", "ldb [4294963248]"},
		{"an extension without a name", bpf.RawInstruction{Op: 0x20, K: 0xfffff028}, "\tld [-4056]", "l0:\tld [-4056]", "ld [4294963240]"},
		{"what x/net takes for the length", bpf.RawInstruction{Op: 0x20, K: 0xfffff001}, "\tld [-4095]", "l0:\tld [-4095]", "ld [4294963201]"},
		{"an indirect load", bpf.RawInstruction{Op: 0x50, K: 0xfffffffc}, "\tldb [x + -4]", "l0:\tldb [x+-4]", "ldb [x + 4294967292]"},
		{"a zero", bpf.RawInstruction{Op: 0x54}, "\tand #0x0", "l0:\tand #0", "and #0"},
		{"no operand", bpf.RawInstruction{Op: 0x07}, "\ttax", "l0:\ttax ", "tax"},
		{"a return of X", bpf.RawInstruction{Op: 0x0e}, "\tret x", "l0:\tret x", "unimp 0xe"},
		{"an unknown comparison", bpf.RawInstruction{Op: 0x55, Jt: 1}, "\tunimp 0x55 ; raw 0x0055 1 0 0", "l0:\tnosup 0x55, l2, l1",
			"unimp 0x55 ; raw 0x0055 1 0 0"},
		{"a jump outside", bpf.RawInstruction{Op: 0x05, K: 7}, "\tunimp 0x5 ; raw 0x0005 0 0 7", "l0:\tja 8", "ja 7"},
		{"a comparison that jumps outside", bpf.RawInstruction{Op: 0x15, Jt: 1, Jf: 2, K: 9}, "\tunimp 0x15 ; raw 0x0015 1 2 9",
			"l0:\tjeq #0x9, l2, l3", "jeq #9,1,2"},
		{"bits not set", bpf.RawInstruction{Op: 0x45, Jf: 3, K: 9}, "\tunimp 0x45 ; raw 0x0045 0 3 9", "l0:\tjset #0x9, l1, l4", "jset #9,0,3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for n, want := range map[cbpf.Notation]string{cbpf.Asm: tc.asm, cbpf.Dbg: tc.dbg, cbpf.XNet: tc.xnet} {
				got, err := cbpf.Print(cbpf.Program{tc.ins}, n)
				require.NoError(t, err)
				require.Equal(t, want+"\n", got)
			}
		})
	}
}

// TestLabels writes them only where they are jumped to.
func TestLabels(t *testing.T) {
	got, err := cbpf.Print(cbpf.Program{{Op: 0x45, Jf: 1, K: 1}, {Op: 0x05, K: 0}, {Op: 0x2d, Jt: 1}, {Op: 0x25, Jt: 0, Jf: 0},
		{Op: 0x05, K: 0xfffffffb}, {Op: 0x16}}, cbpf.Asm)
	require.NoError(t, err)
	require.Equal(t, "L0:\tjset #0x1, L1, L2\nL1:\tja L2\nL2:\tjgt x, L4\n\tjle #0x0, L4\nL4:\tja L0\n\tret a\n", got)
}

// TestOthersReadWhatIsPrinted has gofmt and encoding/json judge our text.
func TestOthersReadWhatIsPrinted(t *testing.T) {
	p := randomInstructions(200)
	source, err := cbpf.Print(p, cbpf.Go)
	require.NoError(t, err)
	source = "package x\n\n" + source
	formatted, err := format.Source([]byte(source))
	require.NoError(t, err)
	require.Equal(t, source, string(formatted))

	text, err := cbpf.Print(p, cbpf.JSON)
	require.NoError(t, err)
	var rows []struct {
		Code   uint16
		Jt, Jf uint8
		K      uint32
	}
	require.NoError(t, json.Unmarshal([]byte(text), &rows))
	require.Len(t, rows, len(p))
	for pc, row := range rows {
		require.Equal(t, p[pc], bpf.RawInstruction{Op: row.Code, Jt: row.Jt, Jf: row.Jf, K: row.K})
	}
}

// TestRoundTripOfEveryOpcode takes all 65536 opcodes, each with random fields and with none.
func TestRoundTripOfEveryOpcode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := make(cbpf.Program, 0, 1<<18)
	for code := range 1 << 16 {
		op := uint16(code)
		p = append(p, bpf.RawInstruction{Op: op}, bpf.RawInstruction{Op: op, K: rnd.Uint32()},
			bpf.RawInstruction{Op: op, Jt: uint8(rnd.Uint32()), Jf: uint8(rnd.Uint32())},
			bpf.RawInstruction{Op: op, Jt: 255, Jf: 255, K: 0xfffff000 + rnd.Uint32N(80)})
	}
	requireRoundTrip(t, p)
}

// requireRoundTrip fails unless every notation reads back what it writes, and is recognised. Instructions in memory are
// recognised by known opcodes alone, and their byte order by those that are not 0.
func requireRoundTrip(t *testing.T, p cbpf.Program) {
	known, telling := true, false
	for _, ins := range p {
		known = known && cbpf.Info(ins.Op) != nil
		telling = telling || ins.Op != 0
	}
	for _, n := range cbpf.Notations() {
		text, err := cbpf.Print(p, n)
		require.NoError(t, err)
		readAs := []cbpf.Notation{n}
		if n != cbpf.Raw && n != cbpf.RawBE || known && telling {
			readAs = append(readAs, cbpf.Auto)
		}
		for _, as := range readAs {
			got, err := cbpf.ParseAs(as, []byte(text))
			require.NoError(t, err, "%s as %s:\n%.2000s", n, as, text)
			require.Equal(t, len(p), len(got), "%s as %s", n, as)
			for pc := range p {
				if p[pc] != got[pc] {
					t.Fatalf("%s as %s: wrote %+v, read %+v: %s", n, as, p[pc], got[pc], cbpf.Line(pc, p[pc]))
				}
			}
		}
	}
}

// randomInstructions returns instructions of all opcodes, most of them known, with the constants that matter.
func randomInstructions(n int) cbpf.Program {
	rnd := rand.New(rand.NewPCG(3, 4))
	constants := []uint32{0, 1, 5, 14, 15, 16, 0x800, 0x7fffffff, 0x80000000, 0xffffffff, 0xfff00000,
		0xfffff000, 0xfffff001, 0xfffff004, 0xfffff028, 0xfffff030, 0xfffff03c, 0xfffff040}
	p := make(cbpf.Program, n)
	for pc := range p {
		ins := &p[pc]
		ins.Op = cbpf.Ops[rnd.IntN(len(cbpf.Ops))].Code
		if rnd.IntN(8) == 0 {
			ins.Op = uint16(rnd.Uint32()) >> rnd.IntN(16)
		}
		if rnd.IntN(2) == 0 {
			ins.K = constants[rnd.IntN(len(constants))]
		}
		if rnd.IntN(3) == 0 {
			ins.K = rnd.Uint32()
		}
		if info := cbpf.Info(ins.Op); info != nil && (info.Form == cbpf.FormCondK || info.Form == cbpf.FormCondX) || rnd.IntN(8) == 0 {
			ins.Jt, ins.Jf = uint8(rnd.Uint32())>>rnd.IntN(9), uint8(rnd.Uint32())>>rnd.IntN(9)
		}
	}
	return p
}
