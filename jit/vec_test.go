package jit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/arch/x86/x86asm"
)

// TestVectorCodeIsAFramelessLeaf disassembles vector bodies: the runtime relies on their shape as on that of the others.
func TestVectorCodeIsAFramelessLeaf(t *testing.T) { eachWayToGather(t, testVectorCodeIsAFramelessLeaf) }

func testVectorCodeIsAFramelessLeaf(t *testing.T) {
	for seed := range uint64(300) {
		p := randomLaneProgram(seed)
		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err)
		g, err := vectorGraph(p, facts, ebpf.User, shapes[0])
		require.NoError(t, err)
		code, _, err := generateVector(g)
		require.NoError(t, err)
		rets := 0
		for at := 0; rets == 0; {
			if slices.Equal(code[at:at+3], []byte{0xc5, 0xf8, 0x77}) { // vzeroupper, which the disassembler does not know
				require.Equal(t, byte(0xc3), code[at+3], "it stands before the end")
				at += 3
				continue
			}
			inst, err := x86asm.Decode(code[at:], 64)
			require.NoError(t, err, "% x", code[at:min(at+15, len(code))])
			text := x86asm.IntelSyntax(inst, 0, nil)
			switch inst.Op {
			case x86asm.CALL, x86asm.PUSH, x86asm.POP, x86asm.LEAVE, x86asm.ENTER, x86asm.SYSCALL:
				t.Fatalf("%s in generated code", text)
			case x86asm.RET:
				rets++
			}
			for _, r := range []x86asm.Reg{x86asm.RSP, x86asm.RBP, x86asm.ESP, x86asm.EBP} {
				require.NotEqual(t, x86asm.Arg(r), inst.Args[0], text)
			}
			if rel, ok := inst.Args[0].(x86asm.Rel); ok {
				to := at + inst.Len + int(rel)
				require.True(t, to >= 0 && to < len(code), "%s leaves the code", text)
			}
			if m, ok := inst.Args[0].(x86asm.Mem); ok && m.Base == x86asm.RSP {
				require.LessOrEqual(t, m.Disp, int64(8+vectorFrameSize-maskBytes), text)
			}
			at += inst.Len
		}
	}
}

// TestFaultsOnVectors runs programs with accesses that nothing guards. The first packet that faults ends the batch in either
// body, with the same error, and the verdicts before it stand.
func TestFaultsOnVectors(t *testing.T) { eachShape(t, testFaultsOnVectors) }

func testFaultsOnVectors(t *testing.T) {
	requireVectors(t)
	faults, fine := 0, 0
	for seed := range uint64(seeds(1000)) {
		g := newGenerator(seed)
		p := build(func(b *ebpf.Builder) {
			end := b.NewLabel()
			b.Emit(ebpf.Mov.Imm32(ebpf.R0, 5), ebpf.Mov.Reg(ebpf.R5, ebpf.R3))
			b.Branch(ebpf.JSet.Imm32(ebpf.R3, uint32(g.IntN(4))), end)
			switch g.IntN(4) {
			case 0:
				b.Emit(ebpf.And.Imm32(ebpf.R5, 127))
			case 1:
				b.Emit(ebpf.Lsh.Imm(ebpf.R5, int32(g.IntN(64))), ebpf.Rsh.Imm(ebpf.R5, int32(g.IntN(64))))
			case 2:
				b.Emit(ebpf.Sub.Imm(ebpf.R5, 50))
			}
			b.Emit(ebpf.Add.Reg(ebpf.R5, ebpf.R1), ebpf.Sub.Imm(ebpf.R5, int32(g.IntN(20))))
			b.Emit(ebpf.Load(pick(g, []int{1, 2, 4, 8}), ebpf.R0, ebpf.R5, int16(g.IntN(20)-3)))
			b.Place(end)
			b.Emit(ebpf.Return())
		})
		f := vectored(t, p)
		buf, descs := randomBatch(g, 48+g.IntN(16), 60)
		for i := range descs {
			if i%16 != 3 || g.IntN(2) == 0 {
				descs[i].WireLen = uint32(g.IntN(60))
			}
		}
		got, want := make([]uint32, len(descs)), make([]uint32, len(descs))
		errGot, errWant := f.RunBatch(buf, descs, nil, got), f.runScalar(buf, descs, nil, want, 0, len(descs))
		require.Equal(t, errWant, errGot, ebpf.Print(p, ebpf.LLVM))
		n := len(descs)
		if fault := (*FaultError)(nil); errors.As(errWant, &fault) {
			n = fault.Packet
			faults++
		} else {
			fine++
		}
		require.Equal(t, want[:n], got[:n], ebpf.Print(p, ebpf.LLVM))
	}
	require.Greater(t, faults, seeds(1000)/10)
	require.Greater(t, fine, seeds(1000)/10)
}

// TestVectorFrame holds the size of the frame against what the trampoline reserves.
func TestVectorFrame(t *testing.T) {
	text, err := os.ReadFile("call_amd64.s")
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("TEXT ·callVector(SB), 0, $%d-16", vectorFrameSize))
}

// TestEveryLengthOfPacket cuts packets to each length, sixteen or more of the same and mixed, and runs translated filters on
// them: all of their guards are at work.
func TestEveryLengthOfPacket(t *testing.T) { eachWayToGather(t, testEveryLengthOfPacket) }

