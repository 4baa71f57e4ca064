package ebpf_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// vector is one case of a file in testdata/vectors; the README there describes the format.
type vector struct {
	name     string
	sections map[string]string // by name; without comments
}

// readVectors takes a file apart.
func readVectors(t *testing.T, file string) (all []vector) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	section := ""
	for _, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		switch {
		case strings.HasPrefix(line, "== "):
			all = append(all, vector{strings.TrimSpace(line[3:]), map[string]string{}})
		case strings.HasPrefix(line, "-- "):
			section = strings.TrimSpace(line[3:])
		case strings.TrimSpace(line) != "":
			require.NotEmpty(t, all, "%s: text before the first case", file)
			all[len(all)-1].sections[section] += line + "\n"
		}
	}
	return all
}

// Each instruction does what RFC 9669 says: the values in the vectors were worked out by hand from its text.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	ran := map[string]bool{}
	for _, file := range files {
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, v := range readVectors(t, file) {
			t.Run(group+"/"+v.name, func(t *testing.T) {
				p, err := Assemble([]byte(v.sections["asm"]))
				require.NoError(t, err, "%s", Caret([]byte(v.sections["asm"]), err))
				for _, i := range p {
					ran[i.Mnemonic()] = true
				}
				v.run(t, p)
			})
		}
	}
	for code := range 256 {
		for _, i := range variants(Opcode(code)) {
			require.True(t, ran[i.Mnemonic()], "no vector has %s", i.Mnemonic())
		}
	}
}

// variants are the well-formed instructions of an opcode that have names of their own, but for those that only the kernel
// or a socket filter knows.
func variants(op Opcode) (all []Instruction) {
	for _, off := range []int16{0, 1, 8, 16, 32} {
		for imm := int32(0); imm <= 0x110; imm++ {
			i := Instruction{Op: op, Off: off, Imm: imm}
			form := op.Info().Form
			if i.Malformed() == "" && !i.SpaceCast() && form != FormLoadAbs && form != FormLoadInd {
				all = append(all, i)
			}
		}
	}
	return all
}

// run compares result, error and memory with what the vector expects.
func (v *vector) run(t *testing.T, p Program) {
	mem, err := DecodeHex(v.sections["mem"])
	require.NoError(t, err)
	code := hex.EncodeToString(Encode(p, binary.NativeEndian))
	got, err := Run(p, Buffer, &Packet{Data: mem})
	if want, ok := v.sections["error"]; ok {
		require.ErrorContains(t, err, strings.TrimSpace(want))
		_, err = Conformance(code, v.sections["mem"])
		require.Error(t, err)
		return
	}
	require.NoError(t, err, "%s", p)
	want, err := strconv.ParseUint(strings.TrimSpace(v.sections["result"]), 0, 64)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%#x", want), fmt.Sprintf("%#x", got), "%s", p)
	if after, ok := v.sections["after"]; ok {
		require.Equal(t, strings.Join(strings.Fields(after), ""), hex.EncodeToString(mem), "memory after\n%s", p)
	}
	again, err := Conformance(code, v.sections["mem"])
	require.NoError(t, err)
	require.Equal(t, got, again)
}
