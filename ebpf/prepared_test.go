package ebpf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is seen to be well-formed at once is so by the rules too.
func TestPlainInstructionsAreWellFormed(t *testing.T) {
	plain := 0
	for code := range 256 {
		for _, dst := range []Register{0, 1, 10, 11, 15} {
			for _, src := range []Register{0, 1, 10, 11, 15} {
				for _, off := range []int16{0, 1, 8, -1} {
					for _, imm := range []int32{0, 1, 16, -1} {
						i := Instruction{Op: Opcode(code), Dst: dst, Src: src, Off: off, Imm: imm}
						if i.plain() {
							plain++
							require.Empty(t, i.malformed(i.Op.Info()), "%+v", i)
						}
					}
				}
			}
		}
	}
	require.Greater(t, plain, 2500)
}

// A prepared program may run in several goroutines, and does what an unprepared one does.
func TestPrepared(t *testing.T) {
	p := Prepare(Program{Mov.Reg(R0, R2), Return()}, Buffer)
	done := make(chan uint64)
	for n := range 8 {
		go func() {
			got, _ := p.Run(&Packet{Data: make([]byte, n)})
			done <- got - uint64(n)
		}()
	}
	for range 8 {
		require.Zero(t, <-done)
	}
	for _, p := range []Program{
		{{Op: OpLoadWide}, {Op: OpLoadWide}, Return()},
		{Mov.Imm(R0, 0), CallLocal(-9), Return()},
		{Mov.Imm(R0, 0), CallLocal(1), {Op: OpLoadWide}, {}, Return()},
		{hop(Jump(), 1), {Op: OpLoadWide}, {}, Return()},
	} {
		_, want := Run(p, User, nil)
		_, err := Prepare(p, User).Run(nil)
		require.Equal(t, want, err, "%s", p)
		require.Error(t, err)
	}
}
