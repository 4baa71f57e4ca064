package translate_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// randomOptions draws access, registers and a part of the stack for a snippet.
func randomOptions(r *rand.Rand, level int) translate.SnippetOptions {
	regs := r.Perm(int(ebpf.R10))
	access := translate.SnippetAccess(r.IntN(2))
	if access == translate.AccessProbe { // of r6 to r9 are start, end, Working[1] and Working[2]
		kept, lost := r.Perm(4), r.Perm(6)
		regs = []int{6 + kept[0], 6 + kept[1], lost[0], 6 + kept[2], 6 + kept[3], lost[1], lost[2], lost[3]}
	}
	o := translate.SnippetOptions{
		PacketStart: ebpf.Register(regs[0]), PacketEnd: ebpf.Register(regs[1]),
		Result:      ebpf.Register(regs[r.IntN(8)]),
		StackOffset: -lengthSlot + 4*r.IntN(60),
		Windows:     r.IntN(3) == 0, NetOff: 14,
		Optimize: level, Access: access,
	}
	for i := range o.Working {
		o.Working[i] = ebpf.Register(regs[2+i])
	}
	return o
}

// Places on the stack that belong to the program around a snippet: for the address and the length of the packet.
const (
	startSlot  = -8
	lengthSlot = -16
)

// kernelAddress is where packets are in the memory of the kernel.
const kernelAddress = 0xffff888000001000

// around puts a snippet into a program that is entered with data in r1 and its length in r2, or finds both in its context. It returns what the snippet has left in
// all 64 bits of Result; or -1 if something has changed that does not belong to the snippet.
func around(t *testing.T, s *translate.SnippetResult, o translate.SnippetOptions) ebpf.Program {
	var b ebpf.Builder
	if o.Access == translate.AccessProbe {
		b.Emit(ebpf.Load(8, ebpf.R2, ebpf.R1, 8), ebpf.Load(8, ebpf.R1, ebpf.R1, 0))
	}
	b.Emit(ebpf.Store(8, ebpf.R10, startSlot, ebpf.R1), ebpf.Store(8, ebpf.R10, lengthSlot, ebpf.R2))
	free := slices.DeleteFunc(slices.Clone(o.Working[:]), func(r ebpf.Register) bool { return r == o.Result })
	end := func(r, length ebpf.Register) {
		b.Emit(ebpf.Load(8, r, ebpf.R10, startSlot), ebpf.Load(8, length, ebpf.R10, lengthSlot), ebpf.Add.Reg(r, length))
	}
	end(o.PacketEnd, free[0])
	b.Emit(ebpf.Load(8, o.PacketStart, ebpf.R10, startSlot))
	others := slices.DeleteFunc(registersTo(ebpf.R9), func(r ebpf.Register) bool {
		return slices.Contains(destroyed(o), r) || r == o.PacketStart || r == o.PacketEnd
	})
	for _, r := range others {
		b.Emit(ebpf.Mov.Imm(r, 1000+int32(r)))
	}
	b.Emit(s.Program...)

	changed := b.NewLabel()
	for _, r := range others {
		b.Branch(ebpf.JNe.Imm(r, 1000+int32(r)), changed)
	}
	if o.Result != o.PacketStart {
		b.Emit(ebpf.Load(8, free[0], ebpf.R10, startSlot))
		b.Branch(ebpf.JNe.Reg(free[0], o.PacketStart), changed)
	}
	if o.Result != o.PacketEnd {
		end(free[0], free[1])
		b.Branch(ebpf.JNe.Reg(free[0], o.PacketEnd), changed)
	}
	b.Emit(ebpf.Mov.Reg(ebpf.R0, o.Result), ebpf.Return())
	b.Place(changed)
	b.Emit(ebpf.Mov.Imm(ebpf.R0, -1), ebpf.Return())
	p, _, err := b.Program()
	require.NoError(t, err)
	return p
}

// destroyed are the registers that a snippet may write.
func destroyed(o translate.SnippetOptions) []ebpf.Register {
	own := append(slices.Clone(o.Working[:]), o.Result)
	if o.Access == translate.AccessProbe {
		own = append(own, registersTo(ebpf.R5)...)
	}
	return own
}

// registersTo are the registers up to one.
func registersTo(last ebpf.Register) (all []ebpf.Register) {
	for r := ebpf.R0; r <= last; r++ {
		all = append(all, r)
	}
	return all
}

