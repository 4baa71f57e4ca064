package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// beMain makes the test binary the command itself, for tests that need a process.
const beMain = "CBPF2EBPF_BE_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

const testdata = "../../testdata/"

func filter(name string) string { return testdata + "filters/" + name }

func pcap(name string) string { return testdata + "pcaps/" + name }

// result is what a command made of its arguments.
type result struct {
	status         int
	stdout, stderr string
}

// cli runs the command in this process.
func cli(stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(stdin), &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// succeed demands status 0 and silence on stderr, and returns stdout.
func succeed(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := cli(stdin, args...)
	require.Equal(t, result{stdout: r.stdout}, r, "%q", args)
	return r.stdout
}

// temp writes a file for the test.
func temp(t *testing.T, name string, data []byte) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o666))
	return path
}

func readFile(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// longTrace has more verdicts than fit into a pipe.
func longTrace(t *testing.T) string {
	trace := readFile(t, pcap("mixed.pcap"))
	return temp(t, "long.pcap", append(trace[:24:24], bytes.Repeat(trace[24:], 100)...))
}

// requireTcpdump skips where it is not installed.
func requireTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skipf("skipped: %v", err)
	}
}

// TestUsage is the list of command lines that make no sense.
func TestUsage(t *testing.T) {
	ip, mixed := filter("ip.d"), pcap("mixed.pcap")
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"--bogus"}, "unknown flag: --bogus\ntry: cbpf2ebpf --help"},
		{"misspelt command, flag", []string{"dif", "x", "-r", "y"}, "did you mean the command diff?\ntry: cbpf2ebpf --help"},
		{"form of a report behind a blank", []string{ip, "--report", "json"}, "--report=json"},
		{"misspelt command, file", []string{"chekc", "x"}, `one FILE at most, not 2: ["chekc" "x"]; did you mean the command check?`},
		{"two files", []string{"check", "a", "b"}, "one FILE at most, not 2: [\"a\" \"b\"]\ntry: cbpf2ebpf check --help"},
		{"expression and file", []string{ip, "-e", "ip"}, "both -e and a FILE: " + ip},
		{"notation", []string{ip, "--from", "zzz"}, `unknown notation: "zzz"; known are auto, tcpdump, `},
		{"form", []string{ip, "--to", "zzz"}, `unknown form "zzz"; the forms are text, xlated, raw, hex, json`},
		{"target", []string{ip, "--target", "zzz"}, `unknown target "zzz"; the targets are user, socket`},
		{"level", []string{ip, "-O3"}, "-O3: the levels are 0 to 2"},
		{"level is no number", []string{ip, "-Ox"}, `invalid argument "x" for "-O, --optimize" flag`},
		{"link type", []string{ip, "--linktype", "zzz"}, `unknown link type "zzz"; the link types are NULL, EN10MB, `},
		{"no trace", []string{"run", ip}, "or --syscall CALL for a seccomp filter\ntry: cbpf2ebpf run --help"},
		{"no trace to compare on", []string{"diff", ip}, "no trace: give -r TRACE\ntry: cbpf2ebpf diff --help"},
		{"no argument", []string{"run", "-r"}, "flag needs an argument: 'r' in -r"},
		{"all from stdin", []string{"run", "-r", "-"}, "program and trace cannot both come from stdin"},
		{"all from stdin, said twice", []string{"run", "-", "-r", "-"}, "program and trace cannot both come from stdin"},
		{"all from stdin, diff", []string{"diff", ip, "-", "-r", "-"}, "program and trace cannot both come from stdin"},
		{"two texts on stdout", []string{"run", ip, "-r", mixed, "--verdicts", "--count"}, "--verdicts or --count, not both"},
		{"verdicts among packets", []string{"run", ip, "-r", mixed, "--verdicts", "-w", "-"}, "packets and text cannot both go to stdout"},
		{"count among packets", []string{"run", ip, "-r", mixed, "--count", "-w", "-"}, "packets and text cannot both go to stdout"},
		{"engine", []string{"run", ip, "-r", mixed, "--engine", "zzz"}, `unknown engine "zzz"; the engines are jit, interp, classic, kernel`},
		{"engine to compare", []string{"diff", ip, "-r", mixed, "--engine", "jit,zzz"}, `unknown engine "zzz"; the engines are classic, xnet, `},
		{"target of run", []string{"run", ip, "-r", mixed, "--target", "zzz"}, `unknown target "zzz"`},
		{"target of engine", []string{"run", ip, "-r", mixed, "--target", "socket"}, `engine jit cannot run programs for target "socket"; it runs user`},
		{"target of classic engine", []string{"run", ip, "-r", mixed, "--engine", "classic", "--target", "user"}, "engine classic runs the classic program as it is"},
		{"no trace to measure with", []string{"bench", ip}, "no trace: give -r TRACE\ntry: cbpf2ebpf bench --help"},
		{"all from stdin, bench", []string{"bench", "-r", "-"}, "program and trace cannot both come from stdin"},
		{"rounds", []string{"bench", ip, "-r", mixed, "--rounds", "0"}, "--rounds and --sample must be more than 0"},
		{"level of bench", []string{"bench", ip, "-r", mixed, "-O3"}, "-O3: the levels are 0 to 2"},
		{"perf map of an interpreter", []string{"run", ip, "-r", mixed, "--engine", "interp", "--perf-map"}, "engine interp runs no machine code of ours"},
		{"profile among packets", []string{"run", ip, "-r", mixed, "--cpu-profile", "-"}, "a profile cannot go to stdout"},
		{"profile of a system call", []string{"run", ip, "--syscall", "read(0)", "--perf-map"}, "--syscall goes with neither -r nor -w nor --count, nor with a profile"},
		{"level of run", []string{"run", ip, "-r", mixed, "-O3", "--engine", "interp"}, "cbpf2ebpf: -O3: the levels are 0 to 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := cli("", test.args...)
			require.Equal(t, exitUsage, r.status, r.stderr)
			require.Empty(t, r.stdout)
			require.Contains(t, r.stderr, test.want)
			require.Regexp(t, `^cbpf2ebpf: (?s:.*)\ntry: cbpf2ebpf.* --help\n$`, r.stderr)
		})
	}
}

