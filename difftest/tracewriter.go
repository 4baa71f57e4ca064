package difftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Writer writes packets as a little-endian pcap file.
type Writer struct {
	out   io.Writer
	start fileHeader
	buf   bytes.Buffer   // what goes out with the next write
	one   *pcapgo.Writer // writes single packets to buf
}

// NewWriter writes the header of a file for packets of one link type, with times in nanoseconds or microseconds. Each call
// of the methods makes one write at most: nothing is held back, and who writes packets one by one should give it a
// buffered w.
func NewWriter(w io.Writer, link LinkType, nanos bool) (*Writer, error) {
	return newWriter(w, fileHeader{link: link, snap: maxCapture, nanos: nanos})
}

// Writer is NewWriter for packets of the trace. The file has the trace's resolution of time and snapshot length.
func (t *Trace) Writer(w io.Writer) (*Writer, error) { return newWriter(w, t.start) }

func newWriter(out io.Writer, start fileHeader) (*Writer, error) {
	form := pcapgo.NewWriter
	if start.nanos {
		form = pcapgo.NewWriterNanos
	}
	w := &Writer{out: out, start: start}
	w.one = form(&w.buf)
	if err := w.one.WriteFileHeader(start.snap, layers.LinkTypeNull); err != nil {
		return nil, err
	}
	// gopacket's link types are 8 bits wide, too narrow for LINUX_SLL2.
	binary.LittleEndian.PutUint32(w.buf.Bytes()[pcapLink:], uint32(start.link)|start.fcs)
	return w, w.flush()
}

// Write appends what a verdict keeps of a packet: its first verdict bytes, all of it where the verdict is more, and
// nothing at all where it is 0. The wire length is kept.
func (w *Writer) Write(rec Record, verdict uint32) error {
	if verdict == 0 {
		return nil
	}
	if err := w.checkLink(rec.Link); err != nil {
		return err
	}
	if err := w.add(rec, verdict); err != nil {
		return err
	}
	return w.flush()
}

// WriteBatch is Write for each packet of the batch. What a little-endian pcap file already has in the form of this one is
// copied as it stands.
func (w *Writer) WriteBatch(b *Batch, verdicts []uint32) error {
	if err := w.checkLink(b.Link); err != nil {
		return err
	}
	copies := b.file != nil && !b.file.big && b.file.start.nanos == w.start.nanos
	var from, to uint32 // neighbours that are to be copied
	for i, verdict := range verdicts {
		if verdict == 0 {
			continue
		}
		d := b.Descs[i]
		if start := d.Off - pcapRecordSize; copies && verdict >= d.CapLen && b.whole(i) {
			if start != to {
				w.buf.Write(b.Data[from:to])
				from = start
			}
			to = d.Off + d.CapLen
			continue
		}
		w.buf.Write(b.Data[from:to])
		from, to = 0, 0
		if err := w.add(b.Record(i), verdict); err != nil {
			return err
		}
	}
	if w.buf.Len() == 0 {
		return w.write(b.Data[from:to])
	}
	w.buf.Write(b.Data[from:to])
	return w.flush()
}

// add appends what the verdict keeps of a packet to the buffer.
func (w *Writer) add(rec Record, verdict uint32) error {
	if rec.Time.IsZero() {
		rec.Time = epoch // gopacket would put in the present
	}
	// A wire length below the captured one comes from packets made by hand.
	keep := rec.Data[:min(uint64(len(rec.Data)), uint64(verdict))]
	return w.one.WritePacket(gopacket.CaptureInfo{
		Timestamp:     rec.Time,
		CaptureLength: len(keep),
		Length:        max(int(rec.WireLen), len(rec.Data)),
	}, keep)
}

func (w *Writer) checkLink(link LinkType) error {
	if link != w.start.link {
		return fmt.Errorf("packet of link type %v, the file is for %v: a pcap file has only one", link, w.start.link)
	}
	return nil
}

func (w *Writer) flush() error {
	err := w.write(w.buf.Bytes())
	w.buf.Reset()
	return err
}

func (w *Writer) write(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	_, err := w.out.Write(data)
	return err
}
