package cbpf_test

import (
	"fmt"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

var benchSizes = []int{16, 256, 4096}

// benchProgram returns a valid program of n instructions in the proportions of a filter on many hosts.
func benchProgram(n int) cbpf.Program {
	body := cbpf.Program{
		{Op: 0x28, K: 12},
		{Op: 0x15, Jf: 2, K: 0x800},
		{Op: 0x20, K: 26},
		{Op: 0x15, Jt: 1, K: 0xc0a80001},
		{Op: 0x50, K: 14},
		{Op: 0x02, K: 3},
		{Op: 0x07},
		{Op: 0x30, K: 0xfffff030},
	}
	p := make(cbpf.Program, n)
	for i := range p {
		p[i] = body[i%len(body)]
	}
	p[n-1] = retK
	return p
}

func BenchmarkParse(b *testing.B) {
	for _, n := range cbpf.Notations() {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", n, size), func(b *testing.B) {
				text, err := cbpf.Print(benchProgram(size), n)
				require.NoError(b, err)
				raw := []byte(text)
				b.ReportAllocs()
				for b.Loop() {
					_, err = cbpf.Parse(raw)
				}
				require.NoError(b, err)
			})
		}
	}
}

func BenchmarkPrint(b *testing.B) {
	for _, n := range cbpf.Notations() {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", n, size), func(b *testing.B) {
				p := benchProgram(size)
				b.ReportAllocs()
				var err error
				for b.Loop() {
					_, err = cbpf.Print(p, n)
				}
				require.NoError(b, err)
			})
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := benchProgram(size)
			b.ReportAllocs()
			var err error
			for b.Loop() {
				err = cbpf.Validate(p)
			}
			require.NoError(b, err)
		})
	}
}
