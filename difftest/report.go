package difftest

import (
	"encoding/hex"
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Report adds up what comparisons find. The zero value is ready for use.
type Report struct {
	Packets       int
	Rows          []Row // one for each engine
	Disagreements []Disagreement
	Differ        int // disagreements in all; Disagreements holds the first of them
}

// Row is the account of one engine, in runs: a run is one program on one packet.
type Row struct {
	Engine string
	Runs   int
	By     [Differs + 1]int // by Agreement
	Why    map[string]int   // reasons of Known and Cannot
}

// Disagreement is a run whose verdict differs from that of the reference without a known reason.
type Disagreement struct {
	Program  Named
	Trace    string
	Index    int // of the packet in its trace, from 0; printed from 1
	Packet   cbpf.Packet
	Link     LinkType
	Outcomes []Outcome
	// Small is the smallest program and packet found that show the same disagreement; empty where none was looked for.
	SmallProgram  cbpf.Program
	SmallPacket   cbpf.Packet
	SmallOutcomes []Outcome
}

// How many disagreements a report keeps, and how many of them are shrunk, which takes time.
const (
	maxKept   = 20
	maxShrunk = 3
)

// count adds one run to the rows.
func (r *Report) count(outcomes []Outcome) {
	if r.Rows == nil {
		r.Rows = make([]Row, len(outcomes))
	}
	for i, o := range outcomes {
		row := &r.Rows[i]
		row.Engine = o.Engine
		row.Runs++
		row.By[o.Agreement]++
		if o.Why != "" {
			if row.Why == nil {
				row.Why = map[string]int{}
			}
			row.Why[o.Why]++
		}
	}
}

// disagree keeps a disagreement, shrunk if it is among the first.
func (r *Report) disagree(d Disagreement, engines []Engine) {
	r.Differ++
	if len(r.Disagreements) == maxKept {
		return
	}
	if len(r.Disagreements) < maxShrunk {
		d.shrink(engines)
	}
	r.Disagreements = append(r.Disagreements, d)
}

// shrink looks for a smaller program and packet on which one of the engines that differ still does.
func (d *Disagreement) shrink(engines []Engine) {
	var disputed []Engine
	for i, o := range d.Outcomes {
		if o.Agreement == Differs {
			disputed = append(disputed, engines[i])
		}
	}
	d.SmallProgram, d.SmallPacket = Shrink(d.Program.Program, d.Packet, func(p cbpf.Program, pkt cbpf.Packet) bool {
		j := newJudge(p, disputed, d.Link)
		defer j.close()
		return differs(j.run(&pkt))
	})
	j := newJudge(d.SmallProgram, engines, d.Link)
	defer j.close()
	d.SmallOutcomes = j.run(&d.SmallPacket)
}

// Fprint writes the table of agreement, the reasons behind it, and every disagreement that was kept.
func (r *Report) Fprint(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "engine\truns\tagree\tknown\tcannot\tdiffer\t\n")
	for _, row := range r.Rows {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t\n", row.Engine, row.Runs, row.By[Agrees], row.By[Known], row.By[Cannot], row.By[Differs])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	for _, row := range r.Rows {
		row.reasons(&b)
	}
	for i := range r.Disagreements {
		r.Disagreements[i].describe(&b)
	}
	if more := r.Differ - len(r.Disagreements); more > 0 {
		fmt.Fprintf(&b, "\n%d more disagreements are not shown\n", more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// reasons writes why runs of the row are known differences or could not be made, most frequent first.
func (row *Row) reasons(b *strings.Builder) {
	var whys []string
	for why := range row.Why {
		whys = append(whys, why)
	}
	sort.Slice(whys, func(i, j int) bool {
		if a, b := row.Why[whys[i]], row.Why[whys[j]]; a != b {
			return a > b
		}
		return whys[i] < whys[j]
	})
	for _, why := range whys {
		fmt.Fprintf(b, "%s, %d runs: %s\n", row.Engine, row.Why[why], why)
	}
}

// describe writes everything needed to reproduce the disagreement.
func (d *Disagreement) describe(b *strings.Builder) {
	fmt.Fprintf(b, "\nDISAGREEMENT: %s on packet %d of %s\n", d.Program.Name, d.Index+1, d.Trace)
	describeRun(b, d.Program.Program, &d.Packet, d.Outcomes)
	if d.SmallProgram != nil {
		fmt.Fprintf(b, "shrunk to %d instructions and %d bytes:\n", len(d.SmallProgram), len(d.SmallPacket.Data))
		describeRun(b, d.SmallProgram, &d.SmallPacket, d.SmallOutcomes)
	}
}

func describeRun(b *strings.Builder, p cbpf.Program, pkt *cbpf.Packet, outcomes []Outcome) {
	for pc, ins := range p {
		fmt.Fprintf(b, "  %s\n", cbpf.Line(pc, ins))
	}
	fmt.Fprintf(b, "  packet, %d bytes of %d: %s\n", len(pkt.Data), pkt.WireLen, hex.EncodeToString(pkt.Data))
	for _, o := range outcomes {
		fmt.Fprintf(b, "  %s\n", o)
	}
}

func (o Outcome) String() string {
	switch {
	case o.Agreement == Cannot:
		return fmt.Sprintf("%-15s -           (%s)", o.Engine, o.Why)
	case o.Agreement == Known:
		return fmt.Sprintf("%-15s %-11d (%s)", o.Engine, o.Verdict, o.Why)
	case o.Err != nil:
		return fmt.Sprintf("%-15s error: %v; the reference says %d", o.Engine, o.Err, o.Want)
	case o.Agreement == Differs:
		return fmt.Sprintf("%-15s %-11d DIFFERS; the reference says %d", o.Engine, o.Verdict, o.Want)
	}
	return fmt.Sprintf("%-15s %d", o.Engine, o.Verdict)
}
