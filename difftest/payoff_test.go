package difftest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// extOnly is a program that returns the value of an extension.
func extOnly(e cbpf.Ext) cbpf.Program {
	return cbpf.Program{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff + uint32(e)}, {Op: cbpf.OpRetA}}
}

// received is a packet of link type Ethernet, with and without its outermost VLAN tag taken out of the bytes.
func received(data []byte) []cbpf.Packet {
	pkt := cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: MetaFor(LinkEthernet, data)}
	if pkt.Meta.Protocol != etherVLAN || len(data) < 18 {
		return []cbpf.Packet{pkt}
	}
	bare := pkt
	bare.Data = append(bytes.Clone(data[:12]), data[16:]...)
	bare.WireLen = uint32(len(bare.Data))
	bare.Meta = MetaFor(LinkEthernet, bare.Data)
	bare.Meta.VlanPresent, bare.Meta.VlanTPID, bare.Meta.VlanTCI = true, etherVLAN, 0x123
	return []cbpf.Packet{pkt, bare}
}

// tally counts what engines said to one program.
type tally struct {
	*judge
	t      testing.TB
	agreed map[string]int
	values map[uint32]bool
}

func newTally(t testing.TB, p cbpf.Program, names ...string) *tally {
	engines, err := EnginesByName(names)
	require.NoError(t, err)
	return tallyOf(t, p, engines)
}

func tallyOf(t testing.TB, p cbpf.Program, engines []Engine) *tally {
	j := newJudge(p, engines, LinkEthernet)
	t.Cleanup(j.close)
	return &tally{j, t, map[string]int{}, map[uint32]bool{}}
}

// try lets all engines judge the packet.
func (c *tally) try(name string, pkt *cbpf.Packet) {
	outcomes := c.run(pkt)
	for _, o := range outcomes {
		if o.Agreement == Agrees {
			c.agreed[o.Engine]++
			c.values[o.Want] = true
		}
	}
	require.False(c.t, differs(outcomes), "%s\n%+v\n%s", name, outcomes, hex.EncodeToString(pkt.Data))
}

// done fails where an engine gave fewer verdicts than that, or there were fewer different ones.
func (c *tally) done(verdicts, values int) {
	c.t.Log(c.agreed, len(c.values), "values")
	for _, e := range c.engines {
		require.GreaterOrEqual(c.t, c.agreed[e.Name], verdicts, e.Name)
	}
	require.GreaterOrEqual(c.t, len(c.values), values)
}

var withoutKernel = []string{"interp", "interp-O2", "interp-socket", "interp-socket-O2", "jit", "jit-O2"}

// The payload is found where the reference finds it, whatever headers come in whatever pass of the dissector, and whether the
// packet holds them or not.
func TestPayOffOfEveryHeader(t *testing.T) {
	t.Parallel()
	c := newTally(t, extOnly(cbpf.ExtPayOff), withoutKernel...)
	for i, d := range dissectable() {
		for tags := range 19 {
			for _, pkt := range received(d.tagged(tags)) {
				c.try(fmt.Sprintf("%s behind %d tags", d.name, tags), &pkt)
			}
		}
		whole := d.tagged(i % 2)
		for n := range min(len(whole), 160) {
			for _, pkt := range received(whole[:n]) {
				c.try(fmt.Sprintf("%d bytes of %s", n, d.name), &pkt)
			}
		}
	}
	c.done(250_000, 150)
}

func TestKernelFindsPayOffOfEveryHeader(t *testing.T) {
	requireKernel(t)
	c := newTally(t, extOnly(cbpf.ExtPayOff), "kernel-ebpf")
	for i, d := range dissectable() {
		// A test-run begins behind the Ethernet header.
		run := func(tags, n int) {
			pkt := received(d.tagged(tags))[0]
			pkt.Data = pkt.Data[14:]
			pkt.Data = pkt.Data[:min(n, len(pkt.Data))]
			c.try(fmt.Sprintf("%d bytes of %s behind %d tags", n, d.name, tags), &pkt)
		}
		for tags := i % 3; tags < 19; tags += 3 {
			run(tags, 1<<16)
		}
		for n := range min(len(d.body), 120) {
			run(i%2, n)
		}
	}
	c.done(100_000, 140)
}

