package jit

import (
	"fmt"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// BenchmarkCompile compiles programs of guarded loads and comparisons, checking and sealing included.
func BenchmarkCompile(b *testing.B) {
	requireJIT(b)
	for _, n := range []int{16, 256, 4096, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := build(func(p *ebpf.Builder) {
				end := p.NewLabel()
				p.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
				for p.Len() < n-1 {
					p.Branch(ebpf.JLt.Imm32(ebpf.R2, 14), end)
					p.Emit(ebpf.Load(2, ebpf.R0, ebpf.R1, 12), ebpf.ToBE(ebpf.R0, 16))
					p.Branch(ebpf.JEq.Imm32(ebpf.R0, uint32(p.Len())), end)
				}
				p.Place(end)
				p.Emit(ebpf.Return())
			})
			for b.Loop() {
				f, err := Compile(p)
				require.NoError(b, err)
				require.NoError(b, f.Close())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p)), "ns/insn")
		})
	}
}
