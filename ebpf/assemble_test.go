package ebpf

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Text that Print does not write, and what it means.
func TestAssemble(t *testing.T) {
	one := func(i ...Instruction) Program { return i }
	tests := []struct {
		name, text string
		want       Program
	}{
		{"nothing", "", Program{}},
		{"comments only", "; a\n// b\n# c\n/* d\n e */\n", Program{}},
		{"comments behind", "r0 = 1 ; a\nr0 = 2 // b\nr0 = 3 # c\nr0 = 4 /* d */ // e /* f\nexit", one(Mov.Imm(R0, 1), Mov.Imm(R0, 2), Mov.Imm(R0, 3), Mov.Imm(R0, 4), Return())},
		{"a comment in the middle", "r0 /* x */ += /* y\n*/", nil},
		{"a comment that begins in a comment", "exit ; /*\nexit */", nil},
		{"spaces", "  r0=-1\n\tr1+=r2\r\nif r1>-1 goto+0\nr1=-r1", one(Mov.Imm(R0, -1), Add.Reg(R1, R2), JGt.Imm(R1, -1), Instruction{Op: 0x87, Dst: R1})},
		{"hexadecimal", "r0 = 0x10\nw0 = -0x1\nw0 = 0xffffffff\nr0 = 0xffffffffffffffff", one(Mov.Imm(R0, 16), Mov.Imm32(R0, math.MaxUint32), Mov.Imm32(R0, math.MaxUint32), Mov.Imm(R0, -1))},
		{"labels", "top: if r0 == 5 goto drop\ngoto top\ndrop: exit", one(hop(JEq.Imm(R0, 5), 1), hop(Jump(), -2), Return())},
		{"label in front of a wide constant", "goto over\nr1 = 1 ll\nover:\nexit", join(one(hop(Jump(), 2)), Program(wideConst(R1, 1)), one(Return()))},
		{"two labels, one at the end", "a:\nb: goto c\ngotol b\nc:", one(hop(Jump(), 1), jumpLong(-2))},
		{"label exit", "jeq %r0, 1, exit\nmov %r0, 1\nexit\nexit", one(hop(JEq.Imm(R0, 1), 1), Mov.Imm(R0, 1), Return(), Return())},
		{"label exit, written", "jeq %r0, 1, exit\nexit\nexit: exit", one(hop(JEq.Imm(R0, 1), 1), Return(), Return())},
		{"function", "call f\nexit\nf: exit", one(CallLocal(1), Return(), Return())},
		{"helpers by name", "call bpf_get_prandom_u32\ncall skb_load_bytes\ncall helper 5", one(CallHelper(7), CallHelper(26), CallHelper(5))},
		{"a label may be called like a helper", "call loop\nloop: exit", one(CallLocal(0), Return())},
		{"number of a helper counts", "(85) call bpf_map_lookup_elem#123456", one(CallHelper(123456))},
		{"bpftool's name of a function", "(85) call pc+2#bpf_prog_6deef7357e7b4530_F", one(CallLocal(2))},
		{"wide in bpftool's dialect", "(18) r2 = 0x1\n(b7) r2 = 1", join(Program(wideConst(R2, 1)), one(Mov.Imm(R2, 1)))},
		{"bits of a comparison in bpftool's dialect", "(15) if r2 == 0xffffffff goto pc+0", one(JEq.Imm(R2, -1))},
		{"bits of a constant in the dialect of mnemonics", "jne %r6, 0xffffff80, +1\nmov %r0, 0xffffffff", one(hop(JNe.Imm(R6, -128), 1), Mov.Imm(R0, -1))},
		{"percent may lack", "ldxh r0, [r1 + 2]\nstb [r10-1], 0xff", one(Load(2, R0, R1, 2), st(1, R10, -1, 255))},
		{"narrow loads of newer compilers", "w0 = *(u8 *)(r1 + 0x1)\n*(u8 *)(r1 + 0) = w2", one(Load(1, R0, R1, 1), Store(1, R1, 0, R2))},
		{"memory without an offset", "r0 = *(u8 *)(r1)\nr0 = *(u8 *)(r1 + -1)", one(Load(1, R0, R1, 0), Load(1, R0, R1, -1))},
		{"narrow atomic of older compilers", "lock *(u32 *)(r1 + 8) += r2", one(Atomic(4, AtomicAdd, R1, 8, R2))},
		{"annotated target", "goto +1 <LBB0_2>\nif w1 > w2 goto +0 <f+0x8>", one(hop(Jump(), 1), JGt.Reg32(R1, R2))},
		{"verifier log", "0: (b7) r0 = 1                        ; R0_w=1\n1: (95) exit", one(Mov.Imm(R0, 1), Return())},
		{"objdump", `
a.o:	file format elf64-bpf

Disassembly of section .text:

0000000000000000 <f>:
       0:	18 01 00 00 88 77 66 55 00 00 00 00 44 33 22 11	r1 = 1234605616436508552 ll
       2:	05 00 00 00 00 00 00 00	goto +0 <LBB0_1>

0000000000000018 <LBB0_1>:
       3:	95 00 00 00 00 00 00 00	exit
`, join(Program(wideConst(R1, 0x1122334455667788)), one(hop(Jump(), 0), Return()))},
		{"big-endian bytes", "0: b7 10 00 00 00 00 00 05 r1 = 5", one(Mov.Imm(R1, 5))},
		{"raw", ".insn 0xffbc341278563412", one(Instruction{Op: 0xff, Dst: 12, Src: 11, Off: 0x1234, Imm: 0x12345678})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Assemble([]byte(tt.text))
			if tt.want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got, "%s", got)
		})
	}
}

