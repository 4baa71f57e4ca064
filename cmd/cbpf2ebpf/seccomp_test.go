package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// readOnly allows read(2) of x86-64 up to 4095 bytes and write(2), and kills for all else.
const readOnly = `ld [4]
jne #0xc000003e, kill
ld [0]
jeq #1, allow
jne #0, kill
ld [36]
jne #0, kill
ld [32]
jge #4096, kill
allow: ret #0x7fff0000
kill: ret #0x80000000
`

func TestCheckSeccomp(t *testing.T) {
	out := succeed(t, readOnly, "check", "--seccomp")
	require.Contains(t, out, "stdin: accepted, 11 instructions of 4096\n\nx86_64\n")
	require.Regexp(t, `(?m)^  read +ALLOW if args\[2\] <=? \S+, else KILL_PROCESS$`, out)
	require.Regexp(t, `(?m)^  write +ALLOW$`, out)
	require.Regexp(t, `(?m)^  open +KILL_PROCESS$`, out)
	require.Contains(t, out, "\n\nany other architecture\n  every call  KILL_PROCESS\n")
	other := succeed(t, readOnly, "check", "--seccomp", "--arch", "i386")
	require.Contains(t, other, "\ni386\n  every call  KILL_PROCESS\n")

	r := cli(readOnly, "check", "--seccomp", "--arch", "pdp11")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, "pdp11")
	require.Equal(t, exitUsage, cli(readOnly, "check", "--arch", "i386").status)
	r = cli(string(readFile(t, filter("ip.d"))), "check", "--seccomp")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "line 1: (000) ")
	require.Empty(t, r.stdout)
}

func TestRunSyscalls(t *testing.T) {
	calls := []string{"run", "--syscall", "read(0, 0, 4095)", "--syscall", "read(0, 0, 4096)", "--syscall", "write(1)", "--syscall", "i386:read(0)"}
	want := "read(0, 0, 4095): ALLOW\nread(0, 0, 4096): KILL_PROCESS\nwrite(1): ALLOW\ni386:read(0): KILL_PROCESS\n"
	for _, engine := range [][]string{
		nil, {"--engine", "interp"}, {"--engine", "classic"}, {"--target", "user"}, {"--engine", "interp", "--target", "user"},
		{"--engine", "interp", "--target", "socket"}, {"--engine", "interp", "--target", "seccomp"},
	} {
		require.Equal(t, want, succeed(t, readOnly, append(calls, engine...)...), "%q", engine)
	}
	if err := kernel.SeccompAvailable(); err == nil {
		require.Equal(t, want, succeed(t, readOnly, append(calls, "--engine", "kernel")...))
	}
	require.Equal(t, "2147418112\n2147483648\n2147418112\n2147483648\n", succeed(t, readOnly, append(calls, "--verdicts")...))
	require.Equal(t, "write(): KILL_PROCESS\n", succeed(t, readOnly, "run", "--syscall", "write()", "--arch", "aarch64"))
}

func TestRunSyscallsRefuses(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"--syscall", "opnat()"}, exitUsage, "unknown system call"},
		{[]string{"--syscall", "read(x"}, exitUsage, "not a system call"},
		{[]string{"--syscall", "read()", "-r", "x.pcap"}, exitUsage, "--syscall goes with neither"},
		{[]string{"--syscall", "read()", "--count"}, exitUsage, "--syscall goes with neither"},
		{[]string{"--arch", "i386", "-r", "x.pcap"}, exitUsage, "--arch goes with --syscall"},
		{[]string{"--syscall", "read()", "--arch", "i386,x86_64"}, exitUsage, "one --arch at most"},
		{[]string{"--syscall", "read()", "--engine", "kernel", "--target", "seccomp"}, exitUsage, "cannot run programs for target"},
	} {
		r := cli(readOnly, append([]string{"run"}, c.args...)...)
		require.Equal(t, c.status, r.status, "%q: %s", c.args, r.stderr)
		require.Contains(t, r.stderr, c.stderr)
		require.Empty(t, r.stdout)
	}
	r := cli("(000) ldh [12]\n(001) ret #1\n", "run", "--syscall", "read()")
	require.Equal(t, exitRefused, r.status)
	require.True(t, strings.HasPrefix(r.stderr, "cbpf2ebpf: stdin: line 1: (000) "), r.stderr)
}
