package difftest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/stretchr/testify/require"
)

// requireKernel says aloud that the engines of the kernel take no part, and fails where they have to
// (CBPF2EBPF_REQUIRE_KERNEL=1).
func requireKernel(t testing.TB) {
	for _, err := range []error{kernel.Available(), kernel.ClassicAvailable()} {
		switch {
		case err == nil:
		case os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1":
			t.Fatalf("CBPF2EBPF_REQUIRE_KERNEL=1, but: %v", err)
		default:
			t.Skipf("skipped: %v", err)
		}
	}
}

// requireAgreement fails with the report if any engine differs, or if one of those named never gave a verdict.
func requireAgreement(t testing.TB, r *Report, busy ...string) {
	var text strings.Builder
	require.NoError(t, r.Fprint(&text))
	if r.Differ > 0 {
		t.Fatal(text.String())
	}
	for _, row := range r.Rows {
		for _, name := range busy {
			if row.Engine == name && row.By[Agrees] == 0 {
				t.Fatalf("%s gave no verdict\n%s", name, &text)
			}
		}
	}
	t.Log("\n" + text.String())
}

var ownEngines = []string{"xnet", "interp", "interp-O1", "interp-O2", "interp-socket", "jit", "jit-O2"}

// filters are the programs of testdata/filters.
func filters(t testing.TB) []Named {
	files, err := filepath.Glob(filepath.Join(filterDir, "*.d"))
	require.NoError(t, err)
	var programs []Named
	for _, file := range files {
		programs = append(programs, Named{filepath.Base(file), readFilter(t, filepath.Base(file))})
	}
	require.NotEmpty(t, programs)
	return programs
}

// compareOn runs programs over a trace, thinned to about most packets.
func compareOn(t testing.TB, r *Report, programs []Named, engines []Engine, path string, most int) {
	records := readTrace(t, path)
	step := max(1, len(records)/most)
	var thinned []Record
	for i := 0; i < len(records); i += step {
		thinned = append(thinned, records[i])
	}
	for _, p := range programs {
		r.compareProgram(p, engines, filepath.Base(path), thinned, 0, nil)
	}
}

func TestEnginesAgreeOnOwnTraces(t *testing.T) {
	engines, err := EnginesByName(ownEngines)
	require.NoError(t, err)
	var r Report
	for _, trace := range pcaps {
		compareOn(t, &r, filters(t), engines, filepath.Join(pcapDir, trace.name), 1<<20)
	}
	requireAgreement(t, &r, "interp", "interp-socket", "xnet")
}

func TestKernelAgreesOnOwnTraces(t *testing.T) {
	requireKernel(t)
	engines, err := EnginesByName([]string{"kernel-classic", "kernel-ebpf"})
	require.NoError(t, err)
	var r Report
	for _, trace := range pcaps {
		compareOn(t, &r, filters(t), engines, filepath.Join(pcapDir, trace.name), 1<<20)
	}
	requireAgreement(t, &r, "kernel-classic", "kernel-ebpf")
}

func TestEnginesAgreeOnRealTraces(t *testing.T) {
	engines, err := EnginesByName(EngineNames())
	require.NoError(t, err)
	most := 1000
	if os.Getenv(fullEnv) != "" {
		most = 1 << 20
	}
	var r Report
	for _, path := range realTraces(t) {
		if _, err := readFile(path); err == nil {
			compareOn(t, &r, filters(t), engines, path, most)
		}
	}
	requireAgreement(t, &r, "interp", "interp-socket", "xnet")
}

// corpus is a collection of programs beside the project; tests of it skip where it is absent.
const corpus = "../../shared/corpus"

// fullEnv makes the tests of the collection run all packets of all traces instead of a sample.
const fullEnv = "CBPF2EBPF_FULL"

