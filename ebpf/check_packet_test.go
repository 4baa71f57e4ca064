package ebpf_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// guarded is a program that compares r4 = data + n with data_end in r3, and loads size bytes at data + at on the side where
// the comparison says that they are there. The jump is taken there if taken is true.
func guarded(cmp Instruction, taken bool, n, at int16, size int) Program {
	p := Program{Mov.Imm(R0, 0), Load(4, R2, R1, SkbData), Load(4, R3, R1, SkbDataEnd), Mov.Reg(R4, R2), Add.Imm(R4, int32(n))}
	if taken {
		return append(p, jump(cmp, 1), Return(), Load(size, R0, R2, at), Return())
	}
	return append(p, jump(cmp, 1), Load(size, R0, R2, at), Return())
}

// The eight spellings of a comparison: on one side of each n bytes are there, or n+1 where it is strict.
var spellings = []struct {
	cmp   Instruction
	taken bool
	more  int16
}{
	{JGt.Reg(R4, R3), false, 0},
	{JGe.Reg(R4, R3), false, 1},
	{JLt.Reg(R4, R3), true, 1},
	{JLe.Reg(R4, R3), true, 0},
	{JGt.Reg(R3, R4), true, 1},
	{JGe.Reg(R3, R4), true, 0},
	{JLt.Reg(R3, R4), false, 0},
	{JLe.Reg(R3, R4), false, 1},
}

func TestCheckKnowsAllSpellings(t *testing.T) {
	for _, s := range spellings {
		for _, abi := range []ABI{TC, CGroupSKB} {
			for at := int16(10); at < 16; at++ {
				p := guarded(s.cmp, s.taken, 14, at, 2)
				if abi == CGroupSKB {
					p[len(p)-2] = Load(2, R5, R2, at)
				}
				facts, err := Check(p, abi)
				require.NoError(t, err, "%s", p)
				require.Equal(t, at+2 <= 14+s.more, facts.Proved[len(p)-2], "%s", p)
				require.Equal(t, DataMemory, facts.Access[len(p)-2])
			}
			for _, other := range []bool{true, false} {
				wrong := guarded(s.cmp, !s.taken, 14, 0, 1)
				if !other {
					wrong[len(wrong)-2] = Load(1, R5, R2, 0)
				}
				facts, err := Check(wrong, TC)
				require.NoError(t, err)
				require.False(t, facts.Proved[len(wrong)-2], "%s", wrong)
			}
		}
	}
}

// varied adds an unknown number in r7 to data in r4, having done something with it, and guards 4 bytes from there.
func varied(insns ...Instruction) Program {
	p := append(Program{Mov.Imm(R0, 0), Load(4, R2, R1, SkbData), Load(4, R3, R1, SkbDataEnd), Load(4, R7, R1, SkbMark)}, insns...)
	return append(p, Mov.Reg(R4, R2), Add.Reg(R4, R7), Mov.Reg(R5, R4), Add.Imm(R5, 4), jump(JGt.Reg(R5, R3), 1),
		Load(4, R0, R4, 0), Mov.Imm(R0, 0), Return())
}

// toEnd guards an instruction with a comparison that goes over the rest of the program.
func toEnd(p Program, at int) Program {
	p[at].Off = int16(len(p) - 3 - at)
	return p
}

// sixth bounds a number of which there are five copies on the stack, all of them read later. It adds the one of which the verifier
// thinks last. R1 is read later too.
func sixth(insns ...Instruction) Program {
	p, after := Program{Load(4, R9, R1, SkbLen), Mov.Imm(R1, 0)}, Program{Mov.Reg(R8, R1)}
	for off := int16(-8); off >= -40; off -= 8 {
		p, after = append(p, Store(8, R10, off, R7)), append(after, Load(8, R8, R10, off))
	}
	p = append(p, insns...)
	return toEnd(varied(slices.Concat(p, Program{JGt.Imm(R7, 0xfff)}, after, Program{Mov.Reg(R7, R8)})...), 4+len(p))
}

