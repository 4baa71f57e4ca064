//go:build linux && amd64

package jit

import (
	"math"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// TestAskingReadsNoDescriptorBehindTheLast runs batches of every size whose last descriptor lies before a page that faults,
// in a buffer so large that packets are asked for.
func TestAskingReadsNoDescriptorBehindTheLast(t *testing.T) {
	eachShape(t, func(t *testing.T) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		page := fenced(t)
		room := len(page) / descSize
		buf, all := packets(room, 60)
		buf = append(buf, make([]byte, aheadBytes)...)
		f := vectored(t, tcp())
		for n := 1; n <= room; n++ {
			last := unsafe.Slice((*Desc)(unsafe.Pointer(&page[len(page)-n*descSize])), n)
			copy(last, all)
			scalar, vector := make([]uint32, n), make([]uint32, n)
			require.NoError(t, f.runScalar(buf, last, nil, scalar, 0, n))
			require.NoError(t, f.RunBatch(buf, last, nil, vector))
			for i := range n {
				require.Equal(t, uint32(byte(i)), scalar[i], "packet %d of %d", i, n)
			}
			require.Equal(t, scalar, vector)
		}
	})
}

// TestAskingOverSeveralEntries runs batches that take more than one entry into generated code, with packets in between that
// only the scalar body takes.
func TestAskingOverSeveralEntries(t *testing.T) {
	eachShape(t, func(t *testing.T) {
		f := vectored(t, tcp())
		buf, descs := packets(3*batchMax+77, 60)
		for i := 0; i < len(descs); i += 1001 {
			descs[i].CapLen = 10
		}
		require.Greater(t, len(buf), aheadBytes)
		got := make([]uint32, len(descs))
		require.NoError(t, f.RunBatch(buf, descs, nil, got))
		for i := range got {
			want := uint32(byte(i))
			if i%1001 == 0 {
				want = 0
			}
			require.Equal(t, want, got[i], "packet %d", i)
		}
	})
}

func TestReadsOfAProgram(t *testing.T) {
	load := func(off int16, base ebpf.Register) ebpf.Instruction { return ebpf.Load(2, ebpf.R0, base, off) }
	for name, c := range map[string]struct {
		body ebpf.Program
		want reads
	}{
		"nothing":                      {ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1)}, reads{math.MaxInt32, 0}},
		"two fields":                   {ebpf.Program{load(12, ebpf.R1), load(36, ebpf.R1)}, reads{12, 38}},
		"through another register":     {ebpf.Program{ebpf.Mov.Reg(ebpf.R5, ebpf.R1), load(20, ebpf.R5)}, reads{20, 22}},
		"behind a header of that size": {ebpf.Program{load(14, ebpf.R1), ebpf.Mov.Reg(ebpf.R3, ebpf.R1), ebpf.Add.Imm(ebpf.R3, 4), load(16, ebpf.R3)}, reads{14, 38}},
		"too far away":                 {ebpf.Program{load(14, ebpf.R1), load(2000, ebpf.R1)}, reads{14, 16}},
		"the stack":                    {ebpf.Program{ebpf.Store(8, ebpf.R10, -8, ebpf.R2), ebpf.Load(8, ebpf.R0, ebpf.R10, -8)}, reads{math.MaxInt32, 0}},
	} {
		p := append(c.body, ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return())
		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err, name)
		require.Equal(t, c.want, readsOf(p, facts), name)
	}
}
