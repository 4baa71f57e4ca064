package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// What goes into an object comes out of it, for each target and in either byte order.
func TestELFHoldsTheTranslation(t *testing.T) {
	for _, target := range []string{"user", "socket"} {
		for _, order := range []string{"native", "little", "big"} {
			file := filepath.Join(t.TempDir(), "filter.o")
			require.Empty(t, succeed(t, "", filter("tcp-port-80.d"), "--target", target, "--to", "elf", "--order", order, "-o", file))
			hex := succeed(t, "", filter("tcp-port-80.d"), "--target", target, "--to", "hex")
			require.Equal(t, hex, succeed(t, succeed(t, "", "disasm", file), "asm", "--to", "hex"))
			big := succeed(t, "", filter("tcp-port-80.d"), "--target", target, "--to", "hex", "--order", "big")
			require.Equal(t, hex, succeed(t, succeed(t, big, "disasm", "--order", "big"), "asm", "--to", "hex"))
		}
	}
	data := succeed(t, "", filter("ip.d"), "--to", "elf", "--name", "only_ip", "--section", "xdp", "--licence", "MIT")
	o, err := ebpf.ReadELF([]byte(data))
	require.NoError(t, err)
	require.Equal(t, "MIT", o.Licence())
	f, err := o.Function("only_ip")
	require.NoError(t, err)
	require.Equal(t, "xdp", f.Section)
}

// Every target either has a section of its own or asks for one.
func TestELFSectionOfEachTarget(t *testing.T) {
	for _, name := range translate.TargetNames() {
		args := []string{"--target", name, "--to", "elf"}
		nothing := "1,6 0 0 0"
		r := cli(nothing, args...)
		if elfSections[name] == "" {
			require.Equal(t, exitUsage, r.status, name)
			require.Contains(t, r.stderr, "--section fentry/FUNCTION")
			continue
		}
		require.Contains(t, succeed(t, nothing, args...), "\x00"+elfSections[name]+"\x00")
	}
}

// Programs that see packets of several buffers have a section of their own.
func TestELFFrags(t *testing.T) {
	o, err := ebpf.ReadELF([]byte(succeed(t, "", filter("ip.d"), "--target", "xdp", "--frags", "--to", "elf")))
	require.NoError(t, err)
	f, err := o.Function("filter")
	require.NoError(t, err)
	require.Equal(t, "xdp.frags", f.Section)
}

