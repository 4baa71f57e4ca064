package difftest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// variant is a way to translate for a hook.
type variant struct {
	name string
	hook
}

// tcActions let pass what matches; a legacy load that misses would let pass as well, so such programs do without.
var tcActions = &translate.Actions{Match: translate.TCOK, Drop: translate.TCShot}

// variants are the ways that differ in the code that loads become, plain and optimised.
var variants = optimised([]variant{
	{"tc", hook{opts: translate.Options{Target: translate.TC, HaType: 1}, kind: kernel.TC}},
	{"tc with actions", hook{opts: translate.Options{Target: translate.TC, HaType: 1, Actions: tcActions}, kind: kernel.TC}},
	{"tc, l3 on l2", hook{opts: translate.Options{Target: translate.TC, HaType: 1, Link: translate.LinkIP}, kind: kernel.TC}},
	{"tc, l2 on l3", hook{opts: translate.Options{
		Target: translate.TC, HaType: 1, Link: translate.LinkEthernet, HookLink: translate.LinkIP,
	}, kind: kernel.TC}},
	{"tc with actions, l3 on l2", hook{opts: translate.Options{
		Target: translate.TC, HaType: 1, Link: translate.LinkIP, Actions: tcActions,
	}, kind: kernel.TC}},
	{"cgroup-skb", hook{opts: translate.Options{Target: translate.CGroupSKB}, kind: kernel.CgroupIngress}},
	{"cgroup-skb, l2 on l3", hook{opts: translate.Options{
		Target: translate.CGroupSKB, Link: translate.LinkEthernet, Actions: &translate.Actions{Match: 0, Drop: 1},
	}, kind: kernel.CgroupEgress}},
	{"xdp", hook{opts: translate.Options{Target: translate.XDP, HaType: 1, Tags: true}, kind: kernel.XDP}},
	{"xdp, l3 on l2", hook{opts: translate.Options{Target: translate.XDP, HaType: 1, Tags: true, Link: translate.LinkIP}, kind: kernel.XDP}},
	{"xdp with fragments", hook{opts: translate.Options{
		Target: translate.XDP, HaType: 1, Tags: true, Frags: true, Actions: &translate.Actions{Match: translate.XDPDrop, Drop: translate.XDPTx},
	}, kind: kernel.XDPFrags}},
	{"xdp with fragments, l3 on l2", hook{opts: translate.Options{
		Target: translate.XDP, HaType: 1, Tags: true, Frags: true, Link: translate.LinkIP,
	}, kind: kernel.XDPFrags}},
})

// optimised adds the same at the highest level of optimisation.
func optimised(plain []variant) []variant {
	all := slices.Clone(plain)
	for _, v := range plain {
		v.name, v.opts.Optimize = v.name+" -O2", translate.MaxOptimize
		all = append(all, v)
	}
	return all
}

// engine makes an engine of the variant, under the name of the one for its target.
func (v variant) engine(prepare func(func(LinkType) hook) func(cbpf.Program, LinkType) (*Runner, error), names map[translate.Target]string) Engine {
	return Engine{names[v.opts.Target], prepare(func(LinkType) hook { return v.hook })}
}

var (
	interpNames = map[translate.Target]string{translate.TC: "interp-tc", translate.CGroupSKB: "interp-cgroup", translate.XDP: "interp-xdp"}
	kernelNames = map[translate.Target]string{translate.TC: "kernel-tc", translate.CGroupSKB: "kernel-cgroup", translate.XDP: "kernel-xdp"}
)

// agreeOnVariant holds an engine against the reference on random programs and on those of the collection, a few packets each.
func agreeOnVariant(t *testing.T, e Engine, seeds func(yield func(uint64) bool), packets int) {
	var r Report
	engines := []Engine{{Reference, prepareClassic}, e}
	for seed := range seeds {
		p, records := randomRun(seed, packets)
		r.compareProgram(p, engines, "random", records, 0, nil)
	}
	requireAgreement(t, &r, e.Name)
}

