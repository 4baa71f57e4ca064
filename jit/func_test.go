package jit

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/arch/x86/x86asm"
)

// tcp returns the protocol byte of Ethernet IPv4 packets, behind one guard; 0 for shorter packets.
func tcp() ebpf.Program {
	return build(func(b *ebpf.Builder) {
		short := b.NewLabel()
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
		b.Branch(ebpf.JLt.Imm32(ebpf.R2, 24), short)
		b.Emit(ebpf.Load(1, ebpf.R0, ebpf.R1, 23))
		b.Place(short)
		b.Emit(ebpf.Return())
	})
}

func build(f func(b *ebpf.Builder)) ebpf.Program {
	var b ebpf.Builder
	f(&b)
	p, _, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

func compiled(t testing.TB, p ebpf.Program) *Func {
	requireJIT(t)
	f, err := Compile(p)
	require.NoError(t, err, ebpf.Print(p, ebpf.LLVM))
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// packets lays n packets of the given size out in a buffer; byte 23 of each is its number.
func packets(n, size int) (buf []byte, descs []Desc) {
	buf, descs = make([]byte, n*size), make([]Desc, n)
	for i := range descs {
		descs[i] = Desc{Off: uint32(i * size), CapLen: uint32(size), WireLen: uint32(size)}
		if size > 23 {
			buf[i*size+23] = byte(i)
		}
	}
	return buf, descs
}

func TestBatchSizes(t *testing.T) {
	f := compiled(t, tcp())
	for _, n := range []int{0, 1, 2, 3, 15, 16, 4095, 4096, 4097, 10000} {
		buf, descs := packets(n, 60)
		verdicts := make([]uint32, n+1)
		verdicts[n] = 0xdeadbeef
		require.NoError(t, f.RunBatch(buf, descs, nil, verdicts))
		for i := range n {
			require.Equal(t, uint32(byte(i)), verdicts[i], "packet %d of %d", i, n)
		}
		require.Equal(t, uint32(0xdeadbeef), verdicts[n], "a verdict too many")
	}
}

// A program that has another use for r4 needs no properties, also where it is interpreted.
func TestUsesSkb(t *testing.T) {
	tests := []struct {
		name string
		want bool
		emit []ebpf.Instruction
	}{
		{"reads a field", true, []ebpf.Instruction{ebpf.Load(4, ebpf.R0, ebpf.R4, ebpf.SkbMark)}},
		{"reads a field through a copy", true, []ebpf.Instruction{ebpf.Mov.Reg(ebpf.R1, ebpf.R4), ebpf.Load(4, ebpf.R0, ebpf.R1, 0)}},
		{"overwrites r4", false, []ebpf.Instruction{ebpf.Mov.Imm(ebpf.R4, 7), ebpf.Mov.Reg(ebpf.R0, ebpf.R4)}},
		{"moves r4", false, []ebpf.Instruction{ebpf.Mov.Reg(ebpf.R5, ebpf.R4), ebpf.Mov.Imm(ebpf.R0, 7)}},
		{"does not name r4", false, []ebpf.Instruction{ebpf.Mov.Imm(ebpf.R0, 7)}},
	}
	for _, test := range tests {
		p := append(ebpf.Program(test.emit), ebpf.Return())
		slow, err := interpreted(p, nil)
		require.NoError(t, err, test.name)
		require.Equal(t, test.want, slow.UsesSkb(), test.name)
		require.Equal(t, test.want, compiled(t, p).UsesSkb(), test.name)
	}
}

func TestBatchProperties(t *testing.T) {
	f := compiled(t, build(func(b *ebpf.Builder) {
		b.Emit(ebpf.Load(4, ebpf.R0, ebpf.R4, ebpf.SkbMark), ebpf.Add.Reg(ebpf.R0, ebpf.R3), ebpf.Return())
	}))
	buf, descs := packets(9000, 30)
	skbs := make([]ebpf.SkBuff, len(descs))
	for i := range skbs {
		skbs[i].Mark = uint32(i * 3)
	}
	verdicts := make([]uint32, len(descs))
	require.NoError(t, f.RunBatch(buf, descs, skbs, verdicts))
	for i, v := range verdicts {
		require.Equal(t, uint32(i*3+30), v)
	}
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts))
	require.Equal(t, uint32(30), verdicts[8999], "without properties they are zero")
}

