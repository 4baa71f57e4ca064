package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// tell says on stderr how far things are.
func tell(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "cbpf2ebpf: "+format+"\n", args...)
}

// load gives the program to the kernel and says what it is there.
func (f *loadFlags) load(cmd *cobra.Command, in *input, r *translate.Result, p *loadPlan) (*kernel.Filter, error) {
	opts, err := f.options(r, p)
	if err != nil {
		return nil, err
	}
	filter, err := kernel.Load(r.Program, opts)
	if err != nil {
		f.printLog(cmd, logOf(err))
		return nil, refusedProgram(in, r, err)
	}
	f.printLog(cmd, filter.Log())
	tell(cmd, "loaded %s", describe(filter, r, p))
	return filter, nil
}

// describe says what a loaded program is.
func describe(filter *kernel.Filter, r *translate.Result, p *loadPlan) string {
	text := fmt.Sprintf("a %s of %d instructions", p.kind, r.Stats.Slots)
	if s, ok := filter.Stats(); ok {
		text += fmt.Sprintf(", of which the verifier followed %d on all paths", s.Processed)
	}
	if info, err := filter.Info(); err == nil && len(info.Jited) > 0 {
		text += fmt.Sprintf(", %d bytes of machine code", len(info.Jited))
	}
	return text
}

// tryOut has the verifier judge the program, and says what would be done with it.
func (f *loadFlags) tryOut(cmd *cobra.Command, in *input, r *translate.Result, p *loadPlan) error {
	opts, err := f.options(r, p)
	if err != nil && !errors.Is(err, kernel.ErrUnavailable) {
		return err
	}
	filter, err := kernel.Load(r.Program, opts)
	told := ""
	switch {
	case err == nil:
		defer filter.Close()
		f.printLog(cmd, filter.Log())
		told = "the kernel takes " + describe(filter, r, p)
	case errors.Is(err, kernel.ErrUnavailable):
		told = fmt.Sprintf("a %s of %d instructions; the kernel was not asked: %v", p.kind, r.Stats.Slots, err)
	default:
		f.printLog(cmd, logOf(err))
		return refusedProgram(in, r, err)
	}
	return buffered(cmd.OutOrStdout(), func(w io.Writer) error {
		fmt.Fprintln(w, told)
		if p.place.Pin != "" {
			fmt.Fprintf(w, "would pin it at %s\n", p.place.Pin)
		}
		for _, h := range p.place.Hooks {
			fmt.Fprintf(w, "would attach it to %s\n", h)
		}
		return nil
	})
}

// logOf is the verifier's log that an error brings.
func logOf(err error) string {
	var refused *kernel.VerifierError
	if errors.As(err, &refused) {
		return refused.Log
	}
	return ""
}

func (f *loadFlags) printLog(cmd *cobra.Command, log string) {
	if f.log && log != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), strings.TrimSpace(log))
	}
}

// refusedProgram puts a refusal in plain words, with the place in the classic program.
func refusedProgram(in *input, r *translate.Result, err error) error {
	var refused *kernel.VerifierError
	if !errors.As(err, &refused) {
		return advised(err)
	}
	var b strings.Builder
	what, _, ok := refused.Explain()
	if !ok {
		what = refused.Message
	}
	fmt.Fprintf(&b, "%s: the verifier refuses the program: %s", in.name, what)
	b.WriteString(placeOf(in.show(r), r, refused.PC))
	if ok {
		fmt.Fprintf(&b, "\n  the kernel says: %s", refused.Message)
	}
	return advised(&retold{b.String(), err})
}

// retold is an error in other words.
type retold struct {
	text string
	err  error
}

func (e *retold) Error() string { return e.text }

func (e *retold) Unwrap() error { return e.err }

// placeOf shows a slot, and the classic instruction that it came from.
func placeOf(p cbpf.Program, r *translate.Result, slot int) string {
	if slot < 0 || slot >= len(r.Program) {
		return ""
	}
	text, _ := r.Program.Line(slot, ebpf.LLVM)
	place := fmt.Sprintf("\n  at slot %d: %s", slot, text)
	if pc := r.PCs[slot]; pc != translate.NoPC {
		place += fmt.Sprintf("\n  which comes from %s", strings.TrimRight(cbpf.Line(pc, p[pc]), " "))
	}
	return place
}

// advised adds to an error what can be done about it.
func advised(err error) error {
	if todo := kernel.Advice(err); todo != "" {
		return fmt.Errorf("%w\n  what to do: %s", err, todo)
	}
	return err
}

// hookList names where a program is.
func hookList(installed *kernel.Installed) string {
	var names []string
	for _, a := range installed.Attachments() {
		names = append(names, a.Hook().String())
	}
	return strings.Join(names, ", ")
}

// tellKept says what stays, and how it is taken away.
func tellKept(cmd *cobra.Command, installed *kernel.Installed, p *loadPlan) error {
	if err := installed.Close(); err != nil {
		return err
	}
	return buffered(cmd.OutOrStdout(), func(w io.Writer) error {
		fmt.Fprintf(w, "pinned at %s\n", p.place.Pin)
		for _, a := range installed.Attachments() {
			if undo := a.Undo(); undo != "" {
				fmt.Fprintf(w, "attached to %s until: %s\n", a.Hook(), undo)
			}
		}
		_, err := fmt.Fprintf(w, "cbpf2ebpf pinned %s shows it, with --remove it takes it away\n", p.place.Pin)
		return err
	})
}

func printCounts(cmd *cobra.Command, filter *kernel.Filter, p *loadPlan) error {
	c, err := filter.Counts()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), p.counts(c))
	return err
}

// counts says how many packets came by, and what became of them.
func (p *loadPlan) counts(c *kernel.Counts) string { return countsText(c, p.kind) }

func countsText(c *kernel.Counts, kind kernel.Type) string {
	if c.Verdicts {
		return fmt.Sprintf("%d of %d packets match", c.Ends[1], c.Runs)
	}
	text := fmt.Sprintf("%d packets", c.Runs)
	for i, result := range slices.Sorted(maps.Keys(c.Ends)) {
		text += fmt.Sprintf("%s %d %s", []string{":", ","}[min(i, 1)], c.Ends[result], kind.Action(result))
	}
	return text
}