// bitOf is a program whose verdict is one bit of the value of an extension: what programs can tell that return actions.
func bitOf(e cbpf.Ext, bit int) cbpf.Program {
	return append(extOnly(e)[:1:1], bpf.RawInstruction{Op: cbpf.OpAndK, K: 1 << bit}, bpf.RawInstruction{Op: cbpf.OpRetA})
}

// eachBit runs programs that tell all bits of an extension at a hook, over packets that try hands to what it is given.
func eachBit(t *testing.T, v variant, prepare func(func(LinkType) hook) func(cbpf.Program, LinkType) (*Runner, error), names map[translate.Target]string, e cbpf.Ext, try func(c *tally)) {
	engines := []Engine{{Reference, prepareClassic}, v.engine(prepare, names)}
	for bit := range 11 {
		c := tallyOf(t, bitOf(e, bit), engines)
		try(c)
		c.done(100, 1)
	}
}

// At every hook, in one piece and in two, packets beginning with the link layer or the network header.
func TestHooksFindPayOffOfEveryHeader(t *testing.T) {
	list := dissectable()
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			eachBit(t, v, prepareHook, interpNames, cbpf.ExtPayOff, func(c *tally) {
				for i, d := range list {
					whole := d.tagged(i % 18)
					for _, n := range []int{len(whole), i % (len(whole) + 1), 14 + i%60} {
						pkt := received(whole[:min(n, len(whole))])[0]
						c.try(d.name, &pkt)
					}
				}
			})
		})
	}
}

func TestKernelHooksFindPayOffOfEveryHeader(t *testing.T) {
	requireKernel(t)
	list := dissectable()
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			eachBit(t, v, prepareKernelHook, kernelNames, cbpf.ExtPayOff, func(c *tally) {
				for i, d := range list {
					whole := d.tagged(i % 18)
					for _, n := range []int{len(whole), 14 + i%60} {
						pkt := received(whole[:min(n, len(whole))])[0]
						c.try(d.name, &pkt)
					}
				}
			})
		})
	}
}

// Bytes of packets are changed where they decide.
func TestPayOffOfChangedPackets(t *testing.T) {
	t.Parallel()
	c := newTally(t, extOnly(cbpf.ExtPayOff), withoutKernel...)
	changedPackets(c, 100_000)
	c.done(100_000, 130)
}

func TestKernelFindsPayOffOfChangedPackets(t *testing.T) {
	requireKernel(t)
	c := newTally(t, extOnly(cbpf.ExtPayOff), "kernel-ebpf")
	changedPackets(c, 20_000)
	c.done(20_000, 80)
}

// changedPackets makes packets out of dissectable ones.
func changedPackets(c *tally, n int) {
	r := rand.New(rand.NewPCG(11, 12))
	list := dissectable()
	likely := []byte{0, 1, 4, 6, 8, 17, 0x20, 0x21, 41, 43, 44, 0x45, 47, 58, 60, 0x81, 0x86, 0x88, 132, 136, 137, 0xdd, 0xff}
	for range n {
		data := list[r.IntN(len(list))].tagged(r.IntN(17))
		for range 1 + r.IntN(4) {
			at := 12 + r.IntN(min(len(data), 200)-12)
			data[at] = likely[r.IntN(len(likely))]
		}
		if r.IntN(4) == 0 {
			data = data[:14+r.IntN(len(data)-13)]
		}
		pkt := cbpf.Packet{Data: data, WireLen: genWireLen(r, len(data)), Meta: genMeta(r, data)}
		if r.IntN(8) == 0 {
			pkt.Meta.VlanTPID = list[r.IntN(len(list))].proto
		}
		c.try("changed", &pkt)
	}
}

// Both sides of the kernel's comparison with the length are cut to 16 bits.
func TestPayOffHas16Bits(t *testing.T) {
	c := newTally(t, extOnly(cbpf.ExtPayOff), withoutKernel...)
	long := frame(onIP4, ip4{proto: protoESP}, padding(1<<17))
	for _, n := range []int{1<<16 - 1, 1 << 16, 1<<16 + 8, 1<<16 + 33, 1<<16 + 34, 1<<16 + 60, 1 << 17} {
		pkt := received(long[:n])[0]
		c.try(fmt.Sprintf("%d bytes", n), &pkt)
	}
	c.done(7, 3)
}