func testEveryLengthOfPacket(t *testing.T) {
	requireVectors(t)
	tr := newTraffic(3)
	var buf []byte
	var same, mixed []Desc
	for range 40 {
		p := tr.packet()
		p = p[:min(len(p), 100)]
		for n := range len(p) + 1 {
			same = append(same, Desc{Off: uint32(len(buf)), CapLen: uint32(n), WireLen: uint32(len(p))})
		}
		buf = append(buf, p...)
	}
	mixed = shuffled(same, 1)
	slices.SortStableFunc(same, func(a, b Desc) int { return int(a.CapLen) - int(b.CapLen) })
	for _, name := range []string{"tcp-port-80", "ip6-host", "dns", "http-get", "arithmetic", "vlan-or-plain", "ip-options", "portrange"} {
		r, err := translate.Translate(classic(t, name+".d"), translate.Options{NetOff: 14})
		require.NoError(t, err)
		f := vectored(t, r.Program)
		for _, descs := range [][]Desc{same, mixed} {
			sameVerdicts(t, f, r.Program, buf, descs)
		}
	}
}

// pressure is a program that has so many different numbers at hand at once: it reads words, keeps them on the stack, and adds
// them up behind a branch.
func pressure(n int) ebpf.Program {
	return build(func(b *ebpf.Builder) {
		end, on := b.NewLabel(), b.NewLabel()
		b.Branch(ebpf.JLt.Imm32(ebpf.R2, 40), end)
		for i := range n {
			b.Emit(ebpf.Load(4, ebpf.R5, ebpf.R1, int16(i%36)), ebpf.Mul.Imm32(ebpf.R5, uint32(2*i+3)), ebpf.Add.Reg32(ebpf.R5, ebpf.R3))
			b.Emit(ebpf.Store(4, ebpf.R10, int16(-4*(i+1)), ebpf.R5))
		}
		b.Branch(ebpf.JSet.Imm32(ebpf.R3, 1), on)
		b.Emit(ebpf.Store(4, ebpf.R10, -4, ebpf.R2))
		b.Place(on)
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
		for i := range n {
			b.Emit(ebpf.Load(4, ebpf.R5, ebpf.R10, int16(-4*(i+1))), ebpf.Xor.Reg32(ebpf.R0, ebpf.R5), ebpf.Mul.Imm32(ebpf.R0, 5))
		}
		b.Emit(ebpf.Return())
		b.Place(end)
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0), ebpf.Return())
	})
}

// branching is a program in which so many blocks wait for lanes at once: many jumps to different places behind all of them.
func branching(n int) ebpf.Program {
	return build(func(b *ebpf.Builder) {
		var to []ebpf.Label
		for i := range n {
			to = append(to, b.NewLabel())
			b.Branch(ebpf.JEq.Imm32(ebpf.R3, uint32(3*i)), to[i])
			b.Emit(ebpf.Add.Imm32(ebpf.R3, uint32(2*i)))
		}
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0), ebpf.Return())
		for i := range n {
			b.Place(to[i])
			b.Emit(ebpf.Mov.Imm32(ebpf.R0, uint32(i+1)), ebpf.Return())
		}
	})
}

// TestVectorsInTheFrame runs programs that need more registers than there are.
func TestVectorsInTheFrame(t *testing.T) { eachShape(t, testVectorsInTheFrame) }

func testVectorsInTheFrame(t *testing.T) {
	g := newGenerator(5)
	for _, p := range []ebpf.Program{pressure(10), pressure(24), pressure(34), pressure(54), branching(4), branching(20), branching(60)} {
		f := vectored(t, p)
		buf, descs := randomBatch(g, 100, leastMost)
		for i := range descs {
			descs[i].WireLen = g.Uint32() & 0xff
		}
		sameVerdicts(t, f, p, buf, descs)
	}
}

func TestSeccompOnVectors(t *testing.T) { eachShape(t, testSeccompOnVectors) }

func testSeccompOnVectors(t *testing.T) {
	requireVectors(t)
	p := ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, 60), ebpf.Load(4, ebpf.R5, ebpf.R1, 0), ebpf.Add.Reg32(ebpf.R0, ebpf.R5), ebpf.Return()}
	f, err := CompileSeccomp(p)
	require.NoError(t, err)
	defer f.Close()
	f.SetVector(VectorAlways)
	_, why := f.Vector()
	require.NoError(t, why)
	buf, descs := newTraffic(1).syscalls(100)
	for i := range descs {
		buf[64*i+60] = byte(i)
	}
	verdicts := make([]uint32, len(descs))
	require.NoError(t, f.RunBatch(buf, descs, nil, verdicts))
	for i, v := range verdicts {
		require.Equal(t, uint32(i)+uint32(buf[64*i])+uint32(buf[64*i+1])<<8+uint32(buf[64*i+2])<<16+uint32(buf[64*i+3])<<24, v)
	}
	descs[70].CapLen = 63
	require.Equal(t, &FaultError{Packet: 70, PC: -1}, f.RunBatch(buf, descs, nil, verdicts))
}

// TestOneBodyForAll wants the vector body from many goroutines at once, of programs that are closed meanwhile.
func TestOneBodyForAll(t *testing.T) { eachShape(t, testOneBodyForAll) }

func testOneBodyForAll(t *testing.T) {
	requireVectors(t)
	buf, descs := packets(512, 60)
	for range 50 {
		f, err := Compile(tcp())
		require.NoError(t, err)
		f.SetVector(VectorAlways)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				verdicts := make([]uint32, len(descs))
				for {
					err := f.RunBatch(buf, descs, nil, verdicts)
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil || verdicts[300] != 300&0xff {
						t.Errorf("verdict %d, error %v", verdicts[300], err)
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		require.NoError(t, f.Close())
		wg.Wait()
	}
}
