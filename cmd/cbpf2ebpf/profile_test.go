package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// The names are where perf looks, and say so; a second run of the same process leaves them alone.
func TestPerfMapOfRun(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if os.TempDir() != dir {
		t.Skip("skipped: temporary files are not where TMPDIR says")
	}
	path := filepath.Join(dir, fmt.Sprintf("perf-%d.map", os.Getpid()))
	args := []string{"run", filter("tcp-port-80.d"), "-r", pcap("mixed.pcap"), "--perf-map"}
	r := cli("", args...)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stderr, "cbpf2ebpf: the name of the machine code is in "+path+", for perf report\n")
	require.Equal(t, "70 of 216 packets match\n", r.stdout)
	if hasJIT(t) {
		require.Regexp(t, `(?m)^[0-9a-f]+ [0-9a-f]+ cbpf2ebpf:tcp-port-80\.d$`, string(readFile(t, path)))
	}
	r = cli("", args...)
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "exists")
}

func TestCPUProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	require.Equal(t, "7000 of 21600 packets match\n", succeed(t, "", "run", filter("tcp-port-80.d"), "-r", longTrace(t), "--cpu-profile", path))
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, path)))
	require.NoError(t, err)
	profile, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Contains(t, string(profile), "nanoseconds")
}

// Whoever profiles sees which engine judges, and which program.
func TestJudgingIsLabelled(t *testing.T) {
	trace, err := difftest.OpenTrace(pcap("mixed.pcap"))
	require.NoError(t, err)
	defer trace.Close()
	var goroutines bytes.Buffer
	e := &engine{label: pprof.Labels("jit", "tcp port 80"), judge: func(*difftest.Batch, []uint32) error {
		return pprof.Lookup("goroutine").WriteTo(&goroutines, 1)
	}}
	job := overTrace{engine: e, bar: new(progress)}
	require.NoError(t, job.do(trace))
	require.Contains(t, goroutines.String(), `# labels: {"jit":"tcp port 80"}`)
	require.Equal(t, 216, job.total)
}
