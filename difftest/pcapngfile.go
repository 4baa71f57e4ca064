package difftest

import (
	"bufio"
	"io"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// pcapngFile reads a pcapng file, of any number of interfaces, with gopacket.
type pcapngFile struct {
	*guard
	source    gopacket.ZeroCopyPacketDataSource
	delivered int // packets

	// What was read behind the last batch, and does not belong to it: a packet of another link type, or an error.
	held    bool
	heldRec Record
	heldErr error
}

// openPcapng reads up to the first interface. (gopacket by itself skips the packets of all interfaces whose link type is
// not that of the first.)
func openPcapng(r io.Reader, at place) (*pcapngFile, error) {
	g := &guard{place: at, r: bufio.NewReaderSize(r, batchSize)}
	if err := g.firstInterface(); err != nil {
		return nil, err
	}
	source, err := pcapgo.NewNgReader(g, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, g.wrap(err)
	}
	return &pcapngFile{guard: g, source: source}, nil
}

// fill implements source. The batch ends where nothing more has been read from the file, so that what comes through a pipe
// is not waited for.
func (f *pcapngFile) fill(b *Batch) error {
	const packets = 4096
	rec, err := f.nextRecord()
	if err != nil {
		return err
	}
	b.reset(rec.Link, f.delivered+1)
	for {
		b.Add(rec)
		f.delivered++
		if f.r.Buffered() == 0 || len(b.Data) >= batchSize || len(b.Descs) == packets {
			return nil
		}
		if rec, err = f.nextRecord(); err != nil || rec.Link != b.Link {
			f.held, f.heldRec, f.heldErr = true, rec, err
			return nil
		}
	}
}

// nextRecord returns the packet that was held back, or the next one of the file. Its data is valid until the next call.
func (f *pcapngFile) nextRecord() (Record, error) {
	if f.held {
		f.held = false
		return f.heldRec, f.heldErr
	}
	data, info, err := f.source.ZeroCopyReadPacketData()
	if err != nil {
		return Record{}, f.wrap(err)
	}
	if info.Timestamp.IsZero() { // a simple packet block has no time
		info.Timestamp = epoch
	}
	return Record{
		Packet:    cbpf.Packet{Data: data, WireLen: uint32(info.Length), Meta: MetaFor(f.link, data)},
		Time:      info.Timestamp,
		Link:      f.link,
		Interface: info.InterfaceIndex,
	}, nil
}