// The network header may be so far behind that the offset of the payload is cut to 16 bits.
func TestPayOffOfFarHeaders(t *testing.T) {
	p := extOnly(cbpf.ExtPayOff)
	inner := frame(ip4{proto: protoUDP}, udp{1, 2}, padding(80))
	for _, netOff := range []int{1<<16 - 30, 1<<16 - 20, 1<<16 - 1} {
		data := append(make([]byte, netOff), inner...)
		pkt := &cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: cbpf.Meta{NetOff: netOff, Protocol: etherIPv4}}
		want, err := cbpf.Run(p, pkt)
		require.NoError(t, err)
		for _, target := range []translate.Target{translate.User, translate.Socket} {
			r, err := translate.Translate(p, translate.Options{Target: target, NetOff: uint16(netOff)})
			require.NoError(t, err)
			got, err := ebpf.Run(r.Program, target.ABI(), (&converter{}).packet(pkt))
			require.NoError(t, err)
			require.EqualValues(t, want, got, "%s, header at %d", target, netOff)
		}
	}
}

// A program may ask for the payload in many places. One calculation serves all.
func TestPayOffInManyPlaces(t *testing.T) {
	ld := func(e cbpf.Ext) bpf.RawInstruction { return extOnly(e)[0] }
	p := cbpf.Program{
		{Op: cbpf.OpLdImm, K: 1000}, {Op: 0x07}, // X = 1000
		{Op: cbpf.OpLdAbsH, K: 12},
		{Op: cbpf.OpJeqK, K: etherIPv4, Jt: 0, Jf: 4},
		ld(cbpf.ExtPayOff), {Op: 0x0c}, {Op: 0x02, K: 3}, {Op: cbpf.OpJa, K: 2}, // M[3] = poff + X
		ld(cbpf.ExtPayOff), {Op: 0x02, K: 3}, // M[3] = poff
		{Op: cbpf.OpLdAbsB, K: 20}, {Op: 0x07},
		ld(cbpf.ExtPayOff), {Op: 0xac}, {Op: 0x61, K: 3}, {Op: 0x0c}, {Op: cbpf.OpRetA}, // (poff ^ ldb[20]) + M[3]
	}
	require.NoError(t, cbpf.Validate(p))
	c := newTally(t, p, withoutKernel...)
	for _, packet := range Crafted() {
		if packet.Link == LinkEthernet {
			c.try(packet.Name, &packet.Packet)
		}
	}
	c.done(200, 20)
}

// FuzzSearches holds the extensions that look through the packet against the reference, on whatever packet: the payload, and
// the attribute of any type from any offset on.
func FuzzSearches(f *testing.F) {
	engines, err := EnginesByName(withoutKernel)
	require.NoError(f, err)
	r := rand.New(rand.NewPCG(31, 32))
	for i, d := range dissectable() {
		if i%20 == 0 {
			f.Add(d.tagged(i%4), d.proto, uint16(0), uint32(14), uint32(1))
		}
	}
	for range 10 {
		f.Add(genAttrs(r, 2), uint16(0), uint16(etherVLAN), r.Uint32N(16), r.Uint32N(4))
	}
	judges := map[cbpf.Ext]*judge{
		cbpf.ExtPayOff:     newJudge(extOnly(cbpf.ExtPayOff), engines, LinkEthernet),
		cbpf.ExtNlattr:     newJudge(search(cbpf.ExtNlattr), engines, LinkEthernet),
		cbpf.ExtNlattrNest: newJudge(search(cbpf.ExtNlattrNest), engines, LinkEthernet),
	}
	for _, j := range judges {
		f.Cleanup(j.close)
	}
	f.Fuzz(func(t *testing.T, data []byte, protocol, tag uint16, from, kind uint32) {
		pkt := cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: MetaFor(LinkEthernet, data)}
		pkt.Meta.Protocol, pkt.Meta.VlanTPID, pkt.Meta.VlanPresent = protocol, tag, tag != 0
		for e, j := range judges {
			seen := &pkt
			if e != cbpf.ExtPayOff {
				seen = searched(from, kind, data)
			}
			outcomes := j.run(seen)
			require.False(t, differs(outcomes), "%s: %+v\n%s", e, outcomes, hex.EncodeToString(seen.Data))
		}
	})
}
