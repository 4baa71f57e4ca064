package ebpf_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// newerLLVM returns the names of the disassembler and the assembler of an LLVM that knows the instructions of cpu v4 and of
// Linux 6.18. The test is skipped where none is installed.
func newerLLVM(t *testing.T) (objdump, mc string) {
	for version := 30; version >= 20; version-- {
		objdump, mc = fmt.Sprintf("llvm-objdump-%d", version), fmt.Sprintf("llvm-mc-%d", version)
		_, err := exec.LookPath(objdump)
		_, err2 := exec.LookPath(mc)
		if err == nil && err2 == nil {
			return objdump, mc
		}
	}
	t.Skip("no witness: there is no LLVM of version 20 or later")
	return "", ""
}

// machineCode assembles source with LLVM.
func machineCode(t *testing.T, mc, source string) (file string, p Program) {
	file = filepath.Join(t.TempDir(), "code.o")
	command(t, source, mc, "--arch=bpfel", "-mcpu=v4", "-filetype=obj", "-o", file, "-")
	object, err := elf.Open(file)
	require.NoError(t, err)
	defer object.Close()
	code, err := object.Section(".text").Data()
	require.NoError(t, err)
	p, err = Decode(code, binary.LittleEndian)
	require.NoError(t, err)
	return file, p
}

// lostByLLVM gives the reason why an instruction does not survive LLVM's text, "" if it does.
func lostByLLVM(i Instruction) string {
	info := i.Op.Info()
	switch {
	case info.Form == FormLoadWide && i.Src != WideConstant:
		return "it drops the upper half"
	case info.Form == FormLoadInd && i.Imm != 0:
		return "it has no constant beside the register"
	case info.Form == FormCall && i.Src == CallKindLocal:
		return "it leaves the distance to the linker"
	case info.Form == FormJumpLong && int32(int16(i.Imm)) != i.Imm:
		return "it reads 16 bits of distance"
	}
	return ""
}

// Today's LLVM reads what is printed here, and what it prints is read here: the same instructions, all of them.
func TestTextAgreesWithNewerLLVM(t *testing.T) {
	objdump, mc := newerLLVM(t)
	var kept Program
	lost := map[string]int{}
	var source strings.Builder
	for all, pc := samples(), 0; pc < len(all); {
		text, slots := all.Line(pc, LLVM)
		if why := lostByLLVM(all[pc]); why != "" {
			lost[why]++
		} else {
			fmt.Fprintln(&source, text)
			kept = append(kept, all[pc:pc+slots]...)
		}
		pc += slots
	}
	file, assembled := machineCode(t, mc, source.String())
	require.Equal(t, kept, assembled)

	listing := command(t, "", objdump, "-d", "--mcpu=v4", file)
	back, err := Assemble([]byte(listing))
	require.NoError(t, err)
	require.Equal(t, kept, back)
	// The same without the bytes beside the text.
	lines := regexp.MustCompile(`(?m)^ +([0-9]+):\t(.*)$`).FindAllStringSubmatch(command(t, "", objdump, "-d", "--no-show-raw-insn", "--mcpu=v4", file), -1)
	require.Greater(t, len(lines), 6000)
	for _, line := range lines {
		pc, err := strconv.Atoi(line[1])
		require.NoError(t, err)
		one, err := Assemble([]byte(line[2]))
		require.NoError(t, err, "%s", line[2])
		_, slots := kept.Line(pc, LLVM)
		require.Equal(t, kept[pc:pc+slots], one, "%s", line[2])
	}
	t.Logf("%d slots agree, lost: %v", len(kept), lost)
}
