package cbpf

// Form says what the operand of an instruction is, and with that which of its fields mean anything. Fields that a
// form does not use are ignored by the kernel, whatever they hold.
type Form uint8

// The forms of operand. In the drawings k, jt and jf are the fields of the instruction.
const (
	FormNone  Form = iota // tax, txa, neg: no operand
	FormImm               // #k
	FormAbs               // [k], or the extension that k names
	FormInd               // [x + k]
	FormMem               // M[k]
	FormLen               // #pktlen
	FormMSH               // 4*([k]&0xf)
	FormX                 // x: the right operand of arithmetic
	FormJump              // pc + 1 + k
	FormCondK             // A compared with #k, then pc + 1 + jt or pc + 1 + jf
	FormCondX             // A compared with x, then pc + 1 + jt or pc + 1 + jf
	FormRetK              // #k
	FormRetA              // the accumulator
)

// Regs is a set of the places that an instruction reads or writes.
type Regs uint8

// The members of Regs.
const (
	A   Regs = 1 << iota // accumulator
	X                    // index register
	Mem                  // scratch word M[k]
)

// Operations of the arithmetic class: the bits 0xf0 of their opcodes (linux/bpf_common.h).
const (
	Add uint16 = 0x00
	Sub uint16 = 0x10
	Mul uint16 = 0x20
	Div uint16 = 0x30
	Or  uint16 = 0x40
	And uint16 = 0x50
	Lsh uint16 = 0x60
	Rsh uint16 = 0x70
	Neg uint16 = 0x80
	Mod uint16 = 0x90
	Xor uint16 = 0xa0
)

// Comparisons of the jump class: the bits 0xf0 of their opcodes. All are unsigned.
const (
	Eq  uint16 = 0x10
	Gt  uint16 = 0x20
	Ge  uint16 = 0x30
	Set uint16 = 0x40 // A & operand is not zero
)

// OpInfo is what there is to know of one opcode.
type OpInfo struct {
	Code   uint16
	Name   string // mnemonic, as tcpdump -d prints it
	Form   Form
	Size   int    // bytes read from the packet, big-endian; 0 if none
	Fn     uint16 // arithmetic operation or comparison, for those two classes
	Not    string // for comparisons, the mnemonic of the opposite one, if there is one: it has no opcode, jt and jf change places
	Hex    bool   // tcpdump -d prints k in hexadecimal; in signed decimal otherwise
	Reads  Regs
	Writes Regs
}

// Opcodes whose code is needed by name, because programs are built from them.
const (
	OpLdImm  uint16 = 0x00
	OpLdAbsW uint16 = 0x20
	OpLdAbsH uint16 = 0x28
	OpLdAbsB uint16 = 0x30
	OpLdLen  uint16 = 0x80
	OpLdxImm uint16 = 0x01
	OpLdxMSH uint16 = 0xb1
	OpAndK   uint16 = 0x54
	OpRshK   uint16 = 0x74
	OpJa     uint16 = 0x05
	OpJeqK   uint16 = 0x15
	OpJsetK  uint16 = 0x45
	OpRetK   uint16 = 0x06
	OpRetA   uint16 = 0x16
)

