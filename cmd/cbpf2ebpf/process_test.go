//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is the command as a process of its own.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd, stderr = exec.Command(self, args...), new(bytes.Buffer)
	cmd.Env, cmd.Stderr = append(os.Environ(), beMain+"=1"), stderr
	return cmd, stderr
}

func TestProcess(t *testing.T) {
	cmd, stderr := process(t, "run", "-r", pcap("mixed.pcap"), "--count")
	cmd.Stdin = bytes.NewReader(readFile(t, filter("ip.d")))
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "146\n", string(out))
	require.Empty(t, stderr.String())

	cmd, stderr = process(t, "--bogus")
	require.Error(t, cmd.Run())
	require.Equal(t, exitUsage, cmd.ProcessState.ExitCode())
	require.Equal(t, "cbpf2ebpf: unknown flag: --bogus\ntry: cbpf2ebpf --help\n", stderr.String())
}

// Who closes the pipe has seen enough: no complaint, the status of any program that SIGPIPE ends, and no file.
func TestBrokenPipe(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{filter("hosts-80.d")}, {"check", filter("ip.d")}, {"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "--count"},
		{"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "-w", "-"},
		{"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "--verdicts"},
		{"diff", filter("ip.d"), "-r", pcap("null.pcap"), "--engine", "interp"},
		{"run", filter("all.d"), "-r", longTrace(t), "--verdicts", "-w", filepath.Join(dir, "out.pcap")},
	} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		cmd, stderr := process(t, args...)
		cmd.Stdout = w
		require.Error(t, cmd.Run(), "%q", args)
		require.NoError(t, w.Close())
		require.Equal(t, exitPipe, cmd.ProcessState.ExitCode(), "%q: %s", args, stderr)
		require.Empty(t, stderr.String(), "%q", args)
		require.Empty(t, entries(t, dir))
	}
}

// A process that is interrupted leaves no file beside the one that it would have written, and ends by the signal, so that
// a shell ends its loop.
func TestInterrupt(t *testing.T) {
	trace := readFile(t, pcap("mixed.pcap"))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		path := temp(t, "out.pcap", []byte("precious"))
		cmd, stderr := process(t, "run", filter("ip.d"), "-r", "-", "-w", path)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = in.Write(trace) // and more may come
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(entries(t, filepath.Dir(path))) == 2 }, 10*time.Second, time.Millisecond)
		require.NoError(t, cmd.Process.Signal(signal))
		require.Error(t, cmd.Wait())
		require.Equal(t, signal, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
		require.Empty(t, stderr.String())
		require.Equal(t, []string{"out.pcap"}, entries(t, filepath.Dir(path)))
		require.Equal(t, "precious", string(readFile(t, path)))
	}
}

// What comes through a pipe is judged as it comes, and what comes of it is seen at once.
func TestLiveTrace(t *testing.T) {
	trace := readFile(t, pcap("mixed.pcap"))
	first := 24 + 16 + int(binary.LittleEndian.Uint32(trace[24+8:]))
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--verdicts"}, "262144\n"},
		{[]string{"-w", "-"}, string(trace[:first])},
	} {
		cmd, stderr := process(t, append([]string{"run", filter("all.d"), "-r", "-"}, test.args...)...)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = in.Write(trace[:first])
		require.NoError(t, err)
		got := make([]byte, len(test.want))
		_, err = io.ReadFull(out, got)
		require.NoError(t, err)
		require.Equal(t, test.want, string(got))
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
		require.Empty(t, stderr.String())
	}
}

// A named pipe is written into, not replaced.
func TestOutputToNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("skipped: %v", err)
	}
	read := make(chan []byte)
	go func() {
		var data []byte
		if f, err := os.Open(path); err == nil {
			data, _ = io.ReadAll(f)
			f.Close()
		}
		read <- data
	}()
	require.Empty(t, succeed(t, "", filter("ip.d"), "-o", path))
	require.Equal(t, succeed(t, "", filter("ip.d")), string(<-read))
	require.NotZero(t, mode(t, path)&os.ModeNamedPipe)
}

// Nobody looks at a stderr that is no terminal, however long the job takes.
func TestNoBarOutsideTerminals(t *testing.T) {
	var stderr strings.Builder
	cmd := runCommand()
	cmd.SetErr(&stderr)
	p := newProgress(cmd, "trace", true, 100)
	p.begin = time.Now().Add(-time.Hour)
	p.add(50)
	p.end()
	require.Empty(t, stderr.String())
}
