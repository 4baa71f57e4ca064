package difftest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// diamonds asks n questions of the packet, one bit of the answers each in X, or in M[1], so that there are 2^n paths with a
// different constant at the end of each.
func diamonds(n int, scratch bool) cbpf.Program {
	keep, fetch := bpf.RawInstruction{Op: 0x07}, bpf.RawInstruction{Op: 0x87}
	if scratch {
		keep, fetch = bpf.RawInstruction{Op: 0x02, K: 1}, bpf.RawInstruction{Op: 0x60, K: 1}
	}
	p := cbpf.Program{{Op: cbpf.OpLdImm}, keep}
	for i := range n {
		p = append(p,
			bpf.RawInstruction{Op: cbpf.OpLdAbsB, K: uint32(i)},
			bpf.RawInstruction{Op: cbpf.OpJeqK, K: 'A', Jf: 3},
			fetch,
			bpf.RawInstruction{Op: 0x44, K: 1 << i},
			keep,
		)
	}
	return append(p, fetch,
		bpf.RawInstruction{Op: cbpf.OpJeqK, K: 1<<n - 1, Jf: 1},
		bpf.RawInstruction{Op: cbpf.OpRetK, K: 65535},
		bpf.RawInstruction{Op: cbpf.OpRetA})
}

// TestVerifierTakesManyPaths loads programs that have more paths than the kernel's verifier can follow: it must find the same
// state on them where they meet.
func TestVerifierTakesManyPaths(t *testing.T) {
	requireKernel(t)
	for _, scratch := range []bool{false, true} {
		for _, n := range []int{12, 17, 20, 28} {
			p := diamonds(n, scratch)
			require.NoError(t, cbpf.Validate(p))
			judge := newJudge(p, Engines(), LinkEthernet)
			for _, data := range []string{"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "ABABABABABABABABABABABABABABA", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
				outcomes := judge.run(&cbpf.Packet{Data: []byte(data), WireLen: uint32(len(data))})
				require.False(t, differs(outcomes), "%d questions, %q: %v", n, data, outcomes)
				for _, o := range outcomes {
					if o.Engine == "kernel-ebpf" {
						require.Equal(t, Agrees, o.Agreement, "%v", outcomes)
					}
				}
			}
			judge.close()
			for _, v := range variants {
				v.takes(t, "diamonds", p)
			}
		}
	}
}

// jumpy makes a valid program of that length, two thirds of which are jumps over short and long distances.
func jumpy(r *rand.Rand, n int) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdAbsB}, {Op: 0x02, K: 1}, {Op: 0x07}}
	for len(p) < n-2 {
		left := n - 2 - len(p)
		far := func() uint8 { return uint8(r.IntN(min(left, 40))) }
		switch r.IntN(12) {
		case 0:
			p = append(p, bpf.RawInstruction{Op: cbpf.OpLdAbsB, K: r.Uint32N(64)})
		case 1:
			p = append(p, bpf.RawInstruction{Op: []uint16{0x07, 0x87}[r.IntN(2)]})
		case 2:
			p = append(p, bpf.RawInstruction{Op: []uint16{0x02, 0x60, 0x61, 0x03}[r.IntN(4)], K: 1})
		case 3:
			p = append(p, bpf.RawInstruction{Op: []uint16{0x04, 0x54, 0x44, 0x74}[r.IntN(4)], K: r.Uint32N(32)})
		case 4:
			p = append(p, bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(far()) / 8})
		default:
			op := []uint16{0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x4d}[r.IntN(7)]
			p = append(p, bpf.RawInstruction{Op: op, Jt: far(), Jf: far(), K: r.Uint32N(256)})
		}
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetA}, bpf.RawInstruction{Op: cbpf.OpRetA})
}

func TestVerifierTakesJumpyPrograms(t *testing.T) {
	requireKernel(t)
	programs := 30
	if testing.Short() {
		programs = 5
	}
	for seed := range programs {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		p := jumpy(r, cbpf.MaxInsns)
		require.NoError(t, cbpf.Validate(p))
		x, err := translate.Translate(p, translate.Options{Target: translate.Socket})
		require.NoError(t, err)
		f, err := kernel.Load(x.Program, kernel.LoadOptions{Type: kernel.SocketFilter})
		require.NoError(t, err, "seed %d", seed)
		for range 10 {
			pkt := GenPacket(r, p)
			seen := f.View(&pkt)
			want, err := cbpf.Run(p, &seen)
			require.NoError(t, err)
			got, err := f.RunPacket(&pkt)
			require.NoError(t, err)
			require.Equal(t, want, got, "seed %d, packet %x", seed, pkt.Data)
		}
		require.NoError(t, f.Close())
	}
}

