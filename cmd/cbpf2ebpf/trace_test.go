package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// Batches come in order and each once, up to what stands behind the last one or until nobody wants more.
func TestEachBatch(t *testing.T) {
	mixed := readFile(t, pcap("mixed.pcap"))
	long := append(mixed[:24:24], bytes.Repeat(mixed[24:], 200)...)
	const all = 200 * 216
	for _, test := range []struct {
		name    string
		file    []byte
		packets int
		fault   string
	}{
		{"all", long, all, ""}, {"none", mixed[:24], 0, ""},
		{"cut", long[:len(long)-1], all - 1, "packet 43200: the file ends inside the packet"},
		{"another link type", mixedLinks(t), 2, "packet 3 has link type RAW, and the trace began with EN10MB"},
	} {
		trace, err := difftest.NewTrace(bytes.NewReader(test.file), "f")
		require.NoError(t, err)
		packets := 0
		err = eachBatch(trace, func(b *difftest.Batch) error {
			require.Equal(t, packets+1, b.First)
			packets += len(b.Descs)
			return nil
		})
		require.Equal(t, test.packets, packets, test.name)
		if test.fault == "" {
			require.NoError(t, err, test.name)
		} else {
			require.ErrorContains(t, err, test.fault)
		}
	}
	trace, err := difftest.NewTrace(bytes.NewReader(long), "f")
	require.NoError(t, err)
	stop := errors.New("enough")
	require.Equal(t, stop, eachBatch(trace, func(*difftest.Batch) error { return stop }))
}
