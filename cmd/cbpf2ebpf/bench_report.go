package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// benchReport is what was measured, in JSON.
type benchReport struct {
	Program string        `json:"program"`
	Trace   string        `json:"trace"`
	Level   int           `json:"optimize"`
	Rounds  int           `json:"rounds"`
	Sets    []benchedSet  `json:"sets"`
	Engines []benched     `json:"engines"`
	Missing []benchAbsent `json:"missing"`
}

type benchedSet struct {
	Name    string `json:"name"`
	Packets int    `json:"packets"` // judged in one pass
	Bytes   int    `json:"bytes"`   // of the trace
	Matches int    `json:"matches"`
	about   string
}

// benched are the figures of an engine.
type benched struct {
	Engine  string                  `json:"engine"`
	Note    string                  `json:"note,omitempty"`
	Figures map[string]*benchFigure `json:"ns_per_packet"` // by set
}

// benchFigure is in nanoseconds a packet. Ratio is how many times the median of the first engine the median is.
type benchFigure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Ratio  float64 `json:"ratio"`
}

type benchAbsent struct {
	Engine string `json:"engine"`
	Why    string `json:"why"`
}

// report puts the figures together.
func (b *bench) report() *benchReport {
	r := &benchReport{Program: b.program.Name, Rounds: b.rounds}
	for _, s := range b.sets {
		r.Sets = append(r.Sets, benchedSet{s.name, s.len(), len(s.buf), b.tallies[s].matches, s.about})
	}
	for _, c := range b.contenders {
		one := benched{Engine: c.name, Note: c.note, Figures: map[string]*benchFigure{}}
		for _, s := range b.sets {
			if e := (cell{c, s}); len(b.samples[e]) > 0 {
				first := cell{b.contenders[0], s}
				one.Figures[s.name] = &benchFigure{b.median(e), b.least(e), b.median(e) / b.median(first)}
			}
		}
		r.Engines = append(r.Engines, one)
	}
	for _, m := range b.missing {
		r.Missing = append(r.Missing, benchAbsent{m.name, m.why.Error()})
	}
	return r
}

func (r *benchReport) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// writeText writes a table for people: of each set the median, the least, and the ratio to the first engine.
func (r *benchReport) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s at -O%d on %s: ns a packet, median and least of %d rounds, and how many times the first\n\n",
		r.Program, r.Level, r.Trace, r.Rounds)
	width := len("engine")
	for _, e := range r.Engines {
		width = max(width, len(e.Engine))
	}
	fmt.Fprintf(w, "%-*s", width, "engine")
	for _, s := range r.Sets {
		fmt.Fprintf(w, "%10s%9s%8s", s.Name, "least", "x")
	}
	fmt.Fprintln(w)
	for _, e := range r.Engines {
		fmt.Fprintf(w, "%-*s", width, e.Engine)
		for _, s := range r.Sets {
			if f := e.Figures[s.Name]; f != nil {
				fmt.Fprintf(w, "%10.2f%9.2f%8.1f", f.Median, f.Least, f.Ratio)
			} else {
				fmt.Fprintf(w, "%10s%9s%8s", "-", "-", "-")
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return r.writeNotes(w)
}

// writeNotes writes what there is to know of the figures.
func (r *benchReport) writeNotes(w io.Writer) (err error) {
	for _, s := range r.Sets {
		_, err = fmt.Fprintf(w, "%s: %s, %d of %d match\n", s.Name, s.about, s.Matches, s.Packets)
	}
	for _, e := range r.Engines {
		if e.Note != "" {
			_, err = fmt.Fprintf(w, "%s: %s\n", e.Engine, e.Note)
		}
	}
	for _, m := range r.Missing {
		_, err = fmt.Fprintf(w, "%s: not measured: %s\n", m.Engine, m.Why)
	}
	return err
}
