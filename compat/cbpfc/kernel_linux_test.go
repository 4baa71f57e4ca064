package cbpfc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// pointers are where the contexts of hooks hold data and data_end.
var pointers = map[kernel.Type][2]int16{kernel.XDP: {0, 4}, kernel.TC: {76, 80}}

// hooked puts code into a program for a hook that returns the result.
func hooked(t testing.TB, code asm.Instructions, opts cbpfc.EBPFOpts, hook kernel.Type) ebpf.Program {
	at := pointers[hook]
	all := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(opts.PacketStart, asm.R6, at[0], asm.Word),
		asm.LoadMem(opts.PacketEnd, asm.R6, at[1], asm.Word),
	}
	all = append(all, code...)
	all = append(all, asm.Mov.Reg32(asm.R0, opts.Result).WithSymbol(opts.ResultLabel), asm.Return())
	return marshal(t, all)
}

// judge loads a filter at a hook, made at each level of optimisation, and holds it against the reference. It reports whether two
// pointers serve the filter.
func judge(t *testing.T, name string, p cbpf.Program, opts cbpfc.EBPFOpts, hook kernel.Type, packets []cbpf.Packet) bool {
	best, err := cbpfc.ToEBPFRaw(p, opts)
	var lacks *translate.SnippetError
	if errors.As(err, &lacks) {
		return false
	}
	require.NoError(t, err)
	for level := range translate.MaxOptimize {
		judgeCode(t, fmt.Sprintf("%s at -O%d", name, level), p, atLevel(t, p, opts, level), opts, hook, packets)
	}
	judgeCode(t, name, p, best, opts, hook, packets)
	return true
}

// atLevel makes code of a filter at a level of optimisation.
func atLevel(t *testing.T, p cbpf.Program, opts cbpfc.EBPFOpts, level int) asm.Instructions {
	o := translate.SnippetOptions{
		PacketStart: ebpf.Register(opts.PacketStart), PacketEnd: ebpf.Register(opts.PacketEnd), Result: ebpf.Register(opts.Result),
		StackOffset: opts.StackOffset, Optimize: level,
	}
	for i, r := range opts.Working {
		o.Working[i] = ebpf.Register(r)
	}
	s, err := translate.Snippet(p, o)
	require.NoError(t, err)
	code, err := cbpfc.Label(s, opts.LabelPrefix, opts.ResultLabel)
	require.NoError(t, err)
	return code
}

// judgeCode loads the code of a filter at a hook and holds it against the reference.
func judgeCode(t *testing.T, name string, p cbpf.Program, code asm.Instructions, opts cbpfc.EBPFOpts, hook kernel.Type, packets []cbpf.Packet) {
	f, err := kernel.Load(hooked(t, code, opts, hook), kernel.LoadOptions{Type: hook})
	require.NoError(t, err, "%s as %s", name, hook)
	defer f.Close()
	kerneltest.RequireVerdicts(t, fmt.Sprintf("%s as %s", name, hook), f, p, packets, as)
}

func parsed(t *testing.T, file string) cbpf.Program {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	p, err := cbpf.Parse(text)
	require.NoError(t, err)
	return p
}

const corpus = "../../../shared/corpus"

// filterFiles are the filters of the tree, and those of the corpus where it is.
func filterFiles(t *testing.T) []string {
	files, err := filepath.Glob("../../testdata/filters/*.d")
	require.NoError(t, err)
	more, err := filepath.Glob(corpus + "/programs/*.ddd")
	require.NoError(t, err)
	return append(files, more...)
}

