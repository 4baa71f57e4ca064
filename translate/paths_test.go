package translate

import (
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// forks makes a valid program of comparisons and jumps.
func forks(r *rand.Rand, n int) cbpf.Program {
	var p cbpf.Program
	for i := range n {
		far := min(255, n-i)
		switch r.IntN(4) {
		case 0:
			p = append(p, bpf.RawInstruction{Op: cbpf.OpJeqK, Jt: uint8(r.IntN(far)), Jf: uint8(r.IntN(far))})
		case 1:
			p = append(p, bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(r.IntN(min(far, 3)))})
		default:
			p = append(p, bpf.RawInstruction{Op: cbpf.OpLdImm})
		}
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetA})
}

// onAllPaths finds out which pcs every path to a pc goes through, by leaving out one after the other.
func onAllPaths(p cbpf.Program, to int) (list []int) {
	for without := range to + 1 {
		reached := make([]bool, len(p))
		reached[0] = without != 0
		for pc, ins := range p {
			if !reached[pc] {
				continue
			}
			nexts, n := successors(pc, ins, func(uint32, int) bool { return false })
			for _, next := range nexts[:n] {
				reached[next] = reached[next] || next != without
			}
		}
		if !reached[to] {
			list = append(list, without)
		}
	}
	return list
}

// The place that two instructions have in common is the last one that all paths to either go through.
func TestCommonPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	for range 300 {
		p := forks(r, 2+r.IntN(25))
		require.NoError(t, cbpf.Validate(p))
		paths := findPaths(p, func(uint32, int) bool { return false })
		for a := range p {
			for b := range p {
				if !paths.reached(a) || !paths.reached(b) {
					continue
				}
				both := map[int]bool{}
				for _, pc := range onAllPaths(p, a) {
					both[pc] = true
				}
				last := NoPC
				for _, pc := range onAllPaths(p, b) {
					if both[pc] {
						last = pc
					}
				}
				require.Equal(t, last, paths.common(a, b), "%d and %d in %v", a, b, p)
			}
		}
		require.Equal(t, 0, paths.common(NoPC, 0))
	}
}
