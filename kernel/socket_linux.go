package kernel

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// pair is two connected datagram sockets; the filter sits on in, where datagrams arrive.
type pair struct {
	in, out int
}

// newPair makes a pair whose datagrams may be as long as MaxDatagram. The kernel grants twice the buffer that is asked for.
func newPair() (pair, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return pair{}, &UnavailableError{Op: "make a pair of sockets", Need: needClassic, Err: err}
	}
	s := pair{in: fds[0], out: fds[1]}
	if err := unix.SetsockoptInt(s.out, unix.SOL_SOCKET, unix.SO_SNDBUF, MaxDatagram); err != nil {
		err = errors.Join(err, unix.Close(s.in), unix.Close(s.out))
		return pair{}, &UnavailableError{Op: "set the send buffer", Need: needClassic, Err: err}
	}
	return s, nil
}

// passes sends a datagram and reports whether the filter let it through. The filter runs, and the datagram arrives, before
// the sending returns; so there is never more than one, and reading takes it off whole.
func (s pair) passes(data []byte) (bool, error) {
	err := retry(func() error { return unix.Send(s.out, data, 0) })
	if err != nil {
		return false, fmt.Errorf("send %d bytes: %w", len(data), err)
	}
	var first [1]byte
	err = retry(func() error {
		_, err := unix.Read(s.in, first[:])
		return err
	})
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	return err == nil, err
}

// retry repeats a call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// attach makes a program the filter of a socket. The kernel's field for the length has 16 bits: what does not fit must
// not reach it, for it would take the beginning for the whole.
func attach(fd int, p cbpf.Program) error {
	if len(p) > math.MaxUint16 {
		return attachError(p, unix.EINVAL)
	}
	breathe()
	filter := sockFilter(p)
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(filter)}
	return attachError(p, unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog))
}

// attachError sorts the answers of SO_ATTACH_FILTER; nil stays nil.
func attachError(p cbpf.Program, err error) error {
	detail := fmt.Sprintf("%d instructions", len(p))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL):
		return &AttachError{Reason: ReasonRefused, Detail: detail, Err: err}
	case errors.Is(err, unix.ENOMEM):
		return &AttachError{Reason: ReasonMemory, Detail: detail, Err: err}
	}
	return &UnavailableError{Op: "attach a filter to a socket", Need: needClassic, Err: err}
}
