package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// eachBatch calls f for each batch of the trace, while those behind it are read already. The batch is f's until it returns.
// Whoever stops early leaves a read behind that is not waited for.
func eachBatch(trace *difftest.Trace, f func(b *difftest.Batch) error) error {
	const batches = 4
	free, ready := make(chan *difftest.Batch, batches), make(chan *difftest.Batch, batches)
	for range batches {
		free <- new(difftest.Batch)
	}
	defer close(free)
	var end error // what stands behind the last batch; set before ready is closed
	go func() {
		defer close(ready)
		for b := range free {
			if end = trace.ReadBatch(b); end != nil {
				return
			}
			ready <- b
		}
	}()
	for b := range ready {
		if err := f(b); err != nil {
			return err
		}
		free <- b
	}
	if errors.Is(end, io.EOF) {
		return nil
	}
	return end
}

// checkLink refuses batches of another link type than the trace began with.
func checkLink(trace *difftest.Trace, b *difftest.Batch) error {
	if b.Link == trace.Link() {
		return nil
	}
	return fmt.Errorf("trace %s: packet %d has link type %v, and the trace began with %v: a filter is for one link type",
		trace.Name(), b.First, b.Link, trace.Link())
}
