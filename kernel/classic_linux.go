package kernel

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Classic is a classic program inside the kernel, from which whole verdicts can be had. A socket tells only whether the
// verdict is 0; so there are several, each with a variant of the program that yields one bit of it: as many as it takes
// to tell the constants apart that the program returns, or 32 where it returns A.
//
// It holds two file descriptors for each bit until it is closed. It is not safe for concurrent use; several Classics are.
type Classic struct {
	coding coding
	pairs  []pair // by bit of the code
	closed bool
}

// AttachClassic gives a program to the kernel. A refusal is an *AttachError: besides the kernel's own reasons, a program
// that returns A needs room for three instructions more within cbpf.MaxInsns, and one that reads cpu or rand must not have
// more than two verdicts, for they might change between two runs. A kernel that cannot be asked is an
// *UnavailableError.
func AttachClassic(p cbpf.Program) (*Classic, error) {
	if err := switchedOff(); err != nil {
		return nil, err
	}
	if err := CheckClassic(p); err != nil {
		return nil, err
	}
	c := &Classic{coding: codingOf(p)}
	unstable := func(ins bpf.RawInstruction) bool { return loads(ins, cbpf.ExtCPU, cbpf.ExtRandom) }
	if c.coding.bits > 1 && slices.ContainsFunc(p, unstable) {
		return nil, &AttachError{Reason: ReasonUnstable}
	}
	for i := range c.coding.bits {
		if err := c.addPair(variant(p, c.coding, i)); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// addPair makes the sockets of the next bit.
func (c *Classic) addPair(v cbpf.Program) error {
	s, err := newPair()
	if err != nil {
		return err
	}
	c.pairs = append(c.pairs, s)
	err = attach(s.in, v)
	var refused *AttachError
	if errors.As(err, &refused) {
		detail := fmt.Sprintf("variant of %d instructions: %s", len(v), refused.Reason)
		return &AttachError{Reason: ReasonVariant, Detail: detail, Err: refused.Err}
	}
	return err
}

// Verdict returns the verdict of the program on ClassicView of a packet with these data. More than MaxDatagram bytes are
// a *TooLongError.
func (c *Classic) Verdict(data []byte) (uint32, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(data) > MaxDatagram {
		return 0, &TooLongError{Len: len(data), Limit: MaxDatagram}
	}
	var code uint32
	for i, s := range c.pairs {
		passed, err := s.passes(data)
		if err != nil {
			return 0, fmt.Errorf("bit %d of the verdict: %w", i, err)
		}
		if passed {
			code |= 1 << i
		}
	}
	verdict, ok := c.coding.verdict(code)
	if !ok {
		return 0, fmt.Errorf("code %d of the verdict: the program has only %d", code, len(c.coding.values))
	}
	return verdict, nil
}

// Close detaches the program and closes the sockets. Closing again does nothing.
func (c *Classic) Close() error {
	c.closed = true
	var all []error
	for _, s := range c.pairs {
		all = append(all, unix.Close(s.in), unix.Close(s.out))
	}
	c.pairs = nil
	return errors.Join(all...)
}

// CheckClassic returns nil if SO_ATTACH_FILTER takes the program, an *AttachError if it refuses, and an *UnavailableError
// where it cannot be asked.
func CheckClassic(p cbpf.Program) error {
	if err := switchedOff(); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &UnavailableError{Op: "make a socket", Need: needClassic, Err: err}
	}
	defer unix.Close(fd)
	return attach(fd, p)
}
