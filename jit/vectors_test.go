package jit

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// sections reads one case of the vectors of package ebpf; their README describes the format.
func sections(text string) map[string]string {
	found, name := map[string]string{}, ""
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if after, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSpace(after)
		} else if name != "" {
			found[name] += line + "\n"
		}
	}
	return found
}

// TestVectors runs the vectors, whose results were worked out by hand from RFC 9669, in machine code: all that Check takes.
func TestVectors(t *testing.T) {
	requireJIT(t)
	files, err := filepath.Glob("../ebpf/testdata/vectors/*.txt")
	require.NoError(t, err)
	ran := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, one := range strings.Split(string(text), "\n== ")[1:] {
			name, _, _ := strings.Cut(one, "\n")
			s := sections(one)
			p, err := ebpf.Assemble([]byte(s["asm"]))
			require.NoError(t, err, name)
			f, err := CompileBuffer(p)
			if err != nil || s["error"] != "" {
				continue
			}
			mem, err := ebpf.DecodeHex(s["mem"])
			require.NoError(t, err, name)
			r0, err := f.Run(&ebpf.Packet{Data: mem})
			require.NoError(t, err, name)
			want, err := strconv.ParseUint(strings.TrimSpace(s["result"]), 0, 64)
			require.NoError(t, err, name)
			require.Equal(t, want, r0, "%s\n%s", name, p)
			if s["after"] != "" {
				require.Equal(t, strings.Join(strings.Fields(s["after"]), ""), hex.EncodeToString(mem), name)
			}
			require.NoError(t, f.Close())
			ran++
		}
	}
	require.Greater(t, ran, 120, "most vectors are for machine code too")
	t.Logf("%d vectors", ran)
}

func TestBufferIsWritten(t *testing.T) {
	requireJIT(t)
	f, err := CompileBuffer(ebpf.Program{
		ebpf.Mov.Imm(ebpf.R0, 0x1234), ebpf.Store(2, ebpf.R1, 1, ebpf.R0), ebpf.Store(1, ebpf.R1, 3, ebpf.R10), ebpf.Return(),
	})
	require.ErrorIs(t, err, ebpf.ReasonPointer, "addresses stay inside")
	require.Nil(t, f)
	f, err = CompileBuffer(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0x1234), ebpf.Store(2, ebpf.R1, 1, ebpf.R0), ebpf.Return()})
	require.NoError(t, err)
	defer f.Close()
	data := []byte{1, 2, 3, 4}
	_, err = f.Run(&ebpf.Packet{Data: data})
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0x34, 0x12, 4}, data)
	_, err = f.Run(&ebpf.Packet{Data: data[:2:2]})
	require.Equal(t, &FaultError{PC: 1}, err)
	require.Equal(t, []byte{1, 0x34, 0x12, 4}, data, "a store that fails its check writes nothing")
}
