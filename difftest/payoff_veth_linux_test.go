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

// putAt translates a program for the place and puts it there.
func putAt(t *testing.T, l *veth.Link, at veth.Place, p cbpf.Program, opts translate.Options) *veth.Station {
	r, err := translate.Translate(p, opts)
	require.NoError(t, err)
	s, err := l.Put(r.Program, at, kernel.LoadOptions{Licence: r.Licence})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
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
	l := newVeth(t)
	p := extOnly(cbpf.ExtPayOff)
	s := putAt(t, l, veth.Socket, p, translate.Options{Target: translate.Socket, NetOff: 14})
	found := 0
	for _, data := range framesToDissect(sample()) {
		for _, linear := range []int{0, 14, 20, 34, 60} {
			if linear > len(data) {
				continue
			}
			f := veth.Frame{Data: data, Linear: linear}
			seen := s.View(f)
			want, err := cbpf.Run(p, &seen)
			require.NoError(t, err)
			got, err := s.Try(f)
			require.NoError(t, err)
			require.Equal(t, want, got, "%d bytes in one piece of %s", linear, hex.EncodeToString(data))
			if want > 14 {
				found++
			}
		}
	}
	require.Greater(t, found, 50)
}

// placesOfTargets are the places on the way of a packet, with what programs for them are translated for.
var placesOfTargets = []struct {
	at   veth.Place
	opts translate.Options
	kind kernel.Type
}{
	{veth.TCEgress, translate.Options{Target: translate.TC}, kernel.TC},
	{veth.TCIngress, translate.Options{Target: translate.TC}, kernel.TC},
	{veth.TCIngress, translate.Options{Target: translate.TC, NetOff: 18}, kernel.TC},
	{veth.CgroupIngress, translate.Options{Target: translate.CGroupSKB}, kernel.CgroupIngress},
	{veth.CgroupEgress, translate.Options{Target: translate.CGroupSKB}, kernel.CgroupEgress},
	{veth.XDPNative, translate.Options{Target: translate.XDP, Frags: true}, kernel.XDPFrags},
	{veth.XDPGeneric, translate.Options{Target: translate.XDP}, kernel.XDP},
}

// Programs at each hook find the payload of real packets, also where some of it lies in pages.
func TestHooksFindPayOffOfRealPackets(t *testing.T) {
	l := newVeth(t)
	for _, c := range placesOfTargets {
		t.Run(c.at.String(), func(t *testing.T) {
			frames := framesToDissect(sample() / 5)
			if c.opts.Target == translate.CGroupSKB {
				frames = [][]byte{l.UDP(make([]byte, 40)), l.UDP(make([]byte, 1000))}
			}
			h := hook{opts: c.opts, kind: c.kind}
			for bit := range 8 {
				p := bitOf(cbpf.ExtPayOff, bit)
				tells := h.tells()
				r, err := translate.Translate(p, c.opts)
				require.NoError(t, err)
				s, err := l.Put(r.Program, c.at, kernel.LoadOptions{Type: c.kind, Licence: r.Licence})
				require.NoError(t, err)
				for _, data := range frames {
					for _, linear := range []int{0, 14, 34, 42, 60} {
						if linear > len(data) || c.at == veth.CgroupEgress && linear != 0 && linear != 42 {
							continue
						}
						f := veth.Frame{Data: data, Linear: linear}
						seen := s.View(f)
						want, err := cbpf.Run(p, &seen)
						require.NoError(t, err)
						if tells != nil {
							want = tells(want)
						}
						got, err := s.Try(f)
						require.NoError(t, err)
						require.Equal(t, want, got, "bit %d, %d bytes in one piece of %s", bit, linear, hex.EncodeToString(data))
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
	p := extOnly(cbpf.ExtPayOff)
	for _, wrong := range []uint16{0, 18, 200} {
		s := putAt(t, l, veth.Socket, p, translate.Options{Target: translate.Socket, NetOff: wrong})
		dropped := 0
		for _, data := range framesToDissect(sample() / 2) {
			for _, linear := range []int{0, 60} {
				if len(data) < 60 {
					continue
				}
				f := veth.Frame{Data: data, Linear: linear}
				seen := s.View(f)
				want, err := cbpf.Run(p, &seen)
				require.NoError(t, err)
				got, err := s.Try(f)
				require.NoError(t, err)
				if paged := linear != 0 && linear < len(data); paged && want != 0 && got == 0 {
					dropped++
					continue
				}
				require.Equal(t, want, got, "header said to be at %d, %d bytes in one piece of %s", wrong, linear, hex.EncodeToString(data))
			}
		}
		require.Greater(t, dropped, 20)
	}
}