func TestBatchRefusesWhatDoesNotFit(t *testing.T) {
	f := compiled(t, tcp())
	buf, descs := packets(5000, 60)
	verdicts := make([]uint32, 5000)
	require.ErrorContains(t, f.RunBatch(buf, descs, nil, verdicts[:4999]), "room for 4999 verdicts, 5000 packets")
	require.ErrorContains(t, f.RunBatch(buf, descs, make([]ebpf.SkBuff, 1), verdicts), "1 properties")

	for _, bad := range []Desc{{Off: uint32(len(buf)) - 59, CapLen: 60}, {Off: 1<<32 - 1, CapLen: 1<<32 - 1}, {Off: uint32(len(buf)) + 1}} {
		descs[4500] = bad
		err := f.RunBatch(buf, descs, nil, verdicts)
		var fault *FaultError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, FaultError{Packet: 4500, PC: -1}, *fault)
		require.ErrorContains(t, err, "packet 4500: its descriptor leaves the buffer, or")
	}
	descs[4500] = Desc{Off: uint32(len(buf))}
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts), "an empty packet at the very end is one")
}

func TestFaultNamesPacketAndInstruction(t *testing.T) {
	p := build(func(b *ebpf.Builder) {
		b.Emit(ebpf.Load(4, ebpf.R0, ebpf.R1, 100), ebpf.Return())
	})
	f := compiled(t, p)
	buf, descs := packets(10, 104)
	verdicts := make([]uint32, 10)
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts))
	descs[7].CapLen = 103
	err := f.RunBatch(buf, descs, nil, verdicts)
	require.Equal(t, &FaultError{Packet: 7, PC: 0}, err)
	require.ErrorContains(t, err, "packet 7: insn 0")
}

func TestRefusesUnsoundPrograms(t *testing.T) {
	_, err := Compile(ebpf.Program{ebpf.Return()})
	require.ErrorIs(t, err, ebpf.ReasonUnset)
	_, err = New(nil)
	require.ErrorIs(t, err, ebpf.ReasonEmpty)
}

func TestClosedRunsNoMore(t *testing.T) {
	f := compiled(t, tcp())
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, err := f.Run(&ebpf.Packet{})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, f.RunBatch(nil, nil, nil, nil), ErrClosed)
	code, starts := f.Code()
	require.Nil(t, code)
	require.Nil(t, starts)
}

// TestCloseDuringRuns closes programs while other goroutines are inside of them: the pages must stay until those are out.
func TestCloseDuringRuns(t *testing.T) {
	buf, descs := packets(4096, 60)
	for range 50 {
		f := compiled(t, tcp())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				verdicts := make([]uint32, len(descs))
				for {
					if err := f.RunBatch(buf, descs, nil, verdicts); errors.Is(err, ErrClosed) {
						return
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		require.NoError(t, f.Close())
		wg.Wait()
	}
}

// TestForgottenFuncsAreFreed makes programs without closing them, under a busy garbage collector.
func TestForgottenFuncsAreFreed(t *testing.T) {
	requireJIT(t)
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	for range 300 {
		f, err := Compile(tcp())
		require.NoError(t, err)
		r0, err := f.Run(&ebpf.Packet{Data: make([]byte, 60)})
		require.NoError(t, err)
		require.Zero(t, r0)
		runtime.GC()
	}
}

// TestGeneratedCodeIsAFramelessLeaf disassembles what random programs become: the runtime relies on the shape.
func TestGeneratedCodeIsAFramelessLeaf(t *testing.T) {
	for seed := range uint64(300) {
		p := randomProgram(seed)
		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err)
		code, starts := generate(p, facts, 0)
		require.Len(t, starts, len(p)+1)
		begins := map[int]bool{}
		for at := 0; at < len(code); {
			inst, err := x86asm.Decode(code[at:], 64)
			require.NoError(t, err, "% x", code[at:min(at+15, len(code))])
			begins[at] = true
			text := x86asm.IntelSyntax(inst, 0, nil)
			switch inst.Op {
			case x86asm.CALL, x86asm.PUSH, x86asm.POP, x86asm.LEAVE, x86asm.ENTER, x86asm.SYSCALL:
				t.Fatalf("%s in generated code", text)
			}
			if inst.Op != x86asm.CMP && inst.Op != x86asm.TEST {
				for _, r := range []x86asm.Reg{x86asm.RSP, x86asm.RBP, x86asm.ESP, x86asm.EBP} {
					require.NotEqual(t, x86asm.Arg(r), inst.Args[0], text)
				}
			}
			if rel, ok := inst.Args[0].(x86asm.Rel); ok {
				to := at + inst.Len + int(rel)
				require.True(t, to >= 0 && to < len(code), "%s leaves the code", text)
			}
			at += inst.Len
		}
		for pc, at := range starts {
			require.True(t, begins[at], "insn %d begins inside an instruction", pc)
		}
	}
}

func TestSeccomp(t *testing.T) {
	requireJIT(t)
	f, err := CompileSeccomp(ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, 60), ebpf.Return()})
	require.NoError(t, err)
	defer f.Close()
	data := make([]byte, 64)
	data[60] = 9
	r0, err := f.Run(&ebpf.Packet{Data: data})
	require.NoError(t, err)
	require.Equal(t, uint64(9), r0)
	_, err = f.Run(&ebpf.Packet{Data: data[:63]})
	require.Equal(t, &FaultError{PC: -1}, err)
	_, err = CompileSeccomp(ebpf.Program{ebpf.Mov.Reg(ebpf.R0, ebpf.R2), ebpf.Return()})
	require.ErrorIs(t, err, ebpf.ReasonUnset)
}

