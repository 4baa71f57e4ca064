package difftest

import (
	"runtime"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// judged are the targets whose programs the kernel runs, with what they are loaded as, and the places at which real packets
// come by.
var judged = map[translate.Target]struct {
	hook   hook
	places []veth.Place
}{
	translate.Socket:    {hook{opts: translate.Options{Target: translate.Socket}, kind: kernel.SocketFilter}, []veth.Place{veth.Socket}},
	translate.TC:        {hook{opts: translate.Options{Target: translate.TC, HaType: haEthernet}, kind: kernel.TC}, []veth.Place{veth.TCIngress, veth.TCEgress}},
	translate.CGroupSKB: {hook{opts: translate.Options{Target: translate.CGroupSKB}, kind: kernel.CgroupIngress}, []veth.Place{veth.CgroupIngress, veth.CgroupEgress}},
	translate.XDP:       {hook{opts: translate.Options{Target: translate.XDP, HaType: haEthernet, Tags: true}, kind: kernel.XDP}, []veth.Place{veth.XDPNative, veth.XDPGeneric}},
}

// asked is what stands in front of an extension, for A and X, and then the extension: attributes begin at the offset from, and
// the byte there is another one in each packet.
func asked(e cbpf.Ext, from uint32) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdxImm, K: 3}, {Op: cbpf.OpLdImm, K: from}, extOnly(e)[0]}
	if e == cbpf.ExtXorX {
		p[1] = bpf.RawInstruction{Op: cbpf.OpLdAbsB, K: from}
	}
	return p
}

// isIt is a program that matches if the extension has a value.
func isIt(e cbpf.Ext, from, value uint32) cbpf.Program {
	return append(asked(e, from), bpf.RawInstruction{Op: cbpf.OpJeqK, K: value, Jf: 1}, bpf.RawInstruction{Op: cbpf.OpRetK, K: 1},
		bpf.RawInstruction{Op: cbpf.OpRetK})
}

// attrsAt is where the packets that the tests make have attributes, behind Ethernet, IPv4 and UDP; attrsIP where they have
// them at hooks whose packets begin with the network header.
const (
	attrsAt = 42
	attrsIP = attrsAt - etherLen
)

// attrsOf is a list of attributes: of the type that is looked for, one inside the first and one behind it.
func attrsOf(first byte) []byte {
	return append(attr(1, attr(3, []byte{first}, 0), 0), attr(3, nil, 0)...)
}

// heard gathers what the kernel and the reference say of an extension on a target.
type heard struct {
	t      *testing.T
	ext    cbpf.Ext
	from   uint32
	values map[uint32]bool
}

// equal demands that a program which looks for the value of the reference matches, and one that looks for another does not.
func (h *heard) equal(seen *cbpf.Packet, tells func(uint32) uint32, run func(p cbpf.Program) uint32) {
	want, err := cbpf.Run(append(asked(h.ext, h.from), bpf.RawInstruction{Op: cbpf.OpRetA}), seen)
	require.NoError(h.t, err)
	for _, other := range []uint32{0, 1} {
		verdict := run(isIt(h.ext, h.from, want^other))
		expected := uint32(1)
		if other != 0 {
			expected = 0
		}
		if tells != nil {
			expected = tells(expected)
		}
		require.Equal(h.t, expected, verdict, "%s is %#x to the reference; asked for %#x, packet %x", h.ext, want, want^other, seen.Data)
	}
	h.values[want] = true
}

// proves demands that what was heard is what the document claims.
func (h *heard) proves(claim kernelSays) {
	if claim == equalOnce {
		require.Len(h.t, h.values, 1, "the document says that there is one value")
		return
	}
	require.Greater(h.t, len(h.values), 1, "the document does not say that there is one value only")
}

// propertied are packets that differ in what extensions tell.
func propertied() (list []cbpf.Packet) {
	for i, layers := range [][]layer{
		{onIP4, ip4{proto: protoUDP}, udp{1, 2}, blob(attrsOf(7)), padding(30)},
		{ether{mac{1, 0, 0x5e, 5: 1}, etherIPv6}, ip6{next: protoTCP}, synTo, padding(30)},
		{ether{mac{2, 5: 9}, etherVLAN}, tag(0x123, etherIPv4), ip4{proto: protoUDP}, udp{1, 2}, padding(30)},
		{ether{proto: etherQinQ}, tag(0x6007, etherVLAN), tag(5, etherARP), padding(60)},
	} {
		data := frame(layers...)
		pkt := cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: MetaFor(LinkEthernet, data)}
		pkt.Meta.Mark, pkt.Meta.PktType = uint32(i)*0x1000001, []uint8{0, 2, 3, 0}[i]
		list = append(list, pkt)
	}
	return list
}

