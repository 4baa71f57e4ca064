package difftest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

const filterDir = "../testdata/filters"

// filterFile is a row of the table in testdata/filters/README.md.
type filterFile struct {
	name, expression string
}

func filterFiles(t *testing.T) []filterFile {
	readme, err := os.ReadFile(filepath.Join(filterDir, "README.md"))
	require.NoError(t, err)
	var files []filterFile
	for _, line := range strings.Split(string(readme), "\n") {
		row, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		name, rest, _ := strings.Cut(row, "` |")
		expression := strings.ReplaceAll(strings.TrimSpace(strings.TrimSuffix(rest, "|")), `\|`, "|")
		if name == "hosts-80.d" {
			expression = eightyHosts()
		}
		files = append(files, filterFile{name, expression})
	}
	return files
}

func eightyHosts() string {
	hosts := make([]string, 80)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("host 192.0.2.%d", i+1)
	}
	return strings.Join(hosts, " or ")
}

// The forms of tcp-port-80, besides -d, that other tools take.
var portForms = map[string]func(t *testing.T) []byte{
	"tcp-port-80.dd":    func(t *testing.T) []byte { return tcpdump(t, "-dd", "tcp port 80") },
	"tcp-port-80.ddd":   func(t *testing.T) []byte { return tcpdump(t, "-ddd", "tcp port 80") },
	"tcp-port-80.xtbpf": xtbpf,
}

func xtbpf(t *testing.T) []byte {
	lines := strings.Fields(strings.ReplaceAll(string(tcpdump(t, "-ddd", "tcp port 80")), " ", "_"))
	return []byte(strings.ReplaceAll(strings.Join(lines, ","), "_", " ") + "\n")
}

func tcpdump(t *testing.T, form, expression string) []byte {
	out, err := exec.Command("tcpdump", "-y", "EN10MB", form, "--", expression).Output()
	require.NoError(t, err, expression)
	return out
}

// TestFiltersCurrent makes sure that testdata/filters holds what tcpdump makes of its README; -update writes it.
func TestFiltersCurrent(t *testing.T) {
	version, err := exec.Command("tcpdump", "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(version), "libpcap version 1.10.3") {
		t.Skip("tcpdump with libpcap 1.10.3 is not installed")
	}
	want := map[string][]byte{}
	for _, f := range filterFiles(t) {
		want[f.name] = tcpdump(t, "-d", f.expression)
	}
	for name, form := range portForms {
		want[name] = form(t)
	}
	for name, text := range want {
		path := filepath.Join(filterDir, name)
		if *update {
			require.NoError(t, os.WriteFile(path, text, 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got), "%s is not current", path)
	}
}

// Every file is in the table, and is a valid program; the forms of one filter are one program.
func TestFiltersParse(t *testing.T) {
	listed := map[string]bool{"README.md": true}
	for _, f := range filterFiles(t) {
		listed[f.name] = true
	}
	for name := range portForms {
		listed[name] = true
	}
	entries, err := os.ReadDir(filterDir)
	require.NoError(t, err)
	require.Len(t, entries, len(listed))
	port80 := readFilter(t, "tcp-port-80.d")
	for _, e := range entries {
		require.True(t, listed[e.Name()], "%s is not in the README", e.Name())
		if e.Name() == "README.md" {
			continue
		}
		p := readFilter(t, e.Name())
		require.NoError(t, cbpf.Validate(p), e.Name())
		if portForms[e.Name()] != nil {
			require.Equal(t, port80, p, e.Name())
		}
	}
}

func readFilter(t testing.TB, name string) cbpf.Program {
	text, err := os.ReadFile(filepath.Join(filterDir, name))
	require.NoError(t, err)
	p, err := cbpf.Parse(text)
	require.NoError(t, err, name)
	return p
}
