package difftest

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
)

// batchSize is how many bytes of a trace are read at once: few enough to stay in the core's own cache until they are used.
const batchSize = 256 << 10

// A pcap file (draft-ietf-opsawg-pcap) is a header, and records: a header with four words, and the captured bytes.
const (
	pcapHeaderSize = 24
	pcapVersion    = 4 // in the file header: two half words
	pcapSnap       = 16
	pcapLink       = 20

	pcapRecordSize = 16
	pcapSeconds    = 0 // in the header of a record
	pcapFraction   = 4
	pcapCapLen     = 8
	pcapWireLen    = 12
)

// pcapFile reads a pcap file by the batch. A batch is what one read yields, up to the end of the last whole record: what
// comes through a pipe is not waited for.
type pcapFile struct {
	place
	r       io.Reader
	size    int // bytes of a batch, if no record is longer
	big     bool
	start   fileHeader
	snap    uint32 // packets are cut to this many bytes
	left    []byte // what was read behind the last batch: less than a record, or what is none
	readErr error  // what the last read ended with
}

// openPcap reads the header of a pcap file, whose first four bytes have been read.
func openPcap(r io.Reader, at place, magic [4]byte) (*pcapFile, error) {
	f := &pcapFile{place: at, r: r, size: batchSize}
	switch magic {
	case [4]byte{0xa1, 0xb2, 0xc3, 0xd4}:
		f.big = true
	case [4]byte{0xd4, 0xc3, 0xb2, 0xa1}:
	case [4]byte{0xa1, 0xb2, 0x3c, 0x4d}:
		f.big, f.start.nanos = true, true
	case [4]byte{0x4d, 0x3c, 0xb2, 0xa1}:
		f.start.nanos = true
	default:
		return nil, f.fault("neither pcap nor pcapng: the first bytes are %x", magic)
	}
	var header [pcapHeaderSize]byte
	n, err := io.ReadFull(r, header[copy(header[:], magic[:]):])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, f.fault("the file ends inside the file header, after %d of %d bytes", len(magic)+n, len(header))
	case err != nil:
		return nil, f.wrap(err)
	}
	return f, f.header(header[:])
}

// header takes over what the file header says.
func (f *pcapFile) header(b []byte) error {
	order := f.order()
	if major, minor := order.Uint16(b[pcapVersion:]), order.Uint16(b[pcapVersion+2:]); major != 2 || minor != 4 {
		return f.fault("version %d.%d of pcap, 2.4 is the only one", major, minor)
	}
	f.start.setSnap(order.Uint32(b[pcapSnap:]))
	// Files with packets longer than they announce exist; tcpdump cuts those packets.
	f.snap = min(f.start.snap, maxCapture)
	link := order.Uint32(b[pcapLink:])
	f.start.fcs = link & fcsBits
	if link &^= fcsBits; link > math.MaxUint16 {
		return f.fault("link type %d, %d is the most", link, math.MaxUint16)
	}
	f.start.link = LinkType(link)
	return nil
}

// fileHeader is what the header of a pcap file tells of the file.
type fileHeader struct {
	link  LinkType
	fcs   uint32 // the bits of the word around it that tell of checksums behind the packets
	snap  uint32 // the snapshot length
	nanos bool   // times are in nanoseconds; microseconds otherwise
}

const fcsBits = 0xfc000000

// setSnap takes the snapshot length that a file announces; one that is none stands for the longest, as in libpcap.
func (h *fileHeader) setSnap(announced uint32) {
	h.snap = announced
	if announced == 0 || announced > math.MaxInt32 {
		h.snap = maxCapture
	}
}

func (f *pcapFile) order() binary.ByteOrder {
	if f.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// time is that of the record whose header this is.
func (f *pcapFile) time(header []byte) time.Time {
	order, unit := f.order(), int64(time.Microsecond)
	if f.start.nanos {
		unit = 1
	}
	fraction := int64(order.Uint32(header[pcapFraction:]))
	return time.Unix(int64(order.Uint32(header[pcapSeconds:])), fraction*unit).UTC()
}

// fill implements source.
func (f *pcapFile) fill(b *Batch) error {
	b.reset(f.start.link, f.packet+1)
	b.file = f
	b.Data, f.left = append(b.Data, f.left...), f.left[:0]
	for {
		need, err := f.frame(b)
		switch {
		case len(b.Descs) > 0:
			f.packet += len(b.Descs)
			return nil
		case err != nil:
			return err
		case f.readErr != nil:
			return f.ended(len(b.Data), need)
		}
		f.read(b, need)
	}
}

// frame finds the packets of the batch by the headers in front of them, and keeps back what follows the last. It returns
// the length of a record whose beginning alone is there, as far as that is known, and an error if it begins with a header
// that cannot be right.
func (f *pcapFile) frame(b *Batch) (need int, err error) {
	data, big, snap := b.Data, f.big, f.snap
	at := 0
	for need = pcapRecordSize; len(data)-at >= pcapRecordSize; need = pcapRecordSize {
		header := data[at : at+pcapRecordSize]
		capLen, wireLen := binary.LittleEndian.Uint32(header[pcapCapLen:]), binary.LittleEndian.Uint32(header[pcapWireLen:])
		if big {
			capLen, wireLen = bits.ReverseBytes32(capLen), bits.ReverseBytes32(wireLen)
		}
		if capLen > maxCapture || capLen > wireLen {
			err = f.behind(len(b.Descs)+1).checkLengths(capLen, wireLen)
			break
		}
		if need += int(capLen); len(data)-at < need {
			break
		}
		b.Descs = append(b.Descs, jit.Desc{Off: uint32(at + pcapRecordSize), CapLen: min(capLen, snap), WireLen: wireLen})
		at += need
	}
	if at > 0 {
		f.left = append(f.left, data[at:]...)
		b.Data = data[:at]
	}
	return need, err
}

// read appends what the file has now to a batch, which it makes large enough for need bytes.
func (f *pcapFile) read(b *Batch, need int) {
	const patience = 100 // reads that yield nothing, as in package bufio
	b.Data = slices.Grow(b.Data, max(f.size, need)-len(b.Data))
	for range patience {
		var n int
		n, f.readErr = f.r.Read(b.Data[len(b.Data):cap(b.Data)])
		b.Data = b.Data[:len(b.Data)+n]
		if n > 0 || f.readErr != nil {
			return
		}
	}
	f.readErr = io.ErrNoProgress
}

// ended says what it means that nothing follows so many bytes of a record.
func (f *pcapFile) ended(have, need int) error {
	next := f.behind(1)
	switch {
	case f.readErr != io.EOF:
		return next.wrap(f.readErr)
	case have == 0:
		return io.EOF
	case have < pcapRecordSize:
		return next.fault("the file ends inside the record header, after %d of %d bytes", have, pcapRecordSize)
	}
	return next.fault("the file ends inside the packet, after %d of %d bytes", have-pcapRecordSize, need-pcapRecordSize)
}