// What becomes of a load in a program.
const (
	isProved  = iota
	isRefused // not proved, and the kernel's verifier refuses it
	isLost    // not proved, though verifiers of today prove it
)

// Programs with a load and what becomes of it: see TestPacketProofsAreTheVerifiers.
var packetProofs = []struct {
	name string
	p    Program
	want int
}{
	{"bounded by a mask", varied(And.Imm32(R7, 0xff)), isProved},
	{"bounded by a 64-bit mask", varied(And.Imm(R7, 0xff)), isProved},
	{"bounded by a shift", varied(Rsh.Imm32(R7, 24)), isProved},
	{"not bounded by a shift", varied(Rsh.Imm32(R7, 8)), isRefused},
	{"bounded by a comparison", toEnd(varied(JGt.Imm(R7, 0xfffb)), 4), isProved},
	{"bounded by a comparison, one too much", toEnd(varied(JGt.Imm(R7, 0xfffc)), 4), isRefused},
	{"bounded by a comparison of halves", toEnd(varied(JGt.Imm32(R7, 0xfffb)), 4), isProved},
	{"bounded by a strict comparison", toEnd(varied(JGe.Imm(R7, 0xfffc)), 4), isProved},
	{"bounded by an equality", toEnd(varied(JNe.Imm(R7, 0x30)), 4), isProved},
	{"bounded by another number", toEnd(varied(Load(4, R8, R1, SkbLen), And.Imm(R8, 63), JGt.Reg(R7, R8)), 6), isProved},
	{"a copy is bounded", toEnd(varied(Mov.Reg(R8, R7), JGt.Imm(R8, 0xfff)), 5), isProved},
	{"a 32-bit copy is bounded", toEnd(varied(Mov.Reg32(R8, R7), JGt.Imm(R8, 0xfff)), 5), isProved},
	{"a sum is bounded", toEnd(varied(Mov.Reg(R8, R7), Add.Imm(R8, 4), JGt.Imm(R8, 0xfff)), 6), isLost},
	{"unbounded", varied(), isRefused},
	{"masked and scaled", varied(And.Imm32(R7, 15), Lsh.Imm32(R7, 2), Add.Imm32(R7, 14)), isProved},
	{"the sum of two", varied(And.Imm32(R7, 15), Mov.Reg(R8, R7), Lsh.Imm(R8, 4), Add.Reg(R7, R8)), isProved},
	{"the difference of two", varied(And.Imm32(R7, 15), Mov.Imm(R8, 20), Sub.Reg(R8, R7), Mov.Reg(R7, R8)), isProved},
	{"a product", varied(And.Imm32(R7, 15), Mul.Imm32(R7, 12)), isProved},
	{"an exclusive or", varied(And.Imm32(R7, 15), Xor.Imm32(R7, 0x30)), isProved},
	{"swapped", varied(And.Imm32(R7, 0xff), ToBE(R7, 16)), isLost},
	{"swapped and bounded", varied(ToBE(R7, 16), And.Imm(R7, 0xff)), isProved},
	{"negated", varied(And.Imm32(R7, 15), Neg32(R7)), isRefused},
	{"divided", varied(And.Imm32(R7, 15), Div.Imm32(R7, 3)), isRefused},
	{"divided and half of it bounded", toEnd(varied(Div.Imm32(R7, 3), JGt.Imm32(R7, 0xfff)), 5), isRefused},
	{"divided, moved and bounded", toEnd(varied(Div.Imm32(R7, 3), Mov.Reg32(R7, R7), JGt.Imm32(R7, 0xfff)), 6), isProved},
	{"a 32-bit sum that may wrap", varied(Add.Imm32(R7, 1)), isRefused},
	{"the sixth copy", sixth(), isProved},
	{"the seventh copy", sixth(Mov.Reg(R1, R7)), isRefused},
	{"the seventh copy on one path", sixth(jump(JEq.Imm(R9, 1), 1), Mov.Reg(R1, R7)), isRefused},
	{"the sixth copy and a sum", sixth(Mov.Reg(R1, R7), Add.Imm(R1, 1)), isLost},
	{"kept on the stack", varied(And.Imm32(R7, 15), Store(8, R10, -8, R7), Mov.Imm(R7, 0), Load(8, R7, R10, -8)), isProved},

	{"guard of another pointer", behind14(Mov.Reg(R5, R2), Add.Imm(R5, 14), jump(JGt.Reg(R4, R3), 1), Load(2, R0, R5, -2)), isProved},
	{"guard of another pointer, behind", behind14(Mov.Reg(R5, R2), Add.Imm(R5, 14), jump(JGt.Reg(R4, R3), 1), Load(1, R0, R5, 0)), isRefused},
	{"in front of the packet", behind14(jump(JGt.Reg(R4, R3), 1), Load(1, R0, R2, -1)), isRefused},
	{"in front of the packet and back", behind14(Sub.Imm(R2, 8), jump(JGt.Reg(R4, R3), 1), Load(1, R0, R2, 8)), isProved},
	{"data loaded again", behind14(Mov.Reg(R6, R1), jump(JGt.Reg(R4, R3), 2), Load(4, R2, R6, SkbData), Load(1, R0, R2, 0)), isRefused},
	{"data loaded again before", behind14(Load(4, R5, R1, SkbData), jump(JGt.Reg(R4, R3), 1), Load(2, R0, R5, 12)), isProved},
	{"the end loaded again", behind14(Load(4, R5, R1, SkbDataEnd), jump(JGt.Reg(R4, R5), 1), Load(2, R0, R2, 12)), isProved},
	{"the same number added again", behind14(Load(4, R7, R1, SkbMark), And.Imm(R7, 15), Add.Reg(R4, R7), Add.Reg(R2, R7), jump(JGt.Reg(R4, R3), 1), Load(1, R0, R2, 0)), isRefused},
	{"zero added", behind14(Load(4, R7, R1, SkbMark), And.Imm(R7, 0), jump(JGt.Reg(R4, R3), 2), Add.Reg(R2, R7), Load(1, R0, R2, 0)), isProved},
	{"a number that is known added", behind14(Mov.Imm(R7, 3), Lsh.Imm32(R7, 2), jump(JGt.Reg(R4, R3), 2), Add.Reg(R2, R7), Load(2, R0, R2, 0)), isProved},
	{"a number known by comparison", behind14(Load(4, R7, R1, SkbMark), jump(JNe.Imm(R7, 13), 3), jump(JGt.Reg(R4, R3), 2), Add.Reg(R2, R7), Load(1, R0, R2, 0)), isProved},
	{"added to a number", behind14(Mov.Imm(R7, 12), Add.Reg(R7, R2), jump(JGt.Reg(R4, R3), 1), Load(2, R0, R7, 0)), isProved},
	{"an unknown number added behind the guard", behind14(Load(4, R7, R1, SkbMark), And.Imm(R7, 15), jump(JGt.Reg(R4, R3), 2), Add.Reg(R2, R7), Load(1, R0, R2, 0)), isRefused},
	{"a pointer beyond the end", behind14(jump(JGt.Reg(R4, R3), 4), Add.Imm(R4, 6), jump(JGt.Reg(R4, R3), 1), Return(), Load(1, R0, R4, -20)), isRefused},
	{"data of a pointer beyond the end", behind14(jump(JGt.Reg(R4, R3), 4), Add.Imm(R4, 6), jump(JGt.Reg(R4, R3), 1), Return(), Load(1, R0, R2, 0)), isProved},
	{"kept pointer", behind14(Store(8, R10, -8, R2), jump(JGt.Reg(R4, R3), 2), Load(8, R5, R10, -8), Load(2, R0, R5, 12)), isProved},
	{"over a call", behind14(Mov.Reg(R6, R2), jump(JGt.Reg(R4, R3), 2), CallHelper(HelperPrandomU32), Load(2, R0, R6, 12)), isProved},
	{"difference of pointers", behind14(Mov.Reg(R5, R3), Sub.Reg(R5, R2), jump(JLt.Imm(R5, 14), 1), Load(1, R0, R2, 0)), isRefused},
	{"equality of pointers", behind14(jump(JNe.Reg(R4, R3), 1), Load(1, R0, R2, 0)), isRefused},
	{"64 KiB", behind14(Add.Imm(R4, 0xffff-14), jump(JGt.Reg(R4, R3), 3), Add.Imm(R2, 0x7fff), Add.Imm(R2, 0x7fff), Load(1, R0, R2, 0)), isProved},
	{"more than 64 KiB", behind14(Add.Imm(R4, 0x10000-14), jump(JGt.Reg(R4, R3), 1), Load(1, R0, R2, 0)), isRefused},
	{"metadata", behind14(Load(4, R5, R1, SkbDataMeta), Mov.Reg(R7, R5), Add.Imm(R7, 4), jump(JGt.Reg(R7, R2), 1), Load(4, R0, R5, 0)), isProved},
	{"metadata a byte short", behind14(Load(4, R5, R1, SkbDataMeta), Mov.Reg(R7, R5), Add.Imm(R7, 3), jump(JGt.Reg(R7, R2), 1), Load(4, R0, R5, 0)), isRefused},
	{"metadata guarded by the end", behind14(Load(4, R5, R1, SkbDataMeta), Mov.Reg(R7, R5), Add.Imm(R7, 4), jump(JGt.Reg(R7, R3), 1), Load(4, R0, R5, 0)), isRefused},
}

