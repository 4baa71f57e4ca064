package difftest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// TestCases runs the files of testdata/cases. Each is one story: a classic program, where it has one the filter that it was
// compiled from, what it becomes, and verdicts found by hand. -update rewrites what it becomes, never a verdict.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../testdata/cases/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			runCase(t, archive)
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
		})
	}
}

// section returns a file of the archive, nil if it has none of that name.
func section(a *txtar.Archive, name string) *txtar.File {
	for i := range a.Files {
		if a.Files[i].Name == name {
			return &a.Files[i]
		}
	}
	return nil
}

func runCase(t *testing.T, a *txtar.Archive) {
	p, err := cbpf.ParseAs(cbpf.Listing, section(a, "classic").Data)
	require.NoError(t, err)
	require.NoError(t, cbpf.Validate(p))
	if filter := section(a, "filter"); filter != nil {
		compiledFrom(t, p, strings.TrimSpace(string(filter.Data)))
	}
	link := LinkEthernet
	if named := section(a, "link"); named != nil {
		link, err = LinkTypeByName(strings.TrimSpace(string(named.Data)))
		require.NoError(t, err)
	}
	for _, name := range extendedSections(a) {
		becomes(t, a, p, name, caseOptions(t, link, name))
	}
	lines := strings.Split(strings.TrimSpace(string(section(a, "verdicts").Data)), "\n")
	require.NotEmpty(t, lines[0])
	judge := newJudge(p, Engines(), link)
	defer judge.close()
	for _, line := range lines {
		pkt, want := verdictLine(t, line, link)
		outcomes := judge.run(&pkt)
		require.Equal(t, want, outcomes[0].Verdict, "%s: the reference", line)
		require.False(t, differs(outcomes), "%s: %v", line, outcomes)
	}
}

// compiledFrom has tcpdump, where it is installed, compile the filter to the very program.
func compiledFrom(t *testing.T, p cbpf.Program, filter string) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		return
	}
	out, err := exec.Command("tcpdump", "-y", "EN10MB", "-ddd", "--", filter).Output()
	require.NoError(t, err)
	compiled, err := cbpf.ParseAs(cbpf.Decimal, out)
	require.NoError(t, err)
	require.Equal(t, listing(compiled), listing(p))
}

func listing(p cbpf.Program) string {
	var b strings.Builder
	for pc, ins := range p {
		ins.K *= uint32(min(1, cbpf.Info(ins.Op).Form)) // libpcap leaves k as it was where there is no operand
		fmt.Fprintln(&b, cbpf.Line(pc, ins))
	}
	return b.String()
}

// extendedSections names the sections that hold translations: those that every case has, and the others of this one.
func extendedSections(a *txtar.Archive) []string {
	names := []string{"extended user", "extended socket"}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "extended ") && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// caseOptions reads the name of such a section: behind the target stand words for options.
func caseOptions(t *testing.T, link LinkType, name string) translate.Options {
	words := strings.Fields(name)[1:]
	target, err := translate.ParseTarget(words[0])
	require.NoError(t, err)
	opts := link.Options(target)
	if target == translate.Trace {
		opts = traceOptions(link, false)
	}
	for _, word := range words[1:] {
		switch word {
		case "l2":
			opts.Link = translate.LinkEthernet
		case "l3":
			opts.Link = translate.LinkIP
		case "on-l3":
			opts.HookLink = translate.LinkIP
		case "O1", "O2":
			opts.Optimize = int(word[1] - '0')
		case "frags":
			opts.Frags = true
		case "tags":
			opts.Tags = true
		default:
			of, action, ok := strings.Cut(word, "=")
			require.True(t, ok, "%s: %q", name, word)
			n, err := translate.ParseAction(target, action)
			require.NoError(t, err)
			if opts.Actions == nil {
				actions := translate.DefaultActions(target)
				opts.Actions = &actions
			}
			*map[string]*uint32{"match": &opts.Actions.Match, "drop": &opts.Actions.Drop}[of] = n
		}
	}
	return opts
}

// becomes compares the translation with the section that holds it.
func becomes(t *testing.T, a *txtar.Archive, p cbpf.Program, name string, opts translate.Options) {
	r, err := translate.Translate(p, opts)
	require.NoError(t, err, name)
	_, err = ebpf.Check(r.Program, opts.Target.ABI())
	require.NoError(t, err, name)
	text := []byte(ebpf.Print(r.Program, ebpf.LLVM))
	s := section(a, name)
	if *update && s == nil {
		a.Files = append(a.Files[:len(a.Files)-1], txtar.File{Name: name}, a.Files[len(a.Files)-1])
		s = section(a, name)
	}
	require.NotNil(t, s, "no section %q: run with -update", name)
	if *update {
		s.Data = text
	}
	if !bytes.Equal(s.Data, text) {
		t.Errorf("%s: want\n%s\ngot\n%s", name, s.Data, text)
	}
}

// verdictLine reads `hex:BYTES [wire:LENGTH] VERDICT`.
func verdictLine(t *testing.T, line string, link LinkType) (cbpf.Packet, uint32) {
	var pkt cbpf.Packet
	words := strings.Fields(line)
	data, err := hex.DecodeString(strings.TrimPrefix(words[0], "hex:"))
	require.NoError(t, err, line)
	pkt.Data, pkt.WireLen = data, uint32(len(data))
	if len(words) == 3 {
		n, err := strconv.ParseUint(strings.TrimPrefix(words[1], "wire:"), 10, 32)
		require.NoError(t, err, line)
		pkt.WireLen = uint32(n)
	}
	pkt.Meta = MetaFor(link, data)
	want, err := strconv.ParseUint(words[len(words)-1], 10, 32)
	require.NoError(t, err, line)
	return pkt, uint32(want)
}
