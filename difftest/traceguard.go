package difftest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxCapture is the longest captured packet that is read: MAXIMUM_SNAPLEN of tcpdump.
const maxCapture = 256 << 10

// guard stands between a file and gopacket's readers, and lets pass only what is well-formed. Those readers allocate
// whatever length a file states (4 GiB for one field), divide by a resolution that a file can make 0, take the end of a
// file inside a packet for its proper end, and know 256 link types only.
//
// It reads one piece at a time (file header, record or block) and hands out the next one only when the last is used up,
// so the piece in hand is always the one that gopacket is working on.
type guard struct {
	r     *bufio.Reader
	name  string
	order binary.ByteOrder
	frame func() error // reads the next piece into buf; io.EOF where the file ends between two

	buf     []byte // the piece in hand
	pending []byte // the part of it not yet handed out
	err     error  // what ended the trace

	packet   int      // number of the packet in hand, from 1
	link     LinkType // of the packet in hand
	fileLink LinkType // of the file, or of the first interface
	ifaces   []ngInterface
}

// Read implements io.Reader for gopacket.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.pending) == 0 {
		if g.err == nil {
			g.err = g.next()
		}
		if g.err != nil {
			return 0, g.err
		}
	}
	n := copy(p, g.pending)
	g.pending = g.pending[n:]
	return n, nil
}

// next makes the next piece the one in hand.
func (g *guard) next() error {
	g.buf = g.buf[:0]
	if err := g.frame(); err != nil {
		return err
	}
	g.pending = g.buf
	return nil
}

// pcapHeader reads the header of a pcap file and reports whether its times are in nanoseconds.
func (g *guard) pcapHeader(magic []byte) (nanos bool, err error) {
	switch [4]byte(magic) {
	case [4]byte{0xa1, 0xb2, 0xc3, 0xd4}:
		g.order = binary.BigEndian
	case [4]byte{0xd4, 0xc3, 0xb2, 0xa1}:
		g.order = binary.LittleEndian
	case [4]byte{0xa1, 0xb2, 0x3c, 0x4d}:
		g.order, nanos = binary.BigEndian, true
	case [4]byte{0x4d, 0x3c, 0xb2, 0xa1}:
		g.order, nanos = binary.LittleEndian, true
	default:
		return false, g.fault("neither pcap nor pcapng: the first bytes are %x", magic)
	}
	if err := g.extend(24, "file header"); err != nil {
		return false, err
	}
	g.pending = g.buf
	g.link = LinkType(g.order.Uint32(g.buf[20:])) // the upper half tells of checksums behind the packets
	g.fileLink = g.link
	g.frame = g.pcapRecord
	return nanos, nil
}

// pcapRecord reads one record of a pcap file: 16 bytes of header, and the captured bytes.
func (g *guard) pcapRecord() error {
	if _, err := g.r.Peek(1); err == io.EOF {
		return io.EOF
	}
	g.packet++
	if err := g.extend(16, "record header"); err != nil {
		return err
	}
	capLen, wireLen := g.order.Uint32(g.buf[8:]), g.order.Uint32(g.buf[12:])
	if err := g.checkLengths(capLen, wireLen); err != nil {
		return err
	}
	return g.extend(int(capLen), "packet")
}

// checkLengths refuses what no capture has. tcpdump takes a packet that is longer in the file than it was on the wire, but
// no kernel has one, and there is no verdict to compare it with.
func (g *guard) checkLengths(capLen, wireLen uint32) error {
	if capLen > maxCapture {
		return g.fault("captured length %d, %d is the most", capLen, maxCapture)
	}
	if capLen > wireLen {
		return g.fault("captured length %d is more than the wire length %d", capLen, wireLen)
	}
	return nil
}

// extend reads n more bytes of the piece in hand. A file that ends in it is a fault; what names it.
func (g *guard) extend(n int, what string) error {
	have := len(g.buf)
	// Every caller has checked n: at most maxCapture or maxBlock.
	if cap(g.buf) < have+n {
		g.buf = append(make([]byte, 0, have+n), g.buf...)
	}
	g.buf = g.buf[:have+n]
	got, err := io.ReadFull(g.r, g.buf[have:])
	switch {
	// The end of the file is a fault here, unlike between two pieces.
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return g.fault("the file ends inside the %s, after %d of %d bytes", what, got, n)
	case err != nil:
		return g.fault("%v", err)
	}
	return nil
}

// fault is an error in the packet in hand.
func (g *guard) fault(format string, args ...any) error {
	return &TraceError{Name: g.name, Packet: g.packet, What: fmt.Sprintf(format, args...)}
}

// wrap gives an error its place, unless it is the end of the trace or has one already.
func (g *guard) wrap(err error) error {
	if placed := new(TraceError); err == io.EOF || errors.As(err, &placed) {
		return err
	}
	return g.fault("%v", err)
}
