package ebpf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The names are those of uBPF's assembler and of bpf_conformance; the last ones, which both lack, are ours.
var mnemonicTexts = []struct {
	insn Program
	text string
}{
	{Program{Mov.Imm(R0, -1)}, "mov %r0, -1"},
	{Program{Add.Reg32(R1, R2)}, "add32 %r1, %r2"},
	{Program{{Op: 0x37, Dst: R1, Off: 1, Imm: -3}}, "sdiv %r1, -3"},
	{Program{{Op: 0x9c, Dst: R1, Src: R2, Off: 1}}, "smod32 %r1, %r2"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 32}}, "movsx3264 %r1, %r2"},
	{Program{{Op: 0xbc, Dst: R1, Src: R2, Off: 16}}, "movsx1632 %r1, %r2"},
	{Program{Neg32(R4)}, "neg32 %r4"},
	{Program{ToBE(R0, 16)}, "be16 %r0"},
	{Program{{Op: 0xd7, Dst: R9, Imm: 32}}, "swap32 %r9"},
	{Program{Load(2, R0, R1, 12)}, "ldxh %r0, [%r1+12]"},
	{Program{Load(8, R0, R1, 0)}, "ldxdw %r0, [%r1]"},
	{Program{{Op: 0x91, Dst: R0, Src: R1, Off: -2}}, "ldxsb %r0, [%r1-2]"},
	{Program{Store(4, R10, -4, R0)}, "stxw [%r10-4], %r0"},
	{Program{{Op: 0x72, Dst: R1, Off: 3, Imm: -7}}, "stb [%r1+3], -7"},
	{Program{{Op: OpJump, Off: -2}}, "ja -2"},
	{Program{{Op: OpJumpLong, Imm: 70000}}, "ja32 +70000"},
	{Program{{Op: 0x56, Dst: R0, Off: 3, Imm: 2048}}, "jne32 %r0, 2048, +3"},
	{Program{{Op: 0xdd, Dst: R0, Src: R9, Off: 1}}, "jsle %r0, %r9, +1"},
	{Program{CallHelper(26)}, "call 26"},
	{Program{CallLocal(5)}, "call local +5"},
	{Program{{Op: OpCall, Src: CallKindKernel, Imm: 5}}, "call runtime 5"},
	{Program{Return()}, "exit"},
	{wide(WideConstant, 0x1ffffffff), "lddw %r2, 0x1ffffffff"},
	{Program{Atomic(8, AtomicAdd, R1, 8, R2)}, "lock add [%r1+8], %r2"},
	{Program{Atomic(4, AtomicXor|AtomicFetch, R1, 8, R2)}, "lock fetch xor32 [%r1+8], %r2"},
	{Program{Atomic(8, AtomicXchg, R1, 8, R2)}, "lock xchg [%r1+8], %r2"},
	{Program{Atomic(4, AtomicCmpXchg, R1, 8, R2)}, "lock cmpxchg32 [%r1+8], %r2"},
	{Program{Atomic(1, AtomicLoad, R1, 8, R2)}, "ldacqb %r1, [%r2+8]"},
	{Program{Atomic(8, AtomicStore, R1, 8, R2)}, "streldw [%r1+8], %r2"},
	{Program{LoadAbs(2, 12)}, "ldabsh 12"},
	{Program{LoadInd(1, R7, 4)}, "ldindb %r7, 4"},
	{Program{{Op: OpMayGoto, Off: 3}}, "may_goto +3"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 1, Imm: 1}}, "addr_space_cast %r1, %r2, 0, 1"},
	{wide(WideMapFD, 7), "ld_pseudo %r2, 1, 7"},
	{Program{{Op: 0xbf, Dst: R1, Src: R2, Off: 5}}, ".insn 0xbf21050000000000 ; mov %r1, %r2"},
}

func TestMnemonics(t *testing.T) {
	for _, tt := range mnemonicTexts {
		t.Run(tt.text, func(t *testing.T) {
			text, slots := tt.insn.Line(0, Mnemonic)
			require.Equal(t, tt.text, text)
			require.Equal(t, len(tt.insn), slots)
			p, err := Assemble([]byte(text))
			require.NoError(t, err)
			require.Equal(t, tt.insn, p)
		})
	}
}

// Every instruction has a name of its own in the dialect, but that one name is for a constant and a register alike.
func TestMnemonicsAreDistinct(t *testing.T) {
	require.Greater(t, len(mnemonics), 120)
	for name, i := range mnemonics {
		if name[:2] != "bs" { // bswap16 is swap16
			require.Equal(t, name, i.Mnemonic())
		}
	}
}
