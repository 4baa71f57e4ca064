package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxText bounds the text of a program.
const maxText = 64 << 20

// source says where a classic program comes from.
type source struct {
	from     string
	expr     string
	linkType string
	iface    string // -e is for the packets of this interface; "" for packets of traces
	unroll   int
}

func (s *source) flags(cmd *cobra.Command) {
	names := []string{string(cbpf.Auto)}
	for _, n := range cbpf.Notations() {
		names = append(names, string(n))
	}
	cmd.Flags().StringVar(&s.from, "from", string(cbpf.Auto), "`NOTATION` of the program: "+strings.Join(names, ", "))
	cmd.Flags().StringVarP(&s.expr, "expr", "e", "", "compile this capture `FILTER` with the system's tcpdump instead of reading FILE")
	cmd.Flags().StringVar(&s.linkType, "linktype", "", "`LINK` type of the packets, as tcpdump -y takes it (default EN10MB, or that of the trace)")
	cmd.Flags().IntVar(&s.unroll, "unroll", 0, "unroll loops, as protochain makes them, `N` times; what goes round more often has the verdict 0")
	complete(cmd, "from", names...)
	complete(cmd, "linktype", difftest.LinkTypeNames()...)
}

// complete gives the shell the values of a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag was defined just before
	}
}

// link is the link type that the flag names, or otherwise the given one.
func (s *source) link(otherwise difftest.LinkType) (difftest.LinkType, error) {
	if s.linkType == "" {
		return otherwise, nil
	}
	l, err := difftest.LinkTypeByName(s.linkType)
	if err != nil {
		return 0, &usageError{err}
	}
	return l, nil
}

// input is a classic program and where it comes from.
type input struct {
	program cbpf.Program
	name    string
	source  *cbpf.Source // nil where there is no text of the user's
	loops
}

// fault says of an error which input it is of, and shows the place in the text, if it has one.
func (in *input) fault(err error) error {
	err = optionFault(err)
	if err = in.written(err); in.source != nil {
		err = in.source.Place(err)
	}
	return inFile(in.name, err)
}

// warn writes warnings, each with its place in the text as a fault has it.
func (in *input) warn(w io.Writer, warnings []cbpf.Warning) {
	var faults cbpf.Errors
	for _, warning := range warnings {
		faults = append(faults, &cbpf.Error{Reason: warning.Reason, PC: warning.PC, Detail: warning.Advice})
	}
	errors.As(in.written(faults), &faults)
	if in.source != nil {
		errors.As(in.source.Place(faults), &faults)
	}
	for _, fault := range faults {
		fmt.Fprintf(w, "%s: warning: %s", in.name, cbpf.Errors{fault}.Excerpt())
	}
}

// notes tells of the limits of the translation, once for each instruction that the user wrote.
func (in *input) notes(w io.Writer, bounds []translate.Bound) {
	told := make(map[int]bool)
	for _, b := range bounds {
		b.PC = in.origin(b.PC)
		if !told[b.PC] {
			fmt.Fprintf(w, "%s: note: %s (--max-attrs)\n", in.name, b)
		}
		told[b.PC] = true
	}
}

// program reads the program of a command: from -e, from the file, or from stdin.
func (s *source) program(cmd *cobra.Command, files []string, link difftest.LinkType) (*input, error) {
	if cmd.Flags().Changed("expr") {
		if len(files) > 0 {
			return nil, usagef("both -e and a FILE: %s", files[0])
		}
		p, err := s.compile(cmd, link)
		if err != nil {
			return nil, err
		}
		return s.unrolled(&input{program: p, name: fmt.Sprintf("filter %q", s.expr)})
	}
	notation, err := cbpf.NotationByName(s.from)
	if err != nil {
		return nil, &usageError{err}
	}
	text, name, err := readText(cmd, fileName(files))
	if err != nil {
		return nil, err
	}
	src, err := cbpf.ParseSource(notation, text)
	if err != nil {
		return nil, inFile(name, err)
	}
	return s.unrolled(&input{program: src.Program, name: name, source: src})
}

// valid is program for commands that want one that the kernel would take.
func (s *source) valid(cmd *cobra.Command, files []string, link difftest.LinkType) (*input, error) {
	in, err := s.program(cmd, files, link)
	if err != nil {
		return nil, err
	}
	return in, in.fault(cbpf.Validate(in.program))
}