// TestRefusals is the list of input that is refused, each with the place and the limit.
func TestRefusals(t *testing.T) {
	ip, mixed := filter("ip.d"), pcap("mixed.pcap")
	tests := []struct {
		name  string
		stdin string
		args  []string
		want  string
	}{
		{"nothing", "", nil, "stdin: no instructions"},
		{"blank", " \n\n\t\n", []string{"-"}, "stdin: no instructions"},
		{"what tcpdump says of a bad filter", "tcpdump: syntax error\n", nil, "stdin: line 1: text is in no known notation"},
		{"binary", "\x7fELF\x02\x01\x01\x00\xff\xfe", nil, `stdin: line 1: text is in no known notation: "\x7fELF\x02`},
		{"NULs", strings.Repeat("\x00", 5000), []string{"check"}, "stdin: "},
		{"too much text", strings.Repeat("\n", maxText+1), nil, "stdin: more than 64 MiB of text, which is no program"},
		{"wrong notation", string(readFile(t, ip)), []string{"--from", "ddd"}, "stdin: line 1: "},
		{"two faults", "(000) ldx #0x1\n(001) foo\n(002) bar\n", nil, "stdin: line 2: "},
		{"no such file", "", []string{"/nonexistent/f"}, "open /nonexistent/f: no such file or directory"},
		{"no such file or command", "", []string{"chekc"}, "no such file or directory; did you mean the command check?"},
		{"a directory", "", []string{testdata}, testdata + ": is a directory"},
		{"invalid program", "2,48 0 0 0,21 0 9 1", []string{"check"}, "stdin: "},
		{"invalid program to run", "1,48 0 0 0", []string{"run", "-r", mixed}, "stdin: line 1: (000) program does not end with a return"},
		{"invalid program to compare", "1,48 0 0 0", []string{"diff", "-r", mixed}, "stdin: line 1: (000) program does not end with a return"},
		{"extension without equivalent", "2,48 0 0 4294963228,22 0 0 0", []string{"--target", "socket"}, `stdin: (000) extension "hatype" cannot be had on target socket`},
		{"no such trace", "", []string{"run", ip, "-r", "/nonexistent/t"}, "open /nonexistent/t: no such file"},
		{"no trace at all", "", []string{"run", ip, "-r", ip}, "trace " + ip + ": neither pcap nor pcapng: the first bytes are 28303030"},
		{"empty trace on stdin", "", []string{"run", ip, "-r", "-"}, "trace stdin: the file is empty, not even a header"},
		{"a directory as trace", "", []string{"run", ip, "-r", testdata}, "is a directory"},
		{"no trace to compare", "", []string{"diff", ip, "-r", mixed, "-r", ip}, "neither pcap nor pcapng"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := cli(test.stdin, test.args...)
			require.Equal(t, exitRefused, r.status, r.stderr)
			require.Contains(t, r.stderr, test.want)
			require.True(t, strings.HasPrefix(r.stderr, "cbpf2ebpf: ") && strings.HasSuffix(r.stderr, "\n"), r.stderr)
			require.NotContains(t, r.stderr, "--help")
			if test.name != "no trace to compare" {
				require.Empty(t, r.stdout)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	require.Equal(t, "stdin: accepted, 20 instructions of 4096\n", succeed(t, string(readFile(t, filter("tcp-port-80.ddd"))), "check"))
	// Every reason, each with its place.
	r := cli("3,52 0 0 0,96 0 0 16,4 0 0 0", "check")
	require.Equal(t, exitRefused, r.status)
	require.Empty(t, r.stdout)
	for _, reason := range []error{cbpf.ReasonDivisionByZero, cbpf.ReasonNoSuchWord, cbpf.ReasonNoReturn} {
		require.Contains(t, r.stderr, reason.Error())
	}
	for pc := range 3 {
		require.Contains(t, r.stderr, fmt.Sprintf("stdin: line 1: (%03d) ", pc))
	}
}

// What only some engines do alike is accepted with a warning.
func TestCheckWarns(t *testing.T) {
	out := succeed(t, "(000) ldb [0]\n(001) tax\n(002) lsh x\n(003) neg\n(004) ret\n", "check")
	require.Contains(t, out, "stdin: accepted, 5 instructions of 4096\nstdin: warning: line 3: (002) ")
	require.Contains(t, out, "\n  3 | (002) lsh x\n    |       ^~~~~\nstdin: warning: line 4: (003) ")
}

// Every notation of the same filter is told by its looks, or named.
func TestNotations(t *testing.T) {
	want := succeed(t, "", filter("tcp-port-80.d"))
	for _, notation := range cbpf.Notations() {
		p, err := cbpf.Parse(readFile(t, filter("tcp-port-80.d")))
		require.NoError(t, err)
		text, err := cbpf.Print(p, notation)
		require.NoError(t, err, "%s", notation)
		require.Equal(t, want, succeed(t, text), "%s", notation)
		require.Equal(t, want, succeed(t, text, "translate", "--from", string(notation), "-"), "%s", notation)
	}
}

func TestHelp(t *testing.T) {
	commands := [][]string{{}}
	for _, cmd := range root().Commands() {
		commands = append(commands, []string{cmd.Name()})
	}
	for _, command := range commands {
		text := succeed(t, "", append(command, "--help")...)
		require.Contains(t, text, "\nExamples:\n  ", "%q", command)
		require.Contains(t, text, "\nUsage:\n  cbpf2ebpf", "%q", command)
		require.NotContains(t, text, " string  ", "%q: a flag without a word for its value", command)
		for _, line := range strings.Split(text, "\n") {
			require.LessOrEqual(t, len(line), 160, "%q", line)
		}
	}
	require.Regexp(t, `^cbpf2ebpf version \S+\n$`, succeed(t, "", "--version"))
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, succeed(t, "", "completion", shell), "cbpf2ebpf", shell)
	}
	for _, test := range []struct{ flag, want string }{
		{"--to", "xlated\n"}, {"--from", "xtbpf\n"}, {"--target", "socket\n"}, {"--linktype", "LINUX_SLL2\n"},
	} {
		require.Contains(t, cli("", "__complete", test.flag, "").stdout, test.want)
	}
	require.Contains(t, cli("", "__complete", "run", "--engine", "").stdout, "kernel\n")
	require.Contains(t, cli("", "__complete", "diff", "--engine", "").stdout, "kernel-ebpf\n")
}

// What cannot be written is status 1 with the reason.
func TestFullStdout(t *testing.T) {
	for _, args := range [][]string{{filter("ip.d")}, {"check", filter("ip.d")}, {"run", filter("ip.d"), "-r", pcap("mixed.pcap")},
		{"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "--verdicts"}, {"diff", filter("ip.d"), "-r", pcap("null.pcap"), "--engine", "interp"}} {
		var stderr bytes.Buffer
		require.Equal(t, exitRefused, run(args, strings.NewReader(""), fullDisk{}, &stderr), "%q", args)
		require.Equal(t, "cbpf2ebpf: the disk is full\n", stderr.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("the disk is full") }

var _ io.Writer = fullDisk{}
