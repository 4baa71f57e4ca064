package difftest

import (
	"encoding/binary"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
)

// Batch is a run of packets of a trace, all of one link type, laid out as jit.Func.RunBatch takes them. [Trace.ReadBatch]
// fills it, and uses the memory again each time.
type Batch struct {
	Data  []byte     // the packets, and between them what the file has there
	Descs []jit.Desc // where they are in Data
	Link  LinkType
	First int // number of the first packet in the trace, from 1

	file  *pcapFile // whose records, headers and all, Data holds; nil where packets were added one by one
	infos []Record  // those packets, without Data
}

// reset empties the batch.
func (b *Batch) reset(link LinkType, first int) {
	*b = Batch{Data: b.Data[:0], Descs: b.Descs[:0], infos: b.infos[:0], Link: link, First: first}
}

// Add appends a packet, whose data it copies, to a batch that is empty or whose packets were all added so.
func (b *Batch) Add(rec Record) {
	b.Link = rec.Link
	b.Descs = append(b.Descs, jit.Desc{Off: uint32(len(b.Data)), CapLen: uint32(len(rec.Data)), WireLen: rec.WireLen})
	b.Data = append(b.Data, rec.Data...)
	rec.Data = nil
	b.infos = append(b.infos, rec)
}

// Record returns the packet of index i. It shares the memory of the batch.
func (b *Batch) Record(i int) Record {
	d := b.Descs[i]
	data := b.Data[d.Off : d.Off+d.CapLen : d.Off+d.CapLen]
	if b.file == nil {
		rec := b.infos[i]
		rec.Data = data
		return rec
	}
	return Record{
		Packet: cbpf.Packet{Data: data, WireLen: d.WireLen, Meta: MetaFor(b.Link, data)},
		Time:   b.file.time(b.Data[d.Off-pcapRecordSize:]),
		Link:   b.Link,
	}
}

// whole reports whether the packet of index i stands in a batch of a little-endian pcap file as it is written when nothing
// is cut off: a header in front that tells of all its bytes, which the packets of a file that announces less have not.
func (b *Batch) whole(i int) bool {
	d := b.Descs[i]
	return binary.LittleEndian.Uint32(b.Data[d.Off-pcapRecordSize+pcapCapLen:]) == d.CapLen
}

// epoch is the time of packets that have none.
var epoch = time.Unix(0, 0).UTC()
