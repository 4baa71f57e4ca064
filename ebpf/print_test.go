package ebpf

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// LLVM texts that llvm-objdump 14 knows and all Xlated texts that bpftool or the kernel knows are compared with those
// tools in witness_test.go; this table is what we promise.
var texts = []struct {
	insn         Program // one instruction, or a wide constant
	llvm, xlated string
}{
	{Program{Add.Imm(R1, -8)}, "r1 += -8", "(07) r1 += -8"},
	{Program{Add.Reg32(R1, R2)}, "w1 += w2", "(0c) w1 += w2"},
	{Program{Arsh.Imm32(R3, 5)}, "w3 s>>= 5", "(c4) w3 s>>= 5"},
	{Program{Mov.Imm32(R0, 0xffffffff)}, "w0 = -1", "(b4) w0 = -1"},
	{Program{Neg32(R4)}, "w4 = -w4", "(84) w4 = -w4"},
	{Program{{Op: 0x87, Dst: R4}}, "r4 = -r4", "(87) r4 = -r4"},
	{Program{{Op: 0x37, Dst: R1, Off: 1, Imm: -3}}, "r1 s/= -3", "(37) r1 s/= -3"},
	{Program{{Op: 0x9c, Dst: R1, Src: R2, Off: 1}}, "w1 s%= w2", "(9c) w1 s%= w2"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 32}}, "r1 = (s32)r2", "(bf) r1 = (s32)r2"},
	{Program{{Op: 0xbc, Dst: R1, Src: R2, Off: 16}}, "w1 = (s16)w2", "(bc) w1 = (s16)w2"},
	{Program{ToBE(R0, 16)}, "r0 = be16 r0", "(dc) r0 = be16 r0"},
	{Program{{Op: 0xd4, Dst: R9, Imm: 64}}, "r9 = le64 r9", "(d4) r9 = le64 r9"},
	{Program{{Op: 0xd7, Dst: R9, Imm: 32}}, "r9 = bswap32 r9", "(d7) r9 = bswap32 r9"},
	{Program{Load(2, R0, R1, 12)}, "r0 = *(u16 *)(r1 + 12)", "(69) r0 = *(u16 *)(r1 +12)"},
	{Program{Load(8, R0, R1, -32768)}, "r0 = *(u64 *)(r1 - 32768)", "(79) r0 = *(u64 *)(r1 -32768)"},
	{Program{{Op: 0x91, Dst: R0, Src: R1}}, "r0 = *(s8 *)(r1 + 0)", "(91) r0 = *(s8 *)(r1 +0)"},
	{Program{Store(4, R10, -4, R0)}, "*(u32 *)(r10 - 4) = r0", "(63) *(u32 *)(r10 -4) = r0"},
	{Program{{Op: 0x72, Dst: R1, Off: 3, Imm: -7}}, "*(u8 *)(r1 + 3) = -7", "(72) *(u8 *)(r1 +3) = -7"},
	{Program{LoadAbs(2, 12)}, "r0 = *(u16 *)skb[12]", "(28) r0 = *(u16 *)skb[12]"},
	{Program{LoadAbs(4, 0xfffff000)}, "r0 = *(u32 *)skb[-4096]", "(20) r0 = *(u32 *)skb[-4096]"},
	{Program{LoadInd(1, R7, 0)}, "r0 = *(u8 *)skb[r7]", "(50) r0 = *(u8 *)skb[r7 + 0]"},
	{Program{LoadInd(4, R7, 0x80000000)}, "r0 = *(u32 *)skb[r7 - 2147483648]", "(40) r0 = *(u32 *)skb[r7 + -2147483648]"},
	{Program{{Op: OpJump, Off: -2}}, "goto -2", "(05) goto pc-2"},
	{Program{{Op: OpJumpLong, Imm: 70000}}, "gotol +70000", "(06) gotol pc+70000"},
	{Program{{Op: 0x56, Dst: R0, Off: 3, Imm: 2048}}, "if w0 != 2048 goto +3", "(56) if w0 != 0x800 goto pc+3"},
	{Program{{Op: 0x45, Dst: R0, Imm: -1}}, "if r0 & -1 goto +0", "(45) if r0 & 0xffffffff goto pc+0"},
	{Program{{Op: 0xdd, Dst: R0, Src: R9, Off: 1}}, "if r0 s<= r9 goto +1", "(dd) if r0 s<= r9 goto pc+1"},
	{Program{CallHelper(HelperSkbLoadBytes)}, "call 26", "(85) call bpf_skb_load_bytes#26"},
	{Program{CallHelper(-1)}, "call -1", "(85) call unknown#-1"},
	{Program{{Op: OpCall, Src: 1, Imm: 5}}, "call pc+5", "(85) call pc+5"},
	{Program{{Op: OpCall, Src: 2, Imm: 5}}, "call kernel-function#5", "(85) call kernel-function#5"},
	{Program{Return()}, "exit", "(95) exit"},
	{Program{{Op: OpMayGoto, Off: 4}}, "may_goto +4", "(e5) may_goto pc+4"},
	{Program{Atomic(8, AtomicAdd, R1, 8, R2)}, "lock *(u64 *)(r1 + 8) += r2", "(db) lock *(u64 *)(r1 +8) += r2"},
	{Program{Atomic(4, AtomicXor, R1, -8, R2)}, "lock *(u32 *)(r1 - 8) ^= w2", "(c3) lock *(u32 *)(r1 -8) ^= r2"},
	{Program{Atomic(8, AtomicOr|AtomicFetch, R1, 8, R2)}, "r2 = atomic_fetch_or((u64 *)(r1 + 8), r2)", "(db) r2 = atomic64_fetch_or((u64 *)(r1 +8), r2)"},
	{Program{Atomic(4, AtomicAnd|AtomicFetch, R1, 8, R2)}, "w2 = atomic_fetch_and((u32 *)(r1 + 8), w2)", "(c3) r2 = atomic_fetch_and((u32 *)(r1 +8), r2)"},
	{Program{Atomic(8, AtomicXchg, R1, 8, R2)}, "r2 = xchg_64(r1 + 8, r2)", "(db) r2 = atomic64_xchg((u64 *)(r1 +8), r2)"},
	{Program{Atomic(4, AtomicXchg, R1, 8, R2)}, "w2 = xchg32_32(r1 + 8, w2)", "(c3) r2 = atomic_xchg((u32 *)(r1 +8), r2)"},
	{Program{Atomic(8, AtomicCmpXchg, R1, 8, R2)}, "r0 = cmpxchg_64(r1 + 8, r0, r2)", "(db) r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)"},
	{Program{Atomic(4, AtomicCmpXchg, R1, 8, R2)}, "w0 = cmpxchg32_32(r1 + 8, w0, w2)", "(c3) r0 = atomic_cmpxchg((u32 *)(r1 +8), r0, r2)"},
	{Program{Atomic(8, AtomicLoad, R1, 8, R2)}, "r1 = load_acquire((u64 *)(r2 + 8))", "(db) r1 = load_acquire((u64 *)(r2 +8))"},
	{Program{Atomic(1, AtomicLoad, R1, 8, R2)}, "w1 = load_acquire((u8 *)(r2 + 8))", "(d3) r1 = load_acquire((u8 *)(r2 +8))"},
	{Program{Atomic(2, AtomicStore, R1, 8, R2)}, "store_release((u16 *)(r1 + 8), w2)", "(cb) store_release((u16 *)(r1 +8), r2)"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 1, Imm: 1 << 16}}, "r1 = addr_space_cast(r2, 1, 0)", "(bf) r1 = addr_space_cast(r2, 1, 0)"},

	{Program{Mov.Reg(11, 15)}, "r11 = r15", "(bf) r11 = r15"},

	{wide(0, 0x1ffffffff), "r2 = 8589934591 ll", "(18) r2 = 0x1ffffffff"},
	{wide(1, 7), "ld_pseudo r2, 1, 7", "(18) r2 = map[id:7]"},
	{wide(2, 4<<32|7), "ld_pseudo r2, 2, 17179869191", "(18) r2 = map[id:7][0]+4"},
	{wide(3, 7), "ld_pseudo r2, 3, 7", "(18) r2 = btf[id:7]+0"},
	{wide(4, 7), "ld_pseudo r2, 4, 7", "(18) r2 = subprog[+7]"},
	{wide(5, 7), "ld_pseudo r2, 5, 7", "(18) r2 = map[idx:7]"},
	{wide(6, 4<<32|7), "ld_pseudo r2, 6, 17179869191", "(18) r2 = map[idx:7]+4"},

	// Malformed ones: the text is the bytes, the rest a comment.
	{Program{{Op: 0xff, Imm: 1}}, ".insn 0xff00000001000000", ".insn 0xff00000001000000"},
	{Program{Atomic(2, AtomicAdd, R1, 0, R2)}, ".insn 0xcb21000000000000", ".insn 0xcb21000000000000"},
	{Program{{}}, ".insn 0x0000000000000000", ".insn 0x0000000000000000"},
	{Program{{Op: 0x18, Dst: R2, Imm: 1}}, ".insn 0x1802000001000000", ".insn 0x1802000001000000"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 5}}, ".insn 0xbf21050000000000 ; r1 = r2", ".insn 0xbf21050000000000 ; (bf) r1 = r2"},
	{Program{{Op: 0x95, Imm: 1}}, ".insn 0x9500000001000000 ; exit", ".insn 0x9500000001000000 ; (95) exit"},
	{Program{{Op: 0x0f, Dst: 12, Src: 11, Off: 2}}, ".insn 0x0fbc020000000000 ; r12 += r11", ".insn 0x0fbc020000000000 ; (0f) r12 += r11"},
	{Program{ToBE(R1, 17)}, ".insn 0xdc01000011000000 ; r1 = be17 r1", ".insn 0xdc01000011000000 ; (dc) r1 = be17 r1"},
}

