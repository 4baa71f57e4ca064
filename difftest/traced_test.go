package difftest

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Engine{"interp-trace", prepareTrace(func(link LinkType) translate.Options {
				opts := traceOptions(link, false)
				change(&opts)
				return opts
			})}
			agreeOnVariant(t, e, everyNth(randomPrograms, every), 5)
		})
	}
}
