package difftest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

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
	guard  *guard
	source gopacket.ZeroCopyPacketDataSource
	snap   int // packets are cut to this many bytes
	nanos  bool
	closer io.Closer // nil where the caller owns the file
}

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
// is for errors. The file header is read at once; a pcapng file up to its first interface.
func NewTrace(r io.Reader, name string) (*Trace, error) {
	g := &guard{r: bufio.NewReaderSize(r, 64<<10), name: name}
	magic, err := g.r.Peek(4) // left for the readers
	switch {
	case err == io.EOF && len(magic) == 0:
		return nil, g.fault("the file is empty, not even a header")
	case err == io.EOF:
		return nil, g.fault("the file ends after %d bytes, inside its header", len(magic))
	case err != nil:
		return nil, g.fault("%v", err)
	}
	if binary.LittleEndian.Uint32(magic) == blockSection {
		return newPcapng(g)
	}
	return newPcap(g, magic)
}

// newPcap starts a trace whose first bytes are magic, which it refuses unless they are those of pcap.
func newPcap(g *guard, magic []byte) (*Trace, error) {
	nanos, err := g.pcapHeader(magic)
	if err != nil {
		return nil, err
	}
	snap := g.order.Uint32(g.pending[16:])
	source, err := pcapgo.NewReader(g)
	if err != nil {
		return nil, g.wrap(err)
	}
	// Files with packets longer than they announce exist; tcpdump cuts those packets, and so does Next. (gopacket would
	// stop there, and allocate whatever the header announces.)
	source.SetSnaplen(maxCapture)
	if snap == 0 || snap > maxCapture {
		snap = maxCapture
	}
	return &Trace{guard: g, source: source, nanos: nanos, snap: int(snap)}, nil
}

// newPcapng starts a trace of any number of interfaces. (gopacket by itself skips the packets of all interfaces whose link
// type is not that of the first.)
func newPcapng(g *guard) (*Trace, error) {
	if err := g.firstInterface(); err != nil {
		return nil, err
	}
	source, err := pcapgo.NewNgReader(g, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, g.wrap(err)
	}
	return &Trace{guard: g, source: source, nanos: true, snap: maxCapture}, nil
}

// Name is the name the trace was opened with.
func (t *Trace) Name() string { return t.guard.name }

// Link is the link type of the file; of a pcapng file, that of its first interface. Packets of a pcapng file may have
// another: see Record.
func (t *Trace) Link() LinkType { return t.guard.fileLink }

// Nanos reports whether times are as fine as nanoseconds; microseconds otherwise.
func (t *Trace) Nanos() bool { return t.nanos }

// Close closes the file that OpenTrace opened.
func (t *Trace) Close() error {
	if t.closer == nil {
		return nil
	}
	return t.closer.Close()
}

// Next returns the next packet, and io.EOF after the last one. Data is the trace's own buffer: it is valid until the
// next call. Packets in front of a fault are delivered; after a fault there are none.
func (t *Trace) Next() (Record, error) {
	data, info, err := t.source.ZeroCopyReadPacketData()
	if err != nil {
		return Record{}, t.guard.wrap(err)
	}
	data = data[:min(len(data), t.snap)]
	if info.Timestamp.IsZero() { // a simple packet block has no time
		info.Timestamp = time.Unix(0, 0).UTC()
	}
	link := t.guard.link
	return Record{
		Packet:    cbpf.Packet{Data: data, WireLen: uint32(info.Length), Meta: MetaFor(link, data)},
		Time:      info.Timestamp,
		Link:      link,
		Interface: info.InterfaceIndex,
	}, nil
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
