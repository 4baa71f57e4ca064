package cbpf

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var arithmeticCases = []runCase{
	{name: "ADD_SUB_MUL_K", want: 0xfffffffd, p: Program{do(cLdImm, 1), do(cAddK, 2), do(cLdxImm, 3), do(cSubX, 0),
		do(cAddK, 0xffffffff), do(cMulK, 3), do(cRetA, 0)}},
	{name: "DIV_MOD_KX", want: 0x20000002, p: Program{do(cLdImm, 8), do(cDivK, 2), do(cTax, 0), do(cLdImm, 0xffffffff),
		do(cDivX, 0), do(cTax, 0), do(cLdImm, 0xffffffff), do(cModX, 0), do(cTax, 0), do(cLdImm, 0xffffffff),
		do(cModK, 0x70000000), do(cAddX, 0), do(cRetA, 0)}},
	{name: "AND_OR_LSH_K", want: 0x800000ff, p: Program{do(cLdImm, 0xff), do(cAndK, 0xf0), do(cLshK, 27), do(cTax, 0),
		do(cLdImm, 0xf), do(cOrK, 0xf0), do(cAddX, 0), do(cRetA, 0)}},
	{name: "add wraps", want: 1, p: Program{do(cLdImm, 0xffffffff), do(cLdxImm, 2), do(cAddX, 0), do(cRetA, 0)}},
	{name: "sub below 0 wraps", want: 0xfffffffe, p: Program{do(cLdImm, 1), do(cSubK, 3), do(cRetA, 0)}},
	{name: "mul keeps the low 32 bits", want: 1, p: Program{do(cLdImm, 0xffffffff), do(cMulK, 0xffffffff), do(cRetA, 0)}},
	{name: "mul by X", want: 42, p: Program{do(cLdImm, 6), do(cLdxImm, 7), do(cMulX, 0), do(cRetA, 0)}},
	{name: "div is unsigned", want: 0x7fffffff, p: Program{do(cLdImm, 0xfffffffe), do(cDivK, 2), do(cRetA, 0)}},
	{name: "div by a k from 0x80000000 on", want: 1, p: Program{do(cLdImm, 0xfffffffe), do(cDivK, 0x80000000), do(cRetA, 0)}},
	{name: "mod by a k from 0x80000000 on", want: 0x7ffffffe, p: Program{do(cLdImm, 0xfffffffe), do(cModK, 0x80000000), do(cRetA, 0)}},
	{name: "div by an X of 0 ends with 0", want: 0, p: Program{do(cLdImm, 9), do(cDivX, 0), do(cAddK, 5), do(cRetA, 0)}},
	{name: "mod by an X of 0 ends with 0", want: 0, p: Program{do(cLdImm, 9), do(cModX, 0), do(cAddK, 5), do(cRetA, 0)}},
	{name: "and, or, xor by X", want: 0xff ^ 0x3c, p: Program{do(cLdImm, 0xf0), do(cLdxImm, 0x0f), do(cOrX, 0),
		do(cLdxImm, 0x3c), do(cXorX, 0), do(cLdxImm, 0xffff), do(cAndX, 0), do(cRetA, 0)}},
	{name: "xor by K", want: 0x0f0f0f0f, p: Program{do(cLdImm, 0xf0f0f0f0), do(cXorK, 0xffffffff), do(cRetA, 0)}},
	{name: "rsh brings in zeros", want: 1, p: Program{do(cLdImm, 0x80000000), do(cRshK, 31), do(cRetA, 0)}},
	{name: "lsh by an X of 32 shifts by 0", want: 0x80000001, p: Program{do(cLdImm, 0x80000001), do(cLdxImm, 32), do(cLshX, 0), do(cRetA, 0)}},
	{name: "lsh by an X of 33 shifts by 1", want: 2, p: Program{do(cLdImm, 0x80000001), do(cLdxImm, 33), do(cLshX, 0), do(cRetA, 0)}},
	{name: "rsh by an X of 0xffffffe1 shifts by 1", want: 0x40000000, p: Program{do(cLdImm, 0x80000001), do(cLdxImm, 0xffffffe1), do(cRshX, 0), do(cRetA, 0)}},
	{name: "neg", want: 0xffffffff, p: Program{do(cLdImm, 1), do(cNeg, 0), do(cRetA, 0)}},
	{name: "neg of 0x80000000", want: 0x80000000, p: Program{do(cLdImm, 0x80000000), do(cNeg, 0), do(cRetA, 0)}},
	{name: "neg ignores k", want: 0xfffffffe, p: Program{do(cLdImm, 2), do(cNeg, 77), do(cRetA, 0)}},
	{name: "by X ignores k", want: 3, p: Program{do(cLdImm, 1), do(cLdxImm, 2), do(cAddX, 99), do(cRetA, 0)}},
	{name: "ADD default X", want: 0x42, p: Program{do(cLdImm, 0x42), do(cAddX, 0), do(cRetA, 0)}},
	{name: "SUB default A", want: 0xffffffbe, p: Program{do(cLdxImm, 0x42), do(cSubX, 0), do(cRetA, 0)}},
	{name: "MUL default X", want: 0, p: Program{do(cLdImm, 0x42), do(cMulX, 0), do(cRetA, 0)}},
	{name: "DIV default A", want: 1, p: Program{do(cDivK, 0x42), do(cAddK, 1), do(cRetA, 0)}},
	{name: "MOD default A", want: 1, p: Program{do(cModK, 0x42), do(cAddK, 1), do(cRetA, 0)}},
}

