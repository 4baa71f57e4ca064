package translate

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// missed is what programs of oneLoad return where the packet ends before the load.
const missed = 99

// oneLoad makes a program that returns what one load yields. X holds 4.
func oneLoad(t *testing.T, target Target, load func(e *emitter, miss ebpf.Label)) ebpf.Program {
	p := cbpf.Program{{Op: cbpf.OpRetA}}
	var b ebpf.Builder
	e := newEmitter(&b, p, Options{Target: target})
	miss := b.NewLabel()
	e.entry(e)
	e.begin(e)
	b.Emit(ebpf.Mov.Imm32(e.regX, 4))
	load(e, miss)
	e.returnsA()
	b.Place(miss)
	e.returns(missed)
	x, _, err := b.Program()
	require.NoError(t, err)
	return x
}

// Loads go where they are told to where the packet ends.
func TestLoadOrElse(t *testing.T) {
	pkt := &ebpf.Packet{Data: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}
	for _, target := range []Target{User, Socket} {
		for _, c := range []struct {
			size int
			k    uint32
			want uint64
		}{
			{1, 0, 0}, {1, 9, 9}, {1, 10, missed}, {2, 8, 0x809}, {2, 9, missed}, {4, 6, 0x6070809}, {4, 7, missed},
			{1, 0x7fffffff, missed}, {1, 0x80000000, missed}, {1, 0xffffffff, missed}, {4, 0xfff00000, missed},
		} {
			indexed := oneLoad(t, target, func(e *emitter, miss ebpf.Label) {
				e.loadIndexed(e, e.regA, e.regX, c.size, c.k-4, packetOnly, miss)
			})
			got, err := ebpf.Run(indexed, target.ABI(), pkt)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%s: %d bytes at x + %#x", target, c.size, c.k-4)
			if c.k >= 1<<31 {
				continue
			}
			fixed := oneLoad(t, target, func(e *emitter, miss ebpf.Label) {
				e.loadFixed(e, e.regA, c.size, c.k, miss)
			})
			got, err = ebpf.Run(fixed, target.ABI(), pkt)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%s: %d bytes at %#x", target, c.size, c.k)
		}
	}
}

// A translation is a whole program wherever it stands: behind its own entry, or behind code that only jumps to it.
func TestBodyBehindOtherCode(t *testing.T) {
	p := cbpf.Program{
		{Op: cbpf.OpLdAbsB, K: 1}, {Op: cbpf.OpJeqK, K: 1, Jf: 1}, {Op: cbpf.OpLdxMSH, K: 0}, {Op: 0x0c}, {Op: cbpf.OpRetA},
	}
	for _, target := range []Target{User, Socket} {
		var b ebpf.Builder
		e := newEmitter(&b, p, Options{Target: target})
		slow := b.NewLabel()
		e.entry(e)
		b.Emit(ebpf.Mov.Imm32(e.regA, 50), ebpf.Mov.Imm32(e.regX, 60))
		b.Branch(ebpf.JNe.Imm32(e.regA, 51), slow)
		e.returns(missed)
		b.Place(slow)
		require.NoError(t, e.body())
		x, _, err := b.Program()
		require.NoError(t, err)
		_, err = ebpf.Check(x, target.ABI())
		require.NoError(t, err)
		for _, data := range [][]byte{nil, {0x45}, {0x45, 1}, {0x45, 2}} {
			want, err := cbpf.Run(p, &cbpf.Packet{Data: data})
			require.NoError(t, err)
			got, err := ebpf.Run(x, target.ABI(), &ebpf.Packet{Data: data})
			require.NoError(t, err)
			require.EqualValues(t, want, got, "%s, packet %x", target, data)
		}
	}
}
