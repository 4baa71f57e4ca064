package csource

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// packet reads a struct cbpf_packet, which has all that a filter can ask for.
type packet struct{}

func newPacket(Options, *hook) source { return packet{} }

func (packet) param() string { return "const struct cbpf_packet *pkt" }

func (packet) locals() [][2]string { return [][2]string{{"data", "pkt->data"}} }

func (packet) head() string { return headPacket }

func (packet) fixed(w *writer, size int, k uint32) (string, error) {
	if k >= cbpf.LLOff {
		w.use("pkt", "p", "cbpf_find")
		w.printf("p = cbpf_find(pkt, %#x, %d);", k, size)
		w.unless("p")
		return w.there(size), nil
	}
	if end := k + uint32(size); end > w.held {
		w.use("pkt")
		w.printf("if (pkt->caplen < %s)\n\t\treturn 0;", literal(end, false))
	}
	return w.at("data", size, k), nil
}

func (packet) indexed(w *writer, size int, k uint32) string {
	w.use("pkt", "p", "cbpf_find")
	w.printf("p = cbpf_find(pkt, %s, %d);", sum(k), size)
	w.unless("p")
	return w.there(size)
}

func (packet) length(w *writer) string {
	w.use("pkt")
	return "pkt->len"
}

// packetValues are the extensions, as expressions.
var packetValues = map[cbpf.Ext]string{
	cbpf.ExtProto:       "pkt->protocol",
	cbpf.ExtPktType:     "pkt->pkt_type & 7",
	cbpf.ExtIfIndex:     "pkt->ifindex",
	cbpf.ExtNlattr:      "cbpf_nla(pkt, a, x)",
	cbpf.ExtNlattrNest:  "cbpf_nlan(pkt, a, x)",
	cbpf.ExtMark:        "pkt->mark",
	cbpf.ExtQueue:       "pkt->queue",
	cbpf.ExtHaType:      "pkt->hatype",
	cbpf.ExtRxHash:      "pkt->rxhash",
	cbpf.ExtCPU:         "pkt->cpu",
	cbpf.ExtVlanTCI:     "pkt->vlan_tci",
	cbpf.ExtVlanPresent: "pkt->vlan_present",
	cbpf.ExtPayOff:      "pkt->poff(pkt)",
	cbpf.ExtRandom:      "pkt->random(pkt)",
	cbpf.ExtVlanTPID:    "pkt->vlan_tpid",
}

func (packet) extension(w *writer, e cbpf.Ext) (string, bool) {
	w.use("pkt")
	switch e {
	case cbpf.ExtIfIndex, cbpf.ExtHaType:
		w.printf("if (!pkt->has_dev)\n\t\treturn a;")
	case cbpf.ExtNlattr:
		w.use("cbpf_nla")
	case cbpf.ExtNlattrNest:
		w.use("cbpf_nlan")
	}
	value, ok := packetValues[e]
	return value, ok
}

// lacks is asked for no extension: a packet has them all.
func (packet) lacks(e cbpf.Ext) (why, instead string) {
	return fmt.Sprintf("there is no extension %d", e), "take another number"
}
