//go:build linux && amd64

package jit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file names what the kernel says is executable memory of this process, and holds the code of the Func.
func TestPerfMap(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := compiled(t, tcp())
	f.SetVector(VectorAlways)
	m, err := CreatePerfMap()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(os.TempDir(), fmt.Sprintf("perf-%d.map", os.Getpid())), m.Name())
	require.NoError(t, m.Add(f, "tcp port 80\nand\x00more"))
	slow, err := interpreted(tcp(), nil)
	require.NoError(t, err)
	require.NoError(t, m.Add(slow, "interpreted"))
	require.NoError(t, m.Close())

	text, err := os.ReadFile(m.Name())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	names := []string{" tcp port 80 and more", " tcp port 80 and more (vectors)", " tcp port 80 and more (single)"}
	if lanes, _ := f.Vector(); lanes == 1 {
		names = append(names[:1], names[2])
	}
	require.Len(t, lines, len(names))
	for i, line := range lines {
		var start, size uintptr
		_, err := fmt.Sscanf(line, "%x %x", &start, &size)
		require.NoError(t, err)
		require.True(t, executable(t, start, size), line)
		require.True(t, strings.HasSuffix(line, names[i]), line)
	}
	code, _ := f.Code()
	require.Contains(t, lines[0], fmt.Sprintf(" %x ", len(code)))

	_, err = CreatePerfMap()
	require.True(t, os.IsExist(err), err)
	require.NoError(t, f.Close())
	m = &PerfMap{}
	require.ErrorIs(t, m.Add(f, "closed"), ErrClosed)
}

// A link that somebody laid is not followed.
func TestPerfMapFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	victim := filepath.Join(dir, "victim")
	require.NoError(t, os.Symlink(victim, filepath.Join(dir, fmt.Sprintf("perf-%d.map", os.Getpid()))))
	_, err := CreatePerfMap()
	require.True(t, os.IsExist(err), err)
	require.NoFileExists(t, victim)
}

// executable asks the kernel about a piece of memory.
func executable(t *testing.T, start, size uintptr) bool {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err == nil && from <= start && start+size <= to {
			return mode == "r-xp"
		}
	}
	return false
}
