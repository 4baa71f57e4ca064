package ebpf

import "math"

// The kinds of FormCall, by its src.
const (
	CallKindHelper Register = iota
	CallKindLocal           // a function of the same program, imm slots after the next one
	CallKindKernel          // a kernel function, by its BTF id
)

// The kinds of FormLoadWide, by its src (BPF_PSEUDO_* in linux/bpf.h). All but the first become addresses at load time.
const (
	WideConstant      Register = iota
	WideMapFD                  // address of the map with the descriptor imm
	WideMapValue               // address inside the value of a map: descriptor imm, offset in the second slot
	WideVariable               // address of a kernel variable, by its BTF id
	WideFunction               // address of a function of the program
	WideMapIndex               // as WideMapFD, by index into the loader's array of descriptors
	WideMapIndexValue          // as WideMapValue, likewise
)

// fields says which fields a form uses.
type fields struct{ dst, src, off, imm, writesDst bool }

var formFields = [...]fields{
	FormALUImm:   {dst: true, off: true, imm: true, writesDst: true},
	FormALUReg:   {dst: true, src: true, off: true, writesDst: true},
	FormNeg:      {dst: true, writesDst: true},
	FormEnd:      {dst: true, imm: true, writesDst: true},
	FormLoad:     {dst: true, src: true, off: true, writesDst: true},
	FormStoreImm: {dst: true, off: true, imm: true},
	FormStoreReg: {dst: true, src: true, off: true},
	FormLoadAbs:  {imm: true},
	FormLoadInd:  {src: true, imm: true},
	FormLoadWide: {dst: true, src: true, imm: true, writesDst: true},
	FormJump:     {off: true},
	FormJumpLong: {imm: true},
	FormCondImm:  {dst: true, off: true, imm: true},
	FormCondReg:  {dst: true, src: true, off: true},
	FormCall:     {src: true, imm: true},
	FormExit:     {},
	FormAtomic:   {dst: true, src: true, off: true, imm: true},
	FormMayGoto:  {off: true},
}

// Malformed says what is wrong with the instruction taken by itself, "" if nothing is: what it accepts has a meaning in
// RFC 9669 or Linux 6.18. ReasonBadRegister says that it has a meaning but for the registers 11 to 15. The second slot of
// a wide constant is no instruction: see WideSecond.
func (i Instruction) Malformed() Reason {
	if i.plain() {
		return ""
	}
	return i.malformed(i.Op.Info())
}

// plain reports whether the instruction is one of those that are seen to be well-formed at once: most are.
func (i *Instruction) plain() bool {
	b := &blanks[i.Op]
	const beyond = 16 - numRegs // added to a register from 11 on, it sets bit 4 or a higher one
	regs := uint32(i.Dst)&b.dst | uint32(i.Src)&b.src | uint32(i.Dst+beyond)&0xf0 | uint32(i.Src+beyond)&0xf0
	return b.never|regs|uint32(uint16(i.Off))&b.off|uint32(i.Imm)&b.imm == 0
}

// malformed goes through the rules one by one.
func (i Instruction) malformed(info *OpInfo) Reason {
	if info.Form == FormInvalid {
		return ReasonBadOpcode
	}
	uses := &formFields[info.Form]
	if !uses.dst && i.Dst != 0 || !uses.src && i.Src != 0 || !uses.off && i.Off != 0 {
		return ReasonReserved
	}
	if !uses.imm && i.Imm != 0 && !i.SpaceCast() {
		return ReasonReserved
	}
	switch info.Form {
	case FormALUImm, FormALUReg:
		if i.Off != 0 && !i.SignedDivision() && i.MoveBits() == 0 && !i.SpaceCast() {
			return ReasonReserved
		}
	case FormEnd:
		if i.Imm != 16 && i.Imm != 32 && i.Imm != 64 {
			return ReasonBadOpcode
		}
	case FormCall:
		if i.Src > CallKindKernel {
			return ReasonBadOpcode
		}
	case FormLoadWide:
		if i.Src > WideMapIndexValue {
			return ReasonBadOpcode
		}
	case FormAtomic:
		if i.atomic(info) == nil {
			return ReasonBadOpcode
		}
	}
	if i.Dst >= numRegs || i.Src >= numRegs {
		return ReasonBadRegister
	}
	return ""
}

// blank holds the bits of the fields that a plain instruction of an opcode leaves zero. never is 1 where the fields have to
// be looked at more closely.
type blank struct{ never, dst, src, off, imm uint32 }

// blanks follows from the table of opcodes and formFields.
var blanks = func() (t [256]blank) {
	unless := func(used bool) uint32 {
		if used {
			return 0
		}
		return math.MaxUint32
	}
	for op := range t {
		form := Opcode(op).Info().Form
		switch uses := &formFields[form]; form {
		case FormInvalid, FormEnd, FormCall, FormLoadWide, FormAtomic:
			t[op].never = 1
		case FormALUImm, FormALUReg:
			t[op] = blank{dst: unless(uses.dst), src: unless(uses.src), off: unless(false), imm: unless(uses.imm)}
		default:
			t[op] = blank{dst: unless(uses.dst), src: unless(uses.src), off: unless(uses.off), imm: unless(uses.imm)}
		}
	}
	return t
}()

// SignedDivision reports whether the instruction divides or takes the remainder with signs: offset 1 (RFC 9669, 4.1).
func (i Instruction) SignedDivision() bool {
	info := i.Op.Info()
	return i.Off == 1 && (info.Form == FormALUImm || info.Form == FormALUReg) && (info.ALU == Div || info.ALU == Mod)
}

// MoveBits is the width from which a move extends the sign, 8, 16 or 32; 0 for a plain move and everything else.
func (i Instruction) MoveBits() int {
	info := i.Op.Info()
	if info.Form != FormALUReg || info.ALU != Mov {
		return 0
	}
	if i.Off == 8 || i.Off == 16 || i.Off == 32 && info.Wide {
		return int(i.Off)
	}
	return 0
}

// SpaceCast reports whether the instruction moves a pointer from one address space to another: offset 1, and the two
// spaces in imm (BPF_ADDR_SPACE_CAST, Linux 6.9). Only the kernel's arenas give it a meaning.
func (i Instruction) SpaceCast() bool {
	info := i.Op.Info()
	return i.Off == 1 && info.Form == FormALUReg && info.ALU == Mov && info.Wide
}

// WideSecond reports whether the slot can be the second half of a wide constant: blank but for its Imm.
func (i Instruction) WideSecond() bool { return i == Instruction{Imm: i.Imm} }

// Wide returns the value of the 64-bit constant that begins at pc. ok is false where none does, or the program ends
// in its middle.
func (p Program) Wide(pc int) (value uint64, ok bool) {
	if pc+1 >= len(p) || p[pc].Op != OpLoadWide || !p[pc+1].WideSecond() {
		return 0, false
	}
	return uint64(uint32(p[pc+1].Imm))<<32 | uint64(uint32(p[pc].Imm)), true
}
