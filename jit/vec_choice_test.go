package jit

import (
	"sync"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// TestBatchesOfAllSizesWhileBodiesAreTried runs batches that are samples, parts of them, or too small for that, through trials, from several
// goroutines, with packets in between that only the scalar body takes.
func TestBatchesOfAllSizesWhileBodiesAreTried(t *testing.T) {
	eachShape(t, func(t *testing.T) {
		requireVectors(t)
		f := compiled(t, tcp())
		buf, descs := packets(3*trialSoon, 60)
		for i := 0; i < len(descs); i += 1001 {
			descs[i].CapLen = 10
		}
		var wg sync.WaitGroup
		for id := range 3 {
			wg.Go(func() {
				got := make([]uint32, len(descs))
				for _, n := range []int{id + 1, 16, 31, 255, 256, 257, 700, 4096 + id, trialSoon + 1, 0, len(descs)} {
					if err := f.RunBatch(buf, descs[:n], nil, got); err != nil {
						t.Errorf("%d packets: %v", n, err)
						return
					}
					for i := range got[:n] {
						if want := uint32(byte(i)); got[i] != want && (i%1001 != 0 || got[i] != 0) {
							t.Errorf("packet %d of %d: %d, want %d", i, n, got[i], want)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		require.NotZero(t, f.vectors.choice.every, "a trial has come to its end")
	})
}

// TestFaultWhileBodiesAreTried has a packet fault that is not in the first sample.
func TestFaultWhileBodiesAreTried(t *testing.T) {
	requireVectors(t)
	f := compiled(t, ebpf.Program{ebpf.Load(1, ebpf.R0, ebpf.R1, 50), ebpf.Return()})
	lanes, why := f.Vector()
	require.NoError(t, why)
	require.Greater(t, lanes, 1)
	buf, descs := packets(5*trialPackets, 60)
	for _, bad := range []int{0, trialPackets - 1, trialPackets, 3*trialPackets + 77, 5*trialPackets - 1} {
		descs[bad].CapLen = 50
		err := f.RunBatch(buf, descs, nil, make([]uint32, len(descs)))
		require.Equal(t, &FaultError{Packet: bad, PC: 0}, err)
		descs[bad].CapLen = 60
	}
}

func TestTrialsBecomeRareWhileNothingChanges(t *testing.T) {
	var c choice
	settle := func(scalar bool) int64 {
		c.settle(scalar)
		require.Equal(t, scalar, c.scalar.Load())
		require.Equal(t, c.every, c.left.Load())
		return c.every
	}
	require.EqualValues(t, trialSoon, settle(false))
	require.EqualValues(t, 2*trialSoon, settle(false))
	require.EqualValues(t, trialSoon, settle(true))
	every := int64(trialSoon)
	for every < trialLate {
		every *= 2
		require.Equal(t, every, settle(true))
	}
	require.EqualValues(t, trialLate, settle(true))
	require.EqualValues(t, trialSoon, settle(false))
}
