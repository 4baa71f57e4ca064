package ebpf_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// The kernel says the same of the vectors that need no memory and pass its verifier, as far as its answer of 32 bits goes.
func TestVectorsAgreeWithKernel(t *testing.T) {
	needKernel(t)
	files, err := filepath.Glob("testdata/vectors/*.txt")
	require.NoError(t, err)
	agree, refused := 0, 0
	for _, file := range files {
		for _, v := range readVectors(t, file) {
			result, ok := v.sections["result"]
			if _, mem := v.sections["mem"]; mem || !ok {
				continue
			}
			p, err := Assemble([]byte(v.sections["asm"]))
			require.NoError(t, err)
			prog, err := load(p, 0)
			if err != nil {
				refused++
				continue
			}
			got, err := prog.Run(&cilium.RunOptions{Data: frame()})
			prog.Close()
			require.NoError(t, err)
			want, err := strconv.ParseUint(strings.TrimSpace(result), 0, 64)
			require.NoError(t, err)
			require.Equal(t, uint32(want), got, "%s: %s\n%s", file, v.name, p)
			agree++
		}
	}
	t.Logf("%d vectors agree, the verifier refuses %d", agree, refused)
	require.Greater(t, agree, 100)
}
