package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// writeReport writes the report for people.
func writeReport(w io.Writer, r *report) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	c := &r.Classic
	line("target", "%s", r.Target)
	line("classic", "%d instructions of %d, %d of them dead", c.Insns, cbpf.MaxInsns, c.Dead)
	if r.Target != translate.Seccomp {
		line("", "attached as it is: %d instructions in the kernel, %d bytes of net.core.optmem_max, which is %d mostly",
			c.Converted, c.Memory, cbpf.DefaultOptmemMax)
	}
	for _, warning := range c.Warnings {
		line("", "attached as it is: %s", warning)
	}
	line("packet", "%s", readBytes(&r.Reads))
	if others := readOthers(&r.Reads); others != "" {
		line("", "%s", others)
	}
	if d := r.Demands; d != nil {
		writeDemands(line, d)
		if r.Target.ABI().InKernel() {
			writeKernel(line, d, r.Forgets)
		}
	}
	licence := r.Licence
	if licence == "" {
		licence = "any"
	}
	line("licence", "%s", licence)
	writeForecast(line, r)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeDemands writes what the program is and does.
func writeDemands(line func(name, format string, args ...any), d *ebpf.Demands) {
	line("extended", "%d instructions, %d on the longest path", d.Slots, d.Longest)
	line("stack", "%d bytes of %d", d.Stack, ebpf.StackSize)
	name := "calls"
	for _, c := range d.Calls {
		line(name, "%s in %s, %d on a path at most", ebpf.HelperName(c.ID), plural(c.Places, "place"), c.Most)
		name = ""
	}
	if len(d.Calls) == 0 {
		line(name, "none")
	}
}

// writeKernel writes what the program asks of the kernel.
func writeKernel(line func(name, format string, args ...any), d *ebpf.Demands, forgets bool) {
	how := fmt.Sprintf("about %d instructions to be followed, %s at most", d.Expected, many(d.Followed))
	if forgets {
		how = fmt.Sprintf("about %d instructions to be followed: it is made to forget what tells paths apart", d.Expected)
	}
	line("verifier", "%s paths, %s", many(d.Paths), how)
	line("privilege", "%s", d.Privilege)
	line("kernel", "Linux %s", d.Since())
	for _, need := range d.Features {
		at := ""
		if need.PC >= 0 {
			at = fmt.Sprintf(", insn %d", need.PC)
		}
		line("", "%-5s %s%s", need.Since, need.Name, at)
	}
}

// writeForecast says whether the program will load.
func writeForecast(line func(name, format string, args ...any), r *report) {
	name := "loads"
	if r.Loads() {
		line(name, "yes")
	}
	for _, e := range r.Refusals {
		line(name, "no: %s%s", e, r.from(e.PC))
		name = ""
	}
	for _, e := range r.Doubts {
		line(name, "perhaps not: %s", e)
		name = ""
	}
}

// from tells of a slot the classic instruction that it came from.
func (r *report) from(slot int) string {
	if slot < 0 || slot >= len(r.as.PCs) || r.as.PCs[slot] == translate.NoPC {
		return ""
	}
	pc := r.as.PCs[slot]
	return ", from " + strings.Join(strings.Fields(cbpf.Line(pc, r.as.program[pc])), " ")
}

// readBytes says which bytes of the packet are read.
func readBytes(r *cbpf.Reads) string {
	var parts []string
	if r.Fixed > 0 {
		parts = append(parts, fmt.Sprintf("bytes %d to %d in %s", r.First, r.Last, plural(r.Fixed, "load")))
	}
	if r.Indexed > 0 {
		last := fmt.Sprintf("byte %d", r.IndexedLast)
		if r.IndexedLast == cbpf.NoEnd {
			last = "the end"
		}
		parts = append(parts, fmt.Sprintf("up to %s in %s at offsets from the packet", last, plural(r.Indexed, "load")))
	}
	if r.Windows > 0 {
		parts = append(parts, plural(r.Windows, "load")+" through the LL or NET window")
	}
	if len(parts) == 0 {
		return "no bytes"
	}
	return strings.Join(parts, ", ")
}

// readOthers says what else is read.
func readOthers(r *cbpf.Reads) string {
	var parts []string
	if r.Length {
		parts = append(parts, "len")
	}
	for _, ext := range r.Exts {
		parts = append(parts, ext.String())
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// many writes a number that may be out of range.
func many(n uint64) string {
	if n == math.MaxUint64 {
		return "2^64 or more"
	}
	return fmt.Sprint(n)
}