// Ops is THE table: the 49 opcodes that the kernel accepts from user space (chk_code_allowed in net/core/filter.c,
// Linux 6.18), in the order of the manual. Printing, parsing, validating, running and translating read their facts here.
var Ops = [...]OpInfo{
	{Code: 0x00, Name: "ld", Form: FormImm, Hex: true, Writes: A},
	{Code: 0x20, Name: "ld", Form: FormAbs, Size: 4, Writes: A},
	{Code: 0x28, Name: "ldh", Form: FormAbs, Size: 2, Writes: A},
	{Code: 0x30, Name: "ldb", Form: FormAbs, Size: 1, Writes: A},
	{Code: 0x40, Name: "ld", Form: FormInd, Size: 4, Reads: X, Writes: A},
	{Code: 0x48, Name: "ldh", Form: FormInd, Size: 2, Reads: X, Writes: A},
	{Code: 0x50, Name: "ldb", Form: FormInd, Size: 1, Reads: X, Writes: A},
	{Code: 0x60, Name: "ld", Form: FormMem, Reads: Mem, Writes: A},
	{Code: 0x80, Name: "ld", Form: FormLen, Writes: A},

	{Code: 0x01, Name: "ldx", Form: FormImm, Hex: true, Writes: X},
	{Code: 0x61, Name: "ldx", Form: FormMem, Reads: Mem, Writes: X},
	{Code: 0x81, Name: "ldx", Form: FormLen, Writes: X},
	{Code: 0xb1, Name: "ldxb", Form: FormMSH, Size: 1, Writes: X},

	{Code: 0x02, Name: "st", Form: FormMem, Reads: A, Writes: Mem},
	{Code: 0x03, Name: "stx", Form: FormMem, Reads: X, Writes: Mem},

	{Code: 0x04, Name: "add", Form: FormImm, Fn: Add, Reads: A, Writes: A},
	{Code: 0x0c, Name: "add", Form: FormX, Fn: Add, Reads: A | X, Writes: A},
	{Code: 0x14, Name: "sub", Form: FormImm, Fn: Sub, Reads: A, Writes: A},
	{Code: 0x1c, Name: "sub", Form: FormX, Fn: Sub, Reads: A | X, Writes: A},
	{Code: 0x24, Name: "mul", Form: FormImm, Fn: Mul, Reads: A, Writes: A},
	{Code: 0x2c, Name: "mul", Form: FormX, Fn: Mul, Reads: A | X, Writes: A},
	{Code: 0x34, Name: "div", Form: FormImm, Fn: Div, Reads: A, Writes: A},
	{Code: 0x3c, Name: "div", Form: FormX, Fn: Div, Reads: A | X, Writes: A},
	{Code: 0x44, Name: "or", Form: FormImm, Fn: Or, Hex: true, Reads: A, Writes: A},
	{Code: 0x4c, Name: "or", Form: FormX, Fn: Or, Reads: A | X, Writes: A},
	{Code: 0x54, Name: "and", Form: FormImm, Fn: And, Hex: true, Reads: A, Writes: A},
	{Code: 0x5c, Name: "and", Form: FormX, Fn: And, Reads: A | X, Writes: A},
	{Code: 0x64, Name: "lsh", Form: FormImm, Fn: Lsh, Reads: A, Writes: A},
	{Code: 0x6c, Name: "lsh", Form: FormX, Fn: Lsh, Reads: A | X, Writes: A},
	{Code: 0x74, Name: "rsh", Form: FormImm, Fn: Rsh, Reads: A, Writes: A},
	{Code: 0x7c, Name: "rsh", Form: FormX, Fn: Rsh, Reads: A | X, Writes: A},
	{Code: 0x84, Name: "neg", Form: FormNone, Fn: Neg, Reads: A, Writes: A},
	{Code: 0x94, Name: "mod", Form: FormImm, Fn: Mod, Reads: A, Writes: A},
	{Code: 0x9c, Name: "mod", Form: FormX, Fn: Mod, Reads: A | X, Writes: A},
	{Code: 0xa4, Name: "xor", Form: FormImm, Fn: Xor, Hex: true, Reads: A, Writes: A},
	{Code: 0xac, Name: "xor", Form: FormX, Fn: Xor, Reads: A | X, Writes: A},

	{Code: 0x05, Name: "ja", Form: FormJump},
	{Code: 0x15, Name: "jeq", Form: FormCondK, Fn: Eq, Not: "jneq", Hex: true, Reads: A},
	{Code: 0x1d, Name: "jeq", Form: FormCondX, Fn: Eq, Not: "jneq", Reads: A | X},
	{Code: 0x25, Name: "jgt", Form: FormCondK, Fn: Gt, Not: "jle", Hex: true, Reads: A},
	{Code: 0x2d, Name: "jgt", Form: FormCondX, Fn: Gt, Not: "jle", Reads: A | X},
	{Code: 0x35, Name: "jge", Form: FormCondK, Fn: Ge, Not: "jlt", Hex: true, Reads: A},
	{Code: 0x3d, Name: "jge", Form: FormCondX, Fn: Ge, Not: "jlt", Reads: A | X},
	{Code: 0x45, Name: "jset", Form: FormCondK, Fn: Set, Hex: true, Reads: A},
	{Code: 0x4d, Name: "jset", Form: FormCondX, Fn: Set, Reads: A | X},

	{Code: 0x06, Name: "ret", Form: FormRetK},
	{Code: 0x16, Name: "ret", Form: FormRetA, Reads: A},

	{Code: 0x07, Name: "tax", Form: FormNone, Reads: A, Writes: X},
	{Code: 0x87, Name: "txa", Form: FormNone, Reads: X, Writes: A},
}

var opByCode = func() (index [256]*OpInfo) {
	for i := range Ops {
		index[Ops[i].Code] = &Ops[i]
	}
	return index
}()

// Info returns the row of an opcode, or nil for one that the kernel does not know. The row is shared: do not change it.
func Info(code uint16) *OpInfo {
	if code > 0xff {
		return nil
	}
	return opByCode[code]
}