// inFile puts the name of the file before an error, or before each of several, with what each shows of the text.
func inFile(name string, err error) error {
	var all cbpf.Errors
	var one *cbpf.Error
	var usage *usageError
	var told *faultsOfFile
	switch {
	case err == nil:
		return nil
	case errors.As(err, &usage), errors.As(err, &told):
		return err
	case errors.As(err, &all):
	case errors.As(err, &one):
		all = cbpf.Errors{one}
	default:
		return fmt.Errorf("%s: %w", name, err)
	}
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s: %s\n%s", name, e, e.Excerpt())
	}
	return &faultsOfFile{strings.TrimSuffix(b.String(), "\n"), all}
}

// faultsOfFile are faults as people see them: with the name of the file, and the lines.
type faultsOfFile struct {
	text string
	all  cbpf.Errors
}

func (f *faultsOfFile) Error() string { return f.text }

func (f *faultsOfFile) Unwrap() error { return f.all }

// readText reads a file, or stdin for "-", and returns what to call it. A person at a terminal is told what is wanted
// instead of being kept waiting.
func readText(cmd *cobra.Command, file string) (text []byte, name string, err error) {
	name = file
	in := cmd.InOrStdin()
	if name == "-" {
		if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return nil, "", usagef("no program: name a FILE, pipe one in (tcpdump -d 'tcp port 80' | cbpf2ebpf), or give -e 'tcp port 80'")
		}
		name = "stdin"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, "", err
		}
		defer f.Close()
		in = f
	}
	text, err = io.ReadAll(io.LimitReader(in, maxText+1))
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("%s: more than %d MiB of text, which is no program", name, maxText>>20)
	}
	return text, name, err
}

// compile makes the program of -e.
func (s *source) compile(cmd *cobra.Command, link difftest.LinkType) (cbpf.Program, error) {
	if s.iface != "" && s.linkType == "" {
		return compileFor(s.iface, s.expr, link, cmd.ErrOrStderr())
	}
	return compileExpr(s.expr, link)
}

// compileExpr has tcpdump compile a capture filter. It learns the link type from a trace without packets on stdin, because
// -y knows only the types that have a name.
func compileExpr(expr string, link difftest.LinkType) (cbpf.Program, error) {
	var trace bytes.Buffer
	if _, err := difftest.NewWriter(&trace, link, false); err != nil {
		return nil, err
	}
	return askTcpdump(&trace, expr, "-r", "-")
}

// compileFor has it compile one for the packets of an interface, of which the kernel takes VLAN tags out: filters look for
// them where it puts them. Who may not open the interface, or finds it down, gets one for packets that are as on the wire, and
// a note.
func compileFor(iface, expr string, link difftest.LinkType, notes io.Writer) (cbpf.Program, error) {
	p, err := askTcpdump(nil, expr, "-i", iface)
	if err == nil || !strings.Contains(err.Error(), "not up") && !strings.Contains(strings.ToLower(err.Error()), "permi") {
		return p, err
	}
	fmt.Fprintf(notes, "cbpf2ebpf: note: %v; VLAN tags will be looked for in the packets\n", err)
	return compileExpr(expr, link)
}

// askTcpdump runs tcpdump and reads the program that it prints.
func askTcpdump(stdin io.Reader, expr string, args ...string) (cbpf.Program, error) {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		return nil, errors.New("-e needs tcpdump, which is not installed here: install it (apt-get install tcpdump), " +
			"or run tcpdump -d elsewhere and give its output as FILE")
	}
	var stdout, stderr bytes.Buffer
	tcpdump := exec.Command(path, append(args, "-ddd", "--", expr)...)
	tcpdump.Stdin, tcpdump.Stdout, tcpdump.Stderr = stdin, &stdout, &stderr
	if err := tcpdump.Run(); err != nil {
		return nil, fmt.Errorf("filter %q: %s", expr, lastLine(stderr.String(), err))
	}
	p, err := cbpf.ParseAs(cbpf.Decimal, stdout.Bytes())
	return p, inFile("output of tcpdump", err)
}

// lastLine is what tcpdump complains about: the last line that it prints, without its own name.
func lastLine(text string, err error) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := strings.TrimPrefix(lines[len(lines)-1], "tcpdump: "); last != "" {
		return last
	}
	return err.Error()
}
