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
}

func (t *translation) flags(cmd *cobra.Command, target string) {
	names := translate.TargetNames()
	cmd.Flags().StringVar(&t.target, "target", target, "`TARGET` that the program is for: "+strings.Join(names, ", "))
	cmd.Flags().IntVarP(&t.optimize, "optimize", "O", 0, "optimisation `LEVEL`; 0, the plain translation, is all there is yet")
	complete(cmd, "target", names...)
}

// options are those for the translator.
func (t *translation) options(link difftest.LinkType) (translate.Options, error) {
	target, err := translate.ParseTarget(t.target)
	if err != nil {
		return translate.Options{}, &usageError{err}
	}
	if t.optimize != 0 {
		return translate.Options{}, usagef("-O%d: this version has only -O0, the plain translation", t.optimize)
	}
	return link.Options(target), nil
}

// outputs are the forms in which an extended program can be written.
var outputs = []struct {
	name  string
	write func(w io.Writer, p cbpf.Program, r *translate.Result) error
}{
	{"text", func(w io.Writer, p cbpf.Program, r *translate.Result) error { return writeListing(w, p, r, ebpf.LLVM) }},
	{"xlated", func(w io.Writer, p cbpf.Program, r *translate.Result) error {
		return writeListing(w, p, r, ebpf.Xlated)
	}},
	{"raw", writeRaw},
	{"hex", writeHex},
	{"json", writeJSON},
	{"carray", func(w io.Writer, _ cbpf.Program, r *translate.Result) error {
		return ebpf.WriteC(w, r.Program, sourceName)
	}},
	{"go", func(w io.Writer, _ cbpf.Program, r *translate.Result) error {
		return ebpf.WriteGo(w, r.Program, sourceName)
	}},
}

// sourceName is what programs are called in C and Go sources.
const sourceName = "filter"

func translateCommand() *cobra.Command {
	var src source
	var t translation
	var to, out string
	cmd := &cobra.Command{
		Short: "Translate a classic program to extended BPF",
		Example: `  tcpdump -d 'tcp port 80' | cbpf2ebpf
  cbpf2ebpf -e 'tcp port 80' --target socket --to xlated
  cbpf2ebpf filter.d --to raw -o filter.bin`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return translateProgram(cmd, args, &src, &t, to, out)
		},
	}
	src.flags(cmd)
	t.flags(cmd, translate.User.String())
	cmd.Flags().StringVar(&to, "to", "text", "`FORM` of the output: "+strings.Join(outputNames(), ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, whole or not at all")
	complete(cmd, "to", outputNames()...)
	return cmd
}

func translateProgram(cmd *cobra.Command, args []string, src *source, t *translation, to, out string) error {
	i := slices.Index(outputNames(), to)
	if i < 0 {
		return usagef("unknown form %q; the forms are %s", to, strings.Join(outputNames(), ", "))
	}
	link, err := src.link(difftest.LinkEthernet)
	if err != nil {
		return err
	}
	opts, err := t.options(link)
	if err != nil {
		return err
	}
	if to == "raw" && out == "" && isTerminal(cmd.OutOrStdout()) {
		return usagef("raw bytes would upset the terminal: give -o FILE, or --to hex")
	}
	in, err := src.program(cmd, args, link)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w%s", err, suggestion(cmd, args[0]))
	}
	if err != nil {
		return err
	}
	r, err := translate.Translate(in.program, opts)
	if err != nil {
		return in.fault(err)
	}
	return writeWhole(cmd, out, func(w io.Writer) error { return outputs[i].write(w, in.program, r) })
}

func outputNames() []string {
	var names []string
	for _, o := range outputs {
		names = append(names, o.name)
	}
	return names
}

// writeListing writes the program as text, each group of instructions behind the classic one that it came from.
func writeListing(w io.Writer, p cbpf.Program, r *translate.Result, d ebpf.Dialect) error {
	last := translate.NoPC
	for slot := 0; slot < len(r.Program); {
		if pc := r.PCs[slot]; pc != last && pc != translate.NoPC {
			if _, err := fmt.Fprintf(w, "; %s\n", strings.TrimRight(cbpf.Line(pc, p[pc]), " ")); err != nil {
				return err
			}
			last = pc
		}
		text, slots := r.Program.Line(slot, d)
		if _, err := fmt.Fprintf(w, "%4d: %s\n", slot, text); err != nil {
			return err
		}
		slot += slots
	}
	return nil
}

// writeRaw writes the slots as bpf(2) takes them on this machine.
func writeRaw(w io.Writer, _ cbpf.Program, r *translate.Result) error {
	_, err := w.Write(ebpf.Encode(r.Program, binary.NativeEndian))
	return err
}

// writeHex writes the same bytes, a slot a line.
func writeHex(w io.Writer, _ cbpf.Program, r *translate.Result) error {
	return writeHexSlots(w, ebpf.Encode(r.Program, binary.NativeEndian))
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

func writeJSON(w io.Writer, p cbpf.Program, r *translate.Result) error {
	l := listing{Target: r.Target.String(), Licence: r.Licence, Stats: listingStats(r.Stats)}
	for pc, ins := range p {
		text := strings.TrimSpace(strings.TrimPrefix(cbpf.Line(pc, ins), fmt.Sprintf("(%03d)", pc)))
		l.Classic = append(l.Classic, classicInsn{pc, ins.Op, ins.Jt, ins.Jf, ins.K, text})
	}
	for slot, ins := range r.Program {
		text, _ := r.Program.Line(slot, ebpf.LLVM)
		s := slotInsn{Slot: slot, Op: uint8(ins.Op), Dst: uint8(ins.Dst), Src: uint8(ins.Src), Off: ins.Off, Imm: ins.Imm, Text: text}
		if pc := r.PCs[slot]; pc != translate.NoPC {
			s.PC = &pc
		}
		l.Program = append(l.Program, s)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
