package translate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// corpus is the collection of programs beside the project; tests of it skip where it is absent.
const corpus = "../../shared/corpus"

// corpusPrograms returns every program of the collection by its name.
func corpusPrograms(t testing.TB) map[string]cbpf.Program {
	files, err := filepath.Glob(corpus + "/programs/*.ddd")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("skipped: no programs in %s", corpus)
	}
	programs := map[string]cbpf.Program{}
	add := func(name string, n cbpf.Notation, text string) {
		p, err := cbpf.ParseAs(n, []byte(text))
		require.NoError(t, err, name)
		programs[name] = p
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		add(filepath.Base(file), cbpf.Decimal, string(text))
	}
	rows, err := os.ReadFile(corpus + "/xt_bpf.tsv")
	require.NoError(t, err)
	for _, row := range strings.Split(strings.TrimSpace(string(rows)), "\n")[1:] {
		cells := strings.Split(row, "\t")
		add("xt_bpf "+cells[0], cbpf.XTBPF, cells[1])
	}
	return programs
}

func TestCorpusTranslates(t *testing.T) {
	for name, p := range corpusPrograms(t) {
		for _, target := range []translate.Target{translate.User, translate.Socket} {
			r, err := translate.Translate(p, translate.Options{Target: target, NetOff: 14, HaType: 1})
			require.NoError(t, err, "%s for %s", name, target)
			requireSound(t, r, name)
		}
	}
}

// requireSound demands that the checker accepts the program, and for User that every access is proved.
func requireSound(t testing.TB, r *translate.Result, name string) {
	facts, err := ebpf.Check(r.Program, r.Target.ABI())
	require.NoError(t, err, "%s for %s:\n%s", name, r.Target, ebpf.Print(r.Program, ebpf.LLVM))
	pc, some := facts.Unproved()
	require.False(t, some, "%s for %s: access at %d is not proved:\n%s", name, r.Target, pc, ebpf.Print(r.Program, ebpf.LLVM))
	require.LessOrEqual(t, facts.Stack, r.Stats.Stack, name)
	require.Len(t, r.PCs, len(r.Program), name)
}