func corpusPrograms(t testing.TB) []Named {
	files, err := filepath.Glob(corpus + "/programs/*.d")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("skipped: no programs in %s", corpus)
	}
	var programs []Named
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.ParseAs(cbpf.Listing, text)
		require.NoError(t, err, file)
		programs = append(programs, Named{filepath.Base(file), p})
	}
	rows, err := os.ReadFile(corpus + "/xt_bpf.tsv")
	require.NoError(t, err)
	for _, row := range strings.Split(strings.TrimSpace(string(rows)), "\n")[1:] {
		cells := strings.Split(row, "\t")
		p, err := cbpf.ParseAs(cbpf.XTBPF, []byte(cells[1]))
		require.NoError(t, err, cells[0])
		programs = append(programs, Named{"xt_bpf " + cells[0], p})
	}
	return programs
}

// TestEnginesAgreeOnCorpus runs every program of the collection over all traces within reach.
func TestEnginesAgreeOnCorpus(t *testing.T) {
	programs := corpusPrograms(t)
	engines, err := EnginesByName(EngineNames())
	require.NoError(t, err)
	most := 150
	if os.Getenv(fullEnv) != "" {
		most = 1 << 20
	}
	paths := realTraces(t)
	for _, trace := range pcaps {
		paths = append(paths, filepath.Join(pcapDir, trace.name))
	}
	var r Report
	for _, path := range paths {
		if _, err := readFile(path); err == nil {
			compareOn(t, &r, programs, engines, path, most)
		}
	}
	requireAgreement(t, &r, "interp", "interp-socket", "xnet")
}

// userExts are the extensions that all of our own engines can have, with the same value.
var userExts = []cbpf.Ext{
	cbpf.ExtProto, cbpf.ExtPktType, cbpf.ExtIfIndex, cbpf.ExtMark, cbpf.ExtQueue, cbpf.ExtRxHash, cbpf.ExtCPU, cbpf.ExtXorX,
	cbpf.ExtVlanTCI, cbpf.ExtVlanPresent, cbpf.ExtVlanTPID, cbpf.ExtPayOff, cbpf.ExtNlattr, cbpf.ExtNlattrNest,
}

// randomRun makes the program and the packets of one seed.
func randomRun(seed uint64, packets int) (Named, []Record) {
	r := rand.New(rand.NewPCG(seed, 3))
	opts := GenOptions{MaxLen: 1 + r.IntN(80), Windows: r.IntN(3) == 0}
	if r.IntN(3) == 0 {
		opts.Exts = userExts
	}
	if seed%1000 == 0 {
		opts.MaxLen = cbpf.MaxInsns
	}
	p := GenProgram(r, opts)
	records := make([]Record, packets)
	for i := range records {
		records[i] = Record{Packet: GenPacket(r, p), Link: LinkEthernet}
	}
	return Named{fmt.Sprintf("seed %d", seed), p}, records
}

// agreeOnRandom holds the engines against the reference on random programs, a few packets each.
func agreeOnRandom(t testing.TB, names []string, seeds func(yield func(uint64) bool), packets int) {
	engines, err := EnginesByName(names)
	require.NoError(t, err)
	var r Report
	for seed := range seeds {
		p, records := randomRun(seed, packets)
		require.NoError(t, cbpf.Validate(p.Program), p.Name)
		r.compareProgram(p, engines, "random", records, 0, nil)
	}
	requireAgreement(t, &r, names...)
}

// everyNth yields the numbers below end that are a multiple of n.
func everyNth(end, n uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for i := uint64(0); i < end; i += n {
			if !yield(i) {
				return
			}
		}
	}
}

// randomPrograms is how many random programs the engines have to agree on.
const randomPrograms = 100_000

func TestEnginesAgreeOnRandomPrograms(t *testing.T) {
	t.Parallel()
	every := uint64(1)
	if testing.Short() {
		every = 50
	}
	agreeOnRandom(t, []string{"interp", "interp-O1", "interp-O2", "interp-socket", "interp-socket-O2", "jit", "jit-O2"}, everyNth(randomPrograms, every), 5)
}

func TestKernelAgreesOnRandomPrograms(t *testing.T) {
	requireKernel(t)
	t.Parallel()
	every := uint64(31)
	if testing.Short() {
		every = 997
	}
	agreeOnRandom(t, []string{"xnet", "kernel-classic", "kernel-ebpf"}, everyNth(randomPrograms, every), 5)
}