var registerCases = []runCase{
	{name: "TAX", want: 3, data: []byte{10, 20, 30, 3, 50}, p: Program{do(cLdImm, 1), do(cTax, 0), do(cLdImm, 2),
		do(cIndB, 2), do(cRetA, 0)}},
	{name: "TXA", want: 3, p: Program{do(cLdxImm, 3), do(cTxa, 0), do(cRetA, 0)}},
	{name: "tax and txa ignore k", want: 7, p: Program{do(cLdImm, 7), do(cTax, 9), do(cLdImm, 0), do(cTxa, 8), do(cRetA, 0)}},
	{name: "A and X start at 0", want: 0, p: Program{do(cAddX, 0), do(cRetA, 0)}},
	{name: "ret k is whole", want: 0xffffffff, p: Program{do(cRetK, 0xffffffff)}},
	{name: "RET_A ignores k", want: 5, p: Program{do(cLdImm, 5), do(cRetA, 7)}},
	{name: "SPILL_FILL", want: 0xfffffffd, p: Program{do(cLdxImm, 2), do(cLdImm, 3), do(cSubX, 0), do(cSt, 1), do(cStx, 15),
		do(cLdMem, 15), do(cXorK, 0xffffffff), do(cSt, 2), do(cLdxMem, 2), do(cTxa, 0), do(cRetA, 0)}},
	{name: "scratch keeps all 16 words apart", want: 15 - 3, p: Program{do(cLdImm, 15), do(cSt, 15), do(cLdxImm, 3),
		do(cStx, 0), do(cLdImm, 0), do(cSt, 14), do(cLdxMem, 0), do(cLdMem, 15), do(cSubX, 0), do(cRetA, 0)}},
	{name: "len into A and X", want: 6, data: []byte{1, 2, 3}, p: Program{do(cLdLen, 0), do(cLdxLen, 0), do(cAddX, 0), do(cRetA, 0)}},
	{name: "ldx #len leaves A", want: 0, data: []byte{1, 2, 3}, p: Program{do(cLdxLen, 0), do(cRetA, 0)}},
}

