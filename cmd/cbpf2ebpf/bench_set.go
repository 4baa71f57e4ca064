package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
)

// The sizes of the sets, in bytes of the trace and in orders.
const (
	benchSmall  = 256 << 10 // stays in the cache of a core
	benchBig    = 200 << 20 // is more than the cache of most machines
	benchOrders = 64        // more than branch prediction can learn
)

// benchSet are packets in the order in which engines are to judge them.
type benchSet struct {
	name     string
	about    string
	link     difftest.LinkType
	buf      []byte
	descs    []jit.Desc
	meta     cbpf.Meta     // what all packets have in common
	metas    []cbpf.Meta   // of each packet; nil where the program does not look at them
	skbs     []ebpf.SkBuff // the same in the form of extended programs
	verdicts []uint32      // where engines write to
}

// len is the number of packets.
func (s *benchSet) len() int { return len(s.descs) }

// packet puts the packet of index i into pkt, which has the set's meta already. Data is shared.
func (s *benchSet) packet(i int, pkt *cbpf.Packet) {
	d := s.descs[i]
	pkt.Data, pkt.WireLen = s.buf[d.Off:d.Off+d.CapLen:d.Off+d.CapLen], d.WireLen
	if s.metas != nil {
		pkt.Meta = s.metas[i]
	}
}

// extended is packet for extended programs.
func (s *benchSet) extended(i int, pkt *ebpf.Packet) {
	d := &s.descs[i]
	pkt.Data, pkt.WireLen = s.buf[d.Off:d.Off+d.CapLen], d.WireLen
	if s.skbs != nil {
		pkt.Skb = &s.skbs[i]
	}
}

// ready makes room for the verdicts on packets of the link type and, if properties are wanted, lays these out.
func (s *benchSet) ready(link difftest.LinkType, properties bool) {
	s.link, s.meta = link, difftest.MetaFor(link, nil)
	s.verdicts = make([]uint32, s.len())
	if !properties {
		return
	}
	metas := make([]cbpf.Meta, s.len())
	s.skbs = make([]ebpf.SkBuff, s.len())
	for i := range s.descs {
		var pkt cbpf.Packet
		s.packet(i, &pkt)
		pkt.Meta = difftest.MetaFor(link, pkt.Data)
		metas[i], s.skbs[i] = pkt.Meta, difftest.SkBuff(&pkt)
	}
	s.metas = metas
}

// errEnough ends the reading of a trace.
var errEnough = errors.New("enough")

// readBenchSets makes the sets out of a trace: small, the first packets of it; shuf, the same in many orders one behind the
// other; and big, all of it up to some size, unless it is as small as small.
func readBenchSets(trace *difftest.Trace) ([]*benchSet, error) {
	all := &benchSet{name: "big"}
	err := eachBatch(trace, func(b *difftest.Batch) error {
		if len(all.buf) >= benchBig {
			return errEnough
		}
		at := uint32(len(all.buf))
		all.buf = append(all.buf, b.Data...)
		for _, d := range b.Descs {
			d.Off += at
			all.descs = append(all.descs, d)
		}
		return nil
	})
	if err != nil && err != errEnough {
		return nil, err
	}
	if all.len() == 0 {
		return nil, fmt.Errorf("trace %s: no packets to measure with", trace.Name())
	}
	all.about = fmt.Sprintf("%d packets, %d MiB", all.len(), len(all.buf)>>20)
	small := all.first(benchSmall)
	sets := []*benchSet{small, small.shuffled(benchOrders)}
	if small.len() < all.len() {
		sets = append(sets, all)
	}
	return sets, nil
}

// first are the packets that fit into so many bytes, one at least.
func (s *benchSet) first(bytes uint32) *benchSet {
	n := 1
	for n < s.len() && s.descs[n].Off+s.descs[n].CapLen <= bytes {
		n++
	}
	end := s.descs[n-1].Off + s.descs[n-1].CapLen
	return &benchSet{
		name: "small", about: fmt.Sprintf("%d packets, %d KiB", n, end>>10),
		buf: s.buf[:end:end], descs: s.descs[:n:n],
	}
}

// shuffled are the packets in so many orders, always the same.
func (s *benchSet) shuffled(orders int) *benchSet {
	r := rand.New(rand.NewPCG(1, 2))
	shuf := &benchSet{name: "shuf", about: fmt.Sprintf("these in %d orders", orders), buf: s.buf}
	for range orders {
		at := len(shuf.descs)
		shuf.descs = append(shuf.descs, s.descs...)
		order := shuf.descs[at:]
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return shuf
}
