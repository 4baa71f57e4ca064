package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"golang.org/x/arch/x86/x86asm"
)

// writeX86 lists the machine code that the program becomes, each piece behind the extended instruction and the classic one
// that it came from; and the code for batches, if there is another.
func writeX86(w io.Writer, t *translated) error {
	compile := map[translate.Target]func(ebpf.Program) (*jit.Func, error){
		translate.User: jit.Compile, translate.Seccomp: jit.CompileSeccomp,
	}[t.Target]
	if compile == nil {
		return usagef("no x86 code is made for target %q, which the kernel compiles; it is for user and seccomp", t.Target)
	}
	f, err := compile(t.Program)
	if err != nil {
		return err
	}
	defer f.Close()
	l := x86Listing{w: w, translated: t}
	l.code, l.starts = f.Code()
	l.write()
	if lanes, _ := f.Vector(); lanes > 1 {
		l.code, l.starts = f.VectorCode(), nil
		l.writeVector(lanes)
	}
	return l.err
}

// x86Listing lists machine code. starts are the places where the code of each slot begins, and where the loop goes on.
type x86Listing struct {
	*translated
	w      io.Writer
	err    error
	code   []byte
	starts []int
}

// write lists all of it: the loop up to the program, the program, and the rest of the loop.
func (l *x86Listing) write() {
	l.printf("; entry, and the loop over packets up to the program\n")
	l.insns(0, l.starts[0])
	pc := translate.NoPC
	for slot := 0; slot < len(l.Program); {
		if l.PCs[slot] != pc && l.PCs[slot] != translate.NoPC {
			pc = l.PCs[slot]
			l.printf("; %s\n", strings.TrimRight(cbpf.Line(pc, l.program[pc]), " "))
		}
		text, slots := l.Program.Line(slot, ebpf.LLVM)
		l.printf("; %4d: %s\n", slot, text)
		l.insns(l.starts[slot], l.starts[slot+slots])
		slot += slots
	}
	l.printf("; the loop behind the program, and the ways out\n")
	l.insns(l.starts[len(l.Program)], len(l.code))
}

// writeVector lists a vector body, and the constants behind it, which its one address relative to RIP leads to.
func (l *x86Listing) writeVector(lanes int) {
	l.printf("\n; the same for %d packets at once: instructions of several slots at a time, with masks for branches\n", lanes)
	constants := len(l.code)
	for at := 0; at < constants; {
		ins, err := x86asm.Decode(l.code[at:], 64)
		if err != nil {
			break
		}
		at += ins.Len
		if mem, ok := ins.Args[1].(x86asm.Mem); ok && mem.Base == x86asm.RIP {
			constants = min(constants, at+int(mem.Disp))
		}
	}
	l.insns(0, constants)
	l.printf("; constants\n")
	const perLine = 16
	for line := range slices.Chunk(l.code[constants:], perLine) {
		l.printf("%6x: % x\n", constants, line)
		constants += len(line)
	}
}

// insns lists what lies between two places of the code: place, bytes, and Intel's text.
func (l *x86Listing) insns(from, to int) {
	for from < to {
		text, size := decodeX86(l.code[from:to], uint64(from), l.symbol)
		l.printf("%6x: % -32x  %s\n", from, l.code[from:from+size], text)
		from += size
	}
}

// symbol names the places that jumps lead to: the slots, and the loop behind the program.
func (l *x86Listing) symbol(at uint64) (name string, base uint64) {
	i := len(l.starts) - 1
	for i >= 0 && uint64(l.starts[i]) != at { // of slots at one place all but the last have no code
		i--
	}
	switch i {
	case -1:
		return "", 0
	case len(l.Program):
		return "next", at
	}
	return fmt.Sprintf("slot%d", i), at
}

func (l *x86Listing) printf(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format, args...)
	}
}

// x86Unknown are instructions that x86asm v0.32 takes for others.
var x86Unknown = map[string][]byte{"endbr64": {0xf3, 0x0f, 0x1e, 0xfa}, "vzeroupper": {0xc5, 0xf8, 0x77}}

// decodeX86 returns the text and the size of the first instruction, which stands at pc. What is none is a byte.
func decodeX86(code []byte, pc uint64, symbol x86asm.SymLookup) (text string, size int) {
	for text, is := range x86Unknown {
		if bytes.HasPrefix(code, is) {
			return text, len(is)
		}
	}
	ins, err := x86asm.Decode(code, 64)
	if err != nil || ins.Op == 0 {
		return fmt.Sprintf("db 0x%02x", code[0]), 1
	}
	isJump := func(arg x86asm.Arg) bool { _, ok := arg.(x86asm.Rel); return ok }
	if !slices.ContainsFunc(ins.Args[:], isJump) {
		symbol = nil // x86asm has names for numbers, too
	}
	return x86asm.IntelSyntax(ins, pc, symbol), ins.Len
}