func TestHooksAgreeOnRandomPrograms(t *testing.T) {
	every := uint64(10)
	if testing.Short() {
		every = 500
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			agreeOnVariant(t, v.engine(prepareHook, interpNames), everyNth(randomPrograms, every), 5)
		})
	}
}

func TestKernelHooksAgreeOnRandomPrograms(t *testing.T) {
	requireKernel(t)
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			agreeOnVariant(t, v.engine(prepareKernelHook, kernelNames), share(variants, i), 5)
		})
	}
}

// share yields the seeds of the random programs that the kernel is to load for a variant. The variants of a target share
// those of the target. TestVerifierTakesRandomPrograms has more.
func share(all []variant, index int) func(yield func(uint64) bool) {
	every := uint64(100) // 1,000 programs
	if testing.Short() {
		every = 1000
	}
	same, before := uint64(0), uint64(0)
	for i, v := range all {
		if v.opts.Target != all[index].opts.Target {
			continue
		}
		if same++; i < index {
			before++
		}
	}
	return func(yield func(uint64) bool) {
		for seed := before * every; seed < randomPrograms; seed += same * every {
			if !yield(seed) {
				return
			}
		}
	}
}

// TestVerifierTakesRandomTraces loads random programs for tracing, of which the kernel has no test-runs.
func TestVerifierTakesRandomTraces(t *testing.T) {
	requireKernel(t)
	for i, v := range traces {
		taken := 0
		for seed := range share(traces, i) {
			p, _ := randomRun(seed, 0)
			if _, ok := v.takes(t, p.Name, p.Program); ok {
				taken++
			}
		}
		t.Log(v.name, taken)
		require.NotZero(t, taken)
	}
}

// TestHooksAgreeOnCorpus runs the collection over our own traces, in the interpreter.
func TestHooksAgreeOnCorpus(t *testing.T) {
	programs := corpusPrograms(t)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			var r Report
			engines := []Engine{{Reference, prepareClassic}, v.engine(prepareHook, interpNames)}
			for _, trace := range []string{"mixed.pcap", "vlan.pcap", "edge.pcap"} {
				compareOn(t, &r, programs, engines, pcapDir+"/"+trace, 60)
			}
			requireAgreement(t, &r, engines[1].Name)
		})
	}
}

// takes has the kernel's verifier judge the translation of a program. ok is false where the target cannot express it.
func (v variant) takes(t *testing.T, name string, p cbpf.Program) (stats kernel.Stats, ok bool) {
	r, err := translate.Translate(p, v.opts)
	var unsupported *translate.UnsupportedError
	if errors.As(err, &unsupported) {
		return stats, false
	}
	require.NoError(t, err, "%s: %s", v.name, name)
	_, err = ebpf.Check(r.Program, v.opts.Target.ABI())
	require.NoError(t, err, "%s: %s", v.name, name)
	stats, err = kernel.Verify(r.Program, kernel.LoadOptions{Type: v.kind, Licence: r.Licence})
	require.NoError(t, err, "%s: %s, %d slots", v.name, name, len(r.Program))
	require.Less(t, stats.Processed, 600_000, "%s: %s comes near to a limit of the verifier", v.name, name)
	return stats, true
}

// traces are the ways for tracing.
var traces = optimised([]variant{
	{"trace, skb", hook{opts: traceOptions(LinkEthernet, false), kind: kernel.RawTracepoint}},
	{"trace, skb, l3", hook{opts: traceOptions(LinkRaw, false), kind: kernel.RawTracepoint}},
	{"trace, xdp", hook{opts: traceOptions(LinkEthernet, true), kind: kernel.RawTracepoint}},
})

// everywhere is variants, and the targets for programs of other kinds.
func everywhere() []variant {
	socket := variant{"socket", hook{opts: translate.Options{Target: translate.Socket}, kind: kernel.SocketFilter}}
	return slices.Concat(optimised([]variant{socket}), traces, variants)
}

