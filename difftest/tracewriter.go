package difftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Writer writes packets as a little-endian pcap file.
type Writer struct {
	w    *pcapgo.Writer
	link LinkType
}

// NewWriter writes the header of a file for packets of one link type, with times in nanoseconds or microseconds. Each
// packet takes two writes: give it a buffered w, and flush that.
func NewWriter(w io.Writer, link LinkType, nanos bool) (*Writer, error) {
	var header bytes.Buffer
	start := pcapgo.NewWriter
	if nanos {
		start = pcapgo.NewWriterNanos
	}
	if err := start(&header).WriteFileHeader(maxCapture, layers.LinkTypeNull); err != nil {
		return nil, err
	}
	// gopacket's link types are 8 bits wide, too narrow for LINUX_SLL2.
	binary.LittleEndian.PutUint32(header.Bytes()[20:], uint32(link))
	if _, err := w.Write(header.Bytes()); err != nil {
		return nil, err
	}
	return &Writer{w: start(w), link: link}, nil
}

// Write appends what a verdict keeps of a packet: its first verdict bytes, all of it where the verdict is more, and
// nothing at all where it is 0. The wire length is kept.
func (w *Writer) Write(rec Record, verdict uint32) error {
	if verdict == 0 {
		return nil
	}
	if rec.Link != w.link {
		return fmt.Errorf("packet of link type %v, the file is for %v: a pcap file has only one", rec.Link, w.link)
	}
	if rec.Time.IsZero() {
		rec.Time = time.Unix(0, 0) // gopacket would put in the present
	}
	// A wire length below the captured one comes from packets made by hand.
	keep := rec.Data[:min(uint64(len(rec.Data)), uint64(verdict))]
	return w.w.WritePacket(gopacket.CaptureInfo{
		Timestamp:     rec.Time,
		CaptureLength: len(keep),
		Length:        max(int(rec.WireLen), len(rec.Data)),
	}, keep)
}
