package difftest

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// kernelTypes are the types as which the kernel loads the programs of targets.
var kernelTypes = map[string]kernel.Type{
	"socket": kernel.SocketFilter, "tc": kernel.TC, "cgroup-skb": kernel.CgroupIngress, "xdp": kernel.XDP,
}

// foretold counts what was compared.
type foretold struct {
	yes, no, doubted, forgot int
	near, runs               int // where the expected effort of the verifier is at most ten times too high or too low, of so many
}

// requireForetold compares what the report on a translation says with what the kernel does.
func requireForetold(t *testing.T, name string, p cbpf.Program, r *translate.Result, counts *foretold) {
	report := translate.Foretell(p, r, ebpf.Loader{Licence: r.Licence})
	f, err := kernel.Load(r.Program, kernel.LoadOptions{Type: kernelTypes[r.Target.String()], Log: kernel.LogStats, Licence: r.Licence})
	var refused *kernel.VerifierError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		require.False(t, report.Loads(), "%s for %s: %v\n%v", name, r.Target, err, refused.Log)
	default:
		require.NoError(t, err)
	}
	if report.Loads() {
		counts.yes++
	} else if len(report.Refusals) > 0 {
		require.Error(t, err, "%s for %s: %v", name, r.Target, report.Refusals)
		counts.no++
	} else {
		counts.doubted++
	}
	if err != nil {
		return
	}
	defer f.Close()
	stats, ok := f.Stats()
	require.True(t, ok)
	require.LessOrEqual(t, uint64(stats.Processed), report.Demands.Followed, "%s for %s", name, r.Target)
	require.LessOrEqual(t, stats.StackDepth, report.Demands.Stack+7, "%s for %s", name, r.Target) // the kernel rounds up
	if report.Forgets {
		counts.forgot++
	}
	counts.runs++
	if n := report.Demands.Expected; n <= 10*stats.Processed && stats.Processed <= 10*n {
		counts.near++
	}
}

// kernelTranslations calls f with every translation for a hook of the kernel that the program has.
func kernelTranslations(t *testing.T, p cbpf.Program, f func(r *translate.Result)) {
	for _, name := range translate.TargetNames() {
		target, err := translate.ParseTarget(name)
		require.NoError(t, err)
		if _, known := kernelTypes[name]; !known {
			require.False(t, target.ABI().InKernel() && target.ABI() != ebpf.Trace, name)
			continue
		}
		for level := range translate.MaxOptimize + 1 {
			opts := LinkEthernet.Options(target)
			opts.Optimize = level
			r, err := translate.Translate(p, opts)
			var unsupported *translate.UnsupportedError
			if errors.As(err, &unsupported) {
				continue
			}
			require.NoError(t, err)
			f(r)
		}
	}
}

// What the report says of a load is what the kernel does, and the bounds that it gives hold.
func TestReportForetells(t *testing.T) {
	requireKernel(t)
	var counts foretold
	for i, named := range corpusPrograms(t) {
		if i%4 != 0 && os.Getenv(fullEnv) == "" {
			continue
		}
		kernelTranslations(t, named.Program, func(r *translate.Result) { requireForetold(t, named.Name, named.Program, r, &counts) })
	}
	programs := 60
	if testing.Short() {
		programs = 10
	}
	for seed := range programs {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		opts := GenOptions{MaxLen: []int{20, 200, cbpf.MaxInsns}[seed%3], Windows: seed%2 == 0}
		for _, info := range cbpf.Exts {
			if seed%4 == 0 && info.Ext != cbpf.ExtHaType {
				opts.Exts = append(opts.Exts, info.Ext)
			}
		}
		p := GenProgram(r, opts)
		if seed%10 == 9 {
			p = jumpy(r, cbpf.MaxInsns)
		}
		kernelTranslations(t, p, func(x *translate.Result) { requireForetold(t, "random", p, x, &counts) })
	}
	t.Logf("%+v", counts)
	require.Greater(t, counts.yes, 100)
	require.Greater(t, counts.forgot, 3)
	require.Less(t, counts.doubted, counts.yes/50)
	require.Greater(t, counts.near, counts.runs*9/10)
}

// Programs that the report says are refused are.
func TestReportForetellsRefusals(t *testing.T) {
	requireKernel(t)
	p := cbpf.Program{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpRetA}}
	r, err := translate.Translate(p, translate.Options{Target: translate.Socket})
	require.NoError(t, err)
	for name, program := range map[string]ebpf.Program{
		"an unset register":         {ebpf.Return()},
		"a load without a context":  {ebpf.LoadAbs(2, 12), ebpf.Return()},
		"a helper of another kind":  {ebpf.Mov.Imm(ebpf.R2, 0), ebpf.CallHelper(ebpf.HelperSkbPullData), ebpf.Return()},
		"a helper under the GPL":    gplCall(),
		"a field that is not there": {ebpf.Load(4, ebpf.R0, ebpf.R1, ebpf.SkbData), ebpf.Return()},
		"a jump past the end":       {ebpf.Mov.Imm(ebpf.R0, 0), {Op: ebpf.OpJump, Off: 7}, ebpf.Return()},
	} {
		bad := *r
		bad.Program = program
		bad.PCs = make([]int, len(program))
		report := translate.Foretell(p, &bad, ebpf.Loader{})
		require.NotEmpty(t, report.Refusals, name)
		f, err := kernel.Load(program, kernel.LoadOptions{})
		if err == nil {
			f.Close()
		}
		require.Error(t, err, name)
	}
}

// Programs that the verifier gives up with are doubted.
func TestReportDoubts(t *testing.T) {
	requireKernel(t)
	for n, loads := range map[int]bool{8: true, 20: false} {
		p := ebpf.Program{ebpf.Mov.Reg(ebpf.R6, ebpf.R1), ebpf.Mov.Imm32(ebpf.R7, 0)}
		for i := range n { // an answer in each bit of r7
			isNot := ebpf.JNe.Imm32(ebpf.R0, 'A')
			isNot.Off = 1
			p = append(p, ebpf.LoadAbs(1, uint32(i)), isNot, ebpf.Or.Imm32(ebpf.R7, 1<<i))
		}
		all := ebpf.JNe.Imm32(ebpf.R7, 1<<n-1) // the verifier knows the answer, and then also cares for what led to it
		all.Off = 1
		p = append(p, ebpf.Mov.Imm32(ebpf.R0, 0), all, ebpf.Mov.Imm32(ebpf.R0, 1), ebpf.Return())
		require.Equal(t, loads, ebpf.Foretell(p, ebpf.Socket, ebpf.Loader{}).Loads())
		f, err := kernel.Load(p, kernel.LoadOptions{})
		require.Equal(t, loads, err == nil, "%v", err)
		if err == nil {
			require.NoError(t, f.Close())
		}
	}
}

// gplCall calls a function that needs a licence.
func gplCall() ebpf.Program {
	return ebpf.Program{
		ebpf.Mov.Reg(ebpf.R1, ebpf.R10), ebpf.Add.Imm(ebpf.R1, -8), ebpf.Mov.Imm(ebpf.R2, 8), ebpf.Mov.Imm(ebpf.R3, 0),
		ebpf.CallHelper(ebpf.HelperProbeReadKernel), ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return(),
	}
}
