package cbpf_test

import (
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
	} {
		got, err := cbpf.Print(p, n)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = cbpf.Print(nil, n)
		require.ErrorIs(t, err, cbpf.Empty)
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

// requireRoundTrip fails unless every notation reads back what it writes.
func requireRoundTrip(t *testing.T, p cbpf.Program) {
	for _, n := range cbpf.Notations() {
		text, err := cbpf.Print(p, n)
		require.NoError(t, err)
		got, err := cbpf.ParseAs(n, []byte(text))
		require.NoError(t, err)
		require.Equal(t, len(p), len(got))
		for pc := range p {
			if p[pc] != got[pc] {
				t.Fatalf("%s: wrote %+v, read %+v: %s", n, p[pc], got[pc], cbpf.Line(pc, p[pc]))
			}
		}
		sniffed, err := cbpf.Sniff([]byte(text))
		require.NoError(t, err)
		require.Equal(t, n, sniffed)
	}
}
