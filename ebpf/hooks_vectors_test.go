package ebpf_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// hookFiles gives the ABI of each file in testdata/hooks.
var hookFiles = map[string]ABI{"tc": TC, "cgroup-skb": CGroupSKB, "xdp": XDP, "trace": Trace}

// eachHookVector reads the vectors of all ABIs.
func eachHookVector(t *testing.T, do func(t *testing.T, abi ABI, v vector, p Program)) {
	files, err := filepath.Glob("testdata/hooks/*.txt")
	require.NoError(t, err)
	require.Len(t, files, len(hookFiles))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		abi, ok := hookFiles[name]
		require.True(t, ok, file)
		require.Equal(t, name, abi.String())
		for _, v := range readVectors(t, file) {
			t.Run(name+"/"+v.name, func(t *testing.T) {
				p, err := Assemble([]byte(v.sections["asm"]))
				require.NoError(t, err, "%s", Caret([]byte(v.sections["asm"]), err))
				do(t, abi, v, p)
			})
		}
	}
}

// hex is the section of that name as bytes.
func (v *vector) hex(t *testing.T, section string) []byte {
	b, err := DecodeHex(v.sections[section])
	require.NoError(t, err)
	return b
}

// number reads a number of 64 bits.
func number(t *testing.T, text string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64)
	require.NoError(t, err)
	return n
}

// packet is the one that the vector describes.
func (v *vector) packet(t *testing.T, abi ABI) *Packet {
	pkt := &Packet{Data: v.hex(t, "packet"), Meta: v.hex(t, "meta")}
	pkt.WireLen = uint32(len(pkt.Data))
	if linear, ok := v.sections["linear"]; ok {
		pkt.Linear = int(number(t, linear))
	}
	switch abi {
	case TC:
		pkt.NetOff = 14
	case CGroupSKB:
		pkt.Head = []byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0xb5} // as in a test-run
	}
	for line := range strings.Lines(v.sections["args"]) {
		pkt.Args = append(pkt.Args, number(t, line))
	}
	for line := range strings.Lines(v.sections["kernel"]) {
		addr, bytes, _ := strings.Cut(line, " ")
		b, err := DecodeHex(bytes)
		require.NoError(t, err)
		pkt.Kernel = append(pkt.Kernel, Region{Addr: number(t, addr), Bytes: b})
	}
	return pkt
}

// Programs for hooks do what the vectors say.
func TestHookVectors(t *testing.T) {
	eachHookVector(t, func(t *testing.T, abi ABI, v vector, p Program) {
		v.check(t, abi, p)
		got, err := Run(p, abi, v.packet(t, abi))
		if want, ok := v.sections["error"]; ok {
			require.ErrorContains(t, err, strings.TrimSpace(want))
			return
		}
		require.NoError(t, err, "%s", p)
		require.Equal(t, number(t, v.sections["result"]), got, "%#x\n%s", got, p)
	})
}

// check compares what Check makes of the program with what the vector expects.
func (v *vector) check(t *testing.T, abi ABI, p Program) {
	facts, err := Check(p, abi)
	switch want := strings.TrimSpace(v.sections["check"]); want {
	case "", "proved", "unproved":
		require.NoError(t, err)
		_, some := facts.Unproved()
		require.Equal(t, want == "unproved", some)
	default:
		require.ErrorContains(t, err, want)
	}
}
