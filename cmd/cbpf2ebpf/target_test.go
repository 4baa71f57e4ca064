package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// Options of one target that another has no use for are told by the name of their flag.
func TestUsageOfTargets(t *testing.T) {
	ip := filter("ip.d")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--link", "l3"}, "--link on target user: programs are for the packets of the hook"},
		{[]string{"--link", "l9", "--target", "tc"}, `--link "l9": the layers are l2, l3`},
		{[]string{"--hook-link", "l2", "--target", "cgroup-skb"}, "--hook-link on target cgroup-skb: packets of this hook do not begin like that"},
		{[]string{"--action", "match=1"}, "--action on target user: the verdict is all that these programs return"},
		{[]string{"--action", "match=shot", "--target", "xdp"}, `unknown action "shot" of target xdp; the actions are aborted, drop, pass`},
		{[]string{"--action", "other=pass", "--target", "xdp"}, "give match=NAME or drop=NAME"},
		{[]string{"--action", "match=2", "--target", "cgroup-skb"}, "--action on target cgroup-skb: the kernel takes 0 and 1"},
		{[]string{"--frags", "--target", "tc"}, "--frags on target tc: only XDP packets lie in several buffers"},
		{[]string{"--tags", "--target", "tc"}, "--tags on target tc: the kernel has taken the tag out of the packet"},
		{[]string{"--object", "xdp"}, "--object, --arg, --kprobe and --btf go with target trace"},
		{[]string{"--object", "mbuf", "--target", "trace"}, `--object "mbuf": an argument points to skb or xdp`},
		{[]string{"--action", "match=pass,match=tx", "--target", "xdp"}, "--action match is given twice"},
		{[]string{"--arg", "9", "--kprobe", "--target", "trace"}, "argument 9 is not in a register"},
	} {
		r := cli("", append([]string{ip}, test.args...)...)
		require.Equal(t, exitUsage, r.status, "%q: %s", test.args, r.stderr)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, test.want)
	}
}

// What an interpreter runs for a hook matches what the classic program matches.
func TestRunForHooks(t *testing.T) {
	for _, name := range []string{"tcp-port-80.d", "ip6.d", "dns.d", "vlan.d"} {
		args := func(more ...string) []string {
			return append([]string{"run", filter(name), "-r", pcap("mixed.pcap"), "--count"}, more...)
		}
		want := succeed(t, "", args("--engine", "classic")...)
		for _, target := range []string{"user", "socket", "tc", "cgroup-skb", "xdp", "trace"} {
			require.Equal(t, want, succeed(t, "", args("--engine", "interp", "--target", target, "-O0")...), "%s for %s", name, target)
			require.Equal(t, want, succeed(t, "", args("--engine", "interp", "--target", target)...), "%s for %s", name, target)
		}
		require.Equal(t, want, succeed(t, "", args("--engine", "interp", "--target", "xdp", "--action", "match=drop,drop=tx", "--frags")...), name)
	}
	// Where the verdict is no number of bytes, all of a packet is kept.
	keep := []string{"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "-w", "-"}
	want := succeed(t, "", keep...)
	for _, more := range [][]string{{"xdp"}, {"cgroup-skb"}, {"tc", "--action", "match=shot,drop=ok"}, {"tc"}} {
		require.True(t, want == succeed(t, "", append(append(keep, "--engine", "interp", "--target"), more...)...), "%q", more)
	}
	r := cli("", "run", filter("broadcast.d"), "-r", pcap("mixed.pcap"), "--engine", "interp", "--target", "cgroup-skb")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "(000) an Ethernet address cannot be had on target cgroup-skb")
}

// Programs for tracing look where this kernel keeps its packets, or say that they cannot know.
func TestTranslateForTracing(t *testing.T) {
	_, err := kernel.SkbLayout()
	for _, args := range [][]string{{}, {"--link", "l3"}, {"--object", "xdp"}, {"--arg", "2"}} {
		r := cli("", append([]string{filter("ip.d"), "--target", "trace"}, args...)...)
		if errors.Is(err, kernel.ErrUnavailable) {
			require.Equal(t, exitRefused, r.status)
			require.Contains(t, r.stderr, "--btf FILE names the types of another kernel")
			continue
		}
		require.Equal(t, exitDone, r.status, r.stderr)
		require.Contains(t, r.stdout, "call 113")
	}
}