// What is refused: why, where, and what is said of it.
func TestAssembleRefuses(t *testing.T) {
	tests := []struct {
		text   string
		reason Reason
		column int
		says   string
	}{
		{"lxdh %r0, [%r1+2]", ReasonSyntax, 1, `did you mean "ldxh"?`},
		{"  got +3", ReasonSyntax, 3, `did you mean "goto"?`},
		{"r0 s= 3", ReasonSyntax, 4, `no operator of arithmetic is "s="`},
		{"r0 =+ 3", ReasonSyntax, 5, "a value is expected"},
		{"if r0 === 3 goto +1", ReasonSyntax, 9, ""},
		{"if r0 = 3 goto +1", ReasonSyntax, 7, `no operator of a comparison is "="`},
		{"if r0 == 3 got +1", ReasonSyntax, 12, `goto is expected here, not "got"`},
		{"r16 = 3", ReasonSyntax, 1, "no register"},
		{"r1 = r16", ReasonSyntax, 6, "a value is expected"},
		{"r1 += w2", ReasonSyntax, 7, "64-bit operation"},
		{"w1 += r2", ReasonSyntax, 7, "32-bit operation"},
		{"r1 = 0x80000000", ReasonNumber, 6, "ll"},
		{"r1 = 99999999999999999999", ReasonNumber, 6, "64 bits"},
		{"w1 = 4294967296", ReasonNumber, 6, "4294967295"},
		{"r0 = *(u16 *)(r1 + 32768)", ReasonNumber, 20, "-32768 to 32767"},
		{"r0 = *(u24 *)(r1 + 0)", ReasonSyntax, 8, "u8 to u64"},
		{"r1 = *(u16 *)skb[0]", ReasonSyntax, 1, "r0"},
		{"r0 = be16 r1", ReasonSyntax, 6, "in place"},
		{"r0 = -r1", ReasonSyntax, 7, "in place"},
		{"r0 = 5 6", ReasonSyntax, 8, "the end of the line"},
		{"r0 = ", ReasonSyntax, 6, "the end of the line"},
		{"goto 3", ReasonSyntax, 6, "sign"},
		{"goto nowhere", ReasonLabel, 6, "nowhere"},
		{"here: goto hree", ReasonLabel, 12, `did you mean "here"?`},
		{"a: a: exit", ReasonLabel, 4, "twice"},
		{"call r1", ReasonSyntax, 6, "register"},
		{"  7: exit", ReasonDisagree, 3, "instruction 0"},
		{"(b7) exit", ReasonDisagree, 6, "95, not b7"},
		{"0: 95 00 00 00 00 00 00 01 exit", ReasonDisagree, 28, "9500000000000000"},
		{"0: ff 00 00 00 00 00 00 00 <unknown>", ReasonNoMeaning, 28, ".insn 0xff"},
		{"<unknown>", ReasonNoMeaning, 1, "bytes"},
		{".insn 0x95", ReasonNumber, 7, "16 digits"},
		{"lock *(u8 *)(r1 + 0) += w2", ReasonBadOpcode, 1, ""},
		{"r2 = atomic_fetch_add((u64 *)(r1 + 0), r3)", ReasonSyntax, 42, "only r2"},
		{"lock sub [%r1], %r2", ReasonSyntax, 1, `"lock sub"`},
		{"é", ReasonSyntax, 1, ""},
		{"exit\x00 r0 = 1", ReasonSyntax, 5, "a byte of 0"},
		{"\ufeffexit x", ReasonSyntax, 6, "the end of the line"},
		{strings.Repeat("a", 1000), ReasonSyntax, 1, strings.Repeat("a", 40) + `"...`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := Assemble([]byte(tt.text))
			require.ErrorIs(t, err, tt.reason)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 1, e.Line)
			require.Equal(t, tt.column, e.Column, "%s", err)
			require.Contains(t, e.Detail, tt.says)
		})
	}
}

