package difftest

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// probing are options for snippets in a program for tracing.
var probing = translate.SnippetOptions{
	PacketStart: ebpf.R6, PacketEnd: ebpf.R7, Result: ebpf.R8,
	Working:     [4]ebpf.Register{ebpf.R2, ebpf.R8, ebpf.R9, ebpf.R5},
	StackOffset: 8, Access: translate.AccessProbe,
}

// member makes code that loads a member of the structure that a register points to into r0.
func member(from ebpf.Register, m ebpf.Member) ebpf.Program {
	p := ebpf.Program{
		ebpf.Mov.Reg(ebpf.R1, ebpf.R10), ebpf.Add.Imm(ebpf.R1, -8), ebpf.Mov.Imm(ebpf.R2, int32(m.Size)),
		ebpf.Mov.Reg(ebpf.R3, from), ebpf.Add.Imm(ebpf.R3, int32(m.Off)),
		ebpf.CallHelper(ebpf.HelperProbeReadKernel), ebpf.Load(int(m.Size), ebpf.R0, ebpf.R10, -8),
	}
	if m.Bits > 0 {
		p = append(p, ebpf.Rsh.Imm(ebpf.R0, int32(m.Shift)), ebpf.And.Imm(ebpf.R0, 1<<m.Bits-1))
	}
	return p
}

// tracer makes a program that finds the linear part of the packet in the struct sk_buff that is its first argument, from the
// link-layer header on, and returns what a snippet says of that.
func tracer(l *ebpf.SkbLayout, s *translate.SnippetResult) ebpf.Program {
	const skb, start, end = ebpf.R8, ebpf.R6, ebpf.R7
	return slices.Concat(
		ebpf.Program{ebpf.Load(8, skb, ebpf.R1, 0)},
		member(skb, l.Head), ebpf.Program{ebpf.Mov.Reg(start, ebpf.R0)},
		member(skb, l.MACHeader), ebpf.Program{ebpf.Add.Reg(start, ebpf.R0)},
		member(skb, l.Data), ebpf.Program{ebpf.Mov.Reg(end, ebpf.R0)},
		member(skb, l.Len), ebpf.Program{ebpf.Add.Reg(end, ebpf.R0)},
		member(skb, l.DataLen), ebpf.Program{ebpf.Sub.Reg(end, ebpf.R0)},
		s.Program,
		ebpf.Program{ebpf.Mov.Reg32(ebpf.R0, probing.Result), ebpf.Return()},
	)
}

// TestSnippetOfRealPackets runs snippets at a tracepoint of the network stack, on packets between two namespaces. They see the
// linear part, and that is all of the packet to them.
func TestSnippetOfRealPackets(t *testing.T) {
	l := newVeth(t)
	layout, err := kernel.SkbLayout()
	require.NoError(t, err)
	programs := 30
	if testing.Short() {
		programs = 6
	}
	frames := craftedFrames(5)
	kept := 0
	for seed := range uint64(programs) {
		r := rand.New(rand.NewPCG(seed, 13))
		p := GenProgram(r, GenOptions{MaxLen: 60, Exts: []cbpf.Ext{cbpf.ExtXorX}})
		o := probing
		o.Optimize = int(seed) % (translate.MaxOptimize + 1)
		s, err := translate.Snippet(p, o)
		require.NoError(t, err)
		at := []veth.Place{veth.Tracepoint, veth.RawTracepoint}[seed/3%2]
		station, err := l.Put(tracer(layout, s), at, kernel.LoadOptions{Type: at.Type(), Licence: "GPL"})
		require.NoError(t, err)
		for _, data := range frames {
			f := veth.Frame{Data: data, Linear: []int{0, 14, 34, 20}[r.IntN(4)]}
			seen := station.View(f).Data
			if f.Linear > 0 {
				seen = seen[:f.Linear]
			}
			want, err := cbpf.Run(p, &cbpf.Packet{Data: seen, WireLen: uint32(len(seen)), Meta: cbpf.Meta{NoLink: true, NetOff: -1}})
			require.NoError(t, err)
			got, err := station.Try(f)
			require.NoError(t, err)
			require.Equal(t, want, got, "seed %d, %d bytes in one piece of %s\n%s", seed, f.Linear, hex.EncodeToString(data), listing(p))
			if want != 0 {
				kept++
			}
		}
		require.NoError(t, station.Close())
	}
	require.Greater(t, kept, programs)
}