// behind14 has data in r2, data_end in r3, and data + 14 in r4; it returns 0.
func behind14(insns ...Instruction) Program {
	p := Program{Mov.Imm(R0, 0), Load(4, R2, R1, SkbData), Load(4, R3, R1, SkbDataEnd), Mov.Reg(R4, R2), Add.Imm(R4, 14)}
	p = append(p, insns...)
	if p[len(p)-1].Dst == R0 {
		p = append(p, Mov.Imm(R0, 0))
	}
	return append(p, Mov.Imm(R0, 0), Return())
}

func TestCheckProvesPackets(t *testing.T) {
	for _, c := range packetProofs {
		t.Run(c.name, func(t *testing.T) {
			facts, err := Check(c.p, TC)
			require.NoError(t, err, "%s", c.p)
			_, unproved := facts.Unproved()
			require.Equal(t, c.want == isProved, !unproved, "%s", c.p)
		})
	}
}

// BenchmarkCheckPackets checks programs of many guards with a load behind each, every other one at a variable offset.
func BenchmarkCheckPackets(b *testing.B) {
	for _, n := range []int{16, 256, 4096, 65536} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := Program{Load(4, R2, R1, SkbData), Load(4, R3, R1, SkbDataEnd), Load(4, R7, R1, SkbMark), Mov.Imm(R0, 0)}
			for len(p) < n {
				p = append(p,
					Mov.Reg(R4, R2), Add.Imm(R4, 14), jump(JGt.Reg(R4, R3), 1), Load(2, R0, R2, 12),
					And.Imm32(R7, 60), Mov.Reg(R4, R2), Add.Reg(R4, R7), Mov.Reg(R5, R4), Add.Imm(R5, 2), jump(JGt.Reg(R5, R3), 1), Load(2, R0, R4, 0))
			}
			p = append(p, Return())
			for b.Loop() {
				facts, err := Check(p, TC)
				if err != nil {
					b.Fatal(err)
				}
				if pc, some := facts.Unproved(); some {
					b.Fatal(pc)
				}
			}
		})
	}
}
