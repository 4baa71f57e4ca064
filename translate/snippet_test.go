package translate_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// forSnippets are options with which a snippet can be put between the parts of snippetProgram.
var forSnippets = translate.SnippetOptions{
	PacketStart: ebpf.R3, PacketEnd: ebpf.R4, Result: ebpf.R5,
	Working:     [4]ebpf.Register{ebpf.R5, ebpf.R6, ebpf.R7, ebpf.R8},
	StackOffset: 8, Windows: true, NetOff: 14,
}

// snippetProgram puts a snippet into a program that is entered with data in r1 and its length in r2. The jumps out of the
// snippet lead to what follows it.
func snippetProgram(s *translate.SnippetResult, o translate.SnippetOptions) ebpf.Program {
	p := ebpf.Program{
		ebpf.Mov.Reg(o.PacketStart, ebpf.R1),
		ebpf.Mov.Reg(o.PacketEnd, ebpf.R1),
		ebpf.Add.Reg(o.PacketEnd, ebpf.R2),
	}
	return append(append(p, s.Program...), ebpf.Mov.Reg(ebpf.R0, o.Result), ebpf.Return())
}

// Loads through windows find the headers where the options say, and all verdicts are right.
func TestSnippetVerdicts(t *testing.T) {
	windows := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 8))
		p := difftest.GenProgram(r, difftest.GenOptions{MaxLen: 60, Windows: true, Exts: []cbpf.Ext{cbpf.ExtXorX}})
		s, err := translate.Snippet(p, forSnippets)
		require.NoError(t, err)
		require.Len(t, s.PCs, len(s.Program))
		x := snippetProgram(s, forSnippets)
		for range 4 {
			pkt := difftest.GenPacket(r, p)
			seen := cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NetOff: min(14, len(pkt.Data))}}
			want, quirks, err := cbpf.RunTrace(p, &seen)
			require.NoError(t, err)
			got, err := ebpf.Run(x, ebpf.User, &ebpf.Packet{Data: pkt.Data})
			require.NoError(t, err, "%s", x)
			if quirks&cbpf.QuirkWindow != 0 {
				windows++
			}
			require.Equal(t, uint64(want), got, "seed %d, packet %x\n%s", seed, pkt.Data, x)
		}
	}
	require.Greater(t, windows, 100)
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
