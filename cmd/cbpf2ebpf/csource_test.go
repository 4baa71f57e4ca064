package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// The form of C follows the target.
func TestC(t *testing.T) {
	for target, want := range map[string]string{
		"user":       "uint32_t match(const struct cbpf_packet *pkt)\n{",
		"seccomp":    "uint32_t match(const struct seccomp_data *sd)\n{",
		"socket":     "SEC(\"socket\")\nint match(struct __sk_buff *skb)\n{",
		"tc":         "SEC(\"tc\")\nint match(struct __sk_buff *skb)\n{",
		"cgroup-skb": "SEC(\"cgroup_skb/ingress\")\nint match(struct __sk_buff *skb)\n{",
		"xdp":        "SEC(\"xdp\")\nint match(struct xdp_md *ctx)\n{",
		"xdp-frags":  "SEC(\"xdp.frags\")\nint match(struct xdp_md *ctx)\n{",
	} {
		text := succeed(t, "1,6 0 0 7", "--to", "c", "--target", target, "--name", "match", "--licence", "MIT")
		require.Contains(t, text, want)
		require.Contains(t, text, "\treturn 7;\n")
		if target != "user" && target != "seccomp" {
			require.Contains(t, text, "char _license[] SEC(\"license\") = \"MIT\";")
		}
	}
	require.Contains(t, succeed(t, "", filter("ip.d"), "--to", "cfunc"), "uint32_t filter(const uint8_t *data, const uint8_t *data_end)\n{")
	// The NET window follows the link type.
	window := "2,48 0 0 4293918729,22 0 0 0"
	require.Contains(t, succeed(t, window, "--to", "c", "--target", "xdp"), "a = data[23];")
	require.Contains(t, succeed(t, window, "--to", "c", "--target", "xdp", "--linktype", "LINUX_SLL"), "a = data[25];")
	for _, name := range translate.TargetNames() {
		if cForms[name] == 0 {
			require.Contains(t, cli("1,6 0 0 7", "--to", "c", "--target", name).stderr, "no C can be made for target")
		}
	}
	r := cli("2,48 0 0 4294963252,22 0 0 0", "--to", "cfunc")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, `stdin: (000) extension "poff" cannot be had in C for function: `)
	r = cli("1,6 0 0 7", "--to", "c", "--target", "moon")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, `no C can be made for target "moon"; it can for cgroup-skb, seccomp, socket, tc, user, xdp, xdp-frags`)
}
