package cbpf_test

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// far returns a jump over n long instructions.
func far(n int) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpJa, K: uint32(n)}}
	for range n {
		p = append(p, bpf.RawInstruction{Op: cbpf.OpLdxMSH})
	}
	return append(p, retK)
}

var warningCases = []struct {
	name string
	prog cbpf.Program
	want map[int][]cbpf.Reason // by pc
}{
	{"nothing", cbpf.Program{retK}, nil},
	{"IPv4 options", filter([4]uint32{0xb1, 0, 0, 14}, [4]uint32{0x48, 0, 0, 16}, [4]uint32{0x16}), nil},
	{"index out of a word", filter([4]uint32{0x20, 0, 0, 0}, [4]uint32{0x07}, [4]uint32{0x48, 0, 0, 16}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{2: {cbpf.ReasonWarnIndex}}},
	{"index out of a masked word", filter([4]uint32{0x20, 0, 0, 0}, [4]uint32{0x54, 0, 0, 0xffff}, [4]uint32{0x07}, [4]uint32{0x48, 0, 0, 16}, [4]uint32{0x16}), nil},
	{"index out of a half word", filter([4]uint32{0x28, 0, 0, 0}, [4]uint32{0x64, 0, 0, 2}, [4]uint32{0x04, 0, 0, 14}, [4]uint32{0x07}, [4]uint32{0x50, 0, 0, 16}, [4]uint32{0x16}), nil},
	{"negative index", filter([4]uint32{0xb1, 0, 0, 14}, [4]uint32{0x48, 0, 0, 0xfffffffc}, [4]uint32{0x16}), map[int][]cbpf.Reason{1: {cbpf.ReasonWarnIndex}}},
	{"shift by anything", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x07}, [4]uint32{0x6c}, [4]uint32{0x7c}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{2: {cbpf.ReasonWarnShift}, 3: {cbpf.ReasonWarnShift}}},
	{"shift by five bits", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x54, 0, 0, 31}, [4]uint32{0x07}, [4]uint32{0x6c}, [4]uint32{0x16}), nil},
	{"shift by a remainder", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x94, 0, 0, 32}, [4]uint32{0x07}, [4]uint32{0x6c}, [4]uint32{0x16}), nil},
	{"shift behind a comparison", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x25, 2, 0, 31}, [4]uint32{0x07}, [4]uint32{0x6c}, [4]uint32{0x16}), nil},
	{"shift behind a comparison that allows 32", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x25, 2, 0, 32}, [4]uint32{0x07}, [4]uint32{0x6c}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{3: {cbpf.ReasonWarnShift}}},
	{"shift by what was kept", filter([4]uint32{0x30, 0, 0, 0}, [4]uint32{0x02, 0, 0, 3}, [4]uint32{0x61, 0, 0, 3}, [4]uint32{0x7c}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{3: {cbpf.ReasonWarnShift}}},
	{"shift by either of two", filter([4]uint32{0x15, 0, 1, 9}, [4]uint32{0x01, 0, 0, 33}, [4]uint32{0x7c}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{2: {cbpf.ReasonWarnShift}}},
	{"windows", filter([4]uint32{0x30, 0, 0, cbpf.NetOff + 9}, [4]uint32{0xb1, 0, 0, cbpf.LLOff}, [4]uint32{0xb1, 0, 0, cbpf.AdOff}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{0: {cbpf.ReasonWarnWindow}, 1: {cbpf.ReasonWarnWindow}, 2: {cbpf.ReasonWarnWindow}}},
	{"no offset", filter([4]uint32{0x30, 0, 0, 0x80000000}, [4]uint32{0x16}), map[int][]cbpf.Reason{0: {cbpf.ReasonWarnNoOffset}}},
	{"extensions", filter([4]uint32{0x20, 0, 0, cbpf.AdOff}, [4]uint32{0x20, 0, 0, cbpf.AdOff + 8}, [4]uint32{0x20, 0, 0, cbpf.AdOff + 12}, [4]uint32{0x20, 0, 0, cbpf.AdOff + 44}, [4]uint32{0x20, 0, 0, cbpf.AdOff + 56}, [4]uint32{0x16}),
		map[int][]cbpf.Reason{0: {cbpf.ReasonWarnExtension}, 1: {cbpf.ReasonWarnExtension}, 2: {cbpf.ReasonWarnExtension}, 3: {cbpf.ReasonWarnExtension}, 4: {cbpf.ReasonWarnExtension}}},
	{"an extension that there is not", filter([4]uint32{0x20, 0, 0, cbpf.AdOff + 1}, [4]uint32{0x16}), nil},
	{"lengths", filter([4]uint32{0x80}, [4]uint32{0x81}, [4]uint32{0x16}), map[int][]cbpf.Reason{0: {cbpf.ReasonWarnLen}, 1: {cbpf.ReasonWarnLdxLen}}},
	{"neg", filter([4]uint32{0x84}, [4]uint32{0x16}), map[int][]cbpf.Reason{0: {cbpf.ReasonWarnNeg}}},
	{"verdicts", filter([4]uint32{0x15, 0, 1, 0}, [4]uint32{0x06, 0, 0, 0x7fffffff}, [4]uint32{0x06, 0, 0, 0xffffffff}), map[int][]cbpf.Reason{2: {cbpf.ReasonWarnReturn}}},
	{"unreachable", filter([4]uint32{0x05, 0, 0, 2}, [4]uint32{0x84}, [4]uint32{0x84}, [4]uint32{0x06}, [4]uint32{0x06}),
		map[int][]cbpf.Reason{1: {cbpf.ReasonWarnUnreachable}, 4: {cbpf.ReasonWarnUnreachable}}},
	{"far jump and much memory", far(1821), map[int][]cbpf.Reason{0: {cbpf.ReasonWarnFarJump}, 1: {cbpf.ReasonWarnUnreachable}, -1: {cbpf.ReasonWarnMemory}}},
	{"not as far", far(1820), map[int][]cbpf.Reason{1: {cbpf.ReasonWarnUnreachable}, -1: {cbpf.ReasonWarnMemory}}},
	{"empty", nil, nil},
	{"not valid", filter([4]uint32{0xff}, [4]uint32{0x05, 0, 0, 0xffffffff}, [4]uint32{0x02, 0, 0, 99}, [4]uint32{0x60, 0, 0, 99}, [4]uint32{0x34}, [4]uint32{0x15, 255, 255, 0}),
		map[int][]cbpf.Reason{1: {cbpf.ReasonWarnUnreachable}}},
}

func TestWarnings(t *testing.T) {
	said := make(map[cbpf.Reason]bool)
	for _, tc := range warningCases {
		t.Run(tc.name, func(t *testing.T) {
			got := make(map[int][]cbpf.Reason)
			for _, w := range cbpf.Warnings(tc.prog) {
				got[w.PC] = append(got[w.PC], w.Reason)
				said[w.Reason] = true
				require.NotEmpty(t, w.Advice)
				require.Contains(t, w.String(), string(w.Reason)+": "+w.Advice)
			}
			if tc.want == nil {
				require.Empty(t, got)
				return
			}
			require.Equal(t, tc.want, got)
		})
	}
	for name, reason := range reasonsIn(t, "warn.go") {
		require.True(t, said[reason], "%s has no test", name)
	}
}

// What runs show to be a quirk has been warned of, whatever the program.
func FuzzWarnings(f *testing.F) {
	f.Add([]byte{0x30, 0, 0, 0, 0x07, 0, 0, 0, 0x6c, 0, 0, 0, 0x16, 0, 0, 0}, []byte("packet"))
	reasons := map[cbpf.Quirk]cbpf.Reason{
		cbpf.QuirkShift: cbpf.ReasonWarnShift, cbpf.QuirkIndex: cbpf.ReasonWarnIndex, cbpf.QuirkExtension: cbpf.ReasonWarnExtension,
		cbpf.QuirkLdxLen: cbpf.ReasonWarnLdxLen, cbpf.QuirkNeg: cbpf.ReasonWarnNeg,
	}
	f.Fuzz(func(t *testing.T, raw, data []byte) {
		var p cbpf.Program
		for ; len(raw) >= 4; raw = raw[4:] {
			k := uint32(int8(raw[3])) // small, or negative
			p = append(p, bpf.RawInstruction{Op: uint16(raw[0]), Jt: raw[1] % 8, Jf: raw[2] % 8, K: k})
		}
		said := make(map[cbpf.Reason]bool)
		for _, w := range cbpf.Warnings(p) {
			said[w.Reason] = true
		}
		_, quirks, err := cbpf.RunTrace(p, &cbpf.Packet{Data: data, WireLen: uint32(len(data))})
		for quirk, reason := range reasons {
			if err == nil && quirks&quirk != 0 {
				require.True(t, said[reason], "%v happened without a warning: %v", quirk, p)
			}
		}
	})
}

func BenchmarkWarnings(b *testing.B) {
	p := far(4000)
	for b.Loop() {
		cbpf.Warnings(p)
	}
}
