//go:build linux

package ebpf_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// What other programs print is compared with what we print.

func command(t *testing.T, stdin, name string, args ...string) string {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", name, stderr.String())
	return string(out)
}

// unlikeLLVM gives the reason why version 14 of llvm-objdump prints something else for the instruction, "" if there is none.
func unlikeLLVM(i, second Instruction, theirs string) string {
	info := i.Op.Info()
	switch {
	case info.Form == FormLoadWide && i.Src != WideConstant && second.Imm != i.Imm>>31:
		return "it drops the upper half"
	case theirs == "<unknown>" && info.Form == FormStoreImm,
		theirs == "<unknown>" && info.Jump == JSet && info.Sign == "&",
		theirs == "<unknown>" && info.ALU == Mod,
		theirs == "<unknown>" && info.Form == FormJumpLong,
		theirs == "<unknown>" && info.Form == FormEnd && info.Wide,
		theirs == "<unknown>" && info.Form == FormLoad && info.Signed:
		return "it does not know the instruction"
	case info.Form == FormLoadInd && i.Imm != 0:
		return "it drops the constant"
	case i.SignedDivision() || i.MoveBits() != 0 || i.SpaceCast():
		return "it takes the variant for the plain operation"
	case info.Form == FormAtomic && i.Imm >= int32(AtomicLoad):
		return "it takes the variant for the plain operation"
	case theirs == "<unknown>" && (info.Form == FormMayGoto || info.Form == FormAtomic):
		return "it does not know the instruction"
	case info.Form == FormAtomic && !info.Wide:
		return "it names the whole register"
	case info.Form == FormCall && i.Src != CallKindHelper:
		return "it takes all calls for calls of helpers"
	}
	return ""
}

// unreadable reports whether LLVM's assembler cannot read what llvm-objdump writes for the instruction.
func unreadable(i Instruction) bool {
	return i.Op == OpLoadWide && i.Src != WideConstant || i.Op.Info().Form == FormAtomic && AtomicOp(i.Imm)&AtomicFetch != 0
}

// object makes a BPF object file of assembly source.
func object(t *testing.T, source string) string {
	name := filepath.Join(t.TempDir(), "sample.o")
	command(t, source, "clang", "--target=bpfel", "-mcpu=v3", "-c", "-x", "assembler", "-", "-o", name)
	return name
}

// byteSource is assembly source for the bytes of a program.
func byteSource(p Program) string {
	var source strings.Builder
	for _, b := range Encode(p, binary.LittleEndian) {
		fmt.Fprintf(&source, ".byte %d\n", b)
	}
	return source.String()
}

func TestPrintAgreesWithLLVM(t *testing.T) {
	needTools(t, "clang", "llvm-objdump")
	p := samples()
	listing := command(t, "", "llvm-objdump", "-d", "--no-show-raw-insn", "--mcpu=v3", object(t, byteSource(p)))
	line := regexp.MustCompile(`(?m)^ +(\d+):\t(.*?)(?: <[^<>]*>)?$`)
	compared, tolerated := Program{}, map[string]int{}
	for _, m := range line.FindAllStringSubmatch(listing, -1) {
		pc, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		ours, slots := p.Line(pc, LLVM)
		theirs := strings.ReplaceAll(strings.TrimSpace(m[2]), "\t", " ")
		if why := unlikeLLVM(p[pc], p[(pc+1)%len(p)], theirs); why != "" {
			tolerated[why]++
			continue
		}
		require.Equal(t, theirs, ours, "%+v", p[pc])
		if !unreadable(p[pc]) {
			compared = append(compared, p[pc:pc+slots]...)
		}
	}
	t.Logf("%d slots agree, tolerated: %v", len(compared), tolerated)
	require.Greater(t, len(compared), 1500)
	theirs := command(t, "", "llvm-objdump", "-d", "--mcpu=v3", object(t, byteSource(compared)))
	back, err := Assemble([]byte(theirs))
	require.NoError(t, err)
	require.Equal(t, compared, back)
	assembles(t, compared)
}

// assembles checks that LLVM's assembler takes our text and makes the same bytes of it.
func assembles(t *testing.T, p Program) {
	var source strings.Builder
	for pc := 0; pc < len(p); {
		text, slots := p.Line(pc, LLVM)
		fmt.Fprintln(&source, text)
		pc += slots
	}
	file, err := elf.Open(object(t, source.String()))
	require.NoError(t, err)
	defer file.Close()
	code, err := file.Section(".text").Data()
	require.NoError(t, err)
	require.Equal(t, Encode(p, binary.LittleEndian), code)
}

// The kernel disassembles a program while it verifies it, in bpftool's dialect.
func TestPrintAgreesWithVerifier(t *testing.T) {
	needKernel(t)
	line := regexp.MustCompile(`(?m)^(\d+): (\([0-9a-f]{2}\) .*?) *(?:;.*)?$`)
	forms := map[Opcode]bool{}
	for seed := range uint64(100) {
		p := generate(seed, 40)
		prog, err := load(p, cilium.LogLevelInstruction)
		require.NoError(t, err)
		for _, m := range line.FindAllStringSubmatch(prog.VerifierLog, -1) {
			pc, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			ours, slots := p.Line(pc, Xlated)
			require.Equal(t, m[2], ours, "%+v", p[pc])
			back, err := Assemble([]byte(m[2]))
			require.NoError(t, err)
			require.Equal(t, p[pc:pc+slots], back)
			forms[p[pc].Op] = true
		}
		prog.Close()
	}
	t.Logf("%d opcodes agree", len(forms))
	require.Greater(t, len(forms), 90)
}

// unlikeBpftool gives the reason why a bpftool older than 7.3 prints something else.
func unlikeBpftool(i Instruction, theirs string) string {
	info := i.Op.Info()
	switch {
	case strings.HasPrefix(theirs, "BUG_"), info.Form == FormJumpLong, info.Form == FormMayGoto:
		return "it does not know the instruction"
	case i.SignedDivision() || i.MoveBits() != 0:
		return "it takes the variant for the plain operation"
	case info.Form == FormCall:
		return "it names the address of the function"
	}
	return ""
}

func TestPrintAgreesWithBpftool(t *testing.T) {
	needKernel(t)
	needTools(t, "bpftool")
	line := regexp.MustCompile(`(?m)^ *(\d+): (.*?)$`)
	raw := filepath.Join(t.TempDir(), "insns")
	compared, tolerated := 0, map[string]int{}
	for seed := range uint64(20) {
		prog, err := load(generate(seed, 40), 0)
		require.NoError(t, err)
		info, err := prog.Info()
		require.NoError(t, err)
		id, ok := info.ID()
		require.True(t, ok)
		dump := []string{"prog", "dump", "xlated", "id", fmt.Sprint(id)}
		command(t, "", "bpftool", append(dump, "file", raw)...)
		listing := command(t, "", "bpftool", dump...)
		prog.Close()

		b, err := os.ReadFile(raw)
		require.NoError(t, err)
		p, err := Decode(b, binary.NativeEndian)
		require.NoError(t, err)
		for _, m := range line.FindAllStringSubmatch(listing, -1) {
			pc, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			ours, _ := p.Line(pc, Xlated)
			if why := unlikeBpftool(p[pc], m[2]); why != "" {
				tolerated[why]++
				continue
			}
			require.Equal(t, m[2], ours, "%+v", p[pc])
			_, err = Assemble([]byte(m[2]))
			require.NoError(t, err)
			compared++
		}
	}
	t.Logf("%d lines agree, tolerated: %v", compared, tolerated)
	require.Greater(t, compared, 1000)
}