// requireKept demands that a snippet writes nothing but what is its own, calls nothing, and does not end the program.
func requireKept(t *testing.T, s *translate.SnippetResult, o translate.SnippetOptions) {
	own, stack := destroyed(o), 64
	switch {
	case o.Access == translate.AccessProbe:
		stack = 144
	case o.Windows && o.Optimize > 0:
		stack = 128
	}
	for pc, ins := range s.Program {
		switch info := ins.Op.Info(); info.Form {
		case ebpf.FormCall:
			require.True(t, o.Access == translate.AccessProbe && ins.Imm == ebpf.HelperProbeReadKernel, "%d: %s", pc, s.Program)
		case ebpf.FormExit, ebpf.FormAtomic:
			t.Fatalf("%d: %s", pc, s.Program)
		case ebpf.FormStoreReg, ebpf.FormStoreImm:
			require.Equal(t, ebpf.R10, ins.Dst)
			below := -int(ins.Off) - o.StackOffset
			require.True(t, below >= info.Size && below <= stack && int(ins.Off)%info.Size == 0, "%d bytes at %d below %d", info.Size, ins.Off, o.StackOffset)
			require.LessOrEqual(t, -int(ins.Off), s.Stats.Stack)
		case ebpf.FormALUImm, ebpf.FormALUReg, ebpf.FormNeg, ebpf.FormEnd, ebpf.FormLoad, ebpf.FormLoadWide:
			require.Contains(t, own, ins.Dst, "%d: %s", pc, s.Program)
		}
	}
}

// requireSnippet holds a snippet against the reference on some packets. It reports how many loads through windows it has met, and
// whether the snippet puts anything on the stack.
func requireSnippet(t *testing.T, p cbpf.Program, o translate.SnippetOptions, packets []cbpf.Packet) (windows int, stack bool) {
	s, err := translate.Snippet(p, o)
	require.NoError(t, err)
	require.Len(t, s.PCs, len(s.Program))
	requireKept(t, s, o)
	x := around(t, s, o)
	meta := cbpf.Meta{NoLink: true, NetOff: -1}
	for _, pkt := range packets {
		if o.Windows {
			meta = cbpf.Meta{NetOff: min(int(o.NetOff), len(pkt.Data))}
		}
		want, quirks, err := cbpf.RunTrace(p, &cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: meta})
		require.NoError(t, err)
		abi, in := ebpf.User, &ebpf.Packet{Data: pkt.Data}
		if o.Access == translate.AccessProbe {
			abi, in = ebpf.Trace, &ebpf.Packet{Args: []uint64{kernelAddress, uint64(len(pkt.Data))}, Kernel: []ebpf.Region{{Addr: kernelAddress, Bytes: pkt.Data}}}
		}
		got, err := ebpf.Run(x, abi, in)
		require.NoError(t, err, "%+v\n%s", o, x)
		if quirks&cbpf.QuirkWindow != 0 {
			windows++
		}
		require.Equal(t, uint64(want), got, "%+v, packet %x\n%s", o, pkt.Data, x)
	}
	return windows, s.Stats.Stack > 0
}

// Whatever registers it is given, a snippet touches no other, and its verdicts are right; with windows, loads through them find the
// headers where the options say.
func TestSnippetVerdicts(t *testing.T) {
	windows, stacks := 0, [translate.MaxOptimize + 1]int{}
	seeds := uint64(6000)
	if os.Getenv("CBPF2EBPF_FULL") == "1" {
		seeds = 200_000
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 8))
		o := randomOptions(r, int(seed)%(translate.MaxOptimize+1))
		p := difftest.GenProgram(r, difftest.GenOptions{MaxLen: 60 + 300*r.IntN(2), Windows: o.Windows, Exts: []cbpf.Ext{cbpf.ExtXorX}})
		var packets []cbpf.Packet
		for range 4 {
			pkt := difftest.GenPacket(r, p)
			packets = append(packets, pkt, cbpf.Packet{Data: pkt.Data[:r.IntN(len(pkt.Data)+1)]})
		}
		met, stack := requireSnippet(t, p, o, packets)
		if windows += met; stack {
			stacks[o.Optimize]++
		}
	}
	t.Logf("%d loads through windows; at each level, so many snippets have something on the stack: %d", windows, stacks)
	require.Greater(t, windows, 100)
	require.Greater(t, stacks[translate.MaxOptimize], 20)
}

