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

// Random programs find in packets that lie in pages what they find in the model of such: with every way to read them.
func TestPagedPacketsAgreeWithKernel(t *testing.T) {
	requireHooks(t)
	l := newLink(t)
	for _, at := range []veth.Place{veth.TCIngress, veth.TCEgress} {
		t.Run(at.String(), func(t *testing.T) {
			runs, results := 0, map[uint32]bool{}
			for seed := uint64(0); runs < 400; seed++ {
				p := harmless(hookProgram(TC, seed, 6+int(seed%10)))
				s, err := l.Put(p, at, kernel.LoadOptions{})
				var refused *kernel.VerifierError
				if errors.As(err, &refused) {
					continue
				}
				require.NoError(t, err)
				r := rand.New(rand.NewPCG(seed, 4))
				for range 8 {
					f := pagedFrame(r)
					want, err := s.Try(f)
					require.NoError(t, err)
					got, err := Run(p, TC, hookPacket(s.View(f), f.Linear))
					require.NoError(t, err)
					require.Equal(t, want, uint32(got), "seed %d: kernel %#x, we %#x; %d bytes linear of %x\n%s", seed, want, got,
						f.Linear, f.Data, p)
					runs++
					results[want] = true
				}
				require.NoError(t, s.Close())
			}
			t.Logf("%d runs with %d results", runs, len(results))
			require.Greater(t, len(results), runs/4)
		})
	}
}
