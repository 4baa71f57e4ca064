package csource_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// longest is the number of instructions on the longest path of a program without loops.
func longest(p ebpf.Program) (most int) {
	before := make([]int, len(p)+1)
	for pc, ins := range p {
		n := before[pc] + 1
		most = max(most, n)
		target, jumps := ins.Target(pc)
		if jumps {
			before[target] = max(before[target], n)
		}
		if form := ins.Op.Info().Form; form != ebpf.FormExit && form != ebpf.FormJump && form != ebpf.FormJumpLong {
			before[pc+1] = max(before[pc+1], n)
		}
	}
	return most
}

// TestShorterThanClang holds optimised XDP programs against what clang -O2 makes of the C of the same filters: on no filter is the
// longest path longer. As versions of clang differ a few may be; they are told.
func TestShorterThanClang(t *testing.T) {
	compiler(t, "clang")
	own, err := filepath.Glob("../../testdata/filters/*.d")
	require.NoError(t, err)
	corpus, err := filepath.Glob("../../../shared/corpus/programs/*.d")
	require.NoError(t, err)
	if len(corpus) == 0 {
		t.Log("the corpus is not here: only own filters are compared")
	}
	if testing.Short() {
		corpus = nil
	}
	var ours, clangs, slots, clangSlots, longer, filters int
	files := append(own, corpus...)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.Parse(text)
		require.NoError(t, err)
		r, err := translate.Translate(p, translate.Options{Target: translate.XDP, Optimize: translate.MaxOptimize})
		if err != nil {
			continue // an extension that XDP does not have
		}
		c, err := csource.Translate(p, csource.Options{Form: csource.XDP, Windows: true, NetOff: 14})
		require.NoError(t, err)
		compiled := linked(t, compileBPF(t, c, "v3"))
		a, b := longest(r.Program), longest(compiled)
		if a > b {
			t.Logf("%s: %d instructions on the longest path, clang %d", filepath.Base(file), a, b)
			longer++
		}
		ours, clangs, filters = ours+a, clangs+b, filters+1
		slots, clangSlots = slots+len(r.Program), clangSlots+len(compiled)
	}
	t.Logf("%d filters, longest paths in sum: %d, clang %d; instructions: %d, clang %d", filters, ours, clangs, slots, clangSlots)
	require.Less(t, ours, clangs)
	require.Less(t, slots, clangSlots)
	require.LessOrEqual(t, longer, filters/30)
}
