package difftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Record is one packet of a trace: what a program runs on, and what a trace knows besides. The captured length is
// len(Data).
type Record struct {
	cbpf.Packet
	Time      time.Time // UTC; the epoch where the trace has no time for the packet
	Link      LinkType
	Interface int // index within its section of a pcapng file; 0 in a pcap file
}

// Trace reads the packets of a pcap or pcapng file, in order. It is for one goroutine.
//
// A file is not trusted: whatever it holds, memory stays below a few megabytes and what is wrong is a [TraceError].
type Trace struct {
	source source
	place  place
	start  fileHeader
	err    error     // what ended the trace
	closer io.Closer // nil where the caller owns the file

	batch Batch // of the packets that Next returns
	next  int   // index in it
}

// source reads the packets of one kind of file.
type source interface {
	// fill makes b the next batch, of at least one packet, or returns the error that stands in front of the next packet.
	fill(b *Batch) error
}

// OpenTrace opens a pcap or pcapng file. The caller closes it.
func OpenTrace(path string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t, err := NewTrace(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	t.closer = f
	return t, nil
}

// NewTrace reads a trace from r, which it tells by its first bytes to be pcap or pcapng, of either byte order. The name
// is for errors. The file header is read at once; a pcapng file up to its first interface. It reads in large pieces: r
// needs no buffer.
func NewTrace(r io.Reader, name string) (*Trace, error) {
	t := &Trace{place: place{name: name}}
	var magic [4]byte
	n, err := io.ReadFull(r, magic[:])
	switch {
	case err == io.EOF:
		return nil, t.place.fault("the file is empty, not even a header")
	case err == io.ErrUnexpectedEOF:
		return nil, t.place.fault("the file ends after %d bytes, inside its header", n)
	case err != nil:
		return nil, t.place.wrap(err)
	}
	if binary.LittleEndian.Uint32(magic[:]) == blockSection {
		return t, t.openPcapng(io.MultiReader(bytes.NewReader(magic[:]), r))
	}
	return t, t.openPcap(r, magic)
}

func (t *Trace) openPcap(r io.Reader, magic [4]byte) error {
	f, err := openPcap(r, t.place, magic)
	if err != nil {
		return err
	}
	t.source, t.start = f, f.start
	return nil
}

func (t *Trace) openPcapng(r io.Reader) error {
	f, err := openPcapng(r, t.place)
	if err != nil {
		return err
	}
	t.source, t.start = f, f.start
	return nil
}

// Name is the name the trace was opened with.
func (t *Trace) Name() string { return t.place.name }

// Link is the link type of the file; of a pcapng file, that of its first interface. Packets of a pcapng file may have
// another: see Record.
func (t *Trace) Link() LinkType { return t.start.link }

// Nanos reports whether times are as fine as nanoseconds; microseconds otherwise.
func (t *Trace) Nanos() bool { return t.start.nanos }

// Close closes the file that OpenTrace opened.
func (t *Trace) Close() error {
	if t.closer == nil {
		return nil
	}
	return t.closer.Close()
}

// ReadBatch fills b with the next packets, one at least, and returns io.EOF after the last one. Packets in front of a fault
// are delivered; after a fault there are none. What comes through a pipe is delivered as it comes, in small batches if need
// be. Read a trace by Next or by ReadBatch: Next reads ahead.
func (t *Trace) ReadBatch(b *Batch) error {
	if t.err == nil {
		t.err = t.source.fill(b)
	}
	if t.err != nil {
		b.reset(t.start.link, 0)
	}
	return t.err
}

// Next returns the next packet, and io.EOF after the last one. Data is the trace's own buffer: it is valid until the
// next call. Packets in front of a fault are delivered; after a fault there are none.
func (t *Trace) Next() (Record, error) {
	if t.next == len(t.batch.Descs) {
		t.next = 0
		if err := t.ReadBatch(&t.batch); err != nil {
			return Record{}, err
		}
	}
	t.next++
	return t.batch.Record(t.next - 1), nil
}

// ReadAll returns all packets that are left, each with memory of its own. After a fault it returns those in front of it
// and the error.
func (t *Trace) ReadAll() ([]Record, error) {
	var all []Record
	for {
		rec, err := t.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		// Not nil, even for an empty packet, so that records can be compared.
		rec.Data = append([]byte{}, rec.Data...)
		all = append(all, rec)
	}
}
