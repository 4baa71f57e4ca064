package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
)

const stubSource = `
struct xdp_md { unsigned data, data_end; };
static __attribute__((noinline)) _Bool filter_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
{
	return data != data_end && _1 == _2 && _2 == _3;
}
__attribute__((section("xdp"), used)) int prog(struct xdp_md *ctx)
{
	return filter_stub(ctx, ctx, ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end) ? 2 : 1;
}
`

// stubObject compiles a program that takes a filter.
func stubObject(t *testing.T) string {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	file := filepath.Join(t.TempDir(), "stub.o")
	clang := exec.Command("clang", "-O2", "-g", "--target=bpf", "-x", "c", "-c", "-", "-o", file)
	clang.Stdin = strings.NewReader(stubSource)
	out, err := clang.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

func TestInject(t *testing.T) {
	object := stubObject(t)
	filtered := filepath.Join(t.TempDir(), "filtered.o")
	out := succeed(t, "", "inject", object, filter("ip.d"), "--symbol", "filter_stub", "-o", filtered)
	require.Regexp(t, `^\S+/filtered\.o: filter_stub in section \.text has 1\d instructions now, it had \d+\n$`, out)
	require.Equal(t, string(readFile(t, filtered)), succeed(t, string(readFile(t, filter("ip.d"))), "inject", object, "--symbol", "filter_stub"))
	listing := succeed(t, "", "disasm", filtered, "--symbol", "filter_stub")
	require.Contains(t, listing, "filter_stub:\n")
	plain := succeed(t, "", "inject", object, filter("ip.d"), "--symbol", "filter_stub", "-O0")
	require.Contains(t, succeed(t, plain, "disasm", "--symbol", "filter_stub"), "w1 != 2048 goto")
	require.Contains(t, listing, "w0 = 1\n")
	r := cli("", "inject", object, filter("ip.d"), "--symbol", "filter_stub", "--probe")
	require.Contains(t, r.stderr, `need a licence compatible with the GPL, and the object has ""`)
	verdicts := succeed(t, "", "inject", object, filter("ip.d"), "--symbol", "filter_stub", "--verdict")
	require.NotContains(t, succeed(t, verdicts, "disasm", "--symbol", "filter_stub"), "w0 = 1\n")

	kerneltest.Require(t)
	coll, err := cilium.LoadCollection(filtered)
	require.NoError(t, err)
	defer coll.Close()
	for etherType, want := range map[string]uint32{"\x08\x00": 2, "\x08\x06": 1} {
		got, err := coll.Programs["prog"].Run(&cilium.RunOptions{Data: append(make([]byte, 12), etherType+"12345678"...)})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestInjectRefuses(t *testing.T) {
	object := stubObject(t)
	for _, c := range []struct {
		stdin  string
		args   []string
		status int
		want   string
	}{
		{"", nil, exitUsage, "one OBJECT and one FILE at most, not 0"},
		{"", []string{object, "a", "b"}, exitUsage, "one OBJECT and one FILE at most, not 3"},
		{"", []string{object, filter("ip.d")}, exitUsage, "which function is the filter to replace? give --symbol STUB"},
		{"", []string{"-", "--symbol", "f"}, exitUsage, "object and filter cannot both come from stdin"},
		{"", []string{object, filter("ip.d"), "--symbol", "stub"}, exitRefused, `stub.o: there is no such function in the object: "stub"; there are `},
		{"", []string{object, filter("ip.d"), "--symbol", "prog"}, exitRefused, `stub.o: function "prog" is no stub for a filter: `},
		{"", []string{filter("ip.d"), filter("ip.d"), "--symbol", "f"}, exitRefused, "ip.d: this is no relocatable ELF object of BPF programs"},
		{"2,48 0 0 4294963220,22 0 0 0", []string{object, "--symbol", "filter_stub"}, exitRefused, `stdin: (000) extension "mark" cannot be had in a snippet`},
		{"1,48 0 0 0", []string{object, "--symbol", "filter_stub"}, exitRefused, "stdin: line 1: (000) program does not end with a return"},
		{"1,6 0 0 0", []string{"/nonexistent/o", "--symbol", "filter_stub"}, exitRefused, "open /nonexistent/o: no such file"},
		{"", []string{object, filter("ip.d"), "--symbol", "filter_stub", "-O9"}, exitUsage, "-O9: the levels are 0 to 2"},
	} {
		r := cli(c.stdin, append([]string{"inject"}, c.args...)...)
		require.Equal(t, c.status, r.status, "%q: %s", c.args, r.stderr)
		require.Contains(t, r.stderr, c.want)
		require.Empty(t, r.stdout)
	}
}
