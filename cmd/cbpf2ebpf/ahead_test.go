package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// Batches come in order and each once, however many there are, and the error behind the last one comes last.
func TestEachBatch(t *testing.T) {
	mixed := readFile(t, pcap("mixed.pcap"))
	long := append(mixed[:24:24], bytes.Repeat(mixed[24:], 200)...)
	for _, test := range []struct {
		file    []byte
		packets int
		fault   string
	}{{long, 200 * 216, ""}, {long[:len(long)-1], 200*216 - 1, "packet 43200: the file ends inside the packet"}, {mixed[:24], 0, ""}} {
		trace, err := difftest.NewTrace(bytes.NewReader(test.file), "f")
		require.NoError(t, err)
		packets := 0
		err = eachBatch(trace, func(b *difftest.Batch) error {
			require.Equal(t, packets+1, b.First)
			packets += len(b.Descs)
			return nil
		})
		require.Equal(t, test.packets, packets)
		if test.fault == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.fault)
		}
	}
}

// Who stops early does not wait for a trace that stands still.
func TestEachBatchStops(t *testing.T) {
	mixed := readFile(t, pcap("mixed.pcap"))
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = w.Write(mixed) }()
	trace, err := difftest.NewTrace(r, "f")
	require.NoError(t, err)
	stop := errors.New("enough")
	require.Equal(t, stop, eachBatch(trace, func(*difftest.Batch) error { return stop }))
}
