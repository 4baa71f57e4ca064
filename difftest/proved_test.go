package difftest

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// TestOptimisedLoadsAreProved holds the checker against the optimiser: where guards are merged, and paths that passed different
// ones meet, each load must still be known to lie in the packet. Machine code then needs no check at run time.
func TestOptimisedLoadsAreProved(t *testing.T) {
	programs := filters(t)
	for seed := range uint64(3000) {
		p, _ := randomRun(seed, 0)
		programs = append(programs, p)
	}
	for level := 1; level <= translate.MaxOptimize; level++ {
		for _, p := range programs {
			opts := LinkEthernet.Options(translate.User)
			opts.Optimize = level
			r, err := translate.Translate(p.Program, opts)
			require.NoError(t, err, p.Name)
			facts, err := ebpf.Check(r.Program, ebpf.User)
			require.NoError(t, err, p.Name)
			pc, unproved := facts.Unproved()
			require.False(t, unproved, "%s: slot %d", p.Name, pc)
		}
	}
}
