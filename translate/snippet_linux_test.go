package translate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// forProbes are options for a snippet that reads by its helper function.
var forProbes = translate.SnippetOptions{
	PacketStart: ebpf.R6, PacketEnd: ebpf.R7, Result: ebpf.R0,
	Working:     [4]ebpf.Register{ebpf.R0, ebpf.R8, ebpf.R9, ebpf.R1},
	StackOffset: 32, Windows: true, NetOff: 14, Access: translate.AccessProbe,
}

// contexts are where the contexts of hooks hold data and data_end.
var contexts = map[kernel.Type][2]int16{kernel.XDP: {ebpf.XDPData, ebpf.XDPDataEnd}, kernel.TC: {ebpf.SkbData, ebpf.SkbDataEnd}}

// probed puts a snippet into a program for a hook. The verifier is made to forget that the two addresses are pointers to a packet,
// by a copy of the stack.
func probed(s *translate.SnippetResult, o translate.SnippetOptions, hook kernel.Type) ebpf.Program {
	at := contexts[hook]
	p := ebpf.Program{
		ebpf.Load(4, ebpf.R2, ebpf.R1, at[0]), ebpf.Store(8, ebpf.R10, -8, ebpf.R2),
		ebpf.Load(4, ebpf.R2, ebpf.R1, at[1]), ebpf.Store(8, ebpf.R10, -16, ebpf.R2),
		ebpf.Mov.Reg(ebpf.R3, ebpf.R10), ebpf.Add.Imm(ebpf.R3, -16),
		ebpf.Mov.Reg(ebpf.R1, ebpf.R10), ebpf.Add.Imm(ebpf.R1, -32),
		ebpf.Mov.Imm(ebpf.R2, 16), ebpf.CallHelper(ebpf.HelperProbeReadKernel),
		ebpf.Load(8, o.PacketStart, ebpf.R10, -24), ebpf.Load(8, o.PacketEnd, ebpf.R10, -32),
	}
	return append(append(p, s.Program...), ebpf.Mov.Reg32(ebpf.R0, o.Result), ebpf.Return())
}

// requireProbed loads a filter at a hook as a snippet that reads by its helper function, and holds it against the reference.
func requireProbed(t *testing.T, name string, p cbpf.Program, level int, hook kernel.Type, packets []cbpf.Packet) bool {
	o := forProbes
	o.Optimize = level
	s, err := translate.Snippet(p, o)
	var lacks *translate.SnippetError
	if errors.As(err, &lacks) {
		return false
	}
	require.NoError(t, err)
	name = fmt.Sprintf("%s as %s at -O%d", name, hook, level)
	f, err := kernel.Load(probed(s, o, hook), kernel.LoadOptions{Type: hook, Licence: "GPL"})
	require.NoError(t, err, name)
	defer f.Close()
	kerneltest.RequireVerdicts(t, name, f, p, packets, func(pkt cbpf.Packet) cbpf.Packet {
		return cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NetOff: min(int(o.NetOff), len(pkt.Data))}}
	})
	return true
}

// The kernel takes snippets that read by their helper function, of the corpus and of random programs, and they see what others see.
func TestProbesOnKernel(t *testing.T) {
	kerneltest.Require(t)
	r := rand.New(rand.NewPCG(11, 11))
	programs := corpusPrograms(t)
	for seed := range uint64(150) {
		exts := []cbpf.Ext{cbpf.ExtXorX}
		programs[fmt.Sprintf("seed %d", seed)] = difftest.GenProgram(rand.New(rand.NewPCG(seed, 12)), difftest.GenOptions{MaxLen: 150, Windows: true, Exts: exts})
	}
	for seed := range uint64(6) {
		programs[fmt.Sprintf("long, seed %d", seed)] = difftest.GenProgram(rand.New(rand.NewPCG(seed, 77)), difftest.GenOptions{MaxLen: cbpf.MaxInsns})
	}
	crafted := difftest.Crafted()
	served, i := 0, 0
	for name, p := range programs {
		if i++; testing.Short() && i%10 != 0 {
			continue
		}
		var packets []cbpf.Packet
		for range 12 {
			packets = append(packets, difftest.GenPacket(r, p))
		}
		for k := i % 11; k < len(crafted); k += 11 {
			packets = append(packets, cbpf.Packet{Data: crafted[k].Data})
		}
		for level := range translate.MaxOptimize + 1 {
			hook := []kernel.Type{kernel.XDP, kernel.TC}[(i+level)%2]
			if requireProbed(t, name, p, level, hook, packets) {
				served++
			}
		}
	}
	t.Logf("%d snippets of %d programs", served, len(programs))
	if !testing.Short() {
		require.Greater(t, served, len(programs)*9/4)
	}
}
