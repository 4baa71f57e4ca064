package kernel

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Programs that the running kernel refuses, and where.
func TestLoadRefused(t *testing.T) {
	requireExtended(t)
	aim := func(i ebpf.Instruction, off int16) ebpf.Instruction { i.Off = off; return i }
	set0 := ebpf.Mov.Imm(ebpf.R0, 0)
	for _, test := range []struct {
		name    string
		program ebpf.Program
		pc      int
		message string
	}{
		{"no result", ebpf.Program{ebpf.Return()}, 0, "R0 !read_ok"},
		{"unreachable", ebpf.Program{set0, ebpf.Return(), ebpf.Return()}, 2, "unreachable insn 2"},
		{"jump outside", ebpf.Program{set0, aim(ebpf.Jump(), 9), ebpf.Return()}, 1, "jump out of range from insn 1 to 11"},
		{"endless loop", ebpf.Program{set0, ebpf.Mov.Imm(ebpf.R2, 0), aim(ebpf.JEq.Imm(ebpf.R2, 1), 1), aim(ebpf.Jump(), -2), ebpf.Return()}, 2, "infinite loop detected at insn 2"},
		{"no end", ebpf.Program{set0}, -1, "last insn is not an exit or jmp"},
		{"no context in r6", ebpf.Program{set0, ebpf.LoadAbs(4, 0), ebpf.Return()}, 1, "R6 !read_ok"},
		{"outside of the context", ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, ebpf.SkbSize), ebpf.Return()}, 0, "invalid bpf_context access off=192 size=4"},
		{"no helper", ebpf.Program{ebpf.CallHelper(9999), ebpf.Return()}, 0, "invalid func unknown#9999"},
		{"jump into a wide constant", ebpf.Program{{Op: ebpf.OpLoadWide}, {}, aim(ebpf.Jump(), -2), ebpf.Return()}, 0, "jump into the middle of ldimm64 insn 0"},
		{"empty", ebpf.Program{}, -1, "empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Load(test.program, LoadOptions{})
			var refused *VerifierError
			require.ErrorAs(t, err, &refused)
			require.Nil(t, f)
			t.Log(refused.Log)
			require.Equal(t, test.pc, refused.PC, refused.Error())
			require.NotEmpty(t, refused.Message)
			require.Contains(t, refused.Message, test.message)
			require.False(t, errors.Is(err, ErrUnavailable))
		})
	}
}

// What the loader would alter, or cannot read, does not reach the kernel.
func TestLoadAltered(t *testing.T) {
	requireExtended(t)
	addOff := ebpf.Add.Imm(ebpf.R0, 1)
	addOff.Off = 4
	for _, test := range []struct {
		name    string
		program ebpf.Program
		pc      int
	}{
		{"offset of an addition", ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), addOff, ebpf.Return()}, 1},
		{"wide constant cut off", ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return(), {Op: ebpf.OpLoadWide}}, -1},
		{"second slot with a register", ebpf.Program{{Op: ebpf.OpLoadWide}, {Dst: ebpf.R1}, ebpf.Return()}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(test.program, LoadOptions{})
			var slot *SlotError
			require.ErrorAs(t, err, &slot)
			require.Equal(t, test.pc, slot.PC)
		})
	}
}
