package ebpf

import (
	"strings"
)

// The statements of the dialect Mnemonic.

// mnemonics are the instructions by their name in that dialect, with the fields that the name decides. Those with a constant
// for an operand stand for the ones with a register too.
var mnemonics = func() map[string]Instruction {
	m := map[string]Instruction{}
	add := func(i Instruction) {
		if i.Malformed() == "" {
			m[i.Mnemonic()] = i
		}
	}
	for code := 255; code >= 0; code-- {
		i := Instruction{Op: Opcode(code)}
		switch info := i.Op.Info(); info.Form {
		case FormEnd:
			for _, i.Imm = range []int32{16, 32, 64} {
				add(i)
			}
		case FormAtomic:
			for _, row := range atomics {
				i.Imm = int32(row.op)
				add(i)
			}
		case FormALUImm, FormALUReg:
			for _, i.Off = range []int16{0, 1, 8, 16, 32} {
				add(i)
			}
		default:
			add(i)
		}
	}
	for _, bits := range []string{"16", "32", "64"} {
		m["bswap"+bits] = m["swap"+bits]
	}
	return m
}()

// keywords begin the instructions of the other dialects.
var keywords = []string{"if", "goto", "gotol", "ld_pseudo", "store_release", ".insn"}

// mnemonic reads an instruction whose first word, at the given place, is no beginning of one in the other dialects.
func (a *assembler) mnemonic(from int, w []byte) {
	i, ok := mnemonics[string(w)]
	if !ok {
		name := string(w)
		for last := w; string(last) == "lock" || string(last) == "fetch"; {
			last = a.word()
			name += " " + string(last)
		}
		if i, ok = mnemonics[name]; !ok {
			a.noMnemonic(from, name)
			return
		}
	}
	a.operands(&i)
	if i.Op == OpLoadWide {
		a.emitWide(i.Dst, WideConstant, a.bits64(a.number()))
		return
	}
	a.emit(i)
}

// noMnemonic is the fault of a name that no instruction has.
func (a *assembler) noMnemonic(at int, name string) {
	a.pos = at
	if name == "" {
		a.expected("an instruction")
		return
	}
	if first := name[0] | 0x20; (first == 'r' || first == 'w') && strings.Trim(name[1:], "0123456789") == "" {
		a.fail(ReasonSyntax, at, quoted(name)+" is no register; they are r0 to r10, and w0 to w10 for the low halves")
		return
	}
	names := append([]string(nil), keywords...)
	for known := range mnemonics {
		names = append(names, known)
	}
	a.fail(ReasonSyntax, at, "no instruction is called "+quoted(name)+didYouMean(name, names))
}

// operands reads what follows the name of the instruction, up to the value of a wide constant.
func (a *assembler) operands(i *Instruction) {
	info := i.Op.Info()
	switch info.Form {
	case FormALUImm, FormALUReg, FormCondImm, FormCondReg:
		i.Dst, _ = a.register()
		a.expect(',')
		a.right(i, info)
		if i.SpaceCast() {
			a.spaces(i)
		}
		if info.Form == FormCondImm || info.Form == FormCondReg {
			a.expect(',')
			a.target(i)
		}
	case FormNeg, FormEnd:
		i.Dst, _ = a.register()
	case FormLoad:
		i.Dst, _ = a.register()
		a.expect(',')
		i.Src, i.Off = a.brackets()
	case FormStoreImm:
		i.Dst, i.Off = a.brackets()
		a.expect(',')
		i.Imm = a.constant(info.Size == 8, true)
	case FormStoreReg:
		i.Dst, i.Off = a.brackets()
		a.expect(',')
		i.Src, _ = a.register()
	case FormAtomic:
		if AtomicOp(i.Imm) == AtomicLoad {
			i.Dst, _ = a.register()
			a.expect(',')
			i.Src, i.Off = a.brackets()
			return
		}
		i.Dst, i.Off = a.brackets()
		a.expect(',')
		i.Src, _ = a.register()
	case FormLoadAbs:
		i.Imm = a.bits32(a.number())
	case FormLoadInd:
		i.Src, _ = a.register()
		a.expect(',')
		i.Imm = a.bits32(a.number())
	case FormLoadWide:
		i.Dst, _ = a.register()
		a.expect(',')
	case FormJump, FormJumpLong, FormMayGoto:
		a.target(i)
	}
}

// right reads the right operand of arithmetic or a comparison. The opcode may be that with a constant.
func (a *assembler) right(i *Instruction, info *OpInfo) {
	switch {
	case info.Form == FormALUReg || info.Form == FormCondReg:
		i.Src, _ = a.register()
	case a.isRegister():
		i.Op |= srcReg
		i.Src, _ = a.register()
	default:
		i.Imm = a.constant(info.Wide, true)
	}
}

// brackets reads `[%r1+12]`.
func (a *assembler) brackets() (base Register, off int16) {
	a.expect('[')
	base, n := a.place()
	a.expect(']')
	return base, a.int16(n)
}

// The words that may stand behind call: for what the dialects call functions of the kernel, and of the program.
const (
	kfuncPrefix  = "kernel-function#"
	runtimeWord  = "runtime"
	localWord    = "local"
	helperWord   = "helper"
	numberPrefix = '#'
)

// call reads what follows `call`, in any dialect.
func (a *assembler) call() {
	a.peek()
	i := Instruction{Op: OpCall}
	from := a.pos
	if a.acceptText(kfuncPrefix) {
		i.Src, i.Imm = CallKindKernel, a.int32(a.number())
		a.emit(i)
		return
	}
	if a.isNumber() {
		i.Imm = a.int32(a.number())
		a.emit(i)
		return
	}
	switch w := string(a.word()); {
	case w == runtimeWord:
		i.Src, i.Imm = CallKindKernel, a.int32(a.number())
	case w == helperWord:
		i.Imm = a.int32(a.number())
	case w == localWord:
		i.Src = CallKindLocal
		a.target(&i)
	case a.pos < a.end && a.text[a.pos] == numberPrefix:
		a.pos++
		i.Imm = a.int32(a.number())
	case a.isRegisterName(w):
		a.fail(ReasonSyntax, from, "a call through a register is not of this machine")
	default:
		a.pos = from
		i.Src = CallKindLocal
		a.target(&i)
	}
	a.emit(i)
}

func (a *assembler) isRegisterName(w string) bool {
	_, _, ok := registerName([]byte(w))
	return ok || w == "" && a.peek() == '%'
}
