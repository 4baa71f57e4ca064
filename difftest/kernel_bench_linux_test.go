package difftest

import (
	"errors"
	"testing"
	"time"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// dropping is a pair of sockets. What is sent to one of them a program judges, of which the verdict is 0: so that it ends there.
type dropping struct {
	in, out int
	least   float64 // ns of the quickest sample
}

func newDropping(b *testing.B, attach func(fd int) error) *dropping {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, errors.Join(unix.Close(fds[0]), unix.Close(fds[1]))) })
	require.NoError(b, attach(fds[0]))
	return &dropping{in: fds[0], out: fds[1]}
}

// attachClassic attaches a program as it is.
func attachClassic(p cbpf.Program) func(fd int) error {
	return func(fd int) error {
		f := make([]unix.SockFilter, len(p))
		for i, ins := range p {
			f[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
		}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]})
	}
}

// attachExtended loads and attaches one for sockets.
func attachExtended(p ebpf.Program) func(fd int) error {
	return func(fd int) error {
		f, err := kernel.Load(p, kernel.LoadOptions{})
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Info()
		if err != nil {
			return err
		}
		prog, err := cilium.NewProgramFromID(cilium.ProgramID(info.ID))
		if err != nil {
			return err
		}
		defer prog.Close()
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, prog.FD())
	}
}

// sample sends the packet again and again.
func (d *dropping) sample(b *testing.B, data []byte) {
	const sends = 2000
	begin := time.Now()
	for range sends {
		require.NoError(b, unix.Send(d.out, data, 0))
	}
	took := float64(time.Since(begin).Nanoseconds()) / sends
	if d.least == 0 || took < d.least {
		d.least = took
	}
}

// BenchmarkKernelSocket takes the time of programs where they work, at a socket: of the classic one, which the kernel converts, and
// of the optimised one. Of each the time of one that drops at once is subtracted, which is that of the sending. Only packets
// that the filter drops are sent.
func BenchmarkKernelSocket(b *testing.B) {
	requireKernel(b)
	for _, named := range benchFilters(b) {
		b.Run(named.Name, func(b *testing.B) {
			r, err := translate.Translate(named.Program, translate.Options{Target: translate.Socket, Optimize: translate.MaxOptimize})
			require.NoError(b, err)
			var own, ours float64
			packets := 0
			for _, rec := range benchRecords(b) {
				if verdict, err := cbpf.Run(named.Program, &rec.Packet); err != nil || verdict != 0 {
					continue
				}
				packets++
				all := []*dropping{
					newDropping(b, attachClassic(cbpf.Program{{Op: cbpf.OpRetK}})),
					newDropping(b, attachClassic(named.Program)), newDropping(b, attachExtended(r.Program)),
				}
				for range 10 + b.N {
					for _, d := range all {
						d.sample(b, rec.Data)
					}
				}
				own, ours = own+all[1].least-all[0].least, ours+all[2].least-all[0].least
			}
			require.NotZero(b, packets)
			b.ReportMetric(0, "ns/op") // which is that of all together
			b.ReportMetric(own/float64(packets), "kernel-ns")
			b.ReportMetric(ours/float64(packets), "socket-ns")
			b.ReportMetric(ours/own, "socket-ratio")
		})
	}
}
