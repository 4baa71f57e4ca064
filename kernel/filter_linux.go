package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Filter is an extended program inside the kernel, as a socket filter. It holds a file descriptor until it is closed. It is
// not safe for concurrent use, because all runs share one buffer; several Filters are.
type Filter struct {
	prog  *cilium.Program
	frame [headerLen + MaxData]byte
	skb   [ebpf.SkbMark + 4]byte // the fields of struct __sk_buff that a run sets
}

// LoadSocket loads a program of the ABI ebpf.Socket. A refusal is a *VerifierError or a *SlotError, a kernel that cannot
// be asked an *UnavailableError. The licence may be empty; "GPL" opens helpers that no translation needs.
func LoadSocket(p ebpf.Program, licence string) (*Filter, error) {
	if err := switchedOff(); err != nil {
		return nil, err
	}
	breathe()
	liftMemlock()
	insns, err := instructions(p)
	if err != nil {
		return nil, err
	}
	prog, err := cilium.NewProgram(&cilium.ProgramSpec{
		Type:         cilium.SocketFilter,
		Instructions: insns,
		License:      licence,
	})
	if err != nil {
		return nil, loadError(err)
	}
	return &Filter{prog: prog}, nil
}

// liftMemlock lifts the limit on locked memory, which kernels before 5.11 charge programs against. Whether it had to, the
// loading will tell: there is no error to report here.
var liftMemlock = sync.OnceFunc(func() { _ = rlimit.RemoveMemlock() })

// hostOrder is the byte order of this machine, as the loader knows it: it does not recognise binary.NativeEndian, and
// would read every register as r0.
var hostOrder = func() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}()

// instructions converts a program for the loader. The loader clears fields of which it knows no use (off of arithmetic,
// for one), and the kernel would then take what it should have refused: the way back shows it.
func instructions(p ebpf.Program) (asm.Instructions, error) {
	raw := ebpf.Encode(p, hostOrder)
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(raw), hostOrder, "linux")
	if err != nil {
		return nil, &SlotError{PC: -1, Err: err}
	}
	var back bytes.Buffer
	if err := insns.Marshal(&back, hostOrder); err != nil {
		return nil, &SlotError{PC: back.Len() / ebpf.SlotSize, Err: err}
	}
	for i, b := range back.Bytes() {
		if b != raw[i] {
			return nil, &SlotError{PC: i / ebpf.SlotSize}
		}
	}
	return insns, nil
}

// loadError sorts the loader's errors into refusals and obstacles.
func loadError(err error) error {
	var refused *cilium.VerifierError
	if errors.As(err, &refused) && len(refused.Log) > 0 {
		return refusal(refused.Log, refused.Cause)
	}
	if obstacle := obstacleTo("load a socket filter", err); obstacle != nil {
		return obstacle
	}
	return refusal(nil, err)
}

// obstacleTo returns an *UnavailableError for what any program would meet, nil for other errors.
func obstacleTo(op string, err error) error {
	for _, known := range []error{unix.EPERM, unix.ENOSYS, cilium.ErrNotSupported} {
		if errors.Is(err, known) {
			return &UnavailableError{Op: op, Need: needExtended, Err: known}
		}
	}
	return nil
}

// Run returns the verdict on a packet that has data and nothing else: RunPacket with Meta zero.
func (f *Filter) Run(data []byte) (uint32, error) {
	return f.RunPacket(&cbpf.Packet{Data: data})
}

// RunPacket returns the verdict of the program on View(pkt). Data longer than MaxData are a *TooLongError.
func (f *Filter) RunPacket(pkt *cbpf.Packet) (uint32, error) {
	frame, err := f.fill(pkt)
	if err != nil {
		return 0, err
	}
	opts := cilium.RunOptions{Data: frame}
	if pkt.Meta.Mark != 0 {
		hostOrder.PutUint32(f.skb[ebpf.SkbMark:], pkt.Meta.Mark)
		opts.Context = f.skb[:]
	}
	verdict, err := f.prog.Run(&opts)
	if err != nil {
		return 0, runError(err)
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
		return 0, runError(err)
	}
	return each, nil
}

// fill lays the packet into the buffer, behind its Ethernet header. The kernel pulls that header off: the program sees
// data from offset 0.
func (f *Filter) fill(pkt *cbpf.Packet) (frame []byte, err error) {
	if len(pkt.Data) > MaxData {
		return nil, &TooLongError{Len: len(pkt.Data), Limit: MaxData}
	}
	head := headers[packetType(pkt.Meta.PktType)]
	n := copy(f.frame[:], head[:])
	n += copy(f.frame[n:], pkt.Data)
	return f.frame[:n], nil
}

func runError(err error) error {
	if obstacle := obstacleTo("run a socket filter", err); obstacle != nil {
		return obstacle
	}
	return fmt.Errorf("run a socket filter: %w", err)
}

// Close takes the program out of the kernel.
func (f *Filter) Close() error { return f.prog.Close() }
