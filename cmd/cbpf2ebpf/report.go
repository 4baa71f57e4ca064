package main

import (
	"io"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// reporting holds the flags about the report on a translation.
type reporting struct {
	form         string // empty for none
	unprivileged bool
	kernel       string
}

// reportForms are the forms of a report.
var reportForms = []struct {
	name  string
	write func(w io.Writer, r *report) error
}{{"text", writeReport}, {reportInJSON, writeReportJSON}}

const reportInJSON = "json"

// instead reports, in JSON, that a program has no translation because of err, which people are told anyhow.
func (f *reporting) instead(cmd *cobra.Command, target translate.Target, err error) error {
	if !cmd.Flags().Changed("report") || f.form != reportInJSON {
		return nil
	}
	return buffered(cmd.OutOrStdout(), func(w io.Writer) error { return writeRefusalJSON(w, target, err) })
}

func (f *reporting) flags(cmd *cobra.Command) {
	var names []string
	for _, form := range reportForms {
		names = append(names, form.name)
	}
	cmd.Flags().StringVar(&f.form, "report", "", "instead of the program, or beside that in a FILE, report what it takes and whether it will load, `AS` "+strings.Join(names, " or "))
	cmd.Flags().Lookup("report").NoOptDefVal = names[0]
	cmd.Flags().BoolVar(&f.unprivileged, "unprivileged", false, "report on loading without CAP_BPF")
	cmd.Flags().StringVar(&f.kernel, "kernel", "", "report on loading into a kernel of this `VERSION` (default the newest known)")
	complete(cmd, "report", names...)
}

// report is a report and what it is on.
type report struct {
	*translate.Report
	as *translated
}

// wanted reports whether there is to be a report. to is the form of the output, which names that of the report too.
func (f *reporting) wanted(cmd *cobra.Command, to string) (write func(io.Writer, *report) error, err error) {
	if !cmd.Flags().Changed("report") {
		if f.unprivileged || f.kernel != "" {
			return nil, usagef("--unprivileged and --kernel go with --report")
		}
		return nil, nil
	}
	if to == "json" && f.form == "text" {
		f.form = reportInJSON
	}
	var names []string
	for _, form := range reportForms {
		if form.name == f.form {
			return form.write, nil
		}
		names = append(names, form.name)
	}
	return nil, usagef("unknown form %q of the report; the forms are %s", f.form, strings.Join(names, ", "))
}

// on makes the report on a translation.
func (f *reporting) on(in *input, as *translated) (*report, error) {
	by := ebpf.Loader{Unprivileged: f.unprivileged, Licence: as.licence}
	if by.Licence == "" {
		by.Licence = as.Licence
	}
	if f.kernel != "" {
		var err error
		if by.Kernel, err = ebpf.ParseVersion(f.kernel); err != nil {
			return nil, usagef("--kernel: %w", err)
		}
	}
	return &report{translate.Foretell(in.program, as.Result, by), as}, nil
}

// refused reports whether the program is for the kernel, which will not take it, or may not.
func (r *report) refused() bool {
	for _, e := range append(r.Refusals[:len(r.Refusals):len(r.Refusals)], r.Doubts...) {
		if e.Reason != ebpf.ReasonNoHook {
			return true
		}
	}
	return false
}