func TestVerifierTakesCorpus(t *testing.T) {
	requireKernel(t)
	programs := corpusPrograms(t)
	if testing.Short() {
		programs = programs[:20]
	}
	for _, v := range everywhere() {
		taken := 0
		for _, p := range programs {
			if _, ok := v.takes(t, p.Name, p.Program); ok {
				taken++
			}
		}
		t.Logf("%s: %d of %d", v.name, taken, len(programs))
		require.NotZero(t, taken)
	}
}

// repeated makes the longest program of one instruction over and over.
func repeated(ins bpf.RawInstruction) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdxImm, K: 3}}
	for len(p) < cbpf.MaxInsns-1 {
		p = append(p, ins)
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetA})
}

// TestVerifierTakesLongPrograms loads programs of 4096 times the same. The verifier puts a way aside at each comparison, and
// must not have too many aside.
func TestVerifierTakesLongPrograms(t *testing.T) {
	requireKernel(t)
	insns := []bpf.RawInstruction{{Op: 0x40, K: 20}}
	if os.Getenv(fullEnv) != "" {
		insns = append(insns, bpf.RawInstruction{Op: 0x28, K: 13}, bpf.RawInstruction{Op: 0x30, K: 20}, bpf.RawInstruction{Op: 0x28, K: 20}, bpf.RawInstruction{Op: 0x20, K: 20},
			bpf.RawInstruction{Op: 0x20, K: 13}, bpf.RawInstruction{Op: 0x48, K: 20}, bpf.RawInstruction{Op: 0x50, K: 20},
			bpf.RawInstruction{Op: cbpf.OpLdxMSH, K: 20}, bpf.RawInstruction{Op: 0x20, K: cbpf.NetOff + 4},
			bpf.RawInstruction{Op: 0x30, K: cbpf.LLOff + 12}, bpf.RawInstruction{Op: 0x20, K: cbpf.LLOff + 13},
			bpf.RawInstruction{Op: 0x3c}, bpf.RawInstruction{Op: 0x80}, bpf.RawInstruction{Op: 0x81})
		for _, ext := range []cbpf.Ext{cbpf.ExtIfIndex, cbpf.ExtProto, cbpf.ExtHaType, cbpf.ExtRandom} {
			insns = append(insns, bpf.RawInstruction{Op: cbpf.OpLdAbsB, K: cbpf.AdOff + uint32(ext)})
		}
	}
	for i, v := range everywhere() {
		if os.Getenv(fullEnv) == "" && i%3 != 0 { // they take seconds each
			continue
		}
		for _, ins := range insns {
			v.takes(t, cbpf.Line(0, ins), repeated(ins))
		}
	}
}

// TestVerifierTakesFarJumps loads programs that jump over thousands of loads: the kernel makes more of these when it loads
// the program, and jumps must still reach.
func TestVerifierTakesFarJumps(t *testing.T) {
	requireKernel(t)
	for _, v := range everywhere() {
		for _, ins := range []bpf.RawInstruction{{Op: cbpf.OpLdxMSH, K: 20}, {Op: 0x3c}, {Op: 0x48, K: 20}} {
			p := repeated(ins)
			copy(p[1:], cbpf.Program{{Op: cbpf.OpJeqK, Jt: 0, Jf: 1}, {Op: cbpf.OpJa, K: uint32(len(p)) - 4}})
			for i := 300; i < len(p)-1; i += 300 { // and back into the middle, so that less is put aside
				p[i] = bpf.RawInstruction{Op: cbpf.OpRetA}
				p[i-1] = bpf.RawInstruction{Op: cbpf.OpJeqK, K: uint32(i), Jf: 1}
			}
			v.takes(t, cbpf.Line(0, ins), p)
		}
	}
}

