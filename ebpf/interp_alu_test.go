package ebpf

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// set64 loads a constant into a register.
func set64(r Register, v uint64) Program {
	return Program{{Op: OpLoadWide, Dst: r, Imm: int32(v)}, {Imm: int32(v >> 32)}}
}

// join makes one program of several pieces.
func join(pieces ...Program) (p Program) {
	for _, piece := range pieces {
		p = append(p, piece...)
	}
	return p
}

// alu64 and alu32 are operations with a register; the value of r2 is the right operand.
func alu64(op ALUOp, off int16) Instruction {
	i := op.Reg(R1, R2)
	i.Off = off
	return i
}

func alu32(op ALUOp, off int16) Instruction {
	i := op.Reg32(R1, R2)
	i.Off = off
	return i
}

// The values are derived by hand from RFC 9669, sections 4.1 and 4.2. r1 is dst, r2 is src.
var aluVectors = []struct {
	name     string
	insn     Instruction
	dst, src uint64
	want     uint64
}{
	{"add wraps", alu64(Add, 0), math.MaxUint64, 3, 2},
	{"add 32 zeroes the upper half", alu32(Add, 0), 0xffffffff_ffffffff, 1, 0},
	{"add constant extends its sign", Add.Imm(R1, -1), 0, 0, math.MaxUint64},
	{"add constant 32 wraps", Add.Imm32(R1, 0xffffffff), 1, 0, 0},
	{"sub", alu64(Sub, 0), 3, 5, 0xffffffff_fffffffe},
	{"sub 32", alu32(Sub, 0), 3, 5, 0xfffffffe},
	{"mul", alu64(Mul, 0), 1 << 40, 1 << 20, 1 << 60},
	{"mul wraps", alu64(Mul, 0), 1 << 63, 3, 1 << 63},
	{"mul 32", alu32(Mul, 0), 0x1_00010000, 0x10001, 0x00010000},
	{"mul constant", Mul.Imm(R1, -2), 3, 0, 0xffffffff_fffffffa},
	{"div", alu64(Div, 0), 100, 7, 14},
	{"div is unsigned", alu64(Div, 0), math.MaxUint64, 2, math.MaxInt64},
	{"div by zero", alu64(Div, 0), 9, 0, 0},
	{"div constant extends its sign", Div.Imm(R1, -1), math.MaxUint64, 0, 1},
	{"div 32", alu32(Div, 0), 0xf_00000064, 0xf_00000007, 14},
	{"div 32 by zero", alu32(Div, 0), 0xf_00000009, 0xf_00000000, 0},
	{"div 32 constant is unsigned", Div.Imm32(R1, 0xffffffff), 0xfffffffe, 0, 0},
	{"sdiv rounds to zero", alu64(Div, 1), -13 & math.MaxUint64, 3, -4 & math.MaxUint64},
	{"sdiv overflow", alu64(Div, 1), 1 << 63, math.MaxUint64, 1 << 63},
	{"sdiv by zero", alu64(Div, 1), 5, 0, 0},
	{"sdiv 32", alu32(Div, 1), 0xfffffff3, 3, 0xfffffffc},
	{"sdiv 32 overflow", alu32(Div, 1), 0x80000000, 0xffffffff, 0x80000000},
	{"sdiv 32 by zero", alu32(Div, 1), 0xff_fffffff3, 0xff_00000000, 0},
	{"sdiv constant", Instruction{Op: 0x37, Dst: R1, Off: 1, Imm: -2}, 7, 0, -3 & math.MaxUint64},
	{"mod", alu64(Mod, 0), 100, 7, 2},
	{"mod by zero keeps dst", alu64(Mod, 0), 0xf_00000009, 0, 0xf_00000009},
	{"mod 32", alu32(Mod, 0), 0xf_00000064, 0xf_00000007, 2},
	{"mod 32 by zero zeroes the upper half", alu32(Mod, 0), 0xf_00000009, 0xf_00000000, 9},
	{"smod follows the dividend", alu64(Mod, 1), -13 & math.MaxUint64, 3, math.MaxUint64},
	{"smod of a positive one", alu64(Mod, 1), 13, -3 & math.MaxUint64, 1},
	{"smod overflow", alu64(Mod, 1), 1 << 63, math.MaxUint64, 0},
	{"smod by zero keeps dst", alu64(Mod, 1), 1 << 63, 0, 1 << 63},
	{"smod 32", alu32(Mod, 1), 0xfffffff3, 3, 0xffffffff},
	{"smod 32 by zero", alu32(Mod, 1), 0xf_fffffff3, 0, 0xfffffff3},
	{"or", alu64(Or, 0), 0xf0_00000001, 0x0f_00000002, 0xff_00000003},
	{"or 32", alu32(Or, 0), 0xf0_00000001, 0x0f_00000002, 3},
	{"or constant extends its sign", Or.Imm(R1, -16), 1, 0, 0xffffffff_fffffff1},
	{"and constant extends its sign", And.Imm(R1, -2), 0xf_00000003, 0, 0xf_00000002},
	{"and 32", And.Imm32(R1, 0xfffffffe), 0xf_00000003, 0, 2},
	{"xor", alu64(Xor, 0), 0xff, 0xf_0000000f, 0xf_000000f0},
	{"xor 32", alu32(Xor, 0), 0xff, 0xf_0000000f, 0xf0},
	{"lsh", alu64(Lsh, 0), 3, 63, 1 << 63},
	{"lsh masks 6 bits", alu64(Lsh, 0), 3, 65, 6},
	{"lsh 32 masks 5 bits", alu32(Lsh, 0), 0x80000001, 33, 2},
	{"rsh", alu64(Rsh, 0), 1 << 63, 63, 1},
	{"rsh masks 6 bits", alu64(Rsh, 0), 8, 0xffffffff_ffffffc1, 4},
	{"rsh 32 ignores the upper half", alu32(Rsh, 0), 0xff_00000010, 4, 1},
	{"rsh 32 masks 5 bits", alu32(Rsh, 0), 0x80000001, 32, 0x80000001},
	{"arsh", alu64(Arsh, 0), 1 << 63, 62, math.MaxUint64 - 1},
	{"arsh 32 takes bit 31 for the sign", alu32(Arsh, 0), 0x80000000, 31, 0xffffffff},
	{"arsh 32 ignores bit 63", alu32(Arsh, 0), 0xffffffff_40000000, 30, 1},
	{"neg", Instruction{Op: 0x87, Dst: R1}, 1, 0, math.MaxUint64},
	{"neg of the most negative", Instruction{Op: 0x87, Dst: R1}, 1 << 63, 0, 1 << 63},
	{"neg 32", Neg32(R1), 0xf_00000001, 0, 0xffffffff},
	{"mov", alu64(Mov, 0), 1, 0xf_00000002, 0xf_00000002},
	{"mov 32 zeroes the upper half", alu32(Mov, 0), 1, 0xf_00000002, 2},
	{"mov constant extends its sign", Mov.Imm(R1, -2), 0, 0, math.MaxUint64 - 1},
	{"mov constant 32 does not", Mov.Imm32(R1, 0xfffffffe), 0, 0, 0xfffffffe},
	{"movsx 8", alu64(Mov, 8), 0, 0xff80, 0xffffffff_ffffff80},
	{"movsx 16", alu64(Mov, 16), 0, 0x17fff, 0x7fff},
	{"movsx 32", alu64(Mov, 32), 0, 0x80000000, 0xffffffff_80000000},
	{"movsx 32-bit 8", alu32(Mov, 8), 0, 0xff, 0xffffffff},
	{"movsx 32-bit 16", alu32(Mov, 16), 0, 0xf_00018000, 0xffff8000},
	{"bswap 16", Instruction{Op: 0xd7, Dst: R1, Imm: 16}, 0x11223344_55667788, 0, 0x8877},
	{"bswap 32", Instruction{Op: 0xd7, Dst: R1, Imm: 32}, 0x11223344_55667788, 0, 0x88776655},
	{"bswap 64", Instruction{Op: 0xd7, Dst: R1, Imm: 64}, 0x11223344_55667788, 0, 0x88776655_44332211},
}