func TestKernelOnFilters(t *testing.T) {
	kerneltest.Require(t)
	crafted := difftest.Crafted()
	r := rand.New(rand.NewPCG(4, 4))
	total, served := 0, 0
	for i, file := range filterFiles(t) {
		if testing.Short() && i%10 != 0 {
			continue
		}
		p := parsed(t, file)
		var packets []cbpf.Packet
		for range 20 {
			packets = append(packets, difftest.GenPacket(r, p))
		}
		for k := i % 11; k < len(crafted); k += 11 {
			packets = append(packets, cbpf.Packet{Data: crafted[k].Data})
		}
		total++
		if judge(t, filepath.Base(file), p, consumers["xdpcap"], kernel.XDP, packets) {
			served++
		}
		judge(t, filepath.Base(file), p, consumers["pwru"], kernel.TC, packets)
	}
	t.Logf("%d of %d filters", served, total)
	require.Greater(t, served, total*3/4)
}

func TestKernelOnRandomPrograms(t *testing.T) {
	kerneltest.Require(t)
	programs := uint64(400)
	if testing.Short() {
		programs = 40
	}
	hooks := map[string]kernel.Type{"xdpcap": kernel.XDP, "pwru": kernel.TC, "high registers": kernel.XDP}
	for seed := range programs {
		r := rand.New(rand.NewPCG(seed, 5))
		p := difftest.GenProgram(r, withExts(1+r.IntN(120)))
		var packets []cbpf.Packet
		for range 6 {
			packets = append(packets, difftest.GenPacket(r, p))
		}
		for name, hook := range hooks {
			require.True(t, judge(t, name, p, consumers[name], hook, packets))
		}
	}
}

// Sums that wrap make places in the packet too.
func TestKernelOnWrappingIndex(t *testing.T) {
	kerneltest.Require(t)
	data := append([]byte{0x7f, 0xff, 0xff, 0xff}, make([]byte, 40)...)
	data[26], data[27] = 0xde, 0xad
	for _, k := range []uint32{1<<31 + 27, 1<<29 + 5, 1<<31 - 1, 0} {
		p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: 0}, {Op: 0x07}, {Op: 0x48, K: k}, {Op: cbpf.OpRetA}}
		require.True(t, judge(t, "wrapping", p, consumers["xdpcap"], kernel.XDP, []cbpf.Packet{{Data: data}}))
	}
}

// Programs with more paths than the verifier can follow one by one, and ones that are nothing but loads.
func TestKernelOnBigPrograms(t *testing.T) {
	kerneltest.Require(t)
	again := func(ins ...bpf.RawInstruction) (p cbpf.Program) {
		for len(p)+len(ins) < cbpf.MaxInsns {
			p = append(p, ins...)
		}
		return append(p, bpf.RawInstruction{Op: cbpf.OpRetA})
	}
	ldbX, tax, jeq, ldh := bpf.RawInstruction{Op: 0x50, K: 3}, bpf.RawInstruction{Op: 0x07}, bpf.RawInstruction{Op: cbpf.OpJeqK, K: 1, Jt: 1}, bpf.RawInstruction{Op: cbpf.OpLdAbsH, K: 12}
	programs := []cbpf.Program{again(ldbX), again(bpf.RawInstruction{Op: cbpf.OpLdxMSH}), again(ldbX, tax), again(ldbX, jeq, ldh)}
	for seed := uint64(0); len(programs) < 16; seed++ {
		if p := difftest.GenProgram(rand.New(rand.NewPCG(seed, 77)), withExts(cbpf.MaxInsns)); len(p) > 1000 {
			programs = append(programs, p)
		}
	}
	for seed := uint64(60); len(programs) < 36; seed++ { // of these, the one of seed 70 has more addresses than are kept in mind
		if p := difftest.GenProgram(rand.New(rand.NewPCG(seed, 77)), withExts(cbpf.MaxInsns)); len(p) > 300 {
			programs = append(programs, p)
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	for i, p := range programs {
		packets := []cbpf.Packet{{Data: make([]byte, 100)}}
		for range 4 {
			packets = append(packets, difftest.GenPacket(r, p))
		}
		require.True(t, judge(t, fmt.Sprintf("big program %d", i), p, consumers["xdpcap"], kernel.XDP, packets))
	}
}