// searchy makes a program that looks for attributes and for the payload in so many places, and asks of what is found: there are
// 2^n paths, with another constant in X and in M[k] at the end of each.
func searchy(n int) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdImm}, {Op: 0x07}}
	for i := range n {
		e := []cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest, cbpf.ExtPayOff}[i%3]
		p = append(p,
			bpf.RawInstruction{Op: cbpf.OpLdImm, K: uint32(i)}, extOnly(e)[0],
			bpf.RawInstruction{Op: cbpf.OpJeqK, K: uint32(i), Jt: 3},
			bpf.RawInstruction{Op: 0x04, K: uint32(i)}, bpf.RawInstruction{Op: 0x07}, // add, tax
			bpf.RawInstruction{Op: 0x02, K: uint32(i) % cbpf.ScratchWords}) // st
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetA})
}

// TestVerifierTakesManySearches loads programs whose extensions become code of some length: the verifier must go through each
// about once.
func TestVerifierTakesManySearches(t *testing.T) {
	requireKernel(t)
	for _, n := range []int{1, 3, 10, 100} {
		p := searchy(n)
		require.NoError(t, cbpf.Validate(p))
		x, err := translate.Translate(p, translate.Options{Target: translate.Socket})
		require.NoError(t, err)
		stats, err := kernel.Verify(x.Program, kernel.LoadOptions{})
		require.NoError(t, err, "%d places", n)
		t.Logf("%d places: %d slots, %d followed", n, len(x.Program), stats.Processed)
		require.Less(t, stats.Processed, len(x.Program)*3/2+10_000)
		c := newTally(t, p, append(withoutKernel, "kernel-ebpf")...)
		for _, packet := range Crafted()[:20] {
			c.try(packet.Name, &packet.Packet)
		}
		c.done(20, 1)
	}
}

// TestVerifierTakesSearchesAtHooks is the same for every way to translate.
func TestVerifierTakesSearchesAtHooks(t *testing.T) {
	requireKernel(t)
	places := []int{1, 3, 60}
	if testing.Short() {
		places = places[:2]
	}
	for _, v := range attrVariants() {
		for _, n := range places {
			stats, ok := v.takes(t, fmt.Sprintf("%d places", n), searchy(n))
			require.True(t, ok)
			t.Logf("%s, %d places: %d followed", v.name, n, stats.Processed)
			require.Less(t, stats.Processed, 40_000+4000*n)
		}
	}
}

// What no verifier would take is refused before it is tried.
func TestTooManyAttributes(t *testing.T) {
	for _, c := range []struct {
		target   translate.Target
		n, attrs int
		ok       bool
	}{
		{translate.Socket, 1, 1024, true}, {translate.Socket, 1, 1025, false},
		{translate.User, 1, 1 << 14, true}, {translate.User, 1, 1<<14 + 1, false}, {translate.User, 2, 1 << 14, false},
		{translate.Socket, 384, 0, true}, {translate.Socket, 385, 0, false}, // a third of them looks for the payload
	} {
		_, err := translate.Translate(searchy(c.n), translate.Options{Target: c.target, MaxAttrs: c.attrs})
		if c.ok {
			require.NoError(t, err, "%+v", c)
			continue
		}
		var unsupported *translate.UnsupportedError
		require.ErrorAs(t, err, &unsupported, "%+v", c)
	}
}

// TestVerifierTakesJumpySearches loads programs of more paths than the verifier can follow, in which extensions that become code
// of some length stand between jumps.
func TestVerifierTakesJumpySearches(t *testing.T) {
	requireKernel(t)
	n := cbpf.MaxInsns
	if testing.Short() {
		n = 1000
	}
	r := rand.New(rand.NewPCG(1, 8))
	p := jumpyLoads(r, n, 10, 60)
	searches := 0
	for i := 30; i < len(p)-2; i++ {
		if cbpf.Info(p[i].Op).Form == cbpf.FormAbs && r.IntN(3) == 0 {
			p[i] = extOnly([]cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest, cbpf.ExtPayOff}[r.IntN(3)])[0]
			searches++
		}
	}
	require.NoError(t, cbpf.Validate(p))
	require.Greater(t, searches, n/100)
	for _, v := range everywhere() {
		if _, ok := v.takes(t, "jumps and searches", p); !ok {
			require.True(t, v.takesHeader(), v.name)
		}
	}
}
