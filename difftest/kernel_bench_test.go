package difftest

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// hosts is a filter for IPv4 packets from or to one of n addresses, as libpcap makes them: one comparison each, and a return within
// reach of each group.
func hosts(n int) cbpf.Program {
	const group = 100
	p := cbpf.Program{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpJeqK, K: etherIPv4, Jt: 1}, {Op: cbpf.OpRetK}}
	for _, at := range []uint32{26, 30} {
		p = append(p, bpf.RawInstruction{Op: cbpf.OpLdAbsW, K: at})
		for first := 0; first < n; first += group {
			size := min(group, n-first)
			for i := range size {
				address := 0x0a000000 + uint32(first+i)*2654435761>>8
				p = append(p, bpf.RawInstruction{Op: cbpf.OpJeqK, K: address, Jt: uint8(size - i)})
			}
			p = append(p, bpf.RawInstruction{Op: cbpf.OpJa, K: 1}, bpf.RawInstruction{Op: cbpf.OpRetK, K: 262144})
		}
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetK})
}

// benchRecords are sixteen IPv4 packets of all kinds, every other one of them with addresses that are in no list.
func benchRecords(t testing.TB) (records []Record) {
	var all []Record
	for _, rec := range readTrace(t, filepath.Join(pcapDir, "mixed.pcap")) {
		if n := len(rec.Data); rec.Meta.Protocol == etherIPv4 && n >= 34 && n <= kernel.TC.MaxData() {
			all = append(all, rec)
		}
	}
	for i := range 16 {
		rec := all[i*len(all)/16]
		if i%2 == 1 {
			rec.Data = slices.Clone(rec.Data)
			copy(rec.Data[26:], []byte{172, 16, 0, byte(i), 172, 17, 0, byte(i)})
		}
		records = append(records, rec)
	}
	return records
}

// benchFilters are short ones and lists.
func benchFilters(b *testing.B) []Named {
	return []Named{
		{"tcp-port-80", readFilter(b, "tcp-port-80.d")}, {"http-get", readFilter(b, "http-get.d")},
		{"hosts-80", readFilter(b, "hosts-80.d")}, {"hosts-300", hosts(300)}, {"hosts-1000", hosts(1000)},
	}
}

// timed is a program in the kernel, with an empty one of the same type.
type timed struct {
	name        string
	full, empty *kernel.Filter
	least       [2][]float64 // of both: ns of the quickest sample of each packet
}

func newTimed(b *testing.B, name string, p ebpf.Program, kind kernel.Type) *timed {
	load := func(p ebpf.Program) *kernel.Filter {
		f, err := kernel.Load(p, kernel.LoadOptions{Type: kind})
		require.NoError(b, err, name)
		b.Cleanup(func() { require.NoError(b, f.Close()) })
		return f
	}
	return &timed{name: name, full: load(p), empty: load(ebpf.Program{ebpf.Mov.Imm32(ebpf.R0, 1), ebpf.Return()})}
}

// sample runs both on each packet, in turn.
func (m *timed) sample(b *testing.B, records []Record, repeat uint32) {
	for i, rec := range records {
		for k, f := range []*kernel.Filter{m.full, m.empty} {
			took := m.one(b, f, rec.Data, repeat)
			if len(m.least[k]) == i {
				m.least[k] = append(m.least[k], took)
			}
			m.least[k][i] = min(m.least[k][i], took)
		}
	}
}

// perPacket is the mean time of a packet, less the empty program's.
func (m *timed) perPacket() (ns float64) {
	for i := range m.least[0] {
		ns += (m.least[0][i] - m.least[1][i]) / float64(len(m.least[0]))
	}
	return ns
}

// one is the time of one run. The kernel tells it in whole nanoseconds, the clock exactly; but a test-run of XDP begins with a grace
// period, of which only the kernel knows how long it was.
func (m *timed) one(b *testing.B, f *kernel.Filter, data []byte, repeat uint32) float64 {
	begin := time.Now()
	each, err := f.Bench(data, repeat)
	require.NoError(b, err)
	if f.Type() == kernel.XDP {
		return float64(each.Nanoseconds())
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(repeat)
}

// jited is how many bytes of machine code the kernel makes of the program.
func (m *timed) jited(b *testing.B) float64 {
	info, err := m.full.Info()
	require.NoError(b, err)
	return float64(len(info.Jited))
}

// BenchmarkKernel takes the time of optimised programs in the kernel, a packet again and again, so that the processor learns every
// branch, and holds it against that of the kernel's own conversion of the classic program: see conversion. Of each packet the quickest
// sample counts, less that of an empty program. Below 3 ns that is too coarse; the bytes of machine code tell more there.
func BenchmarkKernel(b *testing.B) {
	requireKernel(b)
	records := benchRecords(b)
	for _, named := range benchFilters(b) {
		b.Run(named.Name, func(b *testing.B) {
			all := []*timed{newTimed(b, "kernel", convert(b, named.Program), kernel.TC)}
			for _, h := range []hook{
				{opts: translate.Options{Target: translate.Socket}, kind: kernel.SocketFilter},
				{opts: translate.Options{Target: translate.TC}, kind: kernel.TC}, {opts: translate.Options{Target: translate.XDP}, kind: kernel.XDP},
			} {
				h.opts.Optimize = translate.MaxOptimize
				r, err := translate.Translate(named.Program, h.opts)
				require.NoError(b, err)
				all = append(all, newTimed(b, h.opts.Target.String(), r.Program, h.kind))
			}
			for b.Loop() {
				for _, m := range all {
					m.sample(b, records, 5_000)
				}
			}
			own := all[0]
			b.ReportMetric(0, "ns/op") // which is that of all together
			for _, m := range all {
				b.ReportMetric(m.perPacket(), m.name+"-ns")
				b.ReportMetric(m.jited(b), m.name+"-bytes")
				if m != own {
					b.ReportMetric(m.perPacket()/own.perPacket(), m.name+"-ratio")
				}
			}
		})
	}
}
