package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Command lines of load and pinned that make no sense.
func TestLoadUsage(t *testing.T) {
	ip := filter("ip.d")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"load", ip}, "nothing to do with the program: give --attach HOOK, --pin PATH or --dry-run\ntry: cbpf2ebpf load --help"},
		{[]string{"load", ip, "--pin", "x", "-c", "1"}, "--count, --duration and --interval go with --attach"},
		{[]string{"load", ip, "--dry-run", "--duration", "1s"}, "--count, --duration and --interval go with --attach"},
		{[]string{"load", ip, "--attach", "socket:lo", "--duration", "-1s"}, "times are not negative"},
		{[]string{"load", ip, "--attach", "eth0"}, `--attach: "eth0" is no hook; the hooks are socket:INTERFACE, `},
		{[]string{"load", ip, "--attach", "tc:eth0"}, "ingress or egress is missing; it is tc:INTERFACE:ingress|egress"},
		{[]string{"load", ip, "--attach", "socket:lo", "--target", "user"}, "socket:lo runs programs of the target socket, not user"},
		{[]string{"load", ip, "--attach", "socket:lo", "--attach", "xdp:lo"}, "xdp:lo runs programs of the target xdp, not socket"},
		{[]string{"load", ip, "--attach", "cgroup:/x:ingress", "--attach", "cgroup:/x:egress"}, "one program cannot be attached to both cgroup:/x:ingress and cgroup:/x:egress"},
		{[]string{"load", ip, "--dry-run", "--target", "user"}, "what a program of the target user is for in the kernel, only --attach could say"},
		{[]string{"load", ip, "--dry-run", "--target", "zzz"}, `unknown target "zzz"; the targets are user, socket`},
		{[]string{"load", ip, "--dry-run", "-O9"}, "-O9: the levels are 0 to 2"},
		{[]string{"load", ip, "--dry-run", "--action", "match=drop"}, "option Actions on target socket: the verdict is all that these programs return"},
		{[]string{"load", ip, "--dry-run", "--target", "xdp", "--action", "match=zzz"}, `unknown action "zzz" of target xdp; the actions are aborted, drop, pass, redirect, tx`},
		{[]string{"load", ip, ip, "--dry-run"}, "one FILE at most"},
		{[]string{"pinned"}, "one PATH, not 0"},
		{[]string{"pinned", "a", "b"}, "one PATH, not 2"},
	} {
		r := cli("", test.args...)
		require.Equal(t, exitUsage, r.status, "%q: %s", test.args, r.stderr)
		require.Contains(t, r.stderr, test.want, "%q", test.args)
		require.Empty(t, r.stdout)
	}
}
