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

// TestShorterThanClang holds optimised XDP programs against what clang -O2 makes of the C of the same filters: on most filters the
// longest path is no longer. Those where it is are told; that they stay few is what is tested.
func TestShorterThanClang(t *testing.T) {
	compiler(t, "clang")
	files, err := filepath.Glob("../../testdata/filters/*.d")
	require.NoError(t, err)
	ours, clangs, longer, filters := 0, 0, 0, 0
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
		a, b := longest(r.Program), longest(linked(t, compileBPF(t, c, "v3")))
		if a > b {
			t.Logf("%s: %d instructions on the longest path, clang %d", filepath.Base(file), a, b)
			longer++
		}
		ours, clangs, filters = ours+a, clangs+b, filters+1
	}
	t.Logf("%d filters, longest paths in sum: %d, clang %d", filters, ours, clangs)
	require.Less(t, ours, clangs)
	require.LessOrEqual(t, longer, filters/10)
}