func TestArithmetic(t *testing.T) {
	for _, tt := range aluVectors {
		t.Run(tt.name, func(t *testing.T) {
			p := join(set64(R1, tt.dst), set64(R2, tt.src), Program{tt.insn, Mov.Reg(R0, R1), Return()})
			got, err := Run(p, User, nil)
			require.NoError(t, err)
			require.Equal(t, tt.want, got, "%#x, want %#x\n%s", got, tt.want, p)
		})
	}
}

// le and be depend on the host: one of them truncates, the other one swaps as well.
func TestByteOrderSwaps(t *testing.T) {
	const v = 0x11223344_55667788
	kept := map[int32]uint64{16: 0x7788, 32: 0x55667788, 64: v}
	swapped := map[int32]uint64{16: 0x8877, 32: 0x88776655, 64: 0x88776655_44332211}
	for _, width := range []int32{16, 32, 64} {
		le := Instruction{Op: opToLE, Dst: R0, Imm: width}
		wantLE, wantBE := kept[width], swapped[width]
		if hostIsBig {
			wantLE, wantBE = wantBE, wantLE
		}
		got, err := Run(join(set64(R0, v), Program{le, Return()}), User, nil)
		require.NoError(t, err)
		require.Equal(t, wantLE, got, "le%d", width)
		got, err = Run(join(set64(R0, v), Program{ToBE(R0, width), Return()}), User, nil)
		require.NoError(t, err)
		require.Equal(t, wantBE, got, "be%d", width)
	}
}

