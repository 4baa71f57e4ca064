package ebpf_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
)

// newLink makes a link for the test, or skips it where that is impossible.
func newLink(t *testing.T) *veth.Link {
	t.Helper()
	l, err := veth.New(1500)
	if err != nil && (os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1" || !errors.Is(err, kernel.ErrUnavailable)) {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("skipped: no namespaces to send packets between: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// harmless makes a program of which no result is an action.
func harmless(p Program) Program {
	return append(p[:len(p)-1:len(p)-1], Or.Imm(R0, 1<<16), Return())
}

// pagedFrame is a frame of a type that nobody answers to, with some of its bytes in pages.
func pagedFrame(r *rand.Rand) veth.Frame {
	data := make([]byte, 14+r.IntN(100))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	data[0] = 2 // to one station
	binary.BigEndian.PutUint16(data[12:], 0x88b5)
	return veth.Frame{Data: data, Linear: 14 + r.IntN(len(data)-13), Mark: uint32(r.IntN(64))}
}

// pagedDatagram is a frame with one for the socket at the far end, which has its headers in one piece when it arrives.
func pagedDatagram(r *rand.Rand, l *veth.Link) veth.Frame {
	payload := make([]byte, r.IntN(80))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	data := l.UDP(payload)
	const headers = 14 + 20 + 8
	return veth.Frame{Data: data, Linear: headers + r.IntN(len(data)-headers+1)}
}

// Random programs find in packets that lie in pages what they find in the model of such: with every way to read them.
func TestPagedPacketsAgreeWithKernel(t *testing.T) {
	requireHooks(t)
	l := newLink(t)
	for _, at := range []veth.Place{veth.TCIngress, veth.TCEgress, veth.CgroupIngress} {
		t.Run(at.String(), func(t *testing.T) {
			runs, results := 0, map[uint32]bool{}
			for seed := uint64(0); runs < 400; seed++ {
				abi, link := TC, 0
				p := harmless(hookProgram(TC, seed, 6+int(seed%10)))
				if at == veth.CgroupIngress {
					abi, link = CGroupSKB, 14
					p = hookProgram(CGroupSKB, seed, 6+int(seed%10))
				}
				s, err := l.Put(p, at, kernel.LoadOptions{})
				var refused *kernel.VerifierError
				if errors.As(err, &refused) {
					continue
				}
				require.NoError(t, err)
				r := rand.New(rand.NewPCG(seed, 4))
				for range 8 {
					f := pagedFrame(r)
					if at == veth.CgroupIngress {
						f = pagedDatagram(r, l)
					}
					want, err := s.Try(f)
					require.NoError(t, err)
					got, err := Run(p, abi, hookPacket(s.View(f), f.Linear-link))
					require.NoError(t, err)
					require.Equal(t, want, uint32(got), "seed %d: kernel %#x, we %#x; %d bytes linear of %x\n%s", seed, want, got,
						f.Linear, f.Data, p)
					runs++
					results[want] = true
				}
				require.NoError(t, s.Close())
			}
			t.Logf("%d runs with %d results", runs, len(results))
			least := runs / 4
			if at == veth.CgroupIngress {
				least = 1 // of the two that there are
			}
			require.Greater(t, len(results), least)
		})
	}
}