// inTestRuns asks the kernel about packets that it is handed.
func (h *heard) inTestRuns(at hook) {
	cut := at.level3() || at.kind == kernel.SocketFilter // packets begin with their network header there
	if h.from = attrsAt; cut {
		h.from = attrsIP
	}
	prepare := prepareKernelHook(func(LinkType) hook { return at })
	if at.kind == kernel.SocketFilter {
		prepare = prepareKernelExtended(at.opts)
	}
	for _, pkt := range propertied() {
		if cut {
			pkt.Data = pkt.Data[etherLen:]
		}
		r, err := prepare(isIt(h.ext, h.from, 0), LinkEthernet)
		require.NoError(h.t, err)
		seen := r.Sees(&pkt)
		require.NoError(h.t, r.Close())
		h.equal(&seen, r.Tells, func(p cbpf.Program) uint32 {
			r, err := prepare(p, LinkEthernet)
			require.NoError(h.t, err)
			verdict, err := r.Verdict(&pkt)
			require.NoError(h.t, err)
			require.NoError(h.t, r.Close())
			return verdict
		})
	}
}

// onRealPackets asks about packets that come by.
func (h *heard) onRealPackets(l *veth.Link, at veth.Place, how hook) {
	if h.from = attrsAt; how.level3() {
		h.from = attrsIP
	}
	how = how.forProgram(asked(h.ext, h.from))
	opts := kernel.LoadOptions{Type: at.Type()}
	if how.kind = at.Type(); at == veth.XDPNative {
		how.opts.Frags, opts.Type = true, kernel.XDPFrags
	}
	frames := []veth.Frame{{Data: l.UDP(attrsOf(7)), Mark: 77}, {Data: l.UDP(padding(40)), Mark: 78}}
	if how.opts.Target != translate.CGroupSKB {
		for _, pkt := range propertied() {
			frames = append(frames, veth.Frame{Data: pkt.Data, Mark: pkt.Meta.Mark})
		}
	}
	for _, f := range frames {
		var s *veth.Station
		put := func(p cbpf.Program) {
			r, err := translate.Translate(p, how.opts)
			require.NoError(h.t, err)
			s, err = l.Put(r.Program, at, opts)
			require.NoError(h.t, err)
		}
		put(isIt(h.ext, h.from, 0))
		seen := s.View(f)
		require.NoError(h.t, s.Close())
		if how.opts.Target == translate.XDP && how.opts.Tags {
			seen.Meta = untagged(seen.Meta, seen.Data)
		}
		h.equal(&seen, how.tells(), func(p cbpf.Program) uint32 {
			put(p)
			verdict, err := s.Try(f)
			require.NoError(h.t, err)
			require.NoError(h.t, s.Close())
			return verdict
		})
	}
}

// onEachCPU asks about the number of the processor, pinned to one after the other.
func (h *heard) onEachCPU(at hook) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	require.NoError(h.t, unix.SchedGetaffinity(0, &all))
	defer func() { require.NoError(h.t, unix.SchedSetaffinity(0, &all)) }()
	tells := at.tells()
	for cpu := range 1024 {
		if !all.IsSet(cpu) {
			continue
		}
		var one unix.CPUSet
		one.Set(cpu)
		require.NoError(h.t, unix.SchedSetaffinity(0, &one))
		pkt := propertied()[0]
		pkt.Meta.CPU = uint32(cpu)
		h.equal(&pkt, tells, func(p cbpf.Program) uint32 { return runOnce(h.t, p, at, &pkt) })
	}
	if all.Count() == 1 {
		h.values[^uint32(0)] = true // there is no other processor to ask
	}
}

// runOnce translates a program for the hook and has the kernel run it.
func runOnce(t *testing.T, p cbpf.Program, at hook, pkt *cbpf.Packet) uint32 {
	f := loadFor(t, p, at)
	verdict, err := f.RunPacket(pkt)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return verdict
}

func loadFor(t *testing.T, p cbpf.Program, at hook) *kernel.Filter {
	r, err := translate.Translate(p, at.opts)
	require.NoError(t, err)
	f, err := kernel.Load(r.Program, kernel.LoadOptions{Type: at.kind})
	require.NoError(t, err)
	return f
}

// requireOwnNumbers demands that random bits are now these, now those.
func requireOwnNumbers(t *testing.T, at hook) {
	f := loadFor(t, bitOf(cbpf.ExtRandom, 17), at)
	pkt, values := propertied()[0], map[uint32]int{}
	for range 200 {
		v, err := f.RunPacket(&pkt)
		require.NoError(t, err)
		values[v]++
	}
	require.NoError(t, f.Close())
	require.Len(t, values, 2)
	for _, n := range values {
		require.Greater(t, n, 30)
	}
}

// TestKernelExtensions proves what docs/extensions.md says of the kernel.
func TestKernelExtensions(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: thousands of programs, to be attached one by one")
	}
	l := newVeth(t)
	for _, target := range packetTargets() {
		for _, info := range cbpf.Exts {
			claim := witnessOf(target, info.Ext)
			if claim == noWitness {
				continue
			}
			t.Run(target.String()+"/"+info.Name, func(t *testing.T) {
				how, ok := judged[target]
				require.True(t, ok, "nobody knows how to ask the kernel")
				h := &heard{t, info.Ext, attrsAt, map[uint32]bool{}}
				switch info.Ext {
				case cbpf.ExtRandom:
					requireOwnNumbers(t, how.hook)
					return
				case cbpf.ExtCPU:
					h.onEachCPU(how.hook)
				default:
					h.inTestRuns(how.hook)
					for _, at := range how.places {
						h.onRealPackets(l, at, how.hook)
					}
				}
				h.proves(claim)
			})
		}
	}
}