// An object for a socket loads as it is, and gives the right verdicts.
func TestELFLoads(t *testing.T) {
	kerneltest.Require(t)
	file := filepath.Join(t.TempDir(), "filter.o")
	succeed(t, "", filter("ip.d"), "--target", "socket", "--to", "elf", "-o", file)
	coll, err := cilium.LoadCollection(file)
	require.NoError(t, err)
	defer coll.Close()
	for etherType, want := range map[string]uint32{"\x08\x00": 262144, "\x08\x06": 0} {
		// A socket filter sees the packet from byte 14 of what it is run on.
		packet := append(make([]byte, 26), etherType...)
		got, err := coll.Programs["filter"].Run(&cilium.RunOptions{Data: packet})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

const twoSections = `
__attribute__((section("xdp"), used)) int one(void *ctx) { return 1; }
__attribute__((section("xdp"), used)) int two(void *ctx) { return 2; }
__attribute__((section("tc"), used)) int three(void *ctx) { return 3; }
`

func TestDisasmOfObjects(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	file := filepath.Join(t.TempDir(), "two.o")
	clang := exec.Command("clang", "-O2", "--target=bpfel", "-x", "c", "-c", "-", "-o", file)
	clang.Stdin = strings.NewReader(twoSections)
	out, err := clang.CombinedOutput()
	require.NoError(t, err, "%s", out)
	const one, two = "       0:\tr0 = 1\n       1:\texit\n", "       0:\tr0 = 2\n       1:\texit\n"
	const three = "; section \"tc\"\nthree:\n       0:\tr0 = 3\n       1:\texit\n"
	xdp := "; section \"xdp\"\none:\n" + one + "two:\n" + strings.NewReplacer("0:", "2:", "1:", "3:").Replace(two)
	require.Equal(t, xdp+three, succeed(t, "", "disasm", file))
	require.Equal(t, xdp, succeed(t, "", "disasm", file, "--section", "xdp"))
	require.Equal(t, three, succeed(t, string(readFile(t, file)), "disasm", "--section", "tc", "--symbol", "three"))
	require.Equal(t, "; section \"xdp\"\ntwo:\n"+two, succeed(t, "", "disasm", "--symbol", "two", "--from", "elf", file))
	require.Contains(t, succeed(t, "", "disasm", file, "--symbol", "two", "--to", "go"), "Constant: 2")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{file, "--to", "json"}, exitUsage, "--to json is for one section: choose with --section or --symbol; there are xdp (one, two), tc (three)"},
		{[]string{file, "--symbol", "four"}, exitRefused, "two.o: the object has no such code; there are xdp (one, two), tc (three)"},
		{[]string{file, "--section", "xdp", "--symbol", "three"}, exitRefused, "the object has no such code"},
		{[]string{filter("ip.d"), "--from", "elf"}, exitRefused, "this is no relocatable ELF object of BPF programs"},
		{[]string{filter("ip.d"), "--section", "xdp"}, exitUsage, "--section and --symbol are for object files"},
		{[]string{os.Args[0]}, exitRefused, "this is no relocatable ELF object of BPF programs: "},
	} {
		r := cli("", append([]string{"disasm"}, c.args...)...)
		require.Equal(t, c.status, r.status, "%q: %s", c.args, r.stderr)
		require.Contains(t, r.stderr, c.want)
	}
}

// Bytes do not go to a terminal.
func TestTerminalGetsNoBytes(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil || !isTerminal(terminal) {
		t.Skipf("skipped: no terminal to be had: %v", err)
	}
	defer terminal.Close()
	for _, form := range []string{"raw", "elf"} {
		var stderr bytes.Buffer
		require.Equal(t, exitUsage, run([]string{filter("ip.d"), "--to", form}, strings.NewReader(""), terminal, &stderr))
		require.Contains(t, stderr.String(), form+" bytes would upset the terminal: give -o FILE, or --to hex")
	}
	var stderr bytes.Buffer
	require.Equal(t, exitUsage, run([]string{"inject", "x.o", "--symbol", "f"}, strings.NewReader(""), terminal, &stderr))
	require.Contains(t, stderr.String(), "an object would upset the terminal: give -o FILE")
}

// Sections name what the context holds. A program that looks for its packet elsewhere would load there, and read something else.
func TestELFSectionsOfTraces(t *testing.T) {
	if _, err := kernel.SkbLayout(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	for _, c := range []struct{ section, flags, want string }{
		{"fentry/ip_rcv", "", ""},
		{"tp_btf/netif_receive_skb", "", ""},
		{"kprobe/ip_rcv", "--kprobe", ""},
		{"mine", "", ""},
		{"kprobe/ip_rcv", "", "--kprobe is missing"},
		{"raw_tp/netif_receive_skb", "--kprobe", "not the registers that --kprobe looks into"},
		{"tracepoint/net/netif_receive_skb", "", "does not hold the arguments"},
		{"xdp", "", "does not hold the arguments"},
	} {
		args := append([]string{filter("ip.d"), "--target", "trace", "--to", "elf", "--section", c.section}, strings.Fields(c.flags)...)
		r := cli("", args...)
		if c.want == "" {
			require.Zero(t, r.status, "%s: %s", c.section, r.stderr)
			continue
		}
		require.Equal(t, exitUsage, r.status, c.section)
		require.Contains(t, r.stderr, c.want)
	}
}