func TestJumpTooFar(t *testing.T) {
	text := "goto end\ngotol end\n" + strings.Repeat("r0 = 0\n", 40000) + "end: exit"
	_, err := Assemble([]byte(text))
	require.ErrorIs(t, err, ReasonDistance)
	require.Len(t, err, 1)
	p, err := Assemble([]byte(strings.Replace(text, "goto", "gotol", 1)))
	require.NoError(t, err)
	require.EqualValues(t, 40001, p[0].Imm)
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Assemble([]byte("r0 = r99\nexit\nfoo\n   2: exit\ngoto a"))
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 2)
	require.Equal(t, []int{1, 3}, []int{all[0].Line, all[1].Line})
	_, err = Assemble([]byte(strings.Repeat("foo\n", 100)))
	require.True(t, errors.As(err, &all))
	require.Len(t, all, MaxErrors)
}

func TestCaret(t *testing.T) {
	text := []byte("exit\n\tlxdh %r0, [%r1+2]\n")
	_, err := Assemble(text)
	require.Equal(t, "line 2, column 2: this cannot be read: no instruction is called \"lxdh\"; did you mean \"ldxh\"?\n"+
		"    2 | \tlxdh %r0, [%r1+2]\n"+
		"      | \t^\n", Caret(text, err))
	text = []byte("\ufeff" + strings.Repeat("\x01", 1000) + "\n")
	_, err = Assemble(text)
	require.Equal(t, "line 1, column 1: this cannot be read: an instruction is expected here, not \"\\x01\"\n"+
		"    1 | "+strings.Repeat("\ufffd", 60)+"...\n      | ^\n", Caret(text, err))
	require.Equal(t, "insn 3: the program is empty\n", Caret(text, &Error{Reason: ReasonEmpty, PC: 3}))
	require.Equal(t, "other\n", Caret(text, errors.New("other")))
}

// Text that is made to be read slowly is not.
func TestHostileText(t *testing.T) {
	for _, piece := range []string{"/*/", "/**/ ", "a: ", "0: ", "(95)", "95 ", "<", "r0 = 1 ", "if "} {
		start := time.Now()
		Assemble([]byte(strings.Repeat(piece, 1<<22/len(piece))))
		require.Less(t, time.Since(start), 10*time.Second, piece)
	}
}

// Text and back, and the cost of it, which grows with the length of the program and no faster.
func BenchmarkText(b *testing.B) {
	for _, n := range []int{16, 256, 4096} {
		var p Program
		for len(p) < n {
			p = append(p, Load(2, R5, R1, 12), ToBE(R5, 16), hop(JNe.Imm32(R5, 0x800), 14), And.Imm32(R6, 15))
		}
		for _, d := range dialects {
			text := AppendText(nil, p, d)
			b.Run(fmt.Sprintf("print/%s/%d", d, n), func(b *testing.B) {
				b.ReportAllocs()
				buf := make([]byte, 0, len(text))
				for b.Loop() {
					buf = AppendText(buf[:0], p, d)
				}
			})
			b.Run(fmt.Sprintf("assemble/%s/%d", d, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Assemble(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
