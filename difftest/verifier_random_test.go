package difftest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// verifiedPrograms is how many random programs the verifier has to take for each target. All of them run with fullEnv set, which
// is minutes of loading and nothing else; sliceEnv cuts that into pieces with pauses between, since a kernel that frees programs
// without a pause for so long may come to a standstill.
const verifiedPrograms = 20_000

// sliceEnv picks a piece of a long test: 3/40 is the third of forty.
const sliceEnv = "CBPF2EBPF_SLICE"

// piece returns the programs of the piece that is to run, first to end, and how many steps lie between one and the next.
func piece(t *testing.T) (first, end, step uint64) {
	if os.Getenv(fullEnv) == "" {
		step = verifiedPrograms / 400
		if testing.Short() {
			step *= 8
		}
		return 7, verifiedPrograms, step
	}
	k, of := uint64(1), uint64(1)
	if text := os.Getenv(sliceEnv); text != "" {
		_, err := fmt.Sscanf(text, "%d/%d", &k, &of)
		require.NoError(t, err, "%s=%q, it must be like 3/40", sliceEnv, text)
		require.True(t, 1 <= k && k <= of && of <= verifiedPrograms, "%s=%q, the pieces are 1 to %d", sliceEnv, text, of)
	}
	return (k - 1) * verifiedPrograms / of, k * verifiedPrograms / of, 1
}

// shaped makes the program of a number: mostly short ones, and all that is hard for a verifier, up to the longest there are.
func shaped(seed uint64) cbpf.Program {
	r := rand.New(rand.NewPCG(seed, 11))
	long := GenOptions{MaxLen: 600, Windows: r.IntN(3) == 0, Exts: userExts}
	switch n := r.IntN(400); {
	case n < 2:
		return jumpyLoads(r, cbpf.MaxInsns, 5+r.IntN(60), 2+r.IntN(250))
	case n < 3:
		return jumpy(r, cbpf.MaxInsns)
	case n < 4:
		long.MaxLen = cbpf.MaxInsns
		return GenProgram(r, long)
	case n < 24:
		return jumpyLoads(r, 60+r.IntN(900), 5+r.IntN(60), 2+r.IntN(250))
	case n < 60:
		return GenProgram(r, long)
	}
	p, _ := randomRun(seed, 0)
	return p.Program
}

// TestVerifierKeepsItsWay loads a program on which Linux 6.18 answered "bad address" (verifier bug: stack slot 23, total slots 0): at a
// legacy load it looked back for a number on the stack to before there was one.
func TestVerifierKeepsItsWay(t *testing.T) {
	requireKernel(t)
	for _, v := range waysTo()[translate.Socket] {
		_, ok := v.takes(t, "program 4396", shaped(4396))
		require.True(t, ok, v.name)
	}
}

// waysTo are the ways of translating, by target.
func waysTo() map[translate.Target][]variant {
	ways := map[translate.Target][]variant{}
	for _, v := range everywhere() {
		ways[v.opts.Target] = append(ways[v.opts.Target], v)
	}
	return ways
}

// taken counts what became of the programs for a target.
type taken struct {
	loaded, foretold, inexpressible int
	packets                         int // of those that were run
}

// take has the kernel load the translation and run it on packets. It fails if the kernel refuses a program that the report does not
// doubt, or has another verdict than the reference.
func (c *taken) take(t *testing.T, seed uint64, v variant, p cbpf.Program, packets int) {
	h := v.hook.forProgram(p)
	r, err := translate.Translate(p, h.opts)
	var unsupported *translate.UnsupportedError
	if errors.As(err, &unsupported) {
		c.inexpressible++
		return
	}
	require.NoError(t, err, "%s: program %d", v.name, seed)
	f, err := kernel.Load(r.Program, kernel.LoadOptions{Type: v.kind, Licence: r.Licence})
	var refused *kernel.VerifierError
	if errors.As(err, &refused) {
		c.foretold++
		report := translate.Foretell(p, r, ebpf.Loader{Licence: r.Licence})
		t.Logf("%s: program %d: refused, as foretold by %v %v: %v", v.name, seed, report.Refusals, report.Doubts, err)
		if report.Loads() {
			t.Errorf("%s: program %d, %d instructions to %d slots: refused, and not foretold: %v", v.name, seed, len(p), len(r.Program), err)
		}
		return
	}
	require.NoError(t, err, "%s: program %d", v.name, seed)
	c.loaded++
	if !v.kind.Runs() {
		require.NoError(t, f.Close())
		return
	}
	runner := &Runner{Verdict: wrongLength(f.RunPacket), Sees: f.View}
	if v.kind != kernel.SocketFilter {
		runner = h.runner(runner.Verdict, f.View)
	}
	runner.Close = f.Close
	judge := judge{program: p, engines: []Engine{{Name: v.name}}, runners: []*Runner{runner}, errs: []error{nil}}
	defer judge.close()
	random := rand.New(rand.NewPCG(seed, 12))
	for range packets {
		pkt := GenPacket(random, p)
		outcomes := judge.run(&pkt)
		if differs(outcomes) {
			t.Errorf("%s: program %d, packet %x: %v", v.name, seed, pkt.Data, outcomes)
		}
		if outcomes[0].Agreement == Agrees {
			c.packets++
		}
	}
}

// onceRefused are the numbers of programs that the verifier refused when their translation was made otherwise.
var onceRefused = map[uint64]string{
	13121: "a comparison bounds a number, of which seven copies lie on the stack on one path; the verifier keeps six together",
	7796:  "half of a number out of a division is bounded; the verifier does not know that it has no other half",
}

func TestVerifierTakesWhatItRefused(t *testing.T) {
	requireKernel(t)
	for seed, why := range onceRefused {
		t.Log(why)
		var c taken
		for _, v := range everywhere() {
			c.take(t, seed, v, shaped(seed), 2)
		}
		require.Zero(t, c.foretold)
		require.NotZero(t, c.packets)
	}
}

// TestVerifierTakesRandomPrograms gives random programs of all sizes to the verifier, translated for each target in one of the ways
// there are.
func TestVerifierTakesRandomPrograms(t *testing.T) {
	requireKernel(t)
	first, end, step := piece(t)
	all := waysTo()
	for _, target := range slices.Sorted(maps.Keys(all)) {
		ways := all[target]
		t.Run(target.String(), func(t *testing.T) {
			var c taken
			for seed := first; seed < end && !t.Failed(); seed += step {
				p := shaped(seed)
				require.NoError(t, cbpf.Validate(p), "program %d", seed)
				random := rand.New(rand.NewPCG(seed, 13))
				packets := 2
				if target == translate.XDP { // a test-run of which waits for a grace period
					packets = max(0, 2-random.IntN(9))
				}
				c.take(t, seed, ways[random.IntN(len(ways))], p, packets)
			}
			t.Logf("programs %d to %d: %+v", first, end-1, c)
			require.NotZero(t, c.loaded)
			require.Equal(t, ways[0].kind.Runs(), c.packets > 0)
		})
	}
}
