package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// outlookJSON says what will become of a program. It is all that is reported of one that has no translation.
type outlookJSON struct {
	Target   string      `json:"target"`
	Loads    *bool       `json:"loads"` // null where there are doubts only
	Refusals []faultJSON `json:"refusals"`
	Doubts   []faultJSON `json:"doubts"`
}

// reportJSON is the JSON form of a report.
type reportJSON struct {
	outlookJSON
	Licence   string        `json:"licence"`
	Privilege string        `json:"privilege"`
	Kernel    string        `json:"kernel"` // the least version
	Needs     []needJSON    `json:"needs"`
	Classic   classicJSON   `json:"classic"`
	Packet    packetJSON    `json:"packet"`
	Extended  *extendedJSON `json:"extended"` // null where the program is not sound
	Forgets   bool          `json:"forgets"`
}

type faultJSON struct {
	Reason  string `json:"reason"`
	Detail  string `json:"detail"`
	Slot    *int   `json:"slot"`
	Classic *int   `json:"pc"`
}

type needJSON struct {
	Name  string `json:"name"`
	Since string `json:"since"`
	Slot  *int   `json:"slot"`
}

type classicJSON struct {
	Insns     int `json:"insns"`
	Dead      int `json:"dead"`
	Converted int `json:"converted"`
	Memory    int `json:"optmem"`
}

type packetJSON struct {
	Fixed       int      `json:"fixed"`
	First       uint32   `json:"first"`
	Last        uint32   `json:"last"`
	Indexed     int      `json:"indexed"`
	IndexedLast *uint32  `json:"indexed_last"` // null for no end
	Windows     int      `json:"windows"`
	Length      bool     `json:"length"`
	Extensions  []string `json:"extensions"`
}

type extendedJSON struct {
	Slots    int        `json:"slots"`
	Longest  int        `json:"longest_path"`
	Paths    uint64     `json:"paths"`
	Expected int        `json:"verifier_insns"` // about
	Followed uint64     `json:"verifier_insns_at_most"`
	Stack    int        `json:"stack"`
	Called   int        `json:"calls_on_a_path"`
	Calls    []callJSON `json:"calls"`
}

type callJSON struct {
	ID     int32  `json:"id"`
	Name   string `json:"name"`
	Places int    `json:"places"`
	Most   int    `json:"on_a_path"`
}

// writeReportJSON writes the report for programs.
func writeReportJSON(w io.Writer, r *report) error {
	out := reportJSON{
		outlookJSON: outlookJSON{r.Target.String(), r.sure(), r.faults(r.Refusals), r.faults(r.Doubts)},
		Licence:     r.Licence, Forgets: r.Forgets, Needs: []needJSON{},
		Classic: classicJSON{r.Classic.Insns, r.Classic.Dead, r.Classic.Converted, r.Classic.Memory},
		Packet: packetJSON{Fixed: r.Reads.Fixed, First: r.Reads.First, Last: r.Reads.Last, Indexed: r.Reads.Indexed,
			Windows: r.Reads.Windows, Length: r.Reads.Length, Extensions: []string{}},
	}
	if r.Reads.IndexedLast != cbpf.NoEnd {
		out.Packet.IndexedLast = &r.Reads.IndexedLast
	}
	for _, ext := range r.Reads.Exts {
		out.Packet.Extensions = append(out.Packet.Extensions, ext.String())
	}
	if d := r.Demands; d != nil {
		out.Extended = &extendedJSON{d.Slots, d.Longest, d.Paths, d.Expected, d.Followed, d.Stack, d.Called, []callJSON{}}
		for _, c := range d.Calls {
			out.Extended.Calls = append(out.Extended.Calls, callJSON{c.ID, ebpf.HelperName(c.ID), c.Places, c.Most})
		}
		if !r.Target.ABI().InKernel() {
			return writeIndented(w, out)
		}
		out.Kernel, out.Privilege = d.Since().String(), d.Privilege
		for _, need := range d.Features {
			out.Needs = append(out.Needs, needJSON{need.Name, need.Since.String(), index(need.PC)})
		}
	}
	return writeIndented(w, out)
}

// sure reports whether the program will load; nil where that is not certain.
func (r *report) sure() *bool {
	loads := r.Loads()
	if !loads && len(r.Refusals) == 0 {
		return nil
	}
	return &loads
}

// writeRefusalJSON reports on a program that cannot be translated, because of err. It writes nothing for faults of other things.
func writeRefusalJSON(w io.Writer, target translate.Target, err error) error {
	out := outlookJSON{Target: target.String(), Loads: new(bool), Refusals: []faultJSON{}, Doubts: []faultJSON{}}
	var faults cbpf.Errors
	var unsupported *translate.UnsupportedError
	switch {
	case errors.As(err, &faults):
		for _, e := range faults {
			if e.PC < 0 {
				return nil // the text is no program
			}
			out.Refusals = append(out.Refusals, faultJSON{Reason: string(e.Reason), Detail: e.Detail, Classic: index(e.PC)})
		}
	case errors.As(err, &unsupported):
		out.Refusals = append(out.Refusals, faultJSON{
			Reason: "the target cannot express it", Detail: unsupported.Error(), Classic: index(unsupported.PC),
		})
	default:
		return nil
	}
	return writeIndented(w, out)
}

// faults turns faults into JSON.
func (r *report) faults(all ebpf.Errors) []faultJSON {
	list := []faultJSON{}
	for _, e := range all {
		f := faultJSON{Reason: string(e.Reason), Detail: e.Detail, Slot: index(e.PC)}
		if e.PC >= 0 && e.PC < len(r.as.PCs) {
			f.Classic = index(r.as.PCs[e.PC])
		}
		list = append(list, f)
	}
	return list
}

// index is a place, or nil for none.
func index(pc int) *int {
	if pc < 0 {
		return nil
	}
	return &pc
}

func writeIndented(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}
