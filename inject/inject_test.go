package inject_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/inject"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// host is source of programs that take filters: two stubs in .text, with a function behind them that has to go on working.
const host = `
#define SEC(n) __attribute__((section(n), used))
#define STUB static __attribute__((noinline))
struct xdp_md { unsigned data, data_end, data_meta, ingress_ifindex; };
struct __sk_buff { unsigned fields[19], data, data_end; };
struct { int (*type)[2]; unsigned *key; unsigned long long *value; int (*max_entries)[4]; } counters SEC(".maps");
static void *(*const lookup)(void *, const void *) = (void *)1;
int salt = 3;

STUB _Bool filter_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
{
	return data != data_end && _1 == _2 && _2 == _3;
}
STUB unsigned verdict_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
{
	return (data != data_end) + (_1 == _2) + (_2 == _3);
}
STUB int count(unsigned key)
{
	unsigned long long *v = lookup(&counters, &key);
	if (v)
		__sync_fetch_and_add(v, salt);
	return v != 0;
}
STUB unsigned probe_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
{
	return (data != data_end) + (_1 == _2) + (_2 == _3);
}
static long (*const probe_read)(void *, unsigned, const void *) = (void *)113;
SEC("tc") int probe_prog(struct __sk_buff *skb)
{
	unsigned long pointers[2] = {skb->data, skb->data_end}, addresses[2];
	probe_read(addresses, sizeof(addresses), pointers); /* the verifier takes them for numbers now */
	return probe_stub(skb, skb, skb, (void *)addresses[0], (void *)addresses[1]);
}
STUB unsigned constant_stub(void *_1, void *_2, void *_3, void *data, void *data_end) { return 1; }

SEC("xdp") int xdp_prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	_Bool match = filter_stub(ctx, ctx, ctx, data, data_end);
	return match + 2 * count(match);
}
SEC("tc") int tc_prog(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	return verdict_stub(skb, skb, skb, data, data_end);
}
SEC("xdp") int constant_prog(struct xdp_md *ctx)
{
	return constant_stub(ctx, ctx, ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
}
char _license[] SEC("license") = "GPL";
`

// compileHost compiles it, for the byte order of this machine.
func compileHost(t testing.TB, flags ...string) []byte {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	dir := t.TempDir()
	source, object := filepath.Join(dir, "host.c"), filepath.Join(dir, "host.o")
	require.NoError(t, os.WriteFile(source, []byte(host), 0o666))
	out, err := exec.Command("clang", append([]string{"-O2", "-g", "--target=bpf", "-c", source, "-o", object}, flags...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(object)
	require.NoError(t, err)
	return data
}

var onlyIP = cbpf.Program{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpJeqK, K: 0x800, Jf: 1}, {Op: cbpf.OpRetK, K: 77}, {Op: cbpf.OpRetK}}

func TestReport(t *testing.T) {
	object := compileHost(t)
	changed, r, err := inject.Object(object, "filter_stub", onlyIP, inject.Options{})
	require.NoError(t, err)
	o, err := ebpf.ReadELF(changed)
	require.NoError(t, err)
	f, err := o.Function("filter_stub")
	require.NoError(t, err)
	require.Equal(t, ".text", r.Section)
	require.Equal(t, len(f.Program), r.Is)
	require.Equal(t, 4, r.Classic)
	require.Contains(t, r.LeftOut, ".debug_line")
	require.Zero(t, r.StackUse)
}

// Optimised filters compare in the order of the machine that made them: so there are none in objects for other machines.
func TestOtherByteOrder(t *testing.T) {
	into := func(object []byte, level int) []byte {
		changed, _, err := inject.Object(object, "filter_stub", onlyIP, inject.Options{Optimize: level})
		require.NoError(t, err)
		return changed
	}
	own := compileHost(t)
	require.NotEqual(t, into(own, 0), into(own, 2))
	target := map[bool]string{true: "bpfel", false: "bpfeb"}[binary.NativeEndian.Uint16([]byte{0, 1}) == 1]
	other := compileHost(t, "--target="+target)
	require.Equal(t, into(other, 0), into(other, 2))
}

func TestRefusals(t *testing.T) {
	object := compileHost(t)
	spec, err := cilium.LoadCollectionSpecFromReader(bytes.NewReader(object))
	require.NoError(t, err)
	both := func(symbol string, filter cbpf.Program) (ofObject, ofInstructions error) {
		_, _, ofObject = inject.Object(object, symbol, filter, inject.Options{})
		_, ofInstructions = inject.Instructions(spec.Programs["xdp_prog"].Instructions, symbol, filter, inject.Options{})
		return ofObject, ofInstructions
	}
	missing, missingToo := both("no_stub", onlyIP)
	require.ErrorIs(t, missing, ebpf.ReasonNotFound)
	require.EqualError(t, missingToo, `function "no_stub" is no stub for a filter: the program has no such symbol`)

	invalid, invalidToo := both("filter_stub", cbpf.Program{{Op: cbpf.OpLdAbsH}})
	require.ErrorIs(t, invalid, cbpf.ReasonNoReturn)
	require.Equal(t, invalid, invalidToo)

	mark := cbpf.Program{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff + uint32(cbpf.ExtMark)}, {Op: cbpf.OpRetA}}
	lacking, lackingToo := both("filter_stub", mark)
	var lacks *translate.SnippetError
	require.ErrorAs(t, lacking, &lacks)
	require.Equal(t, lacking, lackingToo)

	var stub *inject.StubError
	_, _, err = inject.Object(object, "count", onlyIP, inject.Options{})
	require.ErrorAs(t, err, &stub)
	require.EqualError(t, err, `function "count" is no stub for a filter: it does not look at r4, so that compilers need not pass it: let it compare all of its five arguments`)
	_, _, err = inject.Object(object, "constant_stub", onlyIP, inject.Options{})
	require.Error(t, err, "nobody needs its arguments, or even it")
	_, err = inject.Instructions(spec.Programs["xdp_prog"].Instructions, "count", onlyIP, inject.Options{})
	require.ErrorAs(t, err, &stub)
	probe := inject.Options{Access: translate.AccessProbe}
	_, _, err = inject.Object(bytes.ReplaceAll(object, []byte("GPL\x00"), []byte("MIT\x00")), "probe_stub", onlyIP, probe)
	require.EqualError(t, err, `function "probe_stub" is no stub for a filter: filters that read by probe_read_kernel need a licence compatible with the GPL, and the object has "MIT"`)
	_, _, err = inject.Object([]byte("no object"), "filter_stub", onlyIP, inject.Options{})
	require.ErrorIs(t, err, ebpf.ReasonELF)
}
