package jit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Which body is faster depends on the packets: one after the other, a program costs what the way costs that most packets take, and
// what the processor guesses wrong; on vectors, what all ways together cost. No estimate knows that, so RunBatch tries both from time
// to time, on the packets that it has to judge anyway, and stays with the one that was faster.

const (
	trialPackets  = 256     // that are judged in one sample; smaller batches are no samples
	trialSamples  = 16      // of a trial, every other one with vectors
	trialSoon     = 1 << 17 // packets from one trial to the next, when the last one changed something
	trialLate     = 1 << 20 // and when many in a row have not
	trialHopeless = 2       // a body that is estimated to take so many times as long is not tried
)

// choice says which body takes a batch.
type choice struct {
	scalar atomic.Bool  // vectors are slower
	left   atomic.Int64 // packets until the next trial; none: one is going on

	mu      sync.Mutex // of whoever takes a sample
	samples int
	least   [2]time.Duration // of a sample with vectors, and of one without
	every   int64            // packets to the next trial
}

// run is RunBatch where there are two bodies to choose from.
func (c *choice) run(f *Func, body *vectorBody, buf []byte, descs []Desc, verdicts []uint32) error {
	for done := 0; done < len(descs); {
		n := len(descs) - done
		if n >= trialPackets && c.left.Load() <= 0 && c.mu.TryLock() {
			n = trialPackets
			err := c.sample(f, body, buf, descs, verdicts, done, done+n)
			c.mu.Unlock()
			if err != nil {
				return err
			}
			done += n
			continue
		}
		n = min(n, trialSoon)
		if err := f.runWith(!c.scalar.Load(), body, buf, descs, verdicts, done, done+n); err != nil {
			return err
		}
		c.left.Store(c.left.Load() - int64(n)) // that others may count at once does not matter
		done += n
	}
	return nil
}

// sample judges some packets and takes the time. The last sample of a trial ends it.
func (c *choice) sample(f *Func, body *vectorBody, buf []byte, descs []Desc, verdicts []uint32, from, to int) error {
	which := c.samples % 2
	begin := time.Now()
	if err := f.runWith(which == 0, body, buf, descs, verdicts, from, to); err != nil {
		return err
	}
	took := time.Since(begin)
	if c.samples < 2 || took < c.least[which] {
		c.least[which] = took
	}
	if c.samples++; c.samples == trialSamples {
		c.samples = 0
		c.settle(c.least[1] < c.least[0])
	}
	return nil
}

// settle takes note of how a trial ended.
func (c *choice) settle(scalar bool) {
	if c.every = min(2*c.every, trialLate); c.scalar.Swap(scalar) != scalar {
		c.every = trialSoon
	}
	c.every = max(c.every, trialSoon)
	c.left.Store(c.every)
}

// runWith judges the packets from one index to another with one of the bodies.
func (f *Func) runWith(vectors bool, body *vectorBody, buf []byte, descs []Desc, verdicts []uint32, from, to int) error {
	if vectors {
		return f.runVector(body, buf, descs, verdicts, from, to)
	}
	return f.runScalar(buf, descs, nil, verdicts, from, to)
}
