package difftest

import (
	"encoding/hex"
	"errors"
	"os"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// newVeth makes a link for the test, or says aloud why not.
func newVeth(t *testing.T) *veth.Link {
	requireKernel(t)
	l, err := veth.New(4000)
	switch {
	case err == nil:
	case errors.Is(err, kernel.ErrUnavailable) && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") != "1":
		t.Skipf("skipped: %v", err)
	default:
		t.Fatal(err)
	}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// atPlace is a classic program, and its translation at work on real packets.
type atPlace struct {
	*veth.Station
	t       *testing.T
	program cbpf.Program
	tells   func(uint32) uint32 // see Runner
}

// putAt translates a program for the place and puts it there.
func putAt(t *testing.T, l *veth.Link, at veth.Place, p cbpf.Program, how hook) *atPlace {
	r, err := translate.Translate(p, how.opts)
	require.NoError(t, err)
	s, err := l.Put(r.Program, at, kernel.LoadOptions{Type: how.kind, Licence: r.Licence})
	require.NoError(t, err)
	return &atPlace{s, t, p, how.tells()}
}

// verdicts are those of the reference and of the kernel.
func (s *atPlace) verdicts(f veth.Frame) (want, got uint32) {
	seen := s.View(f)
	want, err := cbpf.Run(s.program, &seen)
	require.NoError(s.t, err)
	if s.tells != nil {
		want = s.tells(want)
	}
	got, err = s.Try(f)
	require.NoError(s.t, err)
	return want, got
}

// agrees demands that they are the same.
func (s *atPlace) agrees(f veth.Frame) uint32 {
	want, got := s.verdicts(f)
	require.Equal(s.t, want, got, "%d bytes in one piece of %s", f.Linear, hex.EncodeToString(f.Data))
	return got
}

// framesToDissect are about so many frames of all kinds, with 0 to 2 tags.
func framesToDissect(most int) (frames [][]byte) {
	list := dissectable()
	step := max(1, len(list)/most)
	for i := 0; i < len(list); i += step {
		frames = append(frames, list[i].tagged(i/step%3))
	}
	return frames
}

// sample is how many frames are sent to each program.
func sample() int {
	if testing.Short() {
		return 50
	}
	return 300
}

// A packet socket finds the payload of real packets, whether they have lost a VLAN tag on the way, lie in pages, or both.
func TestSocketFindsPayOffOfRealPackets(t *testing.T) {
	s := putAt(t, newVeth(t), veth.Socket, extOnly(cbpf.ExtPayOff), socketHook(14))
	found := 0
	for _, data := range framesToDissect(sample()) {
		for _, linear := range []int{0, 14, 20, 34, 60} {
			if linear <= len(data) && s.agrees(veth.Frame{Data: data, Linear: linear}) > 14 {
				found++
			}
		}
	}
	require.Greater(t, found, 50)
	require.NoError(t, s.Close())
}

// socketHook is a packet socket, with the network header said to be somewhere.
func socketHook(netOff uint16) hook {
	return hook{opts: translate.Options{Target: translate.Socket, NetOff: netOff}, kind: kernel.SocketFilter}
}

// placesOfTargets are the places on the way of a packet, with what programs for them are translated for.
var placesOfTargets = []struct {
	at  veth.Place
	how hook
}{
	{veth.TCEgress, hook{opts: translate.Options{Target: translate.TC}, kind: kernel.TC}},
	{veth.TCIngress, hook{opts: translate.Options{Target: translate.TC}, kind: kernel.TC}},
	{veth.TCIngress, hook{opts: translate.Options{Target: translate.TC, NetOff: 18}, kind: kernel.TC}},
	{veth.CgroupIngress, hook{opts: translate.Options{Target: translate.CGroupSKB}, kind: kernel.CgroupIngress}},
	{veth.CgroupEgress, hook{opts: translate.Options{Target: translate.CGroupSKB}, kind: kernel.CgroupEgress}},
	{veth.XDPNative, hook{opts: translate.Options{Target: translate.XDP, Frags: true}, kind: kernel.XDPFrags}},
	{veth.XDPGeneric, hook{opts: translate.Options{Target: translate.XDP}, kind: kernel.XDP}},
}

// Programs at each hook find the payload of real packets, also where some of it lies in pages.
func TestHooksFindPayOffOfRealPackets(t *testing.T) {
	l := newVeth(t)
	for _, c := range placesOfTargets {
		t.Run(c.at.String(), func(t *testing.T) {
			frames := framesToDissect(sample() / 5)
			if c.how.opts.Target == translate.CGroupSKB {
				frames = [][]byte{l.UDP(make([]byte, 40)), l.UDP(make([]byte, 1000))}
			}
			for bit := range 8 {
				s := putAt(t, l, c.at, bitOf(cbpf.ExtPayOff, bit), c.how)
				for _, data := range frames {
					for _, linear := range []int{0, 14, 34, 42, 60} {
						if linear <= len(data) && (c.at != veth.CgroupEgress || linear == 0 || linear == 42) {
							s.agrees(veth.Frame{Data: data, Linear: linear})
						}
					}
				}
				require.NoError(t, s.Close())
			}
		})
	}
}

// Where the network header is not what it was said to be, the program finds it in packets without pages. Of others it drops
// those that show it that it was told wrong.
func TestSocketFindsNetworkHeader(t *testing.T) {
	l := newVeth(t)
	for _, wrong := range []uint16{0, 18, 200} {
		s := putAt(t, l, veth.Socket, extOnly(cbpf.ExtPayOff), socketHook(wrong))
		dropped := 0
		for _, data := range framesToDissect(sample() / 2) {
			if len(data) < 60 {
				continue
			}
			s.agrees(veth.Frame{Data: data})
			want, got := s.verdicts(veth.Frame{Data: data, Linear: 60})
			if len(data) > 60 && want != 0 && got == 0 {
				dropped++
				continue
			}
			require.Equal(t, want, got, "header said to be at %d, 60 bytes in one piece of %s", wrong, hex.EncodeToString(data))
		}
		require.Greater(t, dropped, 20)
		require.NoError(t, s.Close())
	}
}
