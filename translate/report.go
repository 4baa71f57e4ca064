package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Report is what there is to know of a translation before it is loaded, and what will become of it then.
type Report struct {
	Target  Target
	Licence string // that the program needs; empty: any
	Classic ClassicReport
	Reads   cbpf.Reads
	Bounds  []Bound
	// Forgets is that of Result. What the verifier follows is less than Demands.Followed then, and no reason for doubt.
	Forgets bool
	*ebpf.Forecast
}

// ClassicReport tells of the classic program, and of what the kernel makes of it where it is attached as it is.
type ClassicReport struct {
	Insns, Dead int
	Converted   int            // instructions after the kernel's own conversion
	Memory      int            // bytes of net.core.optmem_max that a socket is charged
	Warnings    []cbpf.Warning // why it may not be attached: cbpf.ReasonWarnFarJump, cbpf.ReasonWarnMemory
}

// Foretell reports on r, the translation of p, without asking a kernel.
func Foretell(p cbpf.Program, r *Result, by ebpf.Loader) *Report {
	report := &Report{
		Target:   r.Target,
		Licence:  r.Licence,
		Classic:  reportClassic(p, r),
		Reads:    cbpf.ReadsOf(p),
		Bounds:   r.Bounds,
		Forgets:  r.Forgets,
		Forecast: ebpf.Foretell(r.Program, r.Target.ABI(), by),
	}
	if report.Forgets {
		report.Doubts = slices.DeleteFunc(report.Doubts, func(e *ebpf.Error) bool { return e.Reason == ebpf.ReasonTooComplex })
	}
	return report
}

func reportClassic(p cbpf.Program, r *Result) ClassicReport {
	c := ClassicReport{Insns: len(p), Dead: r.Stats.Dead, Converted: cbpf.Converted(p), Memory: cbpf.SocketMemory(p)}
	for _, w := range cbpf.Warnings(p) {
		if w.Reason == cbpf.ReasonWarnFarJump || w.Reason == cbpf.ReasonWarnMemory {
			c.Warnings = append(c.Warnings, w)
		}
	}
	return c
}