func TestHelpersInPlace(t *testing.T) {
	random := compiled(t, build(func(b *ebpf.Builder) {
		b.Emit(ebpf.CallHelper(ebpf.HelperPrandomU32), ebpf.Return())
	}))
	seen, ones := map[uint64]bool{}, 0
	for range 1000 {
		r0, err := random.Run(&ebpf.Packet{})
		require.NoError(t, err)
		require.Less(t, r0, uint64(1<<32))
		seen[r0] = true
		ones += int(r0 >> 31)
	}
	require.Greater(t, len(seen), 990, "random numbers hardly repeat")
	require.InDelta(t, 500, ones, 120, "and their bits are even")

	cpu := compiled(t, build(func(b *ebpf.Builder) {
		b.Emit(ebpf.CallHelper(ebpf.HelperProcessorID), ebpf.Return())
	}))
	r0, err := cpu.Run(&ebpf.Packet{})
	require.NoError(t, err)
	require.Less(t, r0, uint64(4096))
}

// TestInterpretedFuncDoesTheSame runs a Func without code, as other platforms have it.
func TestInterpretedFuncDoesTheSame(t *testing.T) {
	f, err := interpreted(tcp(), &UnavailableError{Op: "test", Err: errors.ErrUnsupported})
	require.NoError(t, err)
	buf, descs := packets(300, 60)
	verdicts := make([]uint32, 300)
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts))
	require.Equal(t, uint32(42), verdicts[42])
	r0, err := f.Run(&ebpf.Packet{Data: buf[60*9 : 60*10]})
	require.NoError(t, err)
	require.Equal(t, uint64(9), r0)
	descs[1].CapLen = 1 << 30
	require.Equal(t, &FaultError{Packet: 1, PC: -1}, f.RunBatch(buf, descs, nil, verdicts))
	require.ErrorIs(t, f.Why(), errors.ErrUnsupported)
	require.ErrorContains(t, f.Why(), "no JIT here: test")
	require.NoError(t, f.Close())

	wild, err := interpreted(ebpf.Program{ebpf.Load(1, ebpf.R0, ebpf.R1, 60), ebpf.Return()}, nil)
	require.NoError(t, err)
	require.Equal(t, &FaultError{Packet: 0, PC: 0}, wild.RunBatch(buf, descs[:1], nil, verdicts))
	_, err = wild.Run(&ebpf.Packet{Data: buf[:60]})
	require.Equal(t, &FaultError{Packet: 0, PC: 0}, err)
}

func BenchmarkRun(b *testing.B) {
	f := compiled(b, tcp())
	pkt := &ebpf.Packet{Data: make([]byte, 60)}
	for b.Loop() {
		if _, err := f.Run(pkt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunBatch(b *testing.B) {
	f := compiled(b, tcp())
	buf, descs := packets(1024, 60)
	verdicts := make([]uint32, len(descs))
	for b.Loop() {
		if err := f.RunBatch(buf, descs, nil, verdicts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(descs)), "ns/packet")
}