var dialects = []Dialect{LLVM, Xlated, Mnemonic}

// wide is the constant of the given kind for R2.
func wide(kind Register, value uint64) Program {
	return Program{{Op: OpLoadWide, Dst: R2, Src: kind, Imm: int32(value)}, {Imm: int32(value >> 32)}}
}

func TestLine(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.llvm, func(t *testing.T) {
			text, slots := tt.insn.Line(0, LLVM)
			require.Equal(t, tt.llvm, text)
			require.Equal(t, len(tt.insn), slots)
			text, slots = tt.insn.Line(0, Xlated)
			require.Equal(t, tt.xlated, text)
			require.Equal(t, len(tt.insn), slots)
		})
	}
}

// What the form of a wide constant would leave out, must not vanish.
func TestWideWithExtraBitsIsRaw(t *testing.T) {
	for _, kind := range []Register{WideMapFD, WideFunction, WideMapIndex} {
		text, slots := wide(kind, 1<<32|7).Line(0, Xlated)
		require.True(t, strings.HasPrefix(text, ".insn 0x18"), text)
		require.Equal(t, 1, slots)
	}
	second := wide(0, 1)
	second[1].Off = 1
	text, slots := second.Line(0, LLVM)
	require.Equal(t, ".insn 0x1802000001000000", text)
	require.Equal(t, 1, slots)
}

func TestPrint(t *testing.T) {
	p := Program{wide(0, 1)[0], wide(0, 1)[1], Mov.Imm32(R0, 5), Return()}
	require.Equal(t, "       0:\tr2 = 1 ll\n       2:\tw0 = 5\n       3:\texit\n", p.String())
	require.Equal(t, "   0: (18) r2 = 0x1\n   2: (b4) w0 = 5\n   3: (95) exit\n", Print(p, Xlated))
}

// The table of the opcodes and that of the texts must agree on what is an instruction.
func TestEveryOpcodePrints(t *testing.T) {
	for op := range 256 {
		i := Instruction{Op: Opcode(op)}
		switch i.Op.Info().Form {
		case FormEnd:
			i.Imm = 16
		case FormAtomic:
			i.Imm = int32(AtomicLoad)
		}
		for _, d := range dialects {
			text, _ := Program{i, {}}.Line(0, d)
			require.Equal(t, i.Malformed() != "", strings.HasPrefix(text, ".insn"), "%#02x: %s", op, text)
		}
	}
}
