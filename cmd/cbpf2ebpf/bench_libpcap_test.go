//go:build libpcap && cgo

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// libpcap's verdicts are those of the reference, or it would not be measured.
func TestBenchLibpcap(t *testing.T) {
	for _, name := range []string{"tcp-port-80.d", "http-get.d", "hosts-80.d", "less.d"} {
		for _, trace := range []string{"mixed.pcap", "truncated.pcap", "edge.pcap"} {
			r := quickBench(t, "", filter(name), "-r", pcap(trace))
			require.Len(t, r.engine(t, "libpcap").Figures, len(r.Sets))
		}
	}
	const protocol = "2,40 0 0 4294963200,22 0 0 0"
	r := quickBench(t, protocol, "-r", pcap("mixed.pcap"))
	require.Equal(t, "libpcap knows neither the extensions nor the windows of Linux", r.whyMissing("libpcap"))
}
