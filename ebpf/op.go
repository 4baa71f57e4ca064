package ebpf

import "fmt"

// Opcode is the first byte of an instruction:
//
//	 7       4   3    2     0          7   5   4  3   2     0
//	+---------+-----+---------+       +------+------+---------+
//	|   op    | src |  class  |       | mode | size |  class  |
//	+---------+-----+---------+       +------+------+---------+
//	arithmetic and jumps               loads and stores
//
// (RFC 9669, section 3.)
type Opcode uint8

// Class is the instruction class, the three low bits of an opcode.
type Class uint8

// The classes (RFC 9669, section 3.1).
const (
	ClassLD Class = iota
	ClassLDX
	ClassST
	ClassSTX
	ClassALU32
	ClassJMP
	ClassJMP32
	ClassALU64
)

// ALUOp is an arithmetic operation: the bits 0xf0 of an opcode (RFC 9669, section 4.1).
type ALUOp uint8

// The arithmetic operations.
const (
	Add  ALUOp = 0x00
	Sub  ALUOp = 0x10
	Mul  ALUOp = 0x20
	Div  ALUOp = 0x30
	Or   ALUOp = 0x40
	And  ALUOp = 0x50
	Lsh  ALUOp = 0x60
	Rsh  ALUOp = 0x70
	Neg  ALUOp = 0x80
	Mod  ALUOp = 0x90
	Xor  ALUOp = 0xa0
	Mov  ALUOp = 0xb0
	Arsh ALUOp = 0xc0
	End  ALUOp = 0xd0 // byte swaps
)

// JumpOp is a jump operation: the bits 0xf0 of an opcode (RFC 9669, section 4.3).
type JumpOp uint8

// The jump operations.
const (
	JA   JumpOp = 0x00
	JEq  JumpOp = 0x10
	JGt  JumpOp = 0x20
	JGe  JumpOp = 0x30
	JSet JumpOp = 0x40
	JNe  JumpOp = 0x50
	JSGt JumpOp = 0x60
	JSGe JumpOp = 0x70
	Call JumpOp = 0x80
	Exit JumpOp = 0x90
	JLt  JumpOp = 0xa0
	JLe  JumpOp = 0xb0
	JSLt JumpOp = 0xc0
	JSLe JumpOp = 0xd0
)

// Form says what the operands of an instruction are, and with that which of its fields it uses.
type Form uint8

// The forms. In the drawings dst, src, off and imm are the fields of the instruction.
const (
	FormInvalid  Form = iota
	FormALUImm        // dst op= imm
	FormALUReg        // dst op= src
	FormNeg           // dst = -dst
	FormEnd           // dst = swap(dst); imm is the width in bits
	FormLoad          // dst = *(size *)(src + off)
	FormStoreImm      // *(size *)(dst + off) = imm
	FormStoreReg      // *(size *)(dst + off) = src
	FormLoadAbs       // r0 = *(size *)skb[imm], big-endian; ends the program where out of bounds
	FormLoadInd       // r0 = *(size *)skb[src + imm], likewise
	FormLoadWide      // dst = 64-bit constant, of which the upper half is the imm of a second slot
	FormJump          // goto off
	FormJumpLong      // goto imm
	FormCondImm       // if dst op imm goto off
	FormCondReg       // if dst op src goto off
	FormCall          // call imm
	FormExit          // exit
)

// OpInfo is what there is to know of one opcode.
type OpInfo struct {
	Form   Form
	Sign   string // operator as it is printed: "+=", "s>"; "be" and "le" family for FormEnd
	ALU    ALUOp  // for arithmetic
	Jump   JumpOp // for jumps
	Wide   bool   // 64-bit arithmetic or comparison; 32-bit otherwise
	Size   int    // bytes of memory touched; 0 if none
	Signed bool   // the load extends the sign
}

var aluSigns = map[ALUOp]string{
	Add: "+=", Sub: "-=", Mul: "*=", Div: "/=", Or: "|=", And: "&=", Lsh: "<<=", Rsh: ">>=", Mod: "%=", Xor: "^=",
	Mov: "=", Arsh: "s>>=",
}

var jumpSigns = map[JumpOp]string{
	JEq: "==", JGt: ">", JGe: ">=", JSet: "&", JNe: "!=", JSGt: "s>", JSGe: "s>=", JLt: "<", JLe: "<=", JSLt: "s<", JSLe: "s<=",
}

// sizes gives the bytes of each value of the size field: W, H, B, DW.
var sizes = [4]int{4, 2, 1, 8}

// The modes of loads and stores: the bits 0xe0 of an opcode.
const (
	modeImm   = 0x00
	modeAbs   = 0x20
	modeInd   = 0x40
	modeMem   = 0x60
	modeMemSX = 0x80
)

