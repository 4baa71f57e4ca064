package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// x86Line is a line of a listing: place, bytes, text.
var x86Line = regexp.MustCompile(`^ *([0-9a-f]+): ((?:[0-9a-f]{2}[ \n])+)(?: +(\S.*)\n)?$`)

// A listing has all of the code and nothing else, and names all of the program and of its source.
func TestX86(t *testing.T) {
	requireX86(t)
	files, err := filepath.Glob(testdata + "filters/*.d")
	require.NoError(t, err)
	for _, file := range files {
		p, err := cbpf.ParseAs(cbpf.Listing, readFile(t, file))
		require.NoError(t, err)
		for level := range translate.MaxOptimize + 1 {
			opts := difftest.LinkEthernet.Options(translate.User)
			opts.Optimize = level
			r, err := translate.Translate(p, opts)
			require.NoError(t, err)
			f, err := jit.Compile(r.Program)
			require.NoError(t, err)
			code, _ := f.Code()
			vectors := f.VectorCode()
			require.NoError(t, f.Close())

			text, rest, _ := strings.Cut(succeed(t, "", file, "--to", "x86", "-O", strconv.Itoa(level)), "\n\n")
			require.Equal(t, code, listedCode(t, text+"\n"))
			require.Equal(t, vectors, listedCode(t, rest))
			last := -1
			for slot := 0; slot < len(r.Program); {
				line, slots := r.Program.Line(slot, 0)
				at := strings.Index(text, fmt.Sprintf("; %4d: %s\n", slot, line))
				require.Greater(t, at, last, "slot %d", slot)
				last, slot = at, slot+slots
			}
			for pc := range p {
				require.Equal(t, slices.Contains(r.PCs, pc), strings.Contains(text, fmt.Sprintf("; (%03d) ", pc)), "pc %d", pc)
			}
		}
	}
}

func requireX86(t *testing.T) {
	f, err := jit.Compile(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()})
	if errors.As(err, new(*jit.UnavailableError)) {
		r := cli("", filter("ip.d"), "--to", "x86")
		require.Equal(t, exitRefused, r.status)
		require.Contains(t, r.stderr, "no JIT here: ")
		t.Skipf("skipped: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// listedCode puts the bytes of a listing together again.
func listedCode(t *testing.T, text string) []byte {
	var code []byte
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ";") || line == "\n" {
			continue
		}
		m := x86Line.FindStringSubmatch(line)
		require.NotNil(t, m, line)
		place, err := strconv.ParseInt(m[1], 16, 64)
		require.NoError(t, err)
		require.Len(t, code, int(place), line)
		bytes, err := hex.DecodeString(strings.Join(strings.Fields(m[2]), ""))
		require.NoError(t, err)
		code = append(code, bytes...)
	}
	return code
}

// llvm-mc, which shares no table with us, takes the bytes of each line for one instruction.
func TestX86AsLLVM(t *testing.T) {
	requireX86(t)
	if _, err := exec.LookPath("llvm-mc"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	for _, name := range []string{"hosts-80.d", "arithmetic.d", "http-get.d"} {
		for _, level := range []string{"-O0", "-O2"} {
			var bytes []string
			for line := range strings.Lines(succeed(t, "", filter(name), "--to", "x86", level)) {
				if m := x86Line.FindStringSubmatch(line); m != nil && m[3] != "" {
					bytes = append(bytes, "["+regexp.MustCompile(`\w+`).ReplaceAllString(m[2], "0x$0")+"]")
				}
			}
			llvm := exec.Command("llvm-mc", "--disassemble", "--triple=x86_64", "--mattr=+avx512f,+avx512bw,+avx512vl,+avx512dq")
			llvm.Stdin = strings.NewReader(strings.Join(bytes, "\n"))
			out, err := llvm.CombinedOutput()
			require.NoError(t, err)
			require.NotContains(t, string(out), "invalid", "%s %s", name, level)
			require.Equal(t, len(bytes)+1, strings.Count(string(out), "\n"), "%s %s", name, level) // one says .text
		}
	}
}

// Names stand where jumps lead, and nowhere else.
func TestX86Names(t *testing.T) {
	requireX86(t)
	text := succeed(t, "", filter("ip.d"), "--to", "x86")
	for _, want := range []string{"slot10\n", "mov eax, 0x40000\n", "; (001) jeq      #0x800           jt 2\tjf 3\n"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "$")
	require.True(t, strings.HasPrefix(text, "; entry, and the loop over packets up to the program\n     0: "), text)
	require.Contains(t, text, "; the loop behind the program, and the ways out\n")

	var manyExits strings.Builder
	for i := range 6 {
		fmt.Fprintf(&manyExits, "ldb [%d]\njeq #1, yes%d, no%d\nyes%d: ret #%d\nno%d: ", i, i, i, i, i, i)
	}
	text = succeed(t, manyExits.String()+"ret #9\n", "--from", "asm", "--to", "x86")
	require.Contains(t, text, "jmp next\n", "where there are many exits, they share what follows")
}

// What x86asm cannot decode, or decodes wrongly, is listed for what it is.
func TestDecodeX86(t *testing.T) {
	for _, test := range []struct {
		code, text string
		size       int
	}{
		{"f30f1efa90", "endbr64", 4}, {"c5f877c3", "vzeroupper", 3}, {"06", "db 0x06", 1}, {"0f", "db 0x0f", 1}, {"c3", "ret", 1},
		{"7502", "jnz slot", 2}, {"b804000000", "mov eax, 0x4", 5},
	} {
		code, err := hex.DecodeString(test.code)
		require.NoError(t, err)
		text, size := decodeX86(code, 16, func(at uint64) (string, uint64) { return "slot", at })
		require.Equal(t, test.text, text)
		require.Equal(t, test.size, size)
	}
}

func TestX86Targets(t *testing.T) {
	requireX86(t)
	const arch = "3,32 0 0 4,21 0 0 3221225534,6 0 0 2147418112"
	require.Contains(t, succeed(t, arch, "--target", "seccomp", "--to", "x86"), "dword ptr [rdi+0x4]")
	r := cli("", filter("ip.d"), "--target", "socket", "--to", "x86")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, `no x86 code is made for target "socket", which the kernel compiles; it is for user and seccomp`)
}
