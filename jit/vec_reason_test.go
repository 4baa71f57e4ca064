package jit

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// TestVectorReasons produces every reason for doing without vectors.
func TestVectorReasons(t *testing.T) {
	requireVectors(t)
	one := func(ins ...ebpf.Instruction) ebpf.Program {
		return append(append(ebpf.Program{}, ins...), ebpf.Return())
	}
	zero := ebpf.Mov.Imm32(ebpf.R0, 0)
	long := build(func(b *ebpf.Builder) {
		b.Emit(zero)
		for range vectorInsns {
			b.Emit(ebpf.Add.Imm(ebpf.R0, 1))
		}
		b.Emit(ebpf.Return())
	})
	rows := map[VectorReason]struct {
		p  ebpf.Program
		pc int
	}{
		NoVectorLong:     {long, -1},
		NoVectorContext:  {one(ebpf.Load(4, ebpf.R0, ebpf.R4, 8)), 0},
		NoVectorCall:     {one(ebpf.CallHelper(ebpf.HelperPrandomU32)), 0},
		NoVectorStore:    {one(zero, ebpf.Store(2, ebpf.R10, -4, ebpf.R0)), 1},
		NoVectorWide:     {one(ebpf.Mov.Imm(ebpf.R0, -1), ebpf.Mul.Reg(ebpf.R0, ebpf.R3)), 1},
		NoVectorSigned:   {one(zero, ebpf.Instruction{Op: ebpf.Div.Imm32(0, 0).Op, Dst: ebpf.R0, Imm: 3, Off: 1}), 1},
		NoVectorPressure: {pressure(120), -1},
	}
	for reason, row := range rows {
		f, err := Compile(row.p)
		require.NoError(t, err, reason)
		f.SetVector(VectorAlways)
		lanes, why := f.Vector()
		require.Equal(t, 1, lanes)
		require.Equal(t, &VectorError{reason, row.pc}, why)
		require.ErrorContains(t, why, string(reason))
		require.NoError(t, f.Close())
		_, why = f.Vector()
		require.ErrorIs(t, why, ErrClosed)
	}

	t.Run("slower", func(t *testing.T) {
		seldom := build(func(b *ebpf.Builder) {
			end := b.NewLabel()
			b.Emit(zero)
			b.Branch(ebpf.JLt.Imm32(ebpf.R2, 16), end)
			for i := range int16(4) {
				b.Emit(ebpf.Load(1, ebpf.R5, ebpf.R1, i))
				b.Branch(ebpf.JNe.Imm32(ebpf.R5, 9), end)
			}
			for range 500 {
				b.Emit(ebpf.Mul.Imm32(ebpf.R3, 7), ebpf.Xor.Reg32(ebpf.R0, ebpf.R3))
			}
			b.Place(end)
			b.Emit(ebpf.Return())
		})
		_, why := compiled(t, seldom).Vector()
		require.Equal(t, &VectorError{NoVectorSlower, -1}, why)
		f := vectored(t, seldom)
		buf, descs := randomBatch(newGenerator(3), 100, leastMost)
		for _, d := range descs[50:] {
			copy(buf[d.Off:], []byte{9, 9, 9, 9})
		}
		sameVerdicts(t, f, seldom, buf, descs)
	})
	t.Run("switched off", func(t *testing.T) {
		f := compiled(t, tcp())
		f.SetVector(VectorNever)
		_, why := f.Vector()
		require.Equal(t, &VectorError{NoVectorOff, -1}, why)
		t.Setenv(VectorVariable, "8")
		f = compiled(t, tcp())
		lanes, why := f.Vector()
		require.NoError(t, why)
		require.Equal(t, 8, lanes)
		t.Setenv(VectorVariable, "never")
		f = compiled(t, tcp())
		f.SetVector(VectorAlways)
		_, why = f.Vector()
		require.Equal(t, &VectorError{NoVectorOff, -1}, why)
	})
	t.Run("processor", func(t *testing.T) {
		defer func(all []*shape) { shapes = all }(shapes)
		shapes = nil
		_, why := compiled(t, tcp()).Vector()
		require.Equal(t, &VectorError{NoVectorCPU, -1}, why)
	})
	t.Run("untracked", func(t *testing.T) { // the checker refuses such programs, too
		p := one(ebpf.Mov.Reg32(ebpf.R0, ebpf.R9))
		_, err := vectorGraph(p, &ebpf.Facts{Proved: make([]bool, 2), Access: make([]ebpf.Memory, 2)}, ebpf.User, &wide)
		require.Equal(t, &VectorError{NoVectorUntracked, 0}, err)
	})
	t.Run("buffer", func(t *testing.T) {
		f, err := CompileBuffer(one(zero))
		require.NoError(t, err)
		defer f.Close()
		_, why := f.Vector()
		require.Equal(t, &VectorError{NoVectorABI, -1}, why)
	})
	t.Run("interpreted", func(t *testing.T) {
		cause := &UnavailableError{Op: "test", Err: errors.ErrUnsupported}
		f, err := interpreted(tcp(), cause)
		require.NoError(t, err)
		lanes, why := f.Vector()
		require.Equal(t, 1, lanes)
		require.Equal(t, cause, why)
	})
}

// TestVectorReasonsAreAllTested reads the reasons out of the source.
func TestVectorReasonsAreAllTested(t *testing.T) {
	source, err := os.ReadFile("vec_build.go")
	require.NoError(t, err)
	test, err := os.ReadFile("vec_reason_test.go")
	require.NoError(t, err)
	_, list, found := strings.Cut(string(source), "// The reasons.\nconst (\n")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "\n)")
	for _, line := range strings.Split(list, "\n") {
		name := strings.Fields(line)[0]
		require.True(t, strings.Contains(string(test), name), name)
	}
}
