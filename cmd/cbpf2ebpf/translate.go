package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// translation holds the flags of commands that translate.
type translation struct {
	target   string
	optimize int
	attrs    int // most that nla and nlan look at; 0: what the translator has
	hook     hookFlags
	trace    traceFlags
}

// flags adds them to a command, with what they are where nobody gives them.
func (t *translation) flags(cmd *cobra.Command, target string, level int) {
	names := translate.TargetNames()
	cmd.Flags().StringVar(&t.target, "target", target, "`TARGET` that the program is for: "+strings.Join(names, ", "))
	complete(cmd, "target", names...)
	t.levelFlag(cmd, level)
	cmd.Flags().IntVar(&t.attrs, "max-attrs", translate.DefaultMaxAttrs, "netlink attributes that nla and nlan look at, `N` at most; with more behind them, a packet has the verdict 0")
	t.hook.flags(cmd)
	t.trace.flags(cmd)
}

func (t *translation) levelFlag(cmd *cobra.Command, level int) {
	cmd.Flags().IntVarP(&t.optimize, "optimize", "O", level, "optimisation `LEVEL`: 0 translates instruction by instruction, 1 reuses what is known, 2 does all")
}

func (t *translation) noLevel() error {
	return usagef("-O%d: the levels are 0 to %d", t.optimize, translate.MaxOptimize)
}

// options are those for the translator.
func (t *translation) options(link difftest.LinkType) (translate.Options, error) {
	target, err := translate.ParseTarget(t.target)
	if err != nil {
		return translate.Options{}, &usageError{err}
	}
	if t.optimize < 0 || t.optimize > translate.MaxOptimize {
		return translate.Options{}, t.noLevel()
	}
	if t.attrs < 0 {
		return translate.Options{}, usagef("--max-attrs %d: there are no negative numbers of attributes", t.attrs)
	}
	opts := link.Options(target)
	opts.Optimize, opts.MaxAttrs = t.optimize, t.attrs
	if err := t.hook.set(&opts, link); err != nil {
		return opts, err
	}
	return opts, t.trace.set(&opts)
}

// translated is a translation, and how it is to be written.
type translated struct {
	program cbpf.Program
	*translate.Result
	order   binary.ByteOrder
	name    string // of the variable or function, where the form has one
	section string // of the object
	frags   bool   // see translate.Options
	kprobe  bool   // the argument is looked for in registers
	level   int    // of optimisation
	licence string // of the object
}

// outputs are the forms in which a program can be written. C is made of the classic one.
var outputs = []struct {
	name        string
	binary      bool
	write       func(w io.Writer, t *translated) error
	c, function bool // it is C; and one function of two pointers
}{
	{name: "text", write: func(w io.Writer, t *translated) error { return writeListing(w, t, ebpf.LLVM) }},
	{name: "xlated", write: func(w io.Writer, t *translated) error { return writeListing(w, t, ebpf.Xlated) }},
	{name: "raw", binary: true, write: writeRaw},
	{name: "hex", write: writeHex},
	{name: "json", write: writeJSON},
	{name: "carray", write: func(w io.Writer, t *translated) error { return ebpf.WriteC(w, t.Program, t.name) }},
	{name: "go", write: func(w io.Writer, t *translated) error { return ebpf.WriteGo(w, t.Program, t.name) }},
	{name: "elf", binary: true, write: writeELF},
	{name: "x86", write: writeX86},
	{name: "c", c: true},
	{name: "cfunc", c: true, function: true},
}

// sourceName is what programs are called where nobody gives them a name.
const sourceName = "filter"

func translateCommand() *cobra.Command {
	var src source
	var t translation
	var to, out, order string
	var as translated
	var report reporting
	cmd := &cobra.Command{
		Short: "Translate a classic program to extended BPF",
		Example: `  tcpdump -d 'tcp port 80' | cbpf2ebpf
  cbpf2ebpf -e 'tcp port 80' --target socket --to xlated
  cbpf2ebpf filter.d --to raw -o filter.bin
  cbpf2ebpf filter.d --target socket --to elf -o filter.o && bpftool prog load filter.o /sys/fs/bpf/filter`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if as.order, err = byteOrder(order); err != nil {
				return err
			}
			return translateProgram(cmd, args, &src, &t, to, out, &as, &report)
		},
	}
	src.flags(cmd)
	t.flags(cmd, translate.User.String(), 0)
	report.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "text", "`FORM` of the output: "+strings.Join(outputNames(), ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	cmd.Flags().StringVar(&as.name, "name", sourceName, "`NAME` of the program in C, Go and ELF")
	cmd.Flags().StringVar(&as.section, "section", "", "`SECTION` of the program in ELF, which tells loaders its kind (default after the target)")
	cmd.Flags().StringVar(&as.licence, "licence", "", "`LICENCE` in ELF and C (default what the program needs)")
	cmd.Flags().StringVar(&order, "order", "native", "byte `ORDER` of raw, hex and ELF: "+strings.Join(byteOrderNames, ", "))
	complete(cmd, "to", outputNames()...)
	complete(cmd, "order", byteOrderNames...)
	return cmd
}

