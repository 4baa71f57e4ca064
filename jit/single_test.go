package jit

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/arch/x86/x86asm"
)

// framed is a program that keeps byte 23 in its stack for a while.
func framed() ebpf.Program {
	return build(func(b *ebpf.Builder) {
		b.Emit(ebpf.Store(8, ebpf.R10, -16, ebpf.R2))
		short := b.NewLabel()
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
		b.Branch(ebpf.JLt.Imm32(ebpf.R2, 24), short)
		b.Emit(ebpf.Load(1, ebpf.R3, ebpf.R1, 23), ebpf.Store(8, ebpf.R10, -8, ebpf.R3), ebpf.Load(8, ebpf.R0, ebpf.R10, -8))
		b.Place(short)
		b.Emit(ebpf.Return())
	})
}

// TestCloseDuringSingleRuns closes programs while other goroutines run them packet by packet and the collector is at work, which is
// to free the single body when nobody can be inside of it, and not sooner.
func TestCloseDuringSingleRuns(t *testing.T) {
	requireJIT(t)
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	for _, p := range []ebpf.Program{tcp(), framed()} {
		for range 8 {
			f := compiled(t, p)
			data := make([]byte, 60)
			data[23] = 99
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for {
						r0, err := f.Run(&ebpf.Packet{Data: data})
						if errors.Is(err, ErrClosed) {
							return
						}
						if r0 != 99 || err != nil {
							t.Errorf("verdict %d, error %v", r0, err)
							return
						}
					}
				})
			}
			runtime.GC()
			require.NoError(t, f.Close())
			runtime.GC()
			runtime.GC()
			wg.Wait()
		}
	}
}

// TestSingleBodyTakesWhatTheOthersTake runs each kind of program before it has a single body and then, on packets that this takes
// and that it does not.
func TestSingleBodyTakesWhatTheOthersTake(t *testing.T) {
	requireJIT(t)
	mark := ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R4, ebpf.SkbMark), ebpf.Add.Reg(ebpf.R0, ebpf.R3), ebpf.Return()}
	word := ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, 60), ebpf.Return()}
	full, data := &ebpf.SkBuff{Mark: 5}, make([]byte, 64)
	data[23], data[60] = 7, 9
	short := &FaultError{PC: -1}
	for _, c := range []struct {
		name    string
		p       ebpf.Program
		compile func(ebpf.Program) (*Func, error)
		pkt     *ebpf.Packet
		r0      uint64
		err     error
	}{
		{"no packet", tcp(), Compile, nil, 0, nil},
		{"an empty one", tcp(), Compile, &ebpf.Packet{}, 0, nil},
		{"bytes", tcp(), Compile, &ebpf.Packet{Data: data}, 7, nil},
		{"no packet, with a frame", framed(), Compile, nil, 0, nil},
		{"bytes, with a frame", framed(), Compile, &ebpf.Packet{Data: data}, 7, nil},
		{"properties", mark, Compile, &ebpf.Packet{WireLen: 100, Skb: full}, 105, nil},
		{"no properties", mark, Compile, &ebpf.Packet{WireLen: 100}, 100, nil},
		{"seccomp_data", word, CompileSeccomp, &ebpf.Packet{Data: data}, 9, nil},
		{"too few bytes", word, CompileSeccomp, &ebpf.Packet{Data: data[:63]}, 0, short},
		{"more bytes", word, CompileSeccomp, &ebpf.Packet{Data: append(data, 1, 2)}, 9, nil},
	} {
		f, err := c.compile(c.p)
		require.NoError(t, err)
		for round := range 3 {
			for _, run := range []func(*Func, *ebpf.Packet) (uint64, error){(*Func).Run, runGeneral} {
				r0, err := run(f, c.pkt)
				require.Equal(t, c.r0, r0, "%s, run %d", c.name, round)
				if c.err == nil {
					require.NoError(t, err, c.name)
				} else {
					require.Equal(t, c.err, err, c.name)
				}
			}
		}
		require.NotNil(t, f.single.body.Load(), c.name)
		require.NoError(t, f.Close())
	}
}

// TestSingleCodeWritesItsResultsAlone disassembles single bodies without a frame: of the stack they write where Go looks for the
// three words of their results, and nothing else.
func TestSingleCodeWritesItsResultsAlone(t *testing.T) {
	checked := 0
	for seed := range uint64(1000) {
		p := randomProgram(seed)
		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err)
		code, ok := generateOne(p, facts, false)
		if !ok || facts.Stack > 0 || divides(p) {
			continue
		}
		checked++
		written, rets := map[int64]int{}, 0
		for at := 0; at < len(code); {
			inst, err := x86asm.Decode(code[at:], 64)
			require.NoError(t, err, "% x", code[at:min(at+15, len(code))])
			text := x86asm.IntelSyntax(inst, 0, nil)
			require.NotContains(t, []x86asm.Op{x86asm.CALL, x86asm.PUSH, x86asm.POP}, inst.Op, text)
			require.NotEqual(t, x86asm.Arg(x86asm.RSP), inst.Args[0], text)
			require.NotEqual(t, x86asm.Arg(x86asm.RBP), inst.Args[0], text)
			if m, ok := inst.Args[0].(x86asm.Mem); ok && m.Base == x86asm.RSP {
				written[m.Disp]++
			}
			if inst.Op == x86asm.RET {
				rets++
			}
			at += inst.Len
		}
		require.Equal(t, 1, rets)
		require.Equal(t, map[int64]int{resultR0: 1, resultErr: 1, resultErr + 8: 1}, written)
	}
	require.Greater(t, checked, 30)
}
