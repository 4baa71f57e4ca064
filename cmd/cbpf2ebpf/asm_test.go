package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Every translation survives the way through text, in each dialect, and back to bytes.
func TestAsmUndoesDisasm(t *testing.T) {
	files, err := filepath.Glob(filter("*.d"))
	require.NoError(t, err)
	for _, file := range files {
		raw := succeed(t, "", file, "--to", "raw")
		for _, dialect := range []string{"text", "xlated", "mnemonic"} {
			text := succeed(t, raw, "disasm", "--to", dialect)
			require.Equal(t, raw, succeed(t, text, "asm"), "%s in %s", file, dialect)
		}
	}
}

func TestAsmTakesListings(t *testing.T) {
	hex := succeed(t, "", filter("ip.d"), "--to", "hex")
	for _, form := range []string{"text", "xlated"} {
		listing := succeed(t, "", filter("ip.d"), "--to", form)
		require.Equal(t, hex, succeed(t, listing, "asm", "--to", "hex"), form)
	}
	require.Equal(t, succeed(t, hex, "disasm"), succeed(t, hex, "disasm", "--from", "hex"))
	require.Equal(t, "       0:\tr1 = 258\n", succeed(t, "b7 10 00 00 00 00 01 02", "disasm", "--order", "big"))
}

func TestAsmRefuses(t *testing.T) {
	for _, c := range []struct {
		stdin  string
		args   []string
		status int
		stderr string
	}{
		{"w0 = 0\nlxdh %r0, [%r1]\n", []string{"asm"}, exitRefused, `stdin: line 2, column 1: `},
		{"w0 = 0\nlxdh %r0, [%r1]\n", []string{"asm"}, exitRefused, `did you mean "ldxh"`},
		{"w0 = 0", []string{"asm", "--to", "elf"}, exitUsage, `unknown form "elf"; the forms are raw, hex`},
		{"w0 = 0", []string{"asm", "--order", "middle"}, exitUsage, `unknown byte order "middle"; the orders are native, little, big`},
		{"b4", []string{"disasm"}, exitRefused, "stdin: the length of a program is not a multiple of 8 bytes"},
		{"b4 0", []string{"disasm"}, exitRefused, "stdin: line 1, column 4: these are not pairs of hexadecimal digits"},
		{"b4 00 00 00 00 00 00 0g", []string{"disasm"}, exitRefused, "    1 | b4 00 00 00 00 00 00 0g\n      |                      ^\n"},
		{"", []string{"disasm"}, exitRefused, "stdin: the program is empty"},
		{"; nothing\n", []string{"asm"}, exitRefused, "stdin: the program is empty"},
		{"b4", []string{"disasm", "--from", "morse"}, exitUsage, `unknown form "morse"`},
		{"", []string{"disasm", "--to", "morse"}, exitUsage, `unknown form "morse"; the forms are text, xlated, mnemonic, json, carray, go`},
		{"", []string{"asm", "missing.s"}, exitRefused, "missing.s"},
		{"", []string{"print", filter("ip.d"), "--to", "auto"}, exitUsage, `unknown notation "auto"; the notations are tcpdump, `},
	} {
		r := cli(c.stdin, c.args...)
		require.Equal(t, c.status, r.status, "%q: %s", c.args, r.stderr)
		require.Contains(t, r.stderr, c.stderr)
		require.Empty(t, r.stdout)
	}
}

// Printed in any notation, a program reads back as the same one.
func TestPrintInEveryNotation(t *testing.T) {
	for _, name := range []string{"ip.d", "tcp-port-80.d", "vlan.d", "hosts-80.d"} {
		want := succeed(t, "", "print", filter(name), "--to", "ddd")
		for _, n := range cbpf.Notations() {
			text := succeed(t, "", "print", filter(name), "--to", string(n))
			require.Equal(t, want, succeed(t, text, "print", "--from", string(n), "--to", "ddd"), "%s as %s", name, n)
		}
		require.Equal(t, string(readFile(t, filter(name))), succeed(t, want, "print"))
	}
}

func TestConformancePlugin(t *testing.T) {
	const add = "b7 00 00 00 2a 00 00 00 0f 20 00 00 00 00 00 00 95 00 00 00 00 00 00 00\n" // r0 = 42; r0 += r2; exit
	const store = "72 01 00 00 07 00 00 00 71 10 00 00 00 00 00 00 95 00 00 00 00 00 00 00" // *(u8 *)r1 = 7; r0 = *(u8 *)r1
	require.Equal(t, "2a\n", succeed(t, add, "conformance-plugin"))
	require.Equal(t, "2d\n", succeed(t, add, "conformance-plugin", "aa bb cc"))
	require.Equal(t, "2d\n", succeed(t, add, "conformance-plugin", "aabbcc", "--jit"))
	require.Equal(t, "7\n", succeed(t, store, "conformance-plugin", "00"))
	require.Equal(t, "7\n", succeed(t, store, "conformance-plugin", "00", "--jit"))
	r := cli(store, "conformance-plugin", "", "--jit")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "insn 0: the access leaves its memory")
	r = cli("05 00 ff ff 00 00 00 00", "conformance-plugin", "--jit") // goto -1
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "the jump goes backwards")
	require.Equal(t, exitRefused, cli("zz", "conformance-plugin").status)
	require.True(t, strings.HasPrefix(cli("95", "conformance-plugin").stderr, "cbpf2ebpf: "))
}
