package kernel

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The logs are the kernel's, recorded.
func TestRefusal(t *testing.T) {
	for _, test := range []struct {
		name, log string
		pc        int
		message   string
	}{
		{
			name: "about the instruction looked at last",
			log: `0: R1=ctx() R10=fp0
0: (b7) r0 = 0                        ; R0=0
1: (61) r0 = *(u32 *)(r1 +3)
invalid bpf_context access off=3 size=4
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0`,
			pc: 1, message: "invalid bpf_context access off=3 size=4",
		},
		{
			name: "names its place",
			log: `jump out of range from insn 1 to 11
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0`,
			pc: 1, message: "jump out of range from insn 1 to 11",
		},
		{
			name: "names no place",
			log: `unknown opcode 08
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0`,
			pc: -1, message: "unknown opcode 08",
		},
		{name: "a number beyond int", log: "jump out of range from insn 99999999999999999999 to 1", pc: -1,
			message: "jump out of range from insn 99999999999999999999 to 1"},
		{name: "noise only", log: "processed 0 insns", pc: -1, message: fs.ErrInvalid.Error()},
		{name: "empty", pc: -1, message: fs.ErrInvalid.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refusal(strings.Split(test.log, "\n"), fs.ErrInvalid)
			require.Equal(t, test.pc, got.PC)
			require.Equal(t, test.message, got.Message)
			require.Equal(t, test.log, got.Log)
			require.ErrorIs(t, got, fs.ErrInvalid)
		})
	}
}

func TestParseStats(t *testing.T) {
	const log = `0: R1=ctx() R10=fp0
; processed 7 insns of mine
0: (95) exit
verification time 35 usec
stack depth 16+8
processed 21 insns (limit 1000000) max_states_per_insn 4 total_states 3 peak_states 2 mark_read 1`
	s, ok := ParseStats(log)
	require.True(t, ok)
	require.Equal(t, Stats{Processed: 21, MaxPerInsn: 4, TotalStates: 3, PeakStates: 2, StackDepth: 16, Time: 35 * time.Microsecond}, s)
	for _, log := range []string{"", "0: (95) exit\nstack depth 16", "processed x insns"} {
		_, ok := ParseStats(log)
		require.False(t, ok, log)
	}
}

// No log makes the reading of it panic, or name a place that cannot be one.
func FuzzRefusal(f *testing.F) {
	f.Add("0: (b7) r0 = 0\ninvalid bpf_context access off=3 size=4\nprocessed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0")
	f.Add("jump out of range from insn 1 to 11\nstack depth 99999999999999999999")
	f.Fuzz(func(t *testing.T, log string) {
		e := refusal(strings.Split(log, "\n"), fs.ErrInvalid)
		require.GreaterOrEqual(t, e.PC, -1)
		require.NotEmpty(t, e.Error())
		e.Explain()
		ParseStats(log)
	})
}
