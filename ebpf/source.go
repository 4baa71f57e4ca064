package ebpf

import (
	"fmt"
	"io"
	"strings"
)

// ReasonName says that a name cannot be one in the language that is written.
const ReasonName Reason = "this cannot be the name of a variable"

// WriteC writes the program as an array of struct bpf_insn, which <linux/bpf.h> declares, of the given name.
func WriteC(w io.Writer, p Program, name string) error {
	if !isIdentifier(name) {
		return fault(ReasonName, -1, "%q", name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "struct bpf_insn %s[] = {\n", name)
	p.eachSlot(func(pc int, i Instruction, text string) {
		fmt.Fprintf(&b, "\t{ .code = 0x%02x, .dst_reg = %d, .src_reg = %d, .off = %d, .imm = %s },", uint8(i.Op), i.Dst, i.Src, i.Off, int32C(i.Imm))
		if text != "" {
			fmt.Fprintf(&b, " /* %d: %s */", pc, text)
		}
		b.WriteByte('\n')
	})
	b.WriteString("};\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// eachSlot calls f with each slot; the text of a wide constant goes with its first one.
func (p Program) eachSlot(f func(pc int, i Instruction, text string)) {
	for pc := 0; pc < len(p); {
		text, n := p.Line(pc, LLVM)
		for k := range n {
			f(pc+k, p[pc+k], text)
			text = ""
		}
		pc += n
	}
}

// int32C is the number as C writes it: the least one has no literal of its type.
func int32C(n int32) string {
	if n == -1<<31 {
		return "-2147483647 - 1"
	}
	return fmt.Sprint(n)
}

// isIdentifier reports whether C and Go take the name for a variable; their keywords are taken for names.
func isIdentifier(name string) bool {
	for k := range len(name) {
		if c := name[k]; !isLetter(c) && c != '_' && (k == 0 || !isDigit(c)) {
			return false
		}
	}
	return name != "" && name != "_"
}

// WriteGo writes the program as the declaration of a variable of the type asm.Instructions of github.com/cilium/ebpf/asm,
// which the file that it goes into has to import. A program that the type cannot hold without loss is refused: one with a
// malformed instruction, or with the cast of an address space.
func WriteGo(w io.Writer, p Program, name string) error {
	if !isIdentifier(name) {
		return fault(ReasonName, -1, "%q", name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "var %s = asm.Instructions{\n", name)
	for pc := 0; pc < len(p); {
		if err := p.fitsCilium(pc); err != nil {
			return err
		}
		i := p[pc]
		constant := int64(i.Imm)
		if value, ok := p.Wide(pc); ok {
			constant = int64(value)
		}
		fmt.Fprintf(&b, "\t{OpCode: %#x", ciliumOpcode(i))
		for _, f := range []struct {
			name  string
			value int64
		}{{"Dst", int64(i.Dst)}, {"Src", int64(i.Src)}, {"Offset", int64(ciliumOffset(i))}, {"Constant", constant}} {
			if f.value != 0 {
				fmt.Fprintf(&b, ", %s: %d", f.name, f.value)
			}
		}
		text, n := p.Line(pc, LLVM)
		fmt.Fprintf(&b, "}, // %d: %s\n", pc, text)
		pc += n
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// fitsCilium refuses an instruction that asm.Instruction cannot hold.
func (p Program) fitsCilium(pc int) error {
	i := p[pc]
	if reason := i.Malformed(); reason != "" {
		return fault(reason, pc, "%s", describe(i))
	}
	if _, ok := p.Wide(pc); !ok && i.Op == OpLoadWide {
		return fault(ReasonWideCut, pc, "%d instructions", len(p))
	}
	if i.SpaceCast() {
		return fault(ReasonReserved, pc, "cilium/ebpf drops the offset of %s", describe(i))
	}
	return nil
}

// ciliumOpcode is the opcode as cilium/ebpf has it: variants that the machine tells apart by other fields are opcodes of
// their own there (asm/alu.go and asm/load_store.go of version 0.22).
func ciliumOpcode(i Instruction) uint32 {
	op := uint32(i.Op)
	switch {
	case i.SignedDivision():
		return op | 0x100
	case i.Op.Info().Form == FormAtomic:
		return op | uint32(i.Imm)<<8
	}
	switch i.MoveBits() {
	case 8:
		return op | 0x100
	case 16:
		return op | 0x200
	case 32:
		return op | 0x300
	}
	return op
}

// ciliumOffset is the offset that is left then.
func ciliumOffset(i Instruction) int16 {
	if form := i.Op.Info().Form; form == FormALUImm || form == FormALUReg {
		return 0
	}
	return i.Off
}
