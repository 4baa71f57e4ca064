//go:build linux && amd64

package jit

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// flush places packets of the given lengths at the begin and at the end of a buffer.
func flush(g *generator, size int, lengths []int) (descs []Desc) {
	for _, n := range lengths {
		off := 0
		if g.IntN(2) == 0 {
			off = size - n
		}
		descs = append(descs, Desc{Off: uint32(off), CapLen: uint32(n), WireLen: g.Uint32() >> g.IntN(32)})
	}
	return descs
}

// TestVectorsTouchNoByteOutside puts packets flush against both ends of a page whose neighbours fault, 16 at a time.
func TestVectorsTouchNoByteOutside(t *testing.T) { eachWayToGather(t, testVectorsTouchNoByteOutside) }

func testVectorsTouchNoByteOutside(t *testing.T) {
	requireVectors(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	page := fenced(t)
	fill := newGenerator(77)
	for i := range page {
		page[i] = byte(fill.Uint32() >> fill.IntN(8))
	}
	ran := 0
	run := func(seed uint64, p ebpf.Program) {
		f, err := Compile(p)
		require.NoError(t, err)
		defer f.Close()
		f.SetVector(VectorAlways)
		if _, why := f.Vector(); why != nil {
			return
		}
		ran++
		g := newGenerator(seed)
		var lengths []int
		for range 64 {
			lengths = append(lengths, leastMost+g.IntN(60))
		}
		for n := range 32 {
			lengths = append(lengths, leastMin+n)
		}
		lengths = append(lengths, 0, 1, 2, 3, 4, 13, 14, 15, 16, 17)
		sameVerdicts(t, f, p, page, flush(g, len(page), lengths))
	}
	for seed := range uint64(seeds(2000)) {
		run(seed, randomLaneProgram(seed))
	}
	require.Greater(t, ran, seeds(2000)*9/10)
	for _, m := range measured(t) {
		if !m.seccomp {
			r, err := translate.Translate(m.p, translate.Options{NetOff: 14})
			require.NoError(t, err)
			for seed := range uint64(5) {
				run(seed, r.Program)
			}
		}
	}
}

// TestVectorFenceWorks shows that the test above can fail.
func TestVectorFenceWorks(t *testing.T) { eachShape(t, testVectorFenceWorks) }

func testVectorFenceWorks(t *testing.T) {
	page := fenced(t)
	f := vectored(t, tcp())
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	lie := unsafe.Slice(unsafe.SliceData(page[len(page)-10:]), 24)
	_, descs := packets(16, 24)
	for i := range descs {
		descs[i].Off = 0
	}
	verdicts := make([]uint32, 16)
	require.Panics(t, func() { _ = f.RunBatch(lie, descs, nil, verdicts) })
	runtime.GC()
	require.NoError(t, f.RunBatch(page[:24], descs, nil, verdicts))
}

// TestVectorsUnderStress runs vector bodies that use every kind of register and the whole frame, on stacks of all depths,
// while the collector, the profiler and preemption do their worst.
func TestVectorsUnderStress(t *testing.T) { eachShape(t, testVectorsUnderStress) }

func testVectorsUnderStress(t *testing.T) {
	requireVectors(t)
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var profile bytes.Buffer
	require.NoError(t, pprof.StartCPUProfile(&profile))
	p := pressure(54)
	f := vectored(t, p)
	buf, descs := randomBatch(newGenerator(9), 600, leastMost)
	want := make([]uint32, len(descs))
	require.NoError(t, f.runScalar(buf, descs, nil, want, 0, len(descs)))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for id := range 8 {
		wg.Go(func() {
			for depth := 0; ctx.Err() == nil; depth = (depth + 7) % 300 {
				verdicts := make([]uint32, len(descs))
				if err := batchDeep(f, buf, descs, verdicts, depth); err != nil || !equalVerdicts(verdicts, want) {
					t.Errorf("goroutine %d: wrong verdicts at depth %d, error %v", id, depth, err)
					return
				}
			}
		})
	}
	for ctx.Err() == nil {
		runtime.GC()
		runtime.Stack(make([]byte, 1<<16), true)
	}
	wg.Wait()
	pprof.StopCPUProfile()
	require.NotZero(t, profile.Len())
}

func equalVerdicts(a, b []uint32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// batchDeep runs a batch at the bottom of a recursion.
func batchDeep(f *Func, buf []byte, descs []Desc, verdicts []uint32, depth int) error {
	var pad [64]byte
	if depth > 0 {
		err := batchDeep(f, buf, descs, verdicts, depth-1)
		pad[depth%64]++
		return err
	}
	return f.RunBatch(buf, descs, nil, verdicts)
}
