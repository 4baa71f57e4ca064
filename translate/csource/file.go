package csource

import (
	"fmt"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// file puts everything together around the statements.
func (w *writer) file() string {
	var b strings.Builder
	fmt.Fprintf(&b, "/* Made by cbpf2ebpf of a classic BPF program of %d instructions; the form is %s. */\n", len(w.p), w.opts.Form)
	b.WriteString(w.src.head())
	hook := forms[w.opts.Form].hook
	linkage := linkages[w.opts.Linkage]
	if hook != nil {
		linkage = linkages[Inline]
	}
	w.use(strings.TrimSpace(linkage))
	b.WriteString(w.prelude(hook))
	name := w.opts.Name
	if hook != nil {
		name += "_verdict"
	}
	fmt.Fprintf(&b, "\n%suint32_t %s(%s)\n{\n", linkage, name, w.src.param())
	b.WriteString(w.declarations())
	b.WriteString(w.b.String())
	b.WriteString("}\n")
	if hook != nil {
		b.WriteString(w.program(hook))
	}
	return b.String()
}

// declarations are the variables of the function, and what keeps compilers from complaining about unused parameters.
func (w *writer) declarations() string {
	var b strings.Builder
	for _, l := range w.src.locals() {
		if w.used[l[0]] {
			fmt.Fprintf(&b, "\tconst uint8_t *%s = %s;\n", l[0], l[1])
			w.use(strings.FieldsFunc(l[1], notName)...)
		}
	}
	if w.used["p"] {
		b.WriteString("\tconst uint8_t *p;\n")
	}
	if w.used["v"] {
		b.WriteString("\tint64_t v;\n")
	}
	if names := w.registers(); len(names) > 0 {
		fmt.Fprintf(&b, "\tuint32_t %s;\n", strings.Join(names, ", "))
	}
	for _, p := range strings.Split(w.src.param(), ", ") {
		if name := p[strings.LastIndexByte(p, '*')+1:]; !w.used[name] {
			fmt.Fprintf(&b, "\t(void)%s;\n", name)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// notName tells the characters that do not stand in names.
func notName(c rune) bool { return !isIdentifier("x" + string(c)) }

// registers are the registers and scratch words that the statements mention; those that are read before they are written
// are 0 at the start.
func (w *writer) registers() []string {
	var all regs
	for pc, ins := range w.p {
		if w.needed[pc] {
			all |= writes(ins)&w.flow.live[pc] | reads(ins, w.flow.live[pc])
		}
	}
	var names []string
	for i := range 2 + cbpf.ScratchWords {
		r := regs(1) << i
		if (all|w.flow.entry)&r == 0 {
			continue
		}
		name := fmt.Sprintf("m%d", i-2)
		if i < 2 {
			name = string("ax"[i])
		}
		if w.flow.entry&r != 0 {
			name += " = 0"
		}
		names = append(names, name)
	}
	return names
}

// program is the function that the kernel calls, and its licence.
func (w *writer) program(h *hook) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nSEC(%q)\nint %s(%s)\n{\n", h.section, w.opts.Name, h.param())
	call := fmt.Sprintf("%s_verdict(%s)", w.opts.Name, h.ctx)
	if actions := w.actions(); actions != [2]int32{} {
		call += fmt.Sprintf(" ? %s : %s", h.action(actions[1]), h.action(actions[0]))
	} else {
		call = "(int)" + call
	}
	fmt.Fprintf(&b, "\treturn %s;\n}\n\nchar _license[] SEC(\"license\") = %q;\n", call, w.opts.Licence)
	return b.String()
}

// actions are what the program returns for a verdict of 0, and for others; both 0 for the verdict itself.
func (w *writer) actions() [2]int32 {
	form := &forms[w.opts.Form]
	if form.actions == [2]int32{} || w.opts.Match == 0 && w.opts.NoMatch == 0 {
		return form.actions
	}
	return [2]int32{w.opts.NoMatch, w.opts.Match}
}

// action writes a value that programs return, with its name.
func (h *hook) action(n int32) string {
	if name := h.actions[n]; name != "" {
		return fmt.Sprintf("%d /* %s */", n, name)
	}
	return fmt.Sprint(n)
}
