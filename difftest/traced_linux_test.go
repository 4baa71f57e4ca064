package difftest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// ofRunningKernel are options for programs that find a struct sk_buff of this kernel in their first argument.
func ofRunningKernel(t *testing.T, link translate.Link) translate.Options {
	layout, err := kernel.SkbLayout()
	require.NoError(t, err)
	return translate.Options{Target: translate.Trace, Link: link, Trace: translate.TraceOptions{Skb: layout}}
}

// tracepointExts are the properties that a station at the tracepoint tells.
var tracepointExts = []cbpf.Ext{
	cbpf.ExtProto, cbpf.ExtPktType, cbpf.ExtIfIndex, cbpf.ExtHaType, cbpf.ExtMark, cbpf.ExtXorX, cbpf.ExtVlanPresent, cbpf.ExtVlanTCI,
	cbpf.ExtVlanTPID, cbpf.ExtPayOff, cbpf.ExtNlattr,
}

// TestTraceOfRealPackets runs programs at a tracepoint of the network stack, on packets between two namespaces. The whole
// verdict must be that of the reference on the linear part.
func TestTraceOfRealPackets(t *testing.T) {
	l := newVeth(t)
	programs := 40
	if testing.Short() {
		programs = 10
	}
	frames := craftedFrames(0)
	kept := 0
	for seed := range uint64(programs) {
		r := rand.New(rand.NewPCG(seed, 11))
		p := GenProgram(r, GenOptions{MaxLen: 40, Windows: true, Exts: tracepointExts})
		opts := ofRunningKernel(t, []translate.Link{translate.LinkEthernet, translate.LinkIP}[seed%2])
		opts.Optimize = []int{0, 2}[seed/4%2]
		at := []veth.Place{veth.Tracepoint, veth.RawTracepoint}[seed/2%2]
		s := putAt(t, l, at, p, hook{opts: opts, kind: at.Type()})
		for _, data := range frames {
			f := veth.Frame{Data: data, Linear: []int{0, 14, 34, 20}[r.IntN(4)]}
			want := tracedVerdict(t, p, s.View(f), f.Linear, opts)
			got, err := s.Try(f)
			require.NoError(t, err)
			require.Equal(t, want, got, "seed %d, %d bytes in one piece of %s\n%s", seed, f.Linear, hex.EncodeToString(data), listing(p))
			if want != 0 {
				kept++
			}
		}
		require.NoError(t, s.Close())
	}
	require.Greater(t, kept, programs)
}

// craftedFrames are one in twelve of the crafted packets that can be sent, from the first on.
func craftedFrames(first int) (frames [][]byte) {
	for i, packet := range Crafted() {
		if packet.Link == LinkEthernet && len(packet.Data) >= 34 && len(packet.Data) < 3000 && i%12 == first {
			frames = append(frames, packet.Data)
		}
	}
	return frames
}

// tracedVerdict is that of the reference on a packet of which the first bytes, linear in number, are in one piece; 0: all.
func tracedVerdict(t *testing.T, p cbpf.Program, seen cbpf.Packet, linear int, opts translate.Options) uint32 {
	if linear > 0 {
		seen.Data = seen.Data[:linear]
	}
	seen = tracedView(opts)(&seen)
	verdict, err := cbpf.Run(p, &seen)
	require.NoError(t, err)
	return verdict
}

// TestFentryOfRealPackets counts packets where the network stack receives IPv4, by a filter for what is in them.
func TestFentryOfRealPackets(t *testing.T) {
	l := newVeth(t)
	const mark = 0x7e57c0de
	for name, c := range map[string]struct {
		link translate.Link
		off  uint32
	}{"l2": {translate.LinkEthernet, 14}, "l3": {translate.LinkIP, 0}} {
		p := cbpf.Program{ // udp[8:4] = mark, and in A what it is compared with, while X is loaded
			{Op: cbpf.OpLdImm, K: mark}, {Op: 0x02, K: 1}, {Op: cbpf.OpLdxMSH, K: c.off}, {Op: cbpf.OpLdAbsB, K: c.off + 9},
			{Op: cbpf.OpJeqK, K: 17, Jf: 4}, {Op: 0x40, K: c.off + 8}, {Op: 0x61, K: 1}, {Op: 0x1d, Jf: 1}, {Op: cbpf.OpRetK, K: 1}, {Op: cbpf.OpRetK},
		}
		require.NoError(t, cbpf.Validate(p))
		r, err := translate.Translate(p, ofRunningKernel(t, c.link))
		require.NoError(t, err)
		f, err := kernel.Load(r.Program, kernel.LoadOptions{Type: kernel.Fentry, AttachTo: "ip_rcv", Licence: r.Licence, Count: true})
		if errors.Is(err, kernel.ErrUnavailable) { // not every kernel lets its functions be patched
			require.ErrorContains(t, err, "leave to patch kernel functions")
			return
		}
		require.NoError(t, err)
		at, err := f.Attach(kernel.Hook{Kind: kernel.HookFentry, Where: "ip_rcv"})
		require.NoError(t, err)
		ferry := putAt(t, l, veth.Tracepoint, cbpf.Program{{Op: cbpf.OpRetK}}, hook{opts: ofRunningKernel(t, c.link), kind: kernel.Tracepoint})
		payload := make([]byte, 60)
		for i := range 20 {
			binary.BigEndian.PutUint32(payload, mark+uint32(i%2))
			_, err := ferry.Try(veth.Frame{Data: l.UDP(payload)})
			require.NoError(t, err)
		}
		require.NoError(t, ferry.Close())
		counts, err := f.Counts()
		require.NoError(t, err)
		require.EqualValues(t, 10, counts.Ends[1], "%s: %+v", name, counts)
		require.GreaterOrEqual(t, counts.Runs, uint64(20))
		require.NoError(t, at.Close())
		require.NoError(t, f.Close())
	}
}
