package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// bench is a measurement: sets, engines, and what each took on each.
type bench struct {
	program    difftest.Named
	sets       []*benchSet
	contenders []*contender
	missing    []missing
	rounds     int
	sample     time.Duration // that one engine runs on one set before it is another's turn

	estimates map[cell]float64   // ns a packet, on the first pass
	samples   map[cell][]float64 // ns a packet, of each round
	tallies   map[*benchSet]tally
}

// cell is an engine on a set.
type cell struct {
	c *contender
	s *benchSet
}

// tally is what verdicts add up to.
type tally struct {
	matches int
	sum     uint64
}

func (t *tally) add(verdict uint32) {
	if verdict != 0 {
		t.matches++
	}
	t.sum += uint64(verdict)
}

// close lets go of all engines.
func (b *bench) close() {
	for _, c := range b.contenders {
		if c.close != nil {
			c.close()
		}
	}
}

// cells are all pairs that are measured, by set.
func (b *bench) cells(s *benchSet) (cells []cell) {
	for _, c := range b.contenders {
		if c.only == "" || c.only == s.name {
			cells = append(cells, cell{c, s})
		}
	}
	return cells
}

// compare holds the engines that difftest knows against the reference, as diff does, on the packets of the first set. What
// differs for a known reason is noted, what cannot take the packets is dropped. A disagreement is shown on w.
func (b *bench) compare(w io.Writer) error {
	trace, err := b.sets[0].trace()
	if err != nil {
		return err
	}
	engines := difftest.Engines()[:1]
	var compared []*contender
	for _, c := range b.contenders {
		if c.engine != nil && c.engine.Name != difftest.Reference {
			engines, compared = append(engines, *c.engine), append(compared, c)
		}
	}
	var report difftest.Report
	if err := report.Compare([]difftest.Named{b.program}, engines, trace, nil); err != nil {
		return err
	}
	if report.Differ > 0 {
		if err := report.Fprint(w); err != nil {
			return err
		}
		return errTold
	}
	for i, c := range compared {
		b.excuse(c, &report.Rows[1+i])
	}
	return nil
}

// excuse takes note of what the comparison found out about an engine.
func (b *bench) excuse(c *contender, row *difftest.Row) {
	why := strings.Join(slices.Sorted(maps.Keys(row.Why)), "; ")
	switch {
	case row.By[difftest.Cannot] == row.Runs:
		b.missing = append(b.missing, missing{c.name, errors.New(why)})
		b.contenders = slices.DeleteFunc(b.contenders, func(other *contender) bool { return other == c })
		if c.close != nil {
			c.close()
		}
	case row.By[difftest.Known] > 0:
		c.note, c.excused = "known to differ here: "+why, true
	}
}

// trace is a trace of the set's packets.
func (s *benchSet) trace() (*difftest.Trace, error) {
	var file bytes.Buffer
	w, err := difftest.NewWriter(&file, s.link, false)
	if err != nil {
		return nil, err
	}
	rec := difftest.Record{Link: s.link}
	for i := range s.descs {
		s.packet(i, &rec.Packet)
		const all = 1<<32 - 1
		if err := w.Write(rec, all); err != nil {
			return nil, err
		}
	}
	return difftest.NewTrace(&file, "of the packets measured with")
}

// check runs every engine once over every set, and holds what its verdicts add up to against the reference.
func (b *bench) check() error {
	b.estimates, b.tallies = map[cell]float64{}, map[*benchSet]tally{}
	for _, s := range b.sets {
		want, err := b.reference(s, nil)
		if err != nil {
			return err
		}
		b.tallies[s] = want
		for _, e := range b.cells(s) {
			if err := b.checkOne(e, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOne runs an engine over a set; want is what packets that are seen as they are add up to.
func (b *bench) checkOne(e cell, want tally) error {
	took, err := e.c.take(e.s, 0, e.s.len())
	if err != nil {
		return fmt.Errorf("engine %s: %w", e.c.name, err)
	}
	b.estimates[e] = float64(took.Nanoseconds()) / float64(e.s.len())
	if e.c.excused || unsteady(b.program.Program) {
		return nil
	}
	if e.c.sees != nil {
		if want, err = b.reference(e.s, e.c.sees); err != nil {
			return err
		}
	}
	got, err := e.c.tallyOf(e.s)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("engine %s disagrees on %s: %d matches and verdicts of %d in sum; the reference has %d and %d",
			e.c.name, e.s.name, got.matches, got.sum, want.matches, want.sum)
	}
	return nil
}

// unsteady reports whether the program asks for what is different each time.
func unsteady(p cbpf.Program) bool {
	return slices.ContainsFunc(p, func(ins bpf.RawInstruction) bool {
		ext, ok := cbpf.Extension(ins.K)
		return ok && cbpf.Info(ins.Op).Form == cbpf.FormAbs && (ext == cbpf.ExtRandom || ext == cbpf.ExtCPU)
	})
}

// reference is the tally of the reference interpreter, on packets as an engine sees them.
func (b *bench) reference(s *benchSet, sees func(*cbpf.Packet) cbpf.Packet) (t tally, err error) {
	pkt := cbpf.Packet{Meta: s.meta}
	for i := range s.descs {
		s.packet(i, &pkt)
		seen := pkt
		if sees != nil {
			seen = sees(&pkt)
		}
		verdict, err := cbpf.Run(b.program.Program, &seen)
		if err != nil {
			return t, err
		}
		t.add(verdict)
	}
	return t, nil
}

// tallyOf is the tally of the last pass over the set.
func (c *contender) tallyOf(s *benchSet) (t tally, err error) {
	if c.tally != nil {
		return c.tally(s)
	}
	for _, v := range s.verdicts {
		t.add(v)
	}
	return t, nil
}

// measure takes the samples. In each round it is every engine's turn, so that none is alone with what else the machine does.
func (b *bench) measure(progress func(rounds int)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	b.samples = map[cell][]float64{}
	at := map[cell]int{}
	for _, s := range b.sets {
		cells := b.cells(s)
		for range b.rounds {
			for _, e := range cells {
				n := b.perSample(e)
				took, err := e.c.take(s, at[e], n)
				if err != nil {
					return fmt.Errorf("engine %s: %w", e.c.name, err)
				}
				b.samples[e] = append(b.samples[e], float64(took.Nanoseconds())/float64(n))
				at[e] = (at[e] + n) % s.len()
			}
			progress(1)
		}
	}
	return nil
}

// perSample is how many packets an engine judges in one sample.
func (b *bench) perSample(e cell) int {
	const least = 0.25 // ns a packet
	return max(int(float64(b.sample.Nanoseconds())/max(b.estimates[e], least)), 1)
}

// median and least are those of the samples.
func (b *bench) median(e cell) float64 {
	sorted := slices.Sorted(slices.Values(b.samples[e]))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (b *bench) least(e cell) float64 { return slices.Min(b.samples[e]) }