// Pairs of values and what each comparison says of them, by hand.
var comparisons = []struct {
	a, b         uint64
	wide, narrow []JumpOp // the ones that hold, on 64 and on 32 bits
}{
	{5, 5, []JumpOp{JEq, JGe, JLe, JSGe, JSLe, JSet}, []JumpOp{JEq, JGe, JLe, JSGe, JSLe, JSet}},
	{1, 2, []JumpOp{JNe, JLt, JLe, JSLt, JSLe}, []JumpOp{JNe, JLt, JLe, JSLt, JSLe}},
	{3, 2, []JumpOp{JNe, JGt, JGe, JSGt, JSGe, JSet}, []JumpOp{JNe, JGt, JGe, JSGt, JSGe, JSet}},
	// -1 and 1: greater without signs, less with them.
	{math.MaxUint64, 1, []JumpOp{JNe, JGt, JGe, JSLt, JSLe, JSet}, []JumpOp{JNe, JGt, JGe, JSLt, JSLe, JSet}},
	// Bit 31 is a sign to 32 bits only.
	{0x80000000, 1, []JumpOp{JNe, JGt, JGe, JSGt, JSGe}, []JumpOp{JNe, JGt, JGe, JSLt, JSLe}},
	// The upper halves differ: equal to 32 bits.
	{0x1_00000004, 4, []JumpOp{JNe, JGt, JGe, JSGt, JSGe, JSet}, []JumpOp{JEq, JGe, JLe, JSGe, JSLe, JSet}},
	// A bit in the upper half only.
	{0x8_00000000, 0x8_00000000, []JumpOp{JEq, JGe, JLe, JSGe, JSLe, JSet}, []JumpOp{JEq, JGe, JLe, JSGe, JSLe}},
}

func TestComparisons(t *testing.T) {
	for _, tt := range comparisons {
		for _, row := range jumpRows {
			op, sign := row.op, row.sign
			for _, wide := range []bool{false, true} {
				jump, holding := op.Reg32(R1, R2), tt.narrow
				if wide {
					jump, holding = op.Reg(R1, R2), tt.wide
				}
				t.Run(fmt.Sprintf("%#x %s %#x wide %t", tt.a, sign, tt.b, wide), func(t *testing.T) {
					require.Equal(t, contains(holding, op), jumps(t, jump, tt.a, tt.b))
				})
			}
		}
	}
}

// Constants of comparisons have their sign extended; on 32 bits that is of no consequence.
func TestComparisonWithConstant(t *testing.T) {
	require.True(t, jumps(t, JEq.Imm(R1, -1), math.MaxUint64, 0))
	require.False(t, jumps(t, JEq.Imm(R1, -1), 0xffffffff, 0))
	require.True(t, jumps(t, JEq.Imm32(R1, 0xffffffff), 0x7_ffffffff, 0))
	require.True(t, jumps(t, JSLt.Imm(R1, 0), 1<<63, 0))
	require.False(t, jumps(t, JSLt.Imm(R1, 0), 0x80000000, 0))
	require.True(t, jumps(t, JSLt.Imm32(R1, 0), 0x80000000, 0))
	require.True(t, jumps(t, JSet.Imm(R1, -0x80000000), 1<<40, 0))
	require.True(t, jumps(t, JGt.Imm(R1, 7), 1<<40, 0))
	require.False(t, jumps(t, JGt.Imm32(R1, 7), 1<<40, 0))
}

// jumps reports whether the jump is taken with a in r1 and b in r2.
func jumps(t *testing.T, jump Instruction, a, b uint64) bool {
	jump.Off = 2
	p := join(set64(R1, a), set64(R2, b), Program{jump, Mov.Imm(R0, 0), Return(), Mov.Imm(R0, 1), Return()})
	got, err := Run(p, User, nil)
	require.NoError(t, err, "%s", p)
	return got == 1
}

func contains(ops []JumpOp, op JumpOp) bool {
	for _, o := range ops {
		if o == op {
			return true
		}
	}
	return false
}
