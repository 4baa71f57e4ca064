package difftest

import (
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// conversion makes of a classic program what the kernel makes of one that is attached as it is (bpf_convert_filter in
// net/core/filter.c, Linux 6.18), as a tc program, which can be test-run: instruction by instruction, in the kernel's registers. It
// stands for the kernel in measurements. Loads at X call the very helper of the kernel. The quick way of the others compares with
// the end of the packet, where the kernel subtracts from its length: as many instructions. Where the packet ends is loaded in one
// instruction, for which the kernel takes three. Extensions and the windows are left out.
type conversion struct {
	ebpf.Builder
	at []ebpf.Label // of each classic instruction
}

// The registers of the kernel: of A, X, the context, data and the end (there: its length), and one to work with.
const (
	convA, convTmp, convCtx, convX, convData, convEnd = ebpf.R0, ebpf.R2, ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9
)

// convert makes the program.
func convert(t testing.TB, p cbpf.Program) ebpf.Program {
	var c conversion
	for range p {
		c.at = append(c.at, c.NewLabel())
	}
	c.Emit(ebpf.Mov.Imm32(convA, 0), ebpf.Mov.Imm32(convX, 0), ebpf.Mov.Reg(convCtx, ebpf.R1))
	if loads(p) {
		c.Emit(ebpf.Load(4, convData, convCtx, ebpf.SkbData), ebpf.Load(4, convEnd, convCtx, ebpf.SkbDataEnd))
	}
	for pc, ins := range p {
		c.Place(c.at[pc])
		c.instruction(t, pc, ins)
	}
	x, _, err := c.Program()
	require.NoError(t, err)
	return x
}

func (c *conversion) instruction(t testing.TB, pc int, ins bpf.RawInstruction) {
	info := cbpf.Info(ins.Op)
	reg := convA
	if info.Writes == cbpf.X || info.Writes == cbpf.Mem && info.Reads == cbpf.X {
		reg = convX
	}
	slot := int16(4*ins.K) - 4*cbpf.ScratchWords
	switch info.Form {
	case cbpf.FormAbs:
		require.Less(t, ins.K, uint32(1<<15), "no extensions, and no windows")
		c.load(info.Size, ins.K)
	case cbpf.FormMSH:
		c.Emit(ebpf.Mov.Reg(convX, convA))
		c.load(1, ins.K)
		c.Emit(ebpf.And.Imm32(convA, 0xf), ebpf.Lsh.Imm32(convA, 2),
			ebpf.Mov.Reg(convTmp, convX), ebpf.Mov.Reg(convX, convA), ebpf.Mov.Reg(convA, convTmp))
	case cbpf.FormInd:
		c.Emit(ebpf.LoadInd(info.Size, convX, ins.K))
	case cbpf.FormLen:
		c.Emit(ebpf.Load(4, reg, convCtx, ebpf.SkbLen))
	case cbpf.FormMem:
		if info.Writes == cbpf.Mem {
			c.Emit(ebpf.Store(4, ebpf.R10, slot, reg))
			return
		}
		c.Emit(ebpf.Load(4, reg, ebpf.R10, slot))
	case cbpf.FormImm, cbpf.FormX:
		c.arithmetic(ins, info, reg)
	case cbpf.FormNone:
		c.Emit(map[uint16]ebpf.Instruction{0x84: ebpf.Neg32(convA), 0x07: ebpf.Mov.Reg(convX, convA), 0x87: ebpf.Mov.Reg(convA, convX)}[ins.Op])
	case cbpf.FormJump:
		c.Branch(ebpf.Jump(), c.at[pc+1+int(ins.K)])
	case cbpf.FormCondK, cbpf.FormCondX:
		c.compare(pc, ins, info)
	case cbpf.FormRetK:
		c.Emit(ebpf.Mov.Imm32(convA, ins.K), ebpf.Return())
	case cbpf.FormRetA:
		c.Emit(ebpf.Return())
	}
}

// load loads from a fixed offset, the quick way where the bytes lie in one piece.
func (c *conversion) load(size int, k uint32) {
	slow, done := c.NewLabel(), c.NewLabel()
	c.Emit(ebpf.Mov.Reg(convTmp, convData), ebpf.Add.Imm(convTmp, int32(k)+int32(size)))
	c.Branch(ebpf.JGt.Reg(convTmp, convEnd), slow)
	c.Emit(ebpf.Load(size, convA, convData, int16(k)))
	if size > 1 {
		c.Emit(ebpf.ToBE(convA, int32(8*size)))
	}
	c.Branch(ebpf.Jump(), done)
	c.Place(slow)
	c.Emit(ebpf.LoadAbs(size, k))
	c.Place(done)
}

// convALU are the operations, by what the classic table calls them.
var convALU = map[uint16]ebpf.ALUOp{
	cbpf.Add: ebpf.Add, cbpf.Sub: ebpf.Sub, cbpf.Mul: ebpf.Mul, cbpf.Div: ebpf.Div, cbpf.Or: ebpf.Or, cbpf.And: ebpf.And,
	cbpf.Lsh: ebpf.Lsh, cbpf.Rsh: ebpf.Rsh, cbpf.Mod: ebpf.Mod, cbpf.Xor: ebpf.Xor,
}

func (c *conversion) arithmetic(ins bpf.RawInstruction, info *cbpf.OpInfo, reg ebpf.Register) {
	op := convALU[info.Fn]
	switch {
	case info.Reads == 0:
		c.Emit(ebpf.Mov.Imm32(reg, ins.K))
	case info.Form == cbpf.FormImm:
		c.Emit(op.Imm32(convA, ins.K))
	default:
		if op == ebpf.Div || op == ebpf.Mod {
			isNot := ebpf.JNe.Imm32(convX, 0)
			isNot.Off = 2
			c.Emit(isNot, ebpf.Mov.Imm32(convA, 0), ebpf.Return())
		}
		c.Emit(op.Reg32(convA, convX))
	}
}

// compare takes one jump where one of the ways goes on behind, and two otherwise. Constants that are negative as 32 bits go by way
// of a register.
func (c *conversion) compare(pc int, ins bpf.RawInstruction, info *cbpf.OpInfo) {
	by := map[uint16]ebpf.JumpOp{cbpf.Eq: ebpf.JEq, cbpf.Gt: ebpf.JGt, cbpf.Ge: ebpf.JGe, cbpf.Set: ebpf.JSet}[info.Fn]
	not, known := map[ebpf.JumpOp]ebpf.JumpOp{ebpf.JEq: ebpf.JNe, ebpf.JGt: ebpf.JLe, ebpf.JGe: ebpf.JLt}[by]
	with := func(op ebpf.JumpOp) ebpf.Instruction {
		switch k := int32(ins.K); {
		case info.Form == cbpf.FormCondX:
			return op.Reg(convA, convX)
		case k < 0:
			return op.Reg(convA, convTmp)
		default:
			return op.Imm(convA, k)
		}
	}
	if info.Form == cbpf.FormCondK && int32(ins.K) < 0 {
		c.Emit(ebpf.Mov.Imm32(convTmp, ins.K))
	}
	jt, jf := c.at[pc+1+int(ins.Jt)], c.at[pc+1+int(ins.Jf)]
	switch {
	case ins.Jf == 0:
		c.Branch(with(by), jt)
	case ins.Jt == 0 && known:
		c.Branch(with(not), jf)
	default:
		c.Branch(with(by), jt)
		c.Branch(ebpf.Jump(), jf)
	}
}

// What stands for the kernel's conversion gives the verdicts of the reference, and is as long as the conversion is.
func TestConversion(t *testing.T) {
	requireKernel(t)
	ran := 0
	for _, named := range append(filters(t), Named{"hosts-300", hosts(300)}) {
		p := named.Program
		x := convert(t, p)
		require.Equal(t, cbpf.Converted(p), len(x)+shorter(p), named.Name)
		f, err := kernel.Load(x, kernel.LoadOptions{Type: kernel.TC})
		require.NoError(t, err, named.Name)
		for _, rec := range benchRecords(t) {
			seen := f.View(&rec.Packet)
			want, err := cbpf.Run(p, &seen)
			require.NoError(t, err)
			got, err := f.RunPacket(&rec.Packet)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s on %x", named.Name, rec.Data)
			ran++
		}
		require.NoError(t, f.Close())
	}
	require.Greater(t, ran, 200)
}

// loads reports whether the program reads bytes of the packet.
func loads(p cbpf.Program) bool {
	return slices.ContainsFunc(p, func(ins bpf.RawInstruction) bool { return cbpf.Info(ins.Op).Size != 0 })
}

// shorter is how many instructions the kernel has more: two for the end of the packet, and for each load the way through the
// helper, which is one here before the kernel makes eight of it. Of offset 0 it adds nothing.
func shorter(p cbpf.Program) (n int) {
	if loads(p) {
		n = 2
	}
	for _, ins := range p {
		switch form := cbpf.Info(ins.Op).Form; {
		case form == cbpf.FormInd && ins.K != 0:
			n += 8
		case form == cbpf.FormAbs && ins.K == 0 || form == cbpf.FormMSH && ins.K == 0:
			n += 6
		case form == cbpf.FormInd, form == cbpf.FormAbs, form == cbpf.FormMSH:
			n += 7
		}
	}
	return n
}