func translateProgram(cmd *cobra.Command, args []string, src *source, t *translation, to, out string, as *translated, about *reporting) error {
	i := slices.Index(outputNames(), to)
	if i < 0 {
		return usagef("unknown form %q; the forms are %s", to, strings.Join(outputNames(), ", "))
	}
	link, err := src.link(difftest.LinkEthernet)
	if err != nil {
		return err
	}
	foretell, err := about.wanted(cmd, to)
	if err != nil {
		return err
	}
	if outputs[i].c {
		if foretell != nil {
			return usagef("--report is about extended programs, not about C")
		}
		return translateToC(cmd, args, src, t, link, out, as, outputs[i].function)
	}
	opts, err := t.options(link)
	if err != nil {
		return err
	}
	if outputs[i].binary && out == "" && foretell == nil && isTerminal(cmd.OutOrStdout()) {
		return errUpset(to)
	}
	in, err := src.programOrCommand(cmd, args, link)
	if err != nil {
		return errors.Join(err, about.instead(cmd, opts.Target, err))
	}
	r, err := translate.Translate(in.program, opts)
	if err != nil {
		err = in.fault(err)
		return errors.Join(err, about.instead(cmd, opts.Target, err))
	}
	in.notes(cmd.ErrOrStderr(), r.Bounds)
	as.program, as.Result, as.frags, as.kprobe, as.level = in.show(r), r, opts.Frags, t.trace.kprobe, opts.Optimize
	if foretell == nil {
		return writeWhole(cmd, out, func(w io.Writer) error { return outputs[i].write(w, as) })
	}
	report, err := about.on(in, as)
	if err != nil {
		return err
	}
	if err := buffered(cmd.OutOrStdout(), func(w io.Writer) error { return foretell(w, report) }); err != nil {
		return err
	}
	if out != "" {
		err = writeWhole(cmd, out, func(w io.Writer) error { return outputs[i].write(w, as) })
	}
	if err == nil && report.refused() {
		return errTold
	}
	return err
}

// programOrCommand is program for the root command: a FILE that is not there may be a command misspelt.
func (s *source) programOrCommand(cmd *cobra.Command, args []string, link difftest.LinkType) (*input, error) {
	in, err := s.program(cmd, args, link)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w%s", err, suggestion(cmd, args[0]))
	}
	return in, err
}

// errUpset refuses to write bytes to a terminal.
func errUpset(form string) error {
	return usagef("%s bytes would upset the terminal: give -o FILE, or --to hex", form)
}

func outputNames() []string {
	var names []string
	for _, o := range outputs {
		names = append(names, o.name)
	}
	return names
}

// writeListing writes the program as text, each group of instructions behind the classic one that it came from.
func writeListing(w io.Writer, t *translated, d ebpf.Dialect) error {
	last := translate.NoPC
	for slot := 0; slot < len(t.Program); {
		if pc := t.PCs[slot]; pc != last && pc != translate.NoPC {
			if _, err := fmt.Fprintf(w, "; %s\n", strings.TrimRight(cbpf.Line(pc, t.program[pc]), " ")); err != nil {
				return err
			}
			last = pc
		}
		text, slots := t.Program.Line(slot, d)
		if _, err := fmt.Fprintf(w, "%4d: %s\n", slot, text); err != nil {
			return err
		}
		slot += slots
	}
	return nil
}

// writeRaw writes the slots as bpf(2) takes them on a machine of the order.
func writeRaw(w io.Writer, t *translated) error {
	_, err := w.Write(ebpf.Encode(t.Program, t.order))
	return err
}

// writeHex writes the same bytes, a slot a line.
func writeHex(w io.Writer, t *translated) error {
	return writeHexSlots(w, ebpf.Encode(t.Program, t.order))
}

func writeHexSlots(w io.Writer, code []byte) error {
	for ; len(code) > 0; code = code[ebpf.SlotSize:] {
		if _, err := fmt.Fprintf(w, "% x\n", code[:ebpf.SlotSize]); err != nil {
			return err
		}
	}
	return nil
}

// listing is the JSON form of a translation.
type listing struct {
	Target   string        `json:"target"`
	Optimize int           `json:"optimize"`
	Licence  string        `json:"licence"`
	Stats    listingStats  `json:"stats"`
	Classic  []classicInsn `json:"classic"`
	Program  []slotInsn    `json:"program"`
}

type listingStats struct {
	Classic int `json:"classic"`
	Dead    int `json:"dead"`
	Slots   int `json:"slots"`
	Stack   int `json:"stack"`
}

type classicInsn struct {
	PC   int    `json:"pc"`
	Code uint16 `json:"code"`
	Jt   uint8  `json:"jt"`
	Jf   uint8  `json:"jf"`
	K    uint32 `json:"k"`
	Text string `json:"text"`
}

type slotInsn struct {
	Slot int    `json:"slot"`
	PC   *int   `json:"pc"` // of the classic instruction that it came from; null for entry and common drop
	Op   uint8  `json:"op"`
	Dst  uint8  `json:"dst"`
	Src  uint8  `json:"src"`
	Off  int16  `json:"off"`
	Imm  int32  `json:"imm"`
	Text string `json:"text"`
}

func writeJSON(w io.Writer, t *translated) error {
	l := listing{Target: t.Target.String(), Optimize: t.level, Licence: t.Licence, Stats: listingStats(t.Stats)}
	for pc, ins := range t.program {
		text := strings.TrimSpace(strings.TrimPrefix(cbpf.Line(pc, ins), fmt.Sprintf("(%03d)", pc)))
		l.Classic = append(l.Classic, classicInsn{pc, ins.Op, ins.Jt, ins.Jf, ins.K, text})
	}
	for slot, ins := range t.Program {
		text, _ := t.Program.Line(slot, ebpf.LLVM)
		s := slotInsn{Slot: slot, Op: uint8(ins.Op), Dst: uint8(ins.Dst), Src: uint8(ins.Src), Off: ins.Off, Imm: ins.Imm, Text: text}
		if pc := t.PCs[slot]; pc != translate.NoPC {
			s.PC = &pc
		}
		l.Program = append(l.Program, s)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