// jumpyLoads makes a valid program of that length in which loads of all kinds stand between jumps.
func jumpyLoads(r *rand.Rand, n, loadsOf100, furthest int) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdAbsB, K: 20}, {Op: 0x07}}
	for k := range uint32(cbpf.ScratchWords) {
		p = append(p, bpf.RawInstruction{Op: 0x02, K: k})
	}
	for len(p) < n-2 {
		far := func() uint8 { return uint8(r.IntN(min(n-2-len(p), furthest))) }
		ins := bpf.RawInstruction{Op: pickOp(r, 0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x4d), Jt: far(), Jf: far(), K: r.Uint32N(256)}
		switch kind := r.IntN(100) - loadsOf100; {
		case kind < 0:
			ins = bpf.RawInstruction{Op: pickOp(r, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x50, cbpf.OpLdxMSH), K: 13 + r.Uint32N(60)}
		case kind < 10:
			ins = bpf.RawInstruction{Op: pickOp(r, 0x02, 0x03, 0x60, 0x61), K: r.Uint32N(cbpf.ScratchWords)}
		case kind < 20:
			ins = bpf.RawInstruction{Op: pickOp(r, 0x04, 0x54, 0x44, 0x74, 0x3c, 0x07, 0x87, 0x00, 0x01), K: r.Uint32N(32)}
		}
		p = append(p, ins)
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetA}, bpf.RawInstruction{Op: cbpf.OpRetA})
}

func pickOp(r *rand.Rand, ops ...uint16) uint16 { return ops[r.IntN(len(ops))] }

// TestVerifierTakesJumpyLoads loads programs that have more paths than the verifier can follow, with loads between the jumps.
func TestVerifierTakesJumpyLoads(t *testing.T) {
	requireKernel(t)
	shares, seeds := []int{20}, 1
	if os.Getenv(fullEnv) != "" {
		shares, seeds = []int{5, 20, 60}, 5
	}
	for seed := range seeds {
		for _, loads := range shares {
			for _, furthest := range []int{2, 60, 250} {
				p := jumpyLoads(rand.New(rand.NewPCG(uint64(seed), 7)), cbpf.MaxInsns, loads, furthest)
				require.NoError(t, cbpf.Validate(p))
				for _, v := range everywhere() {
					v.takes(t, fmt.Sprintf("seed %d, %d, %d", seed, loads, furthest), p)
				}
			}
		}
	}
}

// Many values that live at once go to the stack, and must not go where a target keeps what it has found out at the beginning.
func TestSpillsLeaveTargetsAlone(t *testing.T) {
	const values = 15
	p := cbpf.Program{}
	for i := range uint32(values) {
		p = append(p, bpf.RawInstruction{Op: cbpf.OpLdAbsB, K: 20 + i}, bpf.RawInstruction{Op: 0x02, K: i})
	}
	for _, k := range []uint32{13, cbpf.AdOff + uint32(cbpf.ExtVlanTCI), cbpf.AdOff + uint32(cbpf.ExtProto), 12} {
		p = append(p, bpf.RawInstruction{Op: cbpf.OpLdAbsW, K: k}, bpf.RawInstruction{Op: 0x07}) // tax
		for i := range uint32(values) {
			p = append(p, bpf.RawInstruction{Op: 0x60, K: i}, bpf.RawInstruction{Op: 0x0c}, bpf.RawInstruction{Op: 0x24, K: 3}, bpf.RawInstruction{Op: 0x02, K: i})
		}
	}
	for i := range uint32(values) {
		p = append(p, bpf.RawInstruction{Op: 0x07}, bpf.RawInstruction{Op: 0x60, K: i}, bpf.RawInstruction{Op: 0xac}) // tax, A = M[i] ^ X
	}
	require.NoError(t, cbpf.Validate(append(p, bpf.RawInstruction{Op: cbpf.OpRetA})))
	for bit := 0; bit < 32; bit += 7 {
		asks := append(append(cbpf.Program(nil), p...),
			bpf.RawInstruction{Op: cbpf.OpJsetK, K: 1 << bit, Jf: 1}, bpf.RawInstruction{Op: cbpf.OpRetK, K: 1}, bpf.RawInstruction{Op: cbpf.OpRetK})
		for _, v := range variants {
			judge := newJudge(asks, []Engine{{Reference, prepareClassic}, v.engine(prepareHook, interpNames)}, LinkEthernet)
			for _, packet := range Crafted()[:40] {
				outcomes := judge.run(&packet.Packet)
				require.False(t, differs(outcomes), "%s: %v", v.name, outcomes)
			}
			judge.close()
		}
	}
}