// FuzzSnippet takes whatever bytes are a program that two pointers serve, and a packet through what comes out of it.
func FuzzSnippet(f *testing.F) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 9))
		p := difftest.GenProgram(r, difftest.GenOptions{MaxLen: 40})
		raw, err := cbpf.Print(p, cbpf.Raw)
		require.NoError(f, err)
		f.Add(seed, []byte(raw), difftest.GenPacket(r, p).Data)
	}
	f.Fuzz(func(t *testing.T, seed uint64, program, data []byte) {
		p, err := cbpf.ParseAs(cbpf.Raw, program)
		if err != nil || cbpf.Validate(p) != nil || len(data) > 0xffff {
			return
		}
		for level := range translate.MaxOptimize + 1 {
			o := randomOptions(rand.New(rand.NewPCG(seed, 10)), level)
			var lacks *translate.SnippetError
			if _, err := translate.Snippet(p, o); errors.As(err, &lacks) {
				return
			}
			requireSnippet(t, p, o, []cbpf.Packet{{Data: data}})
		}
	})
}

// forSnippets are options for a snippet that is shown.
var forSnippets = translate.SnippetOptions{
	PacketStart: ebpf.R3, PacketEnd: ebpf.R4, Result: ebpf.R5,
	Working:     [4]ebpf.Register{ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8},
	StackOffset: 8,
}

func TestSnippetBlocks(t *testing.T) {
	p := cbpf.Program{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpJeqK, K: 0x800, Jf: 1}, {Op: cbpf.OpRetK, K: 7}, {Op: 0x02, K: 3}, {Op: cbpf.OpRetA}}
	s, err := translate.Snippet(p, forSnippets)
	require.NoError(t, err)
	require.Equal(t, `       0:	w6 = 0
       1:	w7 = 0
       2:	r5 = r3
       3:	r5 += 14
       4:	if r5 > r4 goto +8
       5:	r6 = *(u16 *)(r3 + 12)
       6:	r6 = be16 r6
       7:	if w6 != 2048 goto +2
       8:	w5 = 7
       9:	goto +5
      10:	*(u32 *)(r10 - 24) = r6
      11:	w5 = w6
      12:	goto +2
      13:	w5 = 0
      14:	goto +0
`, s.Program.String())
	require.Equal(t, []int{0, 5, 8, 10, 13}, s.Blocks())
	require.Equal(t, 13, s.NoMatch)
	require.Equal(t, 24, s.Stats.Stack)
}

// Optimised, one guard serves two loads, and what was in a scratch word is in a register.
func TestSnippetOptimised(t *testing.T) {
	p := cbpf.Program{
		{Op: cbpf.OpLdAbsB, K: 23}, {Op: 0x02, K: 3}, {Op: cbpf.OpJeqK, K: 6, Jf: 4}, {Op: cbpf.OpLdxMSH, K: 14}, {Op: 0x50, K: 16},
		{Op: 0x61, K: 3}, {Op: 0x0c}, {Op: cbpf.OpRetA}, {Op: cbpf.OpRetK},
	}
	require.NoError(t, cbpf.Validate(p))
	o := forSnippets
	o.Optimize = translate.MaxOptimize
	s, err := translate.Snippet(p, o)
	require.NoError(t, err)
	require.Equal(t, `       0:	r5 = r3
       1:	r5 += 24
       2:	if r5 > r4 goto +16
       3:	r6 = *(u8 *)(r3 + 23)
       4:	if w6 != 6 goto +12
       5:	r5 = *(u8 *)(r3 + 14)
       6:	w5 &= 15
       7:	w5 <<= 2
       8:	r5 += r3
       9:	r7 = r5
      10:	r7 += 17
      11:	if r7 > r4 goto +7
      12:	r5 = *(u8 *)(r5 + 16)
      13:	w7 = w6
      14:	w7 += w5
      15:	w5 = w7
      16:	goto +4
      17:	w5 = w6
      18:	goto +2
      19:	w5 = 0
      20:	goto +0
`, s.Program.String())
	require.Equal(t, []int{0, 3, 5, 12, 17, 19}, s.Blocks())
	require.Equal(t, 19, s.NoMatch)
	require.Zero(t, s.Stats.Stack)
}

// What does not fit on the stack is refused; optimised programs need less of it.
func TestSnippetStack(t *testing.T) {
	p := cbpf.Program{{Op: 0x00, K: 1}, {Op: 0x02, K: 15}, {Op: cbpf.OpRetA}}
	o := forSnippets
	o.StackOffset = 452
	_, err := translate.Snippet(p, o)
	require.EqualError(t, err, "snippet: StackOffset is 452, and the scratch words below that end at 516; 512 is all there is")
	o.Optimize = translate.MaxOptimize
	s, err := translate.Snippet(p, o)
	require.NoError(t, err)
	require.Zero(t, s.Stats.Stack)
}
