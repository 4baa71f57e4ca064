package jit

import (
	"encoding/binary"
	"math"
)

// reg is an x86-64 register, numbered as the processor does.
type reg uint8

const (
	rax reg = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	r12
	r13
	r14
	r15
)

// operand is the r/m side of an instruction: a register, or memory at base+disp.
type operand struct {
	base reg
	disp int32
	mem  bool
}

func direct(r reg) operand            { return operand{base: r} }
func at(base reg, disp int32) operand { return operand{base: base, disp: disp, mem: true} }

// form is what the encoding of an instruction needs besides its operands.
type form struct {
	op     []byte // opcode, escape bytes included
	wide   bool   // 64 bits
	prefix byte   // 0x66 for 16 bits, 0xf0 for lock; 0 for none
	byte   bool   // byte-sized: registers 4 to 7 are SPL to DIL, which need a REX prefix
}

// asm is machine code under construction. Jumps are kept apart from the code until assemble knows how long they are.
type asm struct {
	code   []byte
	labels []spot // where each label is bound
	jumps  []jump
}

// spot is a place in the code under construction.
type spot struct {
	at    int // index into code
	jumps int // jumps that stand before it
}

// label names a place in the code.
type label int

// jump is a jump that belongs before code[at].
type jump struct {
	at   int
	to   label
	cc   cond
	near bool // needs 32 bits
}

// cond is a condition code, the low four bits of the jcc opcodes.
type cond uint8

const (
	ccB  cond = 0x2
	ccAE cond = 0x3
	ccE  cond = 0x4
	ccNE cond = 0x5
	ccBE cond = 0x6
	ccA  cond = 0x7
	ccL  cond = 0xc
	ccGE cond = 0xd
	ccLE cond = 0xe
	ccG  cond = 0xf

	always cond = 0x10 // jmp
)

func (a *asm) bytes(b ...byte) { a.code = append(a.code, b...) }

func (a *asm) imm32(n int32) { a.code = binary.LittleEndian.AppendUint32(a.code, uint32(n)) }

func (a *asm) imm64(n uint64) { a.code = binary.LittleEndian.AppendUint64(a.code, n) }

// rm encodes an instruction with a register (or an opcode extension, "/n" in the manual) and an r/m operand:
// prefix, REX, opcode, ModRM, SIB, displacement (Intel SDM volume 2, chapter 2).
func (a *asm) rm(f form, r reg, x operand) {
	if f.prefix != 0 {
		a.bytes(f.prefix)
	}
	rex := 0x40 | byte(r>>3)<<2 | byte(x.base>>3)
	if f.wide {
		rex |= 8
	}
	if rex != 0x40 || f.byte && (r >= rsp || !x.mem && x.base >= rsp) {
		a.bytes(rex)
	}
	a.bytes(f.op...)
	a.modRM(byte(r&7), x)
}

// modRM encodes the operand. RSP and R12 as a base need a SIB byte; RBP and R13 have no form without displacement.
func (a *asm) modRM(r byte, x operand) {
	low := byte(x.base & 7)
	switch {
	case !x.mem:
		a.bytes(0xc0 | r<<3 | low)
		return
	case x.disp == 0 && low != byte(rbp):
		a.bytes(r<<3 | low)
	case fits8(x.disp):
		a.bytes(0x40 | r<<3 | low)
	default:
		a.bytes(0x80 | r<<3 | low)
	}
	if low == byte(rsp) {
		a.bytes(0x24)
	}
	switch {
	case x.disp == 0 && low != byte(rbp):
	case fits8(x.disp):
		a.bytes(byte(x.disp))
	default:
		a.imm32(x.disp)
	}
}

func fits8(n int32) bool { return n >= math.MinInt8 && n <= math.MaxInt8 }

// newLabel makes a label, to be bound once.
func (a *asm) newLabel() label {
	a.labels = append(a.labels, spot{})
	return label(len(a.labels) - 1)
}

// here is the place of what comes next.
func (a *asm) here() spot { return spot{len(a.code), len(a.jumps)} }

// bind puts the label here.
func (a *asm) bind(l label) { a.labels[l] = a.here() }

// jump goes to the label if the condition holds.
func (a *asm) jump(cc cond, to label) {
	a.jumps = append(a.jumps, jump{at: len(a.code), to: to, cc: cc})
}

// jumpOverGap goes to the label. It must be the first jump: it is a long one, so that the place of what follows is known, and what
// follows begins a cache line.
func (a *asm) jumpOverGap(to label) {
	const line, int3 = 64, 0xcc
	j := jump{at: len(a.code), to: to, cc: always, near: true}
	a.jumps = append(a.jumps, j)
	for (len(a.code)+j.size())%line != 0 {
		a.bytes(int3)
	}
}

// size is the length of the encoded jump.
func (j jump) size() int {
	switch {
	case !j.near:
		return 2
	case j.cc == always:
		return 5
	}
	return 6
}

// assemble puts the jumps into the code. All begin short, and those that do not reach grow; nothing shrinks, so that the
// search ends. place tells where a spot is then.
func (a *asm) assemble() (code []byte, place func(spot) int) {
	before := make([]int, len(a.jumps)+1) // bytes of the jumps before each, and of all
	place = func(s spot) int { return s.at + before[s.jumps] }
	for grown := true; grown; {
		grown = false
		for i, j := range a.jumps {
			before[i+1] = before[i] + j.size()
		}
		for i := range a.jumps {
			j := &a.jumps[i]
			if d := place(a.labels[j.to]) - j.at - before[i+1]; !j.near && !fits8(int32(d)) {
				j.near, grown = true, true
			}
		}
	}
	code = make([]byte, 0, len(a.code)+before[len(a.jumps)])
	from := 0
	for i, j := range a.jumps {
		code = append(code, a.code[from:j.at]...)
		code = j.append(code, place(a.labels[j.to])-j.at-before[i+1])
		from = j.at
	}
	return append(code, a.code[from:]...), place
}

// append encodes the jump over d bytes, counted from its end.
func (j jump) append(code []byte, d int) []byte {
	switch {
	case !j.near && j.cc == always:
		return append(code, 0xeb, byte(d))
	case !j.near:
		return append(code, 0x70|byte(j.cc), byte(d))
	case j.cc == always:
		code = append(code, 0xe9)
	default:
		code = append(code, 0x0f, 0x80|byte(j.cc))
	}
	return binary.LittleEndian.AppendUint32(code, uint32(int32(d)))
}