var jumpCases = []runCase{
	{name: "LD_IMM_0", want: 1, p: Program{do(cLdImm, 0), cond(cJeqK, 0, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JEQ_K does not sign-extend", want: 1, p: Program{do(cLdImm, 0xfefb0000), cond(cJeqK, 0xfefb0000, 1, 0),
		do(cRetK, 0), do(cRetK, 1)}},
	{name: "JNE signed compare, test 7", want: 2, p: Program{do(cLdImm, 0xffff0000), do(cTax, 0), do(cLdImm, 0xfefbbc12),
		do(cAndX, 0), cond(cJeqK, 0xfefb0000, 1, 0), do(cRetK, 1), do(cRetK, 2)}},
	{name: "JGT_K is unsigned", want: 1, p: Program{do(cLdImm, 0x80000000), cond(cJgtK, 0x7fffffff, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JGT_K of equals", want: 0, p: Program{do(cLdImm, 7), cond(cJgtK, 7, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JGE_K of equals", want: 1, p: Program{do(cLdImm, 7), cond(cJgeK, 7, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JGE (jt 0)", want: 1, p: Program{do(cLdImm, 0xfffffffe), cond(cJgeK, 0xffffffff, 0, 1), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JSET of the top bit", want: 10, p: Program{do(cLdImm, 0x80000001), cond(cJsetK, 0x80000000, 1, 0), do(cRetK, 5), do(cRetK, 10)}},
	{name: "JSET without common bits", want: 5, p: Program{do(cLdImm, 0x7fffffff), cond(cJsetK, 0x80000000, 1, 0), do(cRetK, 5), do(cRetK, 10)}},
	{name: "JEQ_X", want: 1, p: Program{do(cLdImm, 9), do(cLdxImm, 9), cond(cJeqX, 3, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JGT_X", want: 1, p: Program{do(cLdImm, 0xffffffff), do(cLdxImm, 1), cond(cJgtX, 0, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JGE_X", want: 0, p: Program{do(cLdImm, 1), do(cLdxImm, 0x80000000), cond(cJgeX, 0, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JSET_X", want: 1, p: Program{do(cLdImm, 6), do(cLdxImm, 3), cond(cJsetX, 0, 1, 0), do(cRetK, 0), do(cRetK, 1)}},
	{name: "JEQ default A", want: 2, p: Program{do(cLdxImm, 0x42), cond(cJeqX, 0, 1, 0), do(cRetK, 2), do(cRetK, 1)}},
	{name: "JA", want: 3, p: Program{do(cJa, 2), do(cRetK, 1), do(cRetK, 2), do(cRetK, 3)}},
	{name: "JA ignores jt and jf", want: 2, p: Program{cond(cJa, 1, 9, 9), do(cRetK, 1), do(cRetK, 2)}},
	{name: "JA 0", want: 1, p: Program{do(cJa, 0), do(cRetK, 1)}},
}

func TestRunArithmetic(t *testing.T) { checkRuns(t, arithmeticCases) }

func TestRunRegisters(t *testing.T) { checkRuns(t, registerCases) }

func TestRunJumps(t *testing.T) { checkRuns(t, jumpCases) }

func TestRunLenIsThatOfTheWire(t *testing.T) {
	pkt := &Packet{Data: []byte{1, 2, 3}, WireLen: 1500}
	got, err := Run(Program{do(cLdLen, 0), do(cRetA, 0)}, pkt)
	require.NoError(t, err)
	require.Equal(t, uint32(1500), got)
	got, err = Run(Program{do(cLdB, 3), do(cRetK, 1)}, pkt)
	require.NoError(t, err)
	require.Equal(t, uint32(0), got, "loads are bounded by what was captured")
}

// TestRunLongProgram is the theme of "BPF_MAXINSNS: run/add until end".
func TestRunLongProgram(t *testing.T) {
	p := make(Program, 0, MaxInsns)
	for len(p) < MaxInsns-1 {
		p = append(p, do(cAddK, 1))
	}
	got, err := Run(append(p, do(cRetA, 0)), &Packet{})
	require.NoError(t, err)
	require.Equal(t, uint32(MaxInsns-1), got)
}

// TestRunRefusesAtRunTime has one case for each reason at least, and the pc where it is found.
func TestRunRefusesAtRunTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		p      Program
		reason Reason
		pc     int
	}{
		{"ret x", Program{do(cLdImm, 1), do(0x0e, 0)}, ReasonRunOpcode, 1},
		{"code above a byte", Program{do(0x106, 0)}, ReasonRunOpcode, 0},
		{"ldx absolute of seccomp", Program{do(0x21, 0), do(cRetA, 0)}, ReasonRunOpcode, 0},
		{"extension 64", Program{do(cLdW, AdOff+64), do(cRetA, 0)}, ReasonRunExtension, 0},
		{"extension 1", Program{do(cLdB, AdOff+1), do(cRetA, 0)}, ReasonRunExtension, 0},
		{"st 16", Program{do(cSt, 16), do(cRetA, 0)}, ReasonRunScratch, 0},
		{"stx past all", Program{do(cStx, math.MaxUint32), do(cRetA, 0)}, ReasonRunScratch, 0},
		{"ld M[16]", Program{do(cLdMem, 16), do(cRetA, 0)}, ReasonRunScratch, 0},
		{"ldx M[16]", Program{do(cLdxMem, 16), do(cRetA, 0)}, ReasonRunScratch, 0},
		{"div #0", Program{do(cDivK, 0), do(cRetA, 0)}, ReasonRunDivisor, 0},
		{"mod #0", Program{do(cModK, 0), do(cRetA, 0)}, ReasonRunDivisor, 0},
		{"lsh #32", Program{do(cLshK, 32), do(cRetA, 0)}, ReasonRunShift, 0},
		{"rsh #32", Program{do(cRshK, 32), do(cRetA, 0)}, ReasonRunShift, 0},
		{"ja past the end", Program{do(cJa, 1), do(cRetA, 0)}, ReasonRunJump, 0},
		{"ja backward", Program{do(cLdImm, 0), do(cJa, math.MaxUint32), do(cRetA, 0)}, ReasonRunJump, 1},
		{"jeq past the end", Program{cond(cJeqK, 0, 9, 0), do(cRetA, 0)}, ReasonRunJump, 0},
		{"no ret", Program{do(cLdImm, 0), do(cAddK, 1)}, ReasonRunEnd, 1},
		{"empty", Program{}, ReasonRunEnd, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict, err := Run(c.p, &Packet{})
			require.ErrorIs(t, err, c.reason)
			require.Equal(t, uint32(0), verdict)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.pc, e.PC)
		})
	}
}

func TestRunIgnoresFaultsItDoesNotMeet(t *testing.T) {
	got, err := Run(Program{do(cRetK, 4), do(0x0e, 0), do(cDivK, 0)}, &Packet{})
	require.NoError(t, err)
	require.Equal(t, uint32(4), got)
}
