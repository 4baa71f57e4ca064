package translate_test

import (
	"fmt"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// longPrograms are programs of n instructions, each of another make.
var longPrograms = map[string]func(n int) cbpf.Program{
	"list": func(n int) cbpf.Program { // ld [26]; jeq #..., accept
		p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: 26}}
		for len(p) < n-2 {
			p = append(p, cbpfInsn(cbpf.OpJeqK, uint32(3*len(p)), uint8(min(255, n-3-len(p))), 0))
		}
		return append(p, cbpfInsn(cbpf.OpRetK, 0, 0, 0), cbpfInsn(cbpf.OpRetK, 1, 0, 0))
	},
	"headers": func(n int) cbpf.Program { // ldb [i]; jeq #i, 0, 1; ...
		var p cbpf.Program
		for i := uint32(0); len(p) < n-3; i++ {
			p = append(p, cbpfInsn(cbpf.OpLdAbsB, i%1400, 0, 0), cbpfInsn(cbpf.OpJeqK, i&0xff, 0, 1), cbpfInsn(0x04, 1, 0, 0))
		}
		return append(p, cbpfInsn(cbpf.OpRetA, 0, 0, 0))
	},
	"arithmetic": func(n int) cbpf.Program {
		p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: 26}}
		for len(p) < n-3 {
			p = append(p, cbpfInsn(0x07, 0, 0, 0), cbpfInsn(0x24, uint32(len(p)|3), 0, 0), cbpfInsn(0xac, 0, 0, 0))
		}
		return append(p, cbpfInsn(cbpf.OpRetA, 0, 0, 0))
	},
}

func cbpfInsn(op uint16, k uint32, jt, jf uint8) (ins bpf.RawInstruction) {
	ins.Op, ins.K, ins.Jt, ins.Jf = op, k, jt, jf
	return ins
}

// BenchmarkLevels shows what a translation costs, and that this grows with the length of the program.
func BenchmarkLevels(b *testing.B) {
	for _, name := range []string{"list", "headers", "arithmetic"} {
		for level := range translate.MaxOptimize + 1 {
			for n := 16; n <= cbpf.MaxInsns; n *= 4 {
				p := longPrograms[name](n)
				b.Run(fmt.Sprintf("%s/O%d/%d", name, level, n), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						_, err := translate.Translate(p, translate.Options{Optimize: level})
						require.NoError(b, err)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(p)), "ns/insn")
				})
			}
		}
	}
}
