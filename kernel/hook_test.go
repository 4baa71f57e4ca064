package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHook(t *testing.T) {
	for text, want := range map[string]Hook{
		"socket:eth0":                       {Kind: HookSocket, Where: "eth0"},
		"tc:eth0:ingress":                   {Kind: HookTC, Where: "eth0", Way: Ingress},
		"tc:eth0:egress":                    {Kind: HookTC, Where: "eth0", Way: Egress},
		"tc:eth0:ingress:tcx":               {Kind: HookTC, Where: "eth0", Way: Ingress, Mode: TCX},
		"tc:eth0.5:ingress:clsact":          {Kind: HookTC, Where: "eth0.5", Way: Ingress, Mode: ClsAct},
		"xdp:eth0":                          {Kind: HookXDP, Where: "eth0"},
		"xdp:eth0:native":                   {Kind: HookXDP, Where: "eth0", Mode: Native},
		"xdp:eth0:generic":                  {Kind: HookXDP, Where: "eth0", Mode: Generic},
		"cgroup:/sys/fs/cgroup/web:ingress": {Kind: HookCgroup, Where: "/sys/fs/cgroup/web", Way: Ingress},
		"cgroup:/cg/a:b:egress":             {Kind: HookCgroup, Where: "/cg/a:b", Way: Egress},
		"fentry:ip_rcv":                     {Kind: HookFentry, Where: "ip_rcv"},
		"tp_btf:netif_receive_skb":          {Kind: HookTracepoint, Where: "netif_receive_skb"},
		"raw_tp:netif_receive_skb":          {Kind: HookRawTracepoint, Where: "netif_receive_skb"},
		"kprobe:ip_rcv":                     {Kind: HookKprobe, Where: "ip_rcv"},
	} {
		got, err := ParseHook(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, got.String())
	}
}

func TestParseHookRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                    `"" is no hook; the hooks are socket:INTERFACE, tc:INTERFACE:ingress|egress[:tcx|clsact], xdp:INTERFACE[:native|generic], cgroup:DIRECTORY:ingress|egress, fentry:FUNCTION, tp_btf:TRACEPOINT, raw_tp:TRACEPOINT, kprobe:FUNCTION`,
		"eth0":                `"eth0" is no hook`,
		"socket":              `"socket": "" is no interface; it is socket:INTERFACE`,
		"socket:":             `"" is no interface`,
		"socket:a:b":          `"a:b" is no interface`,
		"tc:eth0":             `"tc:eth0": ingress or egress is missing; it is tc:INTERFACE:ingress|egress[:tcx|clsact]`,
		"tc:eth0:":            `"" is neither ingress nor egress`,
		"tc:eth0:up":          `"up" is neither ingress nor egress`,
		"tc:eth0:up:tcx":      `"up" is neither ingress nor egress`,
		"tc::ingress":         `"" is no interface`,
		"xdp:eth0:clsact":     `"eth0:clsact" is no interface`,
		"xdp:eth0:generic:up": `is no interface`,
		"cgroup:/x":           "ingress or egress is missing",
		"cgroup::ingress":     `"" is no directory`,
		"fentry:":             `"" is no function`,
	} {
		_, err := ParseHook(text)
		require.ErrorContains(t, err, want, text)
	}
}

// What String writes ParseHook reads, and the types of a hook are those that run there.
func TestHooks(t *testing.T) {
	seen := map[Type]bool{}
	for kind, row := range hooks {
		for _, way := range []Way{NoWay, Ingress, Egress} {
			for _, mode := range append([]Mode{Auto}, row.modes...) {
				if row.ways != (way != NoWay) {
					continue
				}
				h := Hook{Kind: HookKind(kind), Where: "x", Way: way, Mode: mode}
				back, err := ParseHook(h.String())
				require.NoError(t, err)
				require.Equal(t, h, back)
				require.True(t, strings.HasPrefix(HookForms()[kind], row.name+":"))
				for _, kind := range h.Types() {
					seen[kind] = true
				}
			}
		}
	}
	require.Len(t, seen, len(Types()), "every type has a hook")
}

// No text makes it panic, and what it takes it writes and reads again.
func FuzzParseHook(f *testing.F) {
	for _, form := range HookForms() {
		f.Add(form)
	}
	for _, text := range []string{"tc:eth0:ingress:tcx", "cgroup:/a:b:egress", "xdp::generic", ":", "tc:ingress"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHook(text)
		if err != nil {
			return
		}
		back, err := ParseHook(h.String())
		require.NoError(t, err)
		require.Equal(t, h, back)
	})
}
