//go:build !linux

package kernel

import (
	"errors"
	"runtime"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Filter is an extended program inside the kernel. There are none on this system.
type Filter struct{}

// Classic is a classic program inside the kernel. There are none on this system.
type Classic struct{}

func notLinux(op, need string) error {
	return &UnavailableError{Op: op, Need: need, Err: errors.New("this is " + runtime.GOOS)}
}

// Available returns an *UnavailableError.
func Available() error { return notLinux("run an extended program", needExtended) }

// ClassicAvailable returns an *UnavailableError.
func ClassicAvailable() error { return notLinux("run a classic program", needClassic) }

// Load returns an *UnavailableError.
func Load(ebpf.Program, LoadOptions) (*Filter, error) { return nil, Available() }

// Verify returns an *UnavailableError.
func Verify(ebpf.Program, LoadOptions) (Stats, error) { return Stats{}, Available() }

// Type is the zero Type.
func (*Filter) Type() Type { return 0 }

// View is the view of a socket filter.
func (*Filter) View(pkt *cbpf.Packet) cbpf.Packet { return SocketFilter.View(pkt) }

// Log is empty.
func (*Filter) Log() string { return "" }

// Stats are not had.
func (*Filter) Stats() (Stats, bool) { return Stats{}, false }

// Info returns an *UnavailableError.
func (*Filter) Info() (*Info, error) { return nil, Available() }

// Run returns an *UnavailableError.
func (*Filter) Run([]byte) (uint32, error) { return 0, Available() }

// RunPacket returns an *UnavailableError.
func (*Filter) RunPacket(*cbpf.Packet) (uint32, error) { return 0, Available() }

// RunSplit returns an *UnavailableError.
func (*Filter) RunSplit(*cbpf.Packet, int) (uint32, error) { return 0, Available() }

// Counts returns an *UnavailableError.
func (*Filter) Counts() (*Counts, error) { return nil, Available() }

// Bench returns an *UnavailableError.
func (*Filter) Bench([]byte, uint32) (time.Duration, error) { return 0, Available() }

// Close does nothing.
func (*Filter) Close() error { return nil }

// AttachClassic returns an *UnavailableError.
func AttachClassic(cbpf.Program) (*Classic, error) { return nil, ClassicAvailable() }

// Verdict returns an *UnavailableError.
func (*Classic) Verdict([]byte) (uint32, error) { return 0, ClassicAvailable() }

// Close does nothing.
func (*Classic) Close() error { return nil }

// CheckClassic returns an *UnavailableError.
func CheckClassic(cbpf.Program) error { return ClassicAvailable() }

// Attach returns an *UnavailableError.
func (*Filter) Attach(Hook) (*Attachment, error) { return nil, Available() }

// Install returns an *UnavailableError.
func (*Filter) Install(Placement) (*Installed, error) { return nil, Available() }

// Listen returns an *UnavailableError.
func (*Filter) Listen(string) (*Capture, error) { return nil, Available() }

// Pin returns an *UnavailableError.
func (*Filter) Pin(string) error { return Available() }

// Unpin does nothing.
func (*Filter) Unpin() error { return nil }

// Attachment is a program at a hook. There are none on this system.
type Attachment struct{}

// Hook is the zero Hook.
func (*Attachment) Hook() Hook { return Hook{} }

// Keep returns an *UnavailableError.
func (*Attachment) Keep(string) error { return Available() }

// Pinned is false.
func (*Attachment) Pinned() bool { return false }

// Undo is empty.
func (*Attachment) Undo() string { return "" }

// Close does nothing.
func (*Attachment) Close() error { return nil }

// Detach does nothing.
func (*Attachment) Detach() error { return nil }

// Installed is a program in its places. There are none on this system.
type Installed struct{}

// Attachments are none.
func (*Installed) Attachments() []*Attachment { return nil }

// Close does nothing.
func (*Installed) Close() error { return nil }

// Remove does nothing.
func (*Installed) Remove() error { return nil }

// Capture is a packet socket behind a filter. There are none on this system.
type Capture struct{}

// SetDeadline does nothing.
func (*Capture) SetDeadline(time.Time) error { return nil }

// Next returns an *UnavailableError.
func (*Capture) Next([]byte) (*cbpf.Packet, error) { return nil, Available() }

// Stats returns an *UnavailableError.
func (*Capture) Stats() (CaptureStats, error) { return CaptureStats{}, Available() }

// Close does nothing.
func (*Capture) Close() error { return nil }

// ReadPinned returns an *UnavailableError.
func ReadPinned(string) (*Pinned, error) { return nil, Available() }

// RemovePinned returns an *UnavailableError.
func RemovePinned(string) error { return Available() }

// InterfaceType returns an *UnavailableError.
func InterfaceType(string) (uint16, error) { return 0, Available() }

// OnlyInterface returns an *UnavailableError.
func OnlyInterface(string, PacketArg) (ebpf.Program, error) { return nil, Available() }
