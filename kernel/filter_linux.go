package kernel

import (
	"errors"
	"fmt"
	"time"

	cilium "github.com/cilium/ebpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Filter is an extended program inside the kernel. It holds a file descriptor until it is closed. It is not safe for
// concurrent use, because all runs share one buffer; several Filters are.
type Filter struct {
	prog  *cilium.Program
	kind  Type
	to    string      // LoadOptions.AttachTo
	count *cilium.Map // nil where it does not count
	frame []byte
	skb   [ebpf.SkbMark + 4]byte // the fields of struct __sk_buff that a run sets
	xdp   [xdpSize]byte          // struct xdp_md
}

// Offsets in struct xdp_md of linux/bpf.h, and its size.
const (
	xdpDataEnd = 4
	xdpSize    = 24
)

// Type is what the program was loaded as.
func (f *Filter) Type() Type { return f.kind }

// View is the view of its type.
func (f *Filter) View(pkt *cbpf.Packet) cbpf.Packet { return f.kind.View(pkt) }

// Run returns the verdict on a packet that has data and nothing else: RunPacket with Meta zero.
func (f *Filter) Run(data []byte) (uint32, error) {
	return f.RunPacket(&cbpf.Packet{Data: data})
}

// RunPacket returns the low 32 bits of r0 after a run of the program on View(pkt). Data longer than Type.MaxData are a
// *TooLongError, shorter than Type.MinData a *TooShortError. Programs of a type that has no test-runs get an
// *UnavailableError.
func (f *Filter) RunPacket(pkt *cbpf.Packet) (uint32, error) {
	frame, err := f.fill(pkt)
	if err != nil {
		return 0, err
	}
	return f.run(cilium.RunOptions{Data: frame, Context: f.context(pkt)})
}

// RunSplit is RunPacket for XDPFrags, with no more than the first bytes of the packet, linear in number, between data and
// data_end; they must be at least 14. Needs Linux 6.18; older kernels have always as much there as fits.
func (f *Filter) RunSplit(pkt *cbpf.Packet, linear int) (uint32, error) {
	if f.kind != XDPFrags {
		return 0, fmt.Errorf("a %s finds packets in one piece", f.kind)
	}
	frame, err := f.fill(pkt)
	if err != nil {
		return 0, err
	}
	hostOrder.PutUint32(f.xdp[xdpDataEnd:], uint32(min(linear, len(frame))))
	return f.run(cilium.RunOptions{Data: frame, Context: f.xdp[:]})
}

// context makes the struct __sk_buff of a run; nil where it would be all zero.
func (f *Filter) context(pkt *cbpf.Packet) any {
	if f.kind == XDP || f.kind == XDPFrags || pkt.Meta.Mark == 0 {
		return nil
	}
	hostOrder.PutUint32(f.skb[ebpf.SkbMark:], pkt.Meta.Mark)
	return f.skb[:]
}

func (f *Filter) run(opts cilium.RunOptions) (uint32, error) {
	verdict, err := f.prog.Run(&opts)
	if err != nil {
		return 0, f.runError(err)
	}
	return verdict, nil
}

// Bench runs the program on data repeatedly inside the kernel, and returns its mean time in whole nanoseconds a run. A
// repeat of 0 counts as 1.
func (f *Filter) Bench(data []byte, repeat uint32) (time.Duration, error) {
	frame, err := f.fill(&cbpf.Packet{Data: data})
	if err != nil {
		return 0, err
	}
	_, each, err := f.prog.Benchmark(frame, int(repeat), nil)
	if err != nil {
		return 0, f.runError(err)
	}
	return each, nil
}

// fill lays the packet into the buffer, for some types behind an Ethernet header. The kernel pulls that header off: the
// program sees data from offset 0.
func (f *Filter) fill(pkt *cbpf.Packet) ([]byte, error) {
	n := len(pkt.Data)
	switch {
	case !f.kind.Runs():
		return nil, &UnavailableError{Op: "run a " + f.kind.String(), Need: "its hook", Err: errors.New("the kernel has no test-runs of it")}
	case n > f.kind.MaxData():
		return nil, &TooLongError{Len: n, Limit: f.kind.MaxData()}
	case n < f.kind.MinData(pkt.Data):
		return nil, &TooShortError{Len: n, Limit: f.kind.MinData(pkt.Data)}
	}
	f.frame = f.frame[:0]
	if types[f.kind].view == viewPulled {
		head := pulledHeader(pkt)
		f.frame = append(f.frame, head[:]...)
	}
	f.frame = append(f.frame, pkt.Data...)
	return f.frame, nil
}

func (f *Filter) runError(err error) error {
	op := "run a " + f.kind.String()
	if obstacle := obstacleTo(op, f.kind, err); obstacle != nil {
		return obstacle
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Close gives the program up. The kernel keeps it as long as it is attached or pinned.
func (f *Filter) Close() error {
	return errors.Join(f.prog.Close(), f.closeCount())
}

func (f *Filter) closeCount() error {
	if f.count == nil {
		return nil
	}
	return f.count.Close()
}

// Counts returns how often the program has run, and how it ended. It is an error to ask where LoadOptions.Count was not
// set.
func (f *Filter) Counts() (*Counts, error) {
	if f.count == nil {
		return nil, errors.New("the program was loaded without counting")
	}
	return readCounts(f.count)
}

func readCounts(m *cilium.Map) (*Counts, error) {
	value := make([]byte, countSize)
	if err := m.Lookup(uint32(0), value); err != nil {
		return nil, fmt.Errorf("read the counts: %w", err)
	}
	return countsOf(value), nil
}
