package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// The form of C follows the target.
func TestC(t *testing.T) {
	for target, want := range map[string]string{
		"user":                          "uint32_t match(const struct cbpf_packet *pkt)\n{",
		"seccomp":                       "uint32_t match(const struct seccomp_data *sd)\n{",
		"socket":                        "SEC(\"socket\")\nint match(struct __sk_buff *skb)\n{",
		"tc":                            "SEC(\"tc\")\nint match(struct __sk_buff *skb)\n{",
		"cgroup-skb":                    "SEC(\"cgroup_skb/ingress\")\nint match(struct __sk_buff *skb)\n{",
		"xdp":                           "SEC(\"xdp\")\nint match(struct xdp_md *ctx)\n{",
		"xdp --frags --action match=tx": "SEC(\"xdp.frags\")\nint match(struct xdp_md *ctx)\n{\n\treturn match_verdict(ctx) ? 3 /* XDP_TX */ : 1 /* XDP_DROP */;",
	} {
		args := append(strings.Fields(target), "--to", "c", "--name", "match", "--licence", "MIT", "--link", "hook")
		if target == "user" || target == "socket" || target == "seccomp" {
			args = args[:len(args)-2]
		}
		text := succeed(t, "1,6 0 0 7", append([]string{"--target"}, args...)...)
		require.Contains(t, text, want)
		require.Contains(t, text, "\treturn 7;\n")
		if target != "user" && target != "seccomp" {
			require.Contains(t, text, "char _license[] SEC(\"license\") = \"MIT\";")
		}
	}
	require.Contains(t, succeed(t, "", filter("ip.d"), "--to", "cfunc"), "uint32_t filter(const uint8_t *data, const uint8_t *data_end)\n{")
	compiles(t, succeed(t, "", filter("ip.d"), "--to", "cfunc"))
	// The NET window follows the link type.
	window := "2,48 0 0 4293918729,22 0 0 0"
	require.Contains(t, succeed(t, window, "--to", "c", "--target", "xdp"), "a = data[23];")
	require.Contains(t, succeed(t, window, "--to", "c", "--target", "xdp", "--linktype", "LINUX_SLL"), "a = data[25];")
	for _, name := range translate.TargetNames() {
		target, err := translate.ParseTarget(name)
		require.NoError(t, err)
		if _, ok := cForms[target]; !ok {
			require.Contains(t, cli("1,6 0 0 7", "--to", "c", "--target", name).stderr, "no C can be made for target")
		}
	}
	r := cli("2,48 0 0 4294963252,22 0 0 0", "--to", "cfunc")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, `stdin: (000) extension "poff" cannot be had in C for function: `)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--target", "moon"}, `unknown target "moon"`},
		{[]string{"--target", "cgroup-skb"}, "programs are for the packets of the hook, which begin with l3: this one is for l2; compile the filter for the hook"},
		{[]string{"--target", "xdp", "--linktype", "RAW"}, "which begin with l2: this one is for l3"},
		{[]string{"--target", "xdp", "--tags"}, "C has no --tags"},
	} {
		r = cli("1,6 0 0 7", append([]string{"--to", "c"}, c.args...)...)
		require.Equal(t, exitUsage, r.status, "%q", c.args)
		require.Contains(t, r.stderr, c.want)
	}
}

// compiles holds that a file of C needs nothing else: by itself, for BPF, and behind headers that declare the same types.
func compiles(t *testing.T, text string) {
	t.Helper()
	for _, c := range []struct{ front, args string }{
		{"", "cc -O2 -Wall -Wextra -Werror"},
		{"#include <stdint.h>\n", "cc -O2 -std=c99 -pedantic -Wall -Wextra -Werror"},
		{"", "clang -O2 --target=bpf -Wall -Werror"},
	} {
		words := strings.Fields(c.args)
		if _, err := exec.LookPath(words[0]); err != nil {
			t.Logf("not compiled by %s: %v", words[0], err)
			continue
		}
		run := exec.Command(words[0], append(words[1:], "-x", "c", "-c", "-", "-o", filepath.Join(t.TempDir(), "out.o"))...)
		run.Stdin = strings.NewReader(c.front + text)
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s\n%s", c.args, out)
	}
}
