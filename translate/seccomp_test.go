package translate_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

var forSeccomp = translate.Options{Target: translate.Seccomp}

// sameActions demands that the translation yields what the filter does, in the interpreter and in machine code.
func sameActions(t *testing.T, name string, p cbpf.Program, calls []cbpf.SeccompData) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("skipped: system calls are laid out for little-endian machines")
	}
	r, err := translate.Translate(p, forSeccomp)
	require.NoError(t, err, name)
	requireSound(t, r, name)
	f, jitErr := jit.CompileSeccomp(r.Program)
	if jitErr == nil {
		defer f.Close()
	}
	for _, d := range calls {
		want, err := cbpf.RunSeccomp(p, &d)
		require.NoError(t, err, name)
		pkt := &ebpf.Packet{Data: d.Bytes()}
		got, err := ebpf.Run(r.Program, ebpf.Seccomp, pkt)
		require.NoError(t, err, name)
		require.Equal(t, want, uint32(got), "%s on %+v", name, d)
		if jitErr == nil {
			got, err = f.Run(pkt)
			require.NoError(t, err, name)
			require.Equal(t, want, uint32(got), "machine code of %s on %+v", name, d)
		}
	}
}

// someCalls are calls of all numbers up to 500 with small, large and random arguments, on several architectures.
func someCalls() (calls []cbpf.SeccompData) {
	r := rand.New(rand.NewPCG(1, 4))
	for nr := range int32(500) {
		for _, arch := range []cbpf.Arch{cbpf.ArchX86_64, cbpf.ArchX86_64, cbpf.ArchI386, 7} {
			d := cbpf.SeccompData{Nr: nr, Arch: arch, InstructionPointer: r.Uint64()}
			for i := range d.Args {
				d.Args[i] = []uint64{0, 1, 2, r.Uint64N(4096), r.Uint64()}[r.IntN(5)]
			}
			calls = append(calls, d)
		}
	}
	return calls
}

func TestSeccompByHand(t *testing.T) {
	// Only read(2) of x86-64, with a count below 4096 or without any instruction pointer, is allowed.
	p := cbpf.Program{
		{Op: cbpf.OpLdAbsW, K: 4}, {Op: cbpf.OpJeqK, K: uint32(cbpf.ArchX86_64), Jf: 6},
		{Op: cbpf.OpLdAbsW, K: 0}, {Op: cbpf.OpJeqK, K: 0, Jf: 4},
		{Op: cbpf.OpLdAbsW, K: 16 + 2*8}, {Op: 0x35, K: 4096, Jt: 2},
		{Op: cbpf.OpLdLen}, {Op: cbpf.OpRetA},
		{Op: cbpf.OpRetK, K: 0x80000000},
	}
	read := cbpf.SeccompData{Arch: cbpf.ArchX86_64, Args: [6]uint64{0, 0, 4095}}
	long := read
	long.Args[2] = 4096
	write := read
	write.Nr = 1
	for _, c := range []struct {
		d    cbpf.SeccompData
		want uint32
	}{{read, 64}, {long, 0x80000000}, {write, 0x80000000}} {
		r, err := translate.Translate(p, forSeccomp)
		require.NoError(t, err)
		got, err := ebpf.Run(r.Program, ebpf.Seccomp, &ebpf.Packet{Data: c.d.Bytes()})
		require.NoError(t, err)
		require.Equal(t, c.want, uint32(got))
	}
	sameActions(t, "by hand", p, someCalls())
}

func TestSeccompCorpus(t *testing.T) {
	files, err := filepath.Glob(corpus + "/seccomp/*.bin")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("skipped: no programs in %s", corpus)
	}
	for _, file := range files {
		image, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.ParseAs(cbpf.Raw, image)
		require.NoError(t, err)
		sameActions(t, filepath.Base(file), p, someCalls())
	}
}

func TestSeccompRefusesPacketFilters(t *testing.T) {
	for _, p := range []cbpf.Program{
		{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpRetA}},
		{{Op: cbpf.OpLdAbsW, K: 64}, {Op: cbpf.OpRetA}},
		{{Op: cbpf.OpLdAbsW, K: 2}, {Op: cbpf.OpRetA}},
		{{Op: cbpf.OpLdxMSH}, {Op: cbpf.OpRetA}},
		{{Op: 0x40}, {Op: cbpf.OpRetA}},
		{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff}, {Op: cbpf.OpRetA}},
	} {
		require.NoError(t, cbpf.Validate(p))
		_, err := translate.Translate(p, forSeccomp)
		require.Equal(t, cbpf.ValidateSeccomp(p), err)
		require.Error(t, err)
	}
}
