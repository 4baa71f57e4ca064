package ebpf_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// loadTrace loads a program for a raw tracepoint until the test is over: of the programs that Trace describes the kernel
// test-runs those.
func loadTrace(t *testing.T, p Program) *cilium.Program {
	t.Helper()
	prog, err := loadAs(p, cilium.RawTracepoint, 0)
	require.NoError(t, err, "%s", p)
	t.Cleanup(func() { prog.Close() })
	return prog
}

// runTrace runs it on these arguments.
func runTrace(t *testing.T, prog *cilium.Program, args []uint64) uint32 {
	t.Helper()
	ctx := make([]byte, 12*8) // MAX_BPF_FUNC_ARGS words
	for i, a := range args {
		binary.NativeEndian.PutUint64(ctx[8*i:], a)
	}
	got, err := prog.Run(&cilium.RunOptions{Context: ctx})
	require.NoError(t, err)
	return got
}

// knownMemory is a piece of the kernel's memory of which we know the contents: the machine code of a program that is loaded
// until the test is over.
func knownMemory(t *testing.T) Region {
	t.Helper()
	prog, err := load(generate(1, 60), 0)
	require.NoError(t, err)
	t.Cleanup(func() { prog.Close() })
	info, err := prog.Info()
	require.NoError(t, err)
	code, ok := info.JitedInsns()
	at, ok2 := info.JitedKsymAddrs()
	if !ok || !ok2 || len(at) != 1 {
		t.Skip("skipped: the kernel does not compile programs, or does not show where")
	}
	return Region{Addr: uint64(at[0]), Bytes: code}
}

// The kernel reads its own memory as the model reads regions, and fails alike where there is none.
func TestTraceAgreesWithKernel(t *testing.T) {
	requireHooks(t)
	memory := knownMemory(t)
	const lastPage = 0xfffffffffffff000 // never mapped: pointers there are numbers of errors
	r := rand.New(rand.NewPCG(1, 2))
	results, runs := map[uint32]bool{}, 0
	for n := range int32(33) {
		for _, helper := range []int32{HelperProbeReadKernel, HelperProbeRead} {
			p := probed(helper, n)
			_, err := Check(p, Trace)
			require.NoError(t, err)
			prog := loadTrace(t, p)
			addrs := []uint64{0, 16, 1 << 46, 1 << 60, 1<<63 + 1, lastPage}
			for range 8 {
				addrs = append(addrs, memory.Addr+r.Uint64N(uint64(len(memory.Bytes)-32)))
			}
			for _, at := range addrs {
				args := []uint64{at, r.Uint64()}
				got, err := Run(p, Trace, &Packet{Args: args, Kernel: []Region{memory}})
				require.NoError(t, err)
				want := runTrace(t, prog, args)
				require.Equal(t, want, uint32(got), "helper %d: %d bytes at %#x\n%s", helper, n, at, p)
				results[want] = true
				runs++
			}
		}
	}
	t.Logf("%d runs with %d results", runs, len(results))
	require.Greater(t, len(results), runs/2)
}
