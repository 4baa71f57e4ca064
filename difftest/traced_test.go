package difftest

import (
	"fmt"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

func TestTraceAgreesOnRandomPrograms(t *testing.T) {
	every := uint64(10)
	if testing.Short() {
		every = 500
	}
	for name, change := range map[string]func(*translate.Options){
		"skb, l2": func(o *translate.Options) { o.Link = translate.LinkEthernet },
		"skb, l3": func(o *translate.Options) { o.Link = translate.LinkIP },
		"xdp, l2": func(o *translate.Options) { *o = traceOptions(LinkEthernet, true) },
		"xdp, l3": func(o *translate.Options) { *o = traceOptions(LinkEthernet, true); o.Link = translate.LinkIP },
	} {
		for level := range translate.MaxOptimize + 1 {
			t.Run(fmt.Sprintf("%s -O%d", name, level), func(t *testing.T) {
				t.Parallel()
				e := Engine{"interp-trace", prepareTrace(func(link LinkType) translate.Options {
					opts := traceOptions(link, false)
					change(&opts)
					opts.Optimize = level
					return opts
				})}
				agreeOnVariant(t, e, everyNth(randomPrograms, every), 5)
			})
		}
	}
}

// Loads of all sizes at all places, from the beginning and behind an index, find what has been copied to the stack, and what lies too
// far away for that; and packets may end anywhere.
func TestTraceCopies(t *testing.T) {
	sizes := []uint16{cbpf.OpLdAbsW, cbpf.OpLdAbsH, cbpf.OpLdAbsB}
	data := make([]byte, 300)
	for i := range data {
		data[i] = byte(i*7 + 1)
	}
	data[14] = 0x46
	for _, link := range []LinkType{LinkEthernet, LinkRaw} {
		for i, size := range sizes {
			for k := range uint32(9) {
				p := cbpf.Program{
					{Op: cbpf.OpLdAbsB, K: 3}, {Op: 0x02, K: 0}, // M[0]: the hull of what is loaded begins here
					{Op: size, K: 40 + k}, {Op: 0x02, K: 1},
					{Op: sizes[(i+1)%3], K: 60 + 3*k}, {Op: 0x02, K: 2},
					{Op: size, K: 250 + k}, {Op: 0x02, K: 3},
					{Op: cbpf.OpLdxMSH, K: 14},
					{Op: size ^ 0x60, K: 5}, {Op: 0x02, K: 4}, {Op: size ^ 0x60, K: 5 + k}, {Op: 0x02, K: 5},
				}
				for m := range uint32(6) {
					p = append(p, bpf.RawInstruction{Op: 0x61, K: m}, bpf.RawInstruction{Op: 0x24, K: 31}, bpf.RawInstruction{Op: 0x0c})
				}
				p = append(p, bpf.RawInstruction{Op: cbpf.OpRetA})
				require.NoError(t, cbpf.Validate(p))
				e := Engine{"interp-trace", prepareTrace(func(LinkType) translate.Options {
					opts := traceOptions(link, false)
					opts.Optimize = translate.MaxOptimize
					return opts
				})}
				judge := newJudge(p, []Engine{{Reference, prepareClassic}, e}, link)
				for n := range data {
					pkt := cbpf.Packet{Data: data[:n], WireLen: uint32(n), Meta: MetaFor(link, data[:n])}
					outcomes := judge.run(&pkt)
					require.False(t, differs(outcomes), "%d bytes: %v\n%s", n, outcomes, listing(p))
				}
				judge.close()
			}
		}
	}
}
