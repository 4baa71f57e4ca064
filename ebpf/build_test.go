package ebpf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A jump is widened where the kernel makes so much of what it goes over that its field becomes too small.
func TestJumpsReachWhatGrows(t *testing.T) {
	for grows, op := range map[int]Opcode{1: OpJump, 7: OpJumpLong} {
		b := Builder{Grows: func(Instruction) int { return grows }}
		end := b.NewLabel()
		b.Branch(Jump(), end)
		for range 5000 {
			b.Emit(LoadAbs(1, 0))
		}
		b.Place(end)
		b.Emit(Return())
		p, _, err := b.Program()
		require.NoError(t, err)
		require.Len(t, p, 5002)
		require.Equal(t, op, p[0].Op)
		target, _ := p[0].Target(0)
		require.Equal(t, 5001, target)
	}
}

// Slot tells where the labels are, behind jumps that became longer too.
func TestBuilderSlot(t *testing.T) {
	var b Builder
	first, far, never := b.NewLabel(), b.NewLabel(), b.NewLabel()
	require.Equal(t, -1, b.Slot(first))
	b.Place(first)
	b.Branch(JEq.Imm(R0, 1), far)
	for range 40_000 {
		b.Emit(Mov.Imm(R0, 0))
	}
	b.Place(far)
	p, _, err := b.Program()
	require.NoError(t, err)
	require.Equal(t, 0, b.Slot(first))
	require.Equal(t, len(p), b.Slot(far))
	require.Equal(t, 40_003, len(p))
	require.Equal(t, -1, b.Slot(never))
}
