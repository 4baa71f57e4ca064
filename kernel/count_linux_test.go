package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

func loadCounted(t testing.TB, p ebpf.Program, kind Type) *Filter {
	t.Helper()
	f, err := Load(p, LoadOptions{Type: kind, Count: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// Each result of each type is counted where it belongs, and the program gives the same as without.
func TestCountResults(t *testing.T) {
	requireExtended(t)
	for kind, results := range map[Type]map[int32]int32{
		SocketFilter:  {0: 0, 1: 1, -1: 1, 1 << 30: 1},
		TC:            {-1: -1, 0: 0, 2: 2, 7: 7, 14: 14},
		CgroupIngress: {0: 0, 1: 1},
		CgroupEgress:  {0: 0, 1: 1, 2: 2, 3: 3},
		XDP:           {0: 0, 1: 1, 2: 2, 4: 4},
		XDPFrags:      {1: 1, 2: 2},
	} {
		for r0, end := range results {
			f := loadCounted(t, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, r0), ebpf.Return()}, kind)
			c, err := f.Counts()
			require.NoError(t, err)
			require.Equal(t, &Counts{Ends: map[int32]uint64{}, Verdicts: kind == SocketFilter}, c)
			for range 3 {
				got, err := f.Run(countingBytes(64))
				require.NoError(t, err)
				require.Equal(t, uint32(r0), got)
			}
			c, err = f.Counts()
			require.NoError(t, err)
			require.Equal(t, &Counts{Runs: 3, Last: uint32(r0), Ends: map[int32]uint64{end: 3}, Verdicts: kind == SocketFilter}, c, "%s, %d", kind, r0)
		}
	}
}

// A program that looks on ends as it is told, and its verdicts are counted.
func TestCountLooksOn(t *testing.T) {
	requireExtended(t)
	for _, kind := range []Type{TC, CgroupIngress, CgroupEgress, XDP} {
		pass := kind.Pass()
		for verdict, end := range map[int32]int32{0: 0, 1: 1, 262144: 1, -1: 1} {
			f, err := Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, verdict), ebpf.Return()}, LoadOptions{Type: kind, Count: true, Result: &pass})
			require.NoError(t, err)
			got, err := f.Run(countingBytes(64))
			require.NoError(t, err)
			require.Equal(t, uint32(pass), got)
			c, err := f.Counts()
			require.NoError(t, err)
			require.Equal(t, &Counts{Runs: 1, Last: uint32(verdict), Ends: map[int32]uint64{end: 1}, Verdicts: true}, c)
			require.NoError(t, f.Close())
		}
	}
}

// Loads outside of the packet end a program on the spot. That counts as a 0.
func TestCountImplicitEnds(t *testing.T) {
	requireExtended(t)
	f := loadCounted(t, ebpf.Program{ebpf.Mov.Reg(ebpf.R6, ebpf.R1), ebpf.LoadAbs(1, 9), ebpf.Return()}, SocketFilter)
	for _, n := range []int{10, 9, 64, 0} {
		_, err := f.Run(countingBytes(n))
		require.NoError(t, err)
	}
	c, err := f.Counts()
	require.NoError(t, err)
	require.Equal(t, &Counts{Runs: 4, Last: 0, Ends: map[int32]uint64{0: 2, 1: 2}, Verdicts: true}, c)
}

// Every exit counts, however far away; constants of two slots that look like one do not.
func TestCountExits(t *testing.T) {
	requireExtended(t)
	hop := func(i ebpf.Instruction, off int16) ebpf.Instruction { i.Off = off; return i }
	p := ebpf.Program{
		ebpf.Load(4, ebpf.R2, ebpf.R1, ebpf.SkbMark),
		ebpf.Mov.Imm(ebpf.R0, 0),
		hop(ebpf.JEq.Imm(ebpf.R2, 1), 1),
		hop(ebpf.Jump(), 1),
		ebpf.Return(), // far from the end
		{Op: ebpf.OpLoadWide, Dst: ebpf.R3, Imm: -1}, {Imm: 0x95},
	}
	for range 40000 {
		p = append(p, ebpf.Mov.Imm(ebpf.R0, 7))
	}
	f := loadCounted(t, append(p, ebpf.Return()), SocketFilter)
	for mark, want := range []uint32{7, 0, 7} {
		got, err := f.RunPacket(&cbpf.Packet{Meta: cbpf.Meta{Mark: uint32(mark)}})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	c, err := f.Counts()
	require.NoError(t, err)
	require.Equal(t, &Counts{Runs: 3, Last: 7, Ends: map[int32]uint64{0: 1, 1: 2}, Verdicts: true}, c)
}

// A refusal names the place in the program that was given.
func TestCountRefused(t *testing.T) {
	requireExtended(t)
	for _, test := range []struct {
		p  ebpf.Program
		pc int
	}{
		{ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Load(4, ebpf.R3, ebpf.R4, 0), ebpf.Return()}, 1},
		{ebpf.Program{ebpf.Return()}, -1}, // it is the counting that reads r0
	} {
		_, err := Load(test.p, LoadOptions{Count: true})
		var refused *VerifierError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, test.pc, refused.PC, refused.Log)
	}
	offset := ebpf.Add.Imm(ebpf.R0, 1)
	offset.Off = 4
	_, err := Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), offset, ebpf.Return()}, LoadOptions{Count: true})
	var slot *SlotError
	require.ErrorAs(t, err, &slot)
	require.Equal(t, 1, slot.PC)
}

// What stands in front is not counted where it ends the run, and moves no place of a fault.
func TestFront(t *testing.T) {
	requireExtended(t)
	pass := ebpf.JNe.Imm(ebpf.R2, 0)
	pass.Off = 2
	front := ebpf.Program{ebpf.Load(4, ebpf.R2, ebpf.R1, ebpf.SkbMark), pass, ebpf.Mov.Imm(ebpf.R0, 9), ebpf.Return()}
	p := ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, ebpf.SkbMark), ebpf.Return()}
	for _, count := range []bool{false, true} {
		f, err := Load(p, LoadOptions{Front: front, Count: count})
		require.NoError(t, err)
		for _, mark := range []uint32{0, 5, 0} {
			got, err := f.RunPacket(&cbpf.Packet{Meta: cbpf.Meta{Mark: mark}})
			require.NoError(t, err)
			require.Equal(t, map[uint32]uint32{0: 9, 5: 5}[mark], got)
		}
		if count {
			c, err := f.Counts()
			require.NoError(t, err)
			require.Equal(t, &Counts{Runs: 1, Last: 5, Ends: map[int32]uint64{1: 1}, Verdicts: true}, c)
		}
		require.NoError(t, f.Close())

		_, err = Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Load(4, ebpf.R3, ebpf.R4, 0), ebpf.Return()}, LoadOptions{Front: front, Count: count})
		var refused *VerifierError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 1, refused.PC)
	}
}

func TestCountsNeedCounting(t *testing.T) {
	requireExtended(t)
	_, err := loadSocket(t, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}).Counts()
	require.ErrorContains(t, err, "without counting")
}
