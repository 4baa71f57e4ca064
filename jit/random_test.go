package jit

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// numbers are the registers that random programs calculate with; r1 and r4 stay pointers.
var numbers = []ebpf.Register{ebpf.R0, ebpf.R2, ebpf.R3, ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9}

var operations = []ebpf.ALUOp{
	ebpf.Add, ebpf.Sub, ebpf.Mul, ebpf.Div, ebpf.Or, ebpf.And, ebpf.Lsh, ebpf.Rsh, ebpf.Mod, ebpf.Xor, ebpf.Mov, ebpf.Arsh,
}

var comparisons = []ebpf.JumpOp{
	ebpf.JEq, ebpf.JGt, ebpf.JGe, ebpf.JSet, ebpf.JNe, ebpf.JSGt, ebpf.JSGe, ebpf.JLt, ebpf.JLe, ebpf.JSLt, ebpf.JSLe,
}

// generator makes random programs that Check accepts.
type generator struct {
	*rand.Rand
	b ebpf.Builder
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
}

// randomProgram is the program of that seed.
func randomProgram(seed uint64) ebpf.Program {
	g := newGenerator(seed)
	return g.program(1 + g.IntN(40))
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func (g *generator) constant() int32 {
	return pick(g, []int32{0, 1, -1, 2, 7, 31, 63, 64, 127, 128, 255, -128, -129, math.MaxInt32, math.MinInt32, int32(g.Uint32())})
}

// program makes one of about n instructions.
func (g *generator) program(n int) ebpf.Program {
	for _, r := range numbers {
		v := g.Uint64() >> g.IntN(64)
		g.b.Emit(ebpf.Instruction{Op: ebpf.OpLoadWide, Dst: r, Imm: int32(v)}, ebpf.Instruction{Imm: int32(v >> 32)})
	}
	var open []ebpf.Label
	for range n {
		if len(open) > 0 && g.IntN(3) == 0 {
			g.b.Place(open[0])
			open = open[1:]
		}
		switch g.IntN(10) {
		case 0, 1:
			to := g.b.NewLabel()
			g.b.Branch(g.comparison(), to)
			open = append(open, to)
		case 2:
			g.stack()
		case 3:
			g.packetLoad()
		case 4:
			g.b.Emit(ebpf.Load(pick(g, []int{1, 2, 4}), pick(g, numbers), ebpf.R4, int16(g.IntN(48)*4)))
		case 5:
			g.b.Emit(ebpf.Instruction{Op: 0xd7, Dst: pick(g, numbers), Imm: pick(g, []int32{16, 32, 64})})
		case 6:
			g.b.Emit(ebpf.Instruction{Op: pick(g, []ebpf.Opcode{0xd4, 0xdc}), Dst: pick(g, numbers), Imm: pick(g, []int32{16, 32, 64})})
		default:
			g.b.Emit(g.arithmetic())
		}
	}
	for _, l := range open {
		g.b.Place(l)
	}
	for i, r := range numbers[1:] {
		g.b.Emit(ebpf.Mul.Imm(ebpf.R0, int32(2*i+3)), ebpf.Xor.Reg(ebpf.R0, r))
	}
	g.b.Emit(ebpf.Return())
	p, _, err := g.b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

// arithmetic makes any operation, signed and sign-extending ones included.
func (g *generator) arithmetic() ebpf.Instruction {
	op, dst, src, k := pick(g, operations), pick(g, numbers), pick(g, numbers), g.constant()
	division := op == ebpf.Div || op == ebpf.Mod
	var ins ebpf.Instruction
	wide := g.IntN(2) == 0
	bits := int32(32)
	if wide {
		bits = 64
	}
	switch {
	case g.IntN(12) == 0:
		return ebpf.Instruction{Op: pick(g, []ebpf.Opcode{0x84, 0x87}), Dst: dst}
	case g.IntN(2) == 0 && wide:
		ins = op.Reg(dst, src)
	case g.IntN(2) == 0:
		ins = op.Reg32(dst, src)
	default:
		if division && k == 0 {
			k = 3
		}
		if op == ebpf.Lsh || op == ebpf.Rsh || op == ebpf.Arsh {
			k = int32(g.IntN(int(bits)))
		}
		ins = op.Imm(dst, k)
		if !wide {
			ins = op.Imm32(dst, uint32(k))
		}
	}
	if division {
		ins.Off = int16(g.IntN(2))
	}
	if op == ebpf.Mov && ins.Op.Info().Form == ebpf.FormALUReg && g.IntN(2) == 0 {
		ins.Off = pick(g, []int16{8, 16})
	}
	return ins
}

func (g *generator) comparison() ebpf.Instruction {
	op, dst, src, k := pick(g, comparisons), pick(g, numbers), pick(g, numbers), g.constant()
	return pick(g, []ebpf.Instruction{op.Imm(dst, k), op.Imm32(dst, uint32(k)), op.Reg(dst, src), op.Reg32(dst, src)})
}

// stack writes a part of the stack and reads it back, perhaps through another register and sign-extending.
func (g *generator) stack() {
	size := pick(g, []int{1, 2, 4, 8})
	off := int16(-g.IntN(ebpf.StackSize-size+1) - size)
	base, at := ebpf.R10, off
	if g.IntN(2) == 0 {
		base, at = ebpf.R5, 0
		g.b.Emit(ebpf.Mov.Reg(ebpf.R5, ebpf.R10), ebpf.Add.Imm(ebpf.R5, int32(off)))
	}
	store := ebpf.Store(size, base, at, pick(g, numbers[4:]))
	if g.IntN(2) == 0 {
		store = ebpf.Instruction{Op: store.Op - 1, Dst: base, Off: at, Imm: g.constant()}
	}
	load := ebpf.Load(size, pick(g, numbers), base, at)
	if size < 8 && g.IntN(3) == 0 {
		load.Op += 0x20
	}
	g.b.Emit(store, load)
	if base == ebpf.R5 && load.Dst != ebpf.R5 {
		g.b.Emit(ebpf.Mov.Imm(ebpf.R5, g.constant()))
	}
}

// packetLoad reads the packet, mostly at a place that no guard covers, and mostly inside.
func (g *generator) packetLoad() {
	dst, size := pick(g, numbers), pick(g, []int{1, 2, 4, 8})
	if g.IntN(2) == 0 {
		g.b.Emit(ebpf.Load(size, dst, ebpf.R1, int16(g.IntN(66)-1)))
		return
	}
	index := pick(g, numbers)
	g.b.Emit(
		ebpf.And.Imm(index, int32(g.IntN(64))),
		ebpf.Add.Reg(index, ebpf.R1),
		ebpf.Load(size, dst, index, int16(g.IntN(3))),
		ebpf.Mov.Imm(index, g.constant()),
	)
}

// sameOutcome runs a program both ways and demands the same r0, or a fault of the same instruction.
func sameOutcome(t testing.TB, f *Func, p ebpf.Program, pkt *ebpf.Packet) {
	want, wantErr := ebpf.Run(p, ebpf.User, pkt)
	got, gotErr := f.Run(pkt)
	var slow *ebpf.Error
	var fast *FaultError
	if errors.As(wantErr, &slow) && errors.As(gotErr, &fast) && slow.PC == fast.PC {
		return
	}
	if wantErr != nil || gotErr != nil || want != got {
		t.Fatalf("interpreter %#x (%v), machine code %#x (%v)\npacket %x\n%s", want, wantErr, got, gotErr, pkt.Data, ebpf.Print(p, ebpf.LLVM))
	}
}

func TestRandomProgramsAgreeWithInterpreter(t *testing.T) {
	requireJIT(t)
	rounds := 4000
	if testing.Short() {
		rounds = 500
	}
	outcomes := map[bool]int{}
	for seed := range uint64(rounds) {
		g := newGenerator(seed)
		p := g.program(1 + g.IntN(40))
		f, err := Compile(p)
		require.NoError(t, err, ebpf.Print(p, ebpf.LLVM))
		for range 3 {
			pkt := g.packet()
			sameOutcome(t, f, p, pkt)
			_, err := f.Run(pkt)
			outcomes[err == nil]++
		}
		require.NoError(t, f.Close())
	}
	require.Greater(t, outcomes[true], rounds, "runs that end well")
	require.Greater(t, outcomes[false], rounds/10, "runs that fault")
}

// packet makes a packet of at most 80 bytes with random contents and properties.
func (g *generator) packet() *ebpf.Packet {
	data := make([]byte, g.IntN(81))
	for i := range data {
		data[i] = byte(g.Uint32())
	}
	skb := &ebpf.SkBuff{Len: g.Uint32(), Mark: g.Uint32(), Protocol: g.Uint32(), Hash: g.Uint32(), TStamp: g.Uint64(), HWTStamp: g.Uint64()}
	return &ebpf.Packet{Data: data, WireLen: g.Uint32(), Skb: skb}
}

// requireJIT skips where there is no JIT.
func requireJIT(t testing.TB) {
	f, err := Compile(ebpf.Program{ebpf.Mov.Imm32(ebpf.R0, 0), ebpf.Return()})
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	require.NoError(t, f.Close())
}