// srcReg is the bit that makes the right operand a register.
const srcReg = 0x08

// The opcodes of the byte swaps: class and source bit tell them apart.
const (
	opToLE  = Opcode(uint8(End) | uint8(ClassALU32))          // dst = le imm(dst)
	opToBE  = Opcode(uint8(End) | srcReg | uint8(ClassALU32)) // dst = be imm(dst)
	opBswap = Opcode(uint8(End) | uint8(ClassALU64))          // dst = bswap imm(dst)
)

// Opcodes that stand alone.
const (
	OpLoadWide = Opcode(0x18)
	OpJump     = Opcode(0x05)
	OpJumpLong = Opcode(0x06)
	OpCall     = Opcode(0x85)
	OpExit     = Opcode(0x95)
)

// ops is THE table, made as the product of the axes above: 256 rows, FormInvalid where there is no instruction.
var ops = func() (t [256]OpInfo) {
	for op, sign := range aluSigns {
		for _, class := range []Class{ClassALU32, ClassALU64} {
			code := uint8(op) | uint8(class)
			wide := class == ClassALU64
			t[code] = OpInfo{Form: FormALUImm, Sign: sign, ALU: op, Wide: wide}
			t[code|srcReg] = OpInfo{Form: FormALUReg, Sign: sign, ALU: op, Wide: wide}
		}
	}
	t[uint8(Neg)|uint8(ClassALU32)] = OpInfo{Form: FormNeg, Sign: "-", ALU: Neg}
	t[uint8(Neg)|uint8(ClassALU64)] = OpInfo{Form: FormNeg, Sign: "-", ALU: Neg, Wide: true}
	t[opToLE] = OpInfo{Form: FormEnd, Sign: "le", ALU: End}
	t[opToBE] = OpInfo{Form: FormEnd, Sign: "be", ALU: End}
	t[opBswap] = OpInfo{Form: FormEnd, Sign: "bswap", ALU: End, Wide: true}

	for op, sign := range jumpSigns {
		for _, class := range []Class{ClassJMP32, ClassJMP} {
			code := uint8(op) | uint8(class)
			wide := class == ClassJMP
			t[code] = OpInfo{Form: FormCondImm, Sign: sign, Jump: op, Wide: wide}
			t[code|srcReg] = OpInfo{Form: FormCondReg, Sign: sign, Jump: op, Wide: wide}
		}
	}
	t[OpJump] = OpInfo{Form: FormJump, Sign: "goto", Jump: JA}
	t[OpJumpLong] = OpInfo{Form: FormJumpLong, Sign: "gotol", Jump: JA}
	t[OpCall] = OpInfo{Form: FormCall, Sign: "call", Jump: Call}
	t[OpExit] = OpInfo{Form: FormExit, Sign: "exit", Jump: Exit}

	for i, size := range sizes {
		bits := uint8(i) << 3
		t[bits|modeMem|uint8(ClassLDX)] = OpInfo{Form: FormLoad, Size: size}
		t[bits|modeMem|uint8(ClassST)] = OpInfo{Form: FormStoreImm, Size: size}
		t[bits|modeMem|uint8(ClassSTX)] = OpInfo{Form: FormStoreReg, Size: size}
		if size < 8 {
			t[bits|modeMemSX|uint8(ClassLDX)] = OpInfo{Form: FormLoad, Size: size, Signed: true}
			t[bits|modeAbs|uint8(ClassLD)] = OpInfo{Form: FormLoadAbs, Size: size}
			t[bits|modeInd|uint8(ClassLD)] = OpInfo{Form: FormLoadInd, Size: size}
		}
	}
	t[OpLoadWide] = OpInfo{Form: FormLoadWide, Wide: true}
	return t
}()

// Info returns the row of the opcode; its Form is FormInvalid for one that is no instruction. The row is shared: do not
// change it.
func (op Opcode) Info() *OpInfo { return &ops[op] }

// Register is one of the ten general registers, R0 to R9, or the read-only frame pointer R10.
type Register uint8

// The registers and their part in calls (RFC 9669, section 2.2).
const (
	R0 Register = iota // result
	R1                 // arguments; a call destroys R1 to R5
	R2
	R3
	R4
	R5
	R6 // kept over calls
	R7
	R8
	R9
	R10 // frame pointer: one past the top of the stack

	numRegs = 11
)

// RFP is the frame pointer.
const RFP = R10

func (r Register) String() string { return fmt.Sprintf("r%d", uint8(r)) }

// StackSize is the stack of a program in bytes; it lies below RFP.
const StackSize = 512
