package difftest

import (
	"errors"
	"fmt"
	"io"
)

// maxCapture is the longest captured packet that is read: MAXIMUM_SNAPLEN of tcpdump.
const maxCapture = 256 << 10

// TraceError is what is wrong with a trace, and where.
type TraceError struct {
	Name   string // of the trace
	Packet int    // number of the packet, from 1; 0 in front of the first
	What   string // and the limit broken
}

func (e *TraceError) Error() string {
	if e.Packet == 0 {
		return fmt.Sprintf("trace %s: %s", e.Name, e.What)
	}
	return fmt.Sprintf("trace %s: packet %d: %s", e.Name, e.Packet, e.What)
}

// place is how far in a trace the reading is.
type place struct {
	name   string
	packet int // number of the packet in hand, from 1; 0 in front of the first
}

// behind is the place so many packets later.
func (p place) behind(packets int) place {
	p.packet += packets
	return p
}

// fault is an error in the packet in hand.
func (p place) fault(format string, args ...any) error {
	return &TraceError{Name: p.name, Packet: p.packet, What: fmt.Sprintf(format, args...)}
}

// wrap gives an error its place, unless it is the end of the trace or has one already.
func (p place) wrap(err error) error {
	if placed := new(TraceError); err == io.EOF || errors.As(err, &placed) {
		return err
	}
	return p.fault("%v", err)
}

// checkLengths refuses what no capture has. tcpdump takes a packet that is longer in the file than it was on the wire, but
// no kernel has one, and there is no verdict to compare it with.
func (p place) checkLengths(capLen, wireLen uint32) error {
	if capLen > maxCapture {
		return p.fault("captured length %d, %d is the most", capLen, maxCapture)
	}
	if capLen > wireLen {
		return p.fault("captured length %d is more than the wire length %d", capLen, wireLen)
	}
	return nil
}
