package jit

import (
	"errors"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// requireVectors skips where there is no vector body.
func requireVectors(t testing.TB) {
	requireJIT(t)
	if _, err := chooseShape(); err != nil {
		t.Skipf("skipped: %v", err)
	}
}

// eachShape runs a test with each set of vector instructions that there is here.
func eachShape(t *testing.T, test func(t *testing.T)) {
	requireVectors(t)
	defer func(all []*shape) { shapes = all }(shapes)
	for _, s := range []*shape{&wide, &narrow} {
		t.Run(s.name, func(t *testing.T) {
			if !s.has() {
				t.Skipf("skipped: no %s here", s.name)
			}
			shapes = []*shape{s}
			test(t)
		})
	}
}

// eachWayToGather does the same, and once more with the kind of gathers that this processor is not good at.
func eachWayToGather(t *testing.T, test func(t *testing.T)) {
	eachShape(t, test)
	if wide.has() {
		defer func(all []*shape) { shapes = all }(shapes)
		defer func(slow bool) { wide.slowGather = slow }(wide.slowGather)
		shapes, wide.slowGather = []*shape{&wide}, !wide.slowGather
		t.Run(wide.name+" with other gathers", test)
	}
}

// vectored compiles a program and its vector body, which must be possible.
func vectored(t testing.TB, p ebpf.Program) *Func {
	requireVectors(t)
	f, err := Compile(p)
	require.NoError(t, err, ebpf.Print(p, ebpf.LLVM))
	f.SetVector(VectorAlways)
	lanes, why := f.Vector()
	require.NoError(t, why, ebpf.Print(p, ebpf.LLVM))
	require.Greater(t, lanes, 1)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// seeds is how many random programs a test tries: fewer where it has to be short.
func seeds(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// laneNumbers are the registers that random programs for vectors calculate with. r1 stays a pointer, r2 and r3 are read.
var laneNumbers = []ebpf.Register{ebpf.R0, ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8, ebpf.R9}

// laneGenerator makes random programs that vectors can take: every access is behind a guard.
type laneGenerator struct {
	*generator
	short ebpf.Label // where a failed guard leads
	words int        // of the stack
}

func randomLaneProgram(seed uint64) ebpf.Program {
	g := &laneGenerator{generator: newGenerator(seed)}
	return g.program(1 + g.IntN(60))
}

func (g *laneGenerator) program(n int) ebpf.Program {
	b := &g.b
	g.short, g.words = b.NewLabel(), 1+g.IntN(12)
	for _, r := range laneNumbers {
		v := g.Uint64() >> g.IntN(64)
		b.Emit(ebpf.Instruction{Op: ebpf.OpLoadWide, Dst: r, Imm: int32(v)}, ebpf.Instruction{Imm: int32(v >> 32)})
	}
	for i := range g.words {
		b.Emit(ebpf.Store(4, ebpf.R10, int16(-4*(i+1)), pick(g.generator, laneNumbers)))
	}
	b.Branch(ebpf.JLt.Imm32(ebpf.R2, uint32(pick(g.generator, []int{1, 9, 14, 34, 42, 60}))), g.short)
	var open []ebpf.Label
	for range n {
		if len(open) > 0 && g.IntN(3) == 0 {
			b.Place(open[0])
			open = open[1:]
		}
		switch g.IntN(13) {
		case 0, 1, 2:
			to := b.NewLabel()
			b.Branch(g.question(), to)
			open = append(open, to)
		case 3:
			g.scratch()
		case 4, 5:
			g.field()
		case 6:
			g.indexed()
		case 7:
			b.Emit(ebpf.Instruction{Op: pick(g.generator, []ebpf.Opcode{0xd4, 0xdc, 0xd7}), Dst: g.number(), Imm: pick(g.generator, []int32{16, 32, 64})})
		case 8:
			g.verdict()
		case 9:
			g.arms()
		default:
			g.calculation()
		}
	}
	for _, l := range open {
		b.Place(l)
	}
	for i, r := range laneNumbers[1:] {
		b.Emit(ebpf.Mul.Imm32(ebpf.R0, uint32(2*i+3)), ebpf.Xor.Reg(ebpf.R0, r))
	}
	b.Emit(ebpf.Return())
	b.Place(g.short)
	b.Emit(ebpf.Mov.Imm32(ebpf.R0, 7), ebpf.Return())
	p, _, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

func (g *laneGenerator) number() ebpf.Register { return pick(g.generator, laneNumbers) }

// operand may be one of the lengths, too.
func (g *laneGenerator) operand() ebpf.Register {
	return pick(g.generator, append([]ebpf.Register{ebpf.R2, ebpf.R3}, laneNumbers...))
}

// question compares something, often with a small number, so that either answer is given.
func (g *laneGenerator) question() ebpf.Instruction {
	op, dst, k := pick(g.generator, comparisons), g.operand(), g.constant()
	if g.IntN(2) == 0 {
		k = int32(g.IntN(256))
	}
	return pick(g.generator, []ebpf.Instruction{
		op.Imm(dst, k), op.Imm32(dst, uint32(k)), op.Imm32(dst, uint32(k)), op.Reg(dst, g.operand()), op.Reg32(dst, g.operand()),
	})
}

// calculation is any operation that vectors can do.
func (g *laneGenerator) calculation() {
	for {
		ins := g.arithmetic()
		info := ins.Op.Info()
		ins.Dst = g.number()
		if info.Form == ebpf.FormALUReg {
			ins.Src = g.operand()
		}
		shift := info.ALU == ebpf.Lsh || info.ALU == ebpf.Rsh || info.ALU == ebpf.Arsh
		division := info.ALU == ebpf.Div || info.ALU == ebpf.Mod
		switch {
		case division && ins.Off != 0, info.Wide && (division || info.ALU == ebpf.Mul), info.Wide && shift && info.Form == ebpf.FormALUReg:
			continue
		}
		g.b.Emit(ins)
		return
	}
}

// field reads bytes at a constant offset, behind a guard.
func (g *laneGenerator) field() {
	size, off := pick(g.generator, []int{1, 2, 2, 4, 4, 8}), g.IntN(70)
	dst := g.number()
	g.b.Branch(ebpf.JLt.Imm32(ebpf.R2, uint32(off+size)), g.short)
	load := ebpf.Load(size, dst, ebpf.R1, int16(off))
	if size < 8 && g.IntN(5) == 0 {
		load.Op += 0x20 // with its sign
	}
	g.b.Emit(load)
	if size > 1 && g.IntN(2) == 0 {
		g.b.Emit(ebpf.ToBE(dst, int32(8*size)))
	}
}

// indexed reads bytes at a calculated offset.
func (g *laneGenerator) indexed() {
	size, off, dst := pick(g.generator, []int{1, 2, 4}), g.IntN(20), pick(g.generator, laneNumbers[2:])
	g.b.Emit(ebpf.Mov.Reg32(ebpf.R5, g.operand()))
	if g.IntN(4) > 0 {
		g.b.Emit(ebpf.And.Imm32(ebpf.R5, uint32(pick(g.generator, []int{3, 15, 60, 0x70000003}))))
	}
	g.b.Emit(ebpf.Mov.Reg(ebpf.R0, ebpf.R5), ebpf.Add.Imm(ebpf.R0, int32(off+size)))
	g.b.Branch(ebpf.JGt.Reg(ebpf.R0, ebpf.R2), g.short)
	g.b.Emit(ebpf.Add.Reg(ebpf.R5, ebpf.R1), ebpf.Load(size, dst, ebpf.R5, int16(off)), ebpf.Mov.Imm32(ebpf.R5, uint32(g.constant())))
}

// arms reads at one place or at another, as filters do behind the headers of IPv4 and IPv6.
func (g *laneGenerator) arms() {
	other, end := g.b.NewLabel(), g.b.NewLabel()
	g.b.Branch(g.question(), other)
	for range 1 + g.IntN(2) {
		pick(g.generator, []func(){g.field, g.indexed})()
	}
	if g.IntN(2) == 0 {
		g.calculation()
	}
	if g.IntN(3) == 0 {
		g.b.Branch(g.question(), end)
	}
	g.b.Branch(ebpf.Jump(), end)
	g.b.Place(other)
	g.indexed()
	g.b.Place(end)
}

// scratch moves a word to the stack and another one back, or a pointer, which is then read through.
func (g *laneGenerator) scratch() {
	b := &g.b
	if g.words >= 4 && g.IntN(4) == 0 {
		off := int16(-8 * (1 + g.IntN(g.words/2)))
		b.Emit(ebpf.Store(8, ebpf.R10, off, ebpf.R1), ebpf.Load(8, ebpf.R5, ebpf.R10, off), ebpf.Mov.Reg(ebpf.R0, ebpf.R5))
		b.Branch(ebpf.JLt.Imm(ebpf.R2, 9), g.short)
		b.Emit(ebpf.Load(1, ebpf.R0, ebpf.R0, 8), ebpf.Mov.Imm(ebpf.R5, g.constant()))
		b.Emit(ebpf.Instruction{Op: ebpf.Store(8, 0, 0, 0).Op - 1, Dst: ebpf.R10, Off: off, Imm: g.constant()})
		return
	}
	word := func() int16 { return int16(-4 * (1 + g.IntN(g.words))) }
	b.Emit(ebpf.Store(4, ebpf.R10, word(), g.operand()), ebpf.Load(4, g.number(), ebpf.R10, word()))
}

// verdict ends the run for some.
func (g *laneGenerator) verdict() {
	on := g.b.NewLabel()
	g.b.Branch(g.question(), on)
	if g.IntN(2) == 0 {
		g.b.Emit(ebpf.Mov.Imm32(ebpf.R0, uint32(pick(g.generator, []int{0, 7, 1000}))))
	}
	g.b.Emit(ebpf.Return())
	g.b.Place(on)
}

// randomBatch is packets of at least so many bytes in one buffer, in no order.
func randomBatch(g *generator, n, least int) (buf []byte, descs []Desc) {
	buf = make([]byte, 200+g.IntN(3000))
	for i := range buf {
		buf[i] = byte(g.Uint32() >> g.IntN(8))
	}
	for range n {
		caplen := least + g.IntN(100)
		off := g.IntN(len(buf) - caplen + 1)
		descs = append(descs, Desc{Off: uint32(off), CapLen: uint32(caplen), WireLen: g.Uint32() >> g.IntN(32)})
	}
	return buf, descs
}

// sameVerdicts runs a batch with vectors and each packet in the interpreter, and demands the same verdicts.
func sameVerdicts(t testing.TB, f *Func, p ebpf.Program, buf []byte, descs []Desc) {
	t.Helper()
	verdicts := make([]uint32, len(descs))
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts), "%v\n%s", descs, ebpf.Print(p, ebpf.LLVM))
	for i, d := range descs {
		pkt := ebpf.Packet{Data: buf[d.Off : d.Off+d.CapLen], WireLen: d.WireLen}
		want, err := ebpf.Run(p, ebpf.User, &pkt)
		require.NoError(t, err)
		if uint32(want) != verdicts[i] {
			t.Fatalf("packet %d of %d: interpreter %#x, vectors %#x\nwire length %d, packet %x\n%s",
				i, len(descs), uint32(want), verdicts[i], d.WireLen, pkt.Data, ebpf.Print(p, ebpf.LLVM))
		}
	}
}

func TestRandomProgramsOnVectors(t *testing.T) { eachWayToGather(t, testRandomProgramsOnVectors) }

func testRandomProgramsOnVectors(t *testing.T) {
	requireVectors(t)
	rounds := seeds(3000)
	refused := map[VectorReason]int{}
	groups, given := 0, 0
	for seed := range uint64(rounds) {
		p := randomLaneProgram(seed)
		f, err := Compile(p)
		require.NoError(t, err, ebpf.Print(p, ebpf.LLVM))
		f.SetVector(VectorAlways)
		if _, why := f.Vector(); why != nil {
			var e *VectorError
			require.True(t, errors.As(why, &e), why)
			refused[e.Reason]++
			require.NoError(t, f.Close())
			continue
		}
		g := newGenerator(seed)
		for _, least := range []int{0, leastMost, leastMost} {
			buf, descs := randomBatch(g, 16+g.IntN(48), least)
			sameVerdicts(t, f, p, buf, descs)
			groups++
			if f.vectors.body.code.runVector(buf, descs, asking{from: never}, make([]uint32, len(descs))) == len(descs) {
				given++
			}
		}
		require.NoError(t, f.Close())
	}
	t.Logf("%d of %d batches wholly on vectors, programs refused: %v", given, groups, refused)
	require.Greater(t, given, groups/2)
	var sum int
	for _, n := range refused {
		sum += n
	}
	require.Less(t, sum, rounds/10)
}

// TestVectorBatchSizes runs batches of each size, in which a number of packets are too short for vectors.
func TestVectorBatchSizes(t *testing.T) { eachShape(t, testVectorBatchSizes) }

func testVectorBatchSizes(t *testing.T) {
	p := tcp()
	f := vectored(t, p)
	g := newGenerator(1)
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 100, 4095, 4096, 4097, 5000} {
		for _, short := range []int{0, 1, 5, n} {
			buf, descs := randomBatch(g, n, 24)
			for range min(short, n) {
				descs[g.IntN(n)].CapLen = uint32(g.IntN(24))
			}
			verdicts := slices.Repeat([]uint32{0xdeadbeef}, n+20)
			require.NoError(t, f.RunBatch(buf, descs, nil, verdicts[:n]))
			for i, d := range descs {
				want := uint32(0)
				if d.CapLen >= 24 {
					want = uint32(buf[d.Off+23])
				}
				require.Equal(t, want, verdicts[i], "packet %d of %d", i, n)
			}
			for i, v := range verdicts[n:] {
				require.Equal(t, uint32(0xdeadbeef), v, "%d verdicts too many", i+1)
			}
		}
	}
}
