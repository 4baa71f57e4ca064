package difftest

import (
	"errors"
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Named is a classic program and what to call it in reports.
type Named struct {
	Name    string
	Program cbpf.Program
}

// Compare runs the programs over all packets of the trace, in all engines, and adds what it finds to the report. The
// programs are valid and the first engine is the reference. An error is one of the trace; packets in front of it count.
// progress, which may be nil, is told the number of packets after every few.
func (r *Report) Compare(programs []Named, engines []Engine, trace *Trace, progress func(packets int)) error {
	for first := 0; ; {
		records, err := nextRecords(trace)
		for _, p := range programs {
			r.compareProgram(p, engines, trace.Name(), records, first, progress)
		}
		first += len(records)
		switch {
		case errors.Is(err, io.EOF):
			r.Packets += first
			return nil
		case err != nil:
			r.Packets += first
			return err
		}
	}
}

// nextRecords reads up to a bounded number of bytes of packets.
func nextRecords(trace *Trace) ([]Record, error) {
	const maxBytes = 32 << 20
	var records []Record
	for size := 0; size < maxBytes; {
		rec, err := trace.Next()
		if err != nil {
			return records, err
		}
		rec.Data = append([]byte(nil), rec.Data...)
		records = append(records, rec)
		size += len(rec.Data) + 256
	}
	return records, nil
}

// compareProgram runs one program over packets, the first of which has the given number in its trace.
func (r *Report) compareProgram(p Named, engines []Engine, trace string, records []Record, first int, progress func(int)) {
	const progressEvery = 256
	var judge *judge
	var link LinkType
	for i := range records {
		rec := &records[i]
		if judge == nil || rec.Link != link {
			judge.close()
			judge, link = newJudge(p.Program, engines, rec.Link), rec.Link
		}
		outcomes := judge.run(&rec.Packet)
		r.count(outcomes)
		if differs(outcomes) {
			r.disagree(Disagreement{
				Program: p, Trace: trace, Index: first + i, Packet: rec.Packet, Link: link, Outcomes: outcomes,
			}, engines)
		}
		if progress != nil && (i+1)%progressEvery == 0 {
			progress(progressEvery)
		}
	}
	judge.close()
	if progress != nil {
		progress(len(records) % progressEvery)
	}
}

// Agreement is how an outcome stands to that of the reference.
type Agreement uint8

// The agreements.
const (
	Agrees Agreement = iota
	Known            // differs, for a reason that known gives
	Cannot           // the engine cannot judge the program, or cannot take the packet
	Differs
)

// Outcome is what an engine made of one packet.
type Outcome struct {
	Engine    string
	Verdict   uint32
	Err       error
	Want      uint32 // the verdict of the reference on the packet as this engine sees it, as far as the engine can tell it
	Agreement Agreement
	Why       string // of Known and Cannot
}

func differs(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if o.Agreement == Differs {
			return true
		}
	}
	return false
}

// judge is a program ready in all engines, for packets of one link type.
type judge struct {
	program cbpf.Program
	engines []Engine
	runners []*Runner // nil where the engine cannot
	errs    []error   // why not
}

func newJudge(p cbpf.Program, engines []Engine, link LinkType) *judge {
	j := &judge{program: p, engines: engines, runners: make([]*Runner, len(engines)), errs: make([]error, len(engines))}
	for i, e := range engines {
		j.runners[i], j.errs[i] = e.Prepare(p, link)
	}
	return j
}

// close frees the engines. Errors of it are of no interest to a verdict.
func (j *judge) close() {
	if j == nil {
		return
	}
	for _, r := range j.runners {
		if r != nil && r.Close != nil {
			_ = r.Close()
		}
	}
}

// run lets each engine judge the packet.
func (j *judge) run(pkt *cbpf.Packet) []Outcome {
	outcomes := make([]Outcome, len(j.engines))
	for i, e := range j.engines {
		o := Outcome{Engine: e.Name, Err: j.errs[i]}
		seen := *pkt
		runner := j.runners[i]
		if runner != nil {
			if runner.Sees != nil {
				seen = runner.Sees(pkt)
			}
			o.Verdict, o.Err = runner.Verdict(pkt)
		}
		j.grade(&o, runner, &seen)
		outcomes[i] = o
	}
	return outcomes
}

// grade holds an outcome against the reference on the packet that the engine saw.
func (j *judge) grade(o *Outcome, runner *Runner, seen *cbpf.Packet) {
	var cannot *CannotError
	if errors.As(o.Err, &cannot) {
		o.Agreement, o.Why = Cannot, cannot.Why
		return
	}
	want, quirks, err := cbpf.RunTrace(j.program, seen)
	if runner != nil && runner.Tells != nil {
		want = runner.Tells(want)
	}
	o.Want = want
	switch {
	case err != nil:
		o.Agreement, o.Err = Differs, errors.Join(o.Err, err)
	case o.Err == nil && o.Verdict == want:
		o.Agreement = Agrees
	case known(o.Engine, quirks, o.Err) != "":
		o.Agreement, o.Why = Known, known(o.Engine, quirks, o.Err)
	default:
		o.Agreement = Differs
	}
}
