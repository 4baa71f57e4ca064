package difftest

import (
	"bufio"
	"encoding/binary"
	"io"
)

// guard stands between a pcapng file and gopacket's reader, and lets pass only what is well-formed. That reader allocates
// whatever length a file states (4 GiB for one field), divides by a resolution that a file can make 0, takes the end of a
// file inside a packet for its proper end, and knows 256 link types only.
//
// It reads one block at a time and hands out the next one only when the last is used up, so the block in hand is always
// the one that gopacket is working on.
type guard struct {
	place
	r     *bufio.Reader
	order binary.ByteOrder

	buf     []byte // the block in hand
	pending []byte // the part of it not yet handed out
	err     error  // what ended the trace

	start  fileHeader // what the first interface tells
	link   LinkType   // of the packet in hand
	ifaces []ngInterface
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

// next makes the next block the one in hand. It returns io.EOF where the file ends between two.
func (g *guard) next() error {
	g.buf = g.buf[:0]
	if err := g.block(); err != nil {
		return err
	}
	g.pending = g.buf
	return nil
}

// extend reads n more bytes of the block in hand. A file that ends in it is a fault; what names it.
func (g *guard) extend(n int, what string) error {
	have := len(g.buf)
	// Every caller has checked n: at most maxBlock.
	if cap(g.buf) < have+n {
		g.buf = append(make([]byte, 0, have+n), g.buf...)
	}
	g.buf = g.buf[:have+n]
	got, err := io.ReadFull(g.r, g.buf[have:])
	switch {
	// The end of the file is a fault here, unlike between two blocks.
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return g.fault("the file ends inside the %s, after %d of %d bytes", what, got, n)
	case err != nil:
		return g.fault("%v", err)
	}
	return nil
}
