package cbpfc_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc/clang"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
)

// typesHeader is what programs that use ToC bring along.
const typesHeader = `
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
struct xdp_md { uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
`

// Several functions stand in one file, one of them called and the other inlined; the verifier takes what clang makes of them.
func TestCompiledFunctions(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	kerneltest.Require(t)
	include := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(include, "types.h"), []byte(typesHeader), 0o666))
	r := rand.New(rand.NewPCG(6, 6))
	for seed := range uint64(15) {
		p := [2]cbpf.Program{}
		var source strings.Builder
		source.WriteString("#include \"types.h\"\n#define SEC(name) __attribute__((section(name), used))\n")
		for i := range p {
			p[i] = difftest.GenProgram(rand.New(rand.NewPCG(seed, uint64(i))), withExts(50))
			text, err := cbpfc.ToCRaw(p[i], cbpfc.COpts{FunctionName: fmt.Sprintf("match%d", i), NoInline: i == 1})
			require.NoError(t, err)
			source.WriteString(text)
		}
		source.WriteString(`
SEC("xdp") int filter(struct xdp_md *ctx) {
	const uint8_t *data = (const uint8_t *)(long)ctx->data, *data_end = (const uint8_t *)(long)ctx->data_end;
	return (match0(data, data_end) != 0) << 1 | (match1(data, data_end) != 0);
}
`)
		object, err := clang.Compile([]byte(source.String()), "filter", clang.Opts{Clang: "clang", Include: []string{include}, EmitDebug: true})
		require.NoError(t, err)
		spec, err := cilium.LoadCollectionSpecFromReader(bytes.NewReader(object))
		require.NoError(t, err)
		f, err := kernel.Load(marshal(t, spec.Programs["filter"].Instructions), kernel.LoadOptions{Type: kernel.XDP})
		require.NoError(t, err, "%s", source.String())
		for i := range 20 {
			pkt := difftest.GenPacket(r, p[i%2])
			if len(pkt.Data) < 14 || len(pkt.Data) > 3000 {
				continue
			}
			want := uint32(0)
			for i := range p {
				seen := as(pkt)
				v, err := cbpf.Run(p[i], &seen)
				require.NoError(t, err)
				want <<= 1
				if v != 0 {
					want |= 1
				}
			}
			got, err := f.Run(pkt.Data)
			require.NoError(t, err)
			require.Equal(t, want, got, "packet %x\n%s", pkt.Data, source.String())
		}
		require.NoError(t, f.Close())
	}
}

func TestClang(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	source := []byte("int f(void) { return 1; }\n")
	out := filepath.Join(t.TempDir(), "a", "b")
	object, err := clang.Compile(source, "one", clang.Opts{Clang: "clang", Output: out, Include: []string{"."}})
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(object, []byte("\x7fELF")))
	for name, want := range map[string]string{"one.c": string(source), "one.elf": string(object), "build": " -nostdinc -c -target bpf one.c -o one.elf -I /"} {
		data, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		require.Contains(t, string(data), want)
	}
	_, err = clang.Compile([]byte("int f(void) { return x; }\n"), "two", clang.Opts{Clang: "clang"})
	require.ErrorContains(t, err, "clang: two does not compile")
	require.ErrorContains(t, err, "undeclared identifier 'x'")
	_, err = clang.Compile(source, "three", clang.Opts{Clang: "/nonexistent/clang"})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = clang.Compile(source, "four", clang.Opts{Clang: "clang", Output: "/dev/null/x"})
	require.Error(t, err)
}
