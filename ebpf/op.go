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
	JA    JumpOp = 0x00
	JEq   JumpOp = 0x10
	JGt   JumpOp = 0x20
	JGe   JumpOp = 0x30
	JSet  JumpOp = 0x40
	JNe   JumpOp = 0x50
	JSGt  JumpOp = 0x60
	JSGe  JumpOp = 0x70
	Call  JumpOp = 0x80
	Exit  JumpOp = 0x90
	JLt   JumpOp = 0xa0
	JLe   JumpOp = 0xb0
	JSLt  JumpOp = 0xc0
	JSLe  JumpOp = 0xd0
	JCond JumpOp = 0xe0 // may_goto; not of RFC 9669, but of Linux 6.9 and later
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
	FormAtomic        // an operation on *(size *)(dst + off) that nothing comes between; imm says which: see AtomicOp
	FormMayGoto       // goto off, or go on: the machine decides, and jumps at some time
)

// OpInfo is what there is to know of one opcode.
type OpInfo struct {
	Form   Form
	Name   string  // mnemonic: "add32", "ldxh"; without the part that other fields decide (see Instruction.Mnemonic)
	Sign   string  // operator as it is printed: "+=", "s>"; "be" and "le" family for FormEnd
	ALU    ALUOp   // for arithmetic
	Jump   JumpOp  // for jumps
	Wide   bool    // 64-bit arithmetic or comparison; 32-bit otherwise
	Size   int     // bytes of memory touched; 0 if none
	Signed bool    // the load extends the sign
	Since  Feature // what the opcode alone takes; see Instruction.Feature
}

// bits is the width of an operation or a comparison.
func (i *OpInfo) bits() int {
	if i.Wide {
		return 64
	}
	return 32
}

// aluRows are the operations that come in all four forms: 32 and 64 bits, constant and register.
var aluRows = []struct {
	op         ALUOp
	name, sign string
}{
	{Add, "add", "+="}, {Sub, "sub", "-="}, {Mul, "mul", "*="}, {Div, "div", "/="}, {Or, "or", "|="}, {And, "and", "&="},
	{Lsh, "lsh", "<<="}, {Rsh, "rsh", ">>="}, {Mod, "mod", "%="}, {Xor, "xor", "^="}, {Mov, "mov", "="}, {Arsh, "arsh", "s>>="},
}

// jumpRows are the comparisons; they come in the same four forms.
var jumpRows = []struct {
	op         JumpOp
	name, sign string
	since      Feature
}{
	{JEq, "jeq", "==", basic}, {JGt, "jgt", ">", basic}, {JGe, "jge", ">=", basic}, {JSet, "jset", "&", basic},
	{JNe, "jne", "!=", basic}, {JSGt, "jsgt", "s>", basic}, {JSGe, "jsge", "s>=", basic},
	{JLt, "jlt", "<", lessThan}, {JLe, "jle", "<=", lessThan}, {JSLt, "jslt", "s<", lessThan}, {JSLe, "jsle", "s<=", lessThan},
}

// sizeNames gives the letters of each value of the size field.
var sizeNames = [4]string{"w", "h", "b", "dw"}

// sizes gives the bytes of each value of the size field: W, H, B, DW.
var sizes = [4]int{4, 2, 1, 8}

// The modes of loads and stores: the bits 0xe0 of an opcode.
const (
	modeImm    = 0x00
	modeAbs    = 0x20
	modeInd    = 0x40
	modeMem    = 0x60
	modeMemSX  = 0x80
	modeAtomic = 0xc0
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
	OpMayGoto  = Opcode(0xe5)
	OpExit     = Opcode(0x95)
)

// ops is THE table, made as the product of the axes above: 256 rows, FormInvalid where there is no instruction.
var ops = func() (t [256]OpInfo) {
	suffix := map[Class]string{ClassALU32: "32", ClassALU64: "", ClassJMP32: "32", ClassJMP: ""}
	for _, r := range aluRows {
		for _, class := range []Class{ClassALU32, ClassALU64} {
			code := uint8(r.op) | uint8(class)
			row := OpInfo{Form: FormALUImm, Name: r.name + suffix[class], Sign: r.sign, ALU: r.op, Wide: class == ClassALU64}
			t[code] = row
			row.Form = FormALUReg
			t[code|srcReg] = row
		}
	}
	t[uint8(Neg)|uint8(ClassALU32)] = OpInfo{Form: FormNeg, Name: "neg32", Sign: "-", ALU: Neg}
	t[uint8(Neg)|uint8(ClassALU64)] = OpInfo{Form: FormNeg, Name: "neg", Sign: "-", ALU: Neg, Wide: true}
	t[opToLE] = OpInfo{Form: FormEnd, Name: "le", Sign: "le", ALU: End}
	t[opToBE] = OpInfo{Form: FormEnd, Name: "be", Sign: "be", ALU: End}
	t[opBswap] = OpInfo{Form: FormEnd, Name: "swap", Sign: "bswap", ALU: End, Wide: true, Since: cpuV4}

	for _, r := range jumpRows {
		for _, class := range []Class{ClassJMP32, ClassJMP} {
			code := uint8(r.op) | uint8(class)
			row := OpInfo{Form: FormCondImm, Name: r.name + suffix[class], Sign: r.sign, Jump: r.op, Wide: class == ClassJMP, Since: r.since}
			if class == ClassJMP32 {
				row.Since = narrowJumps
			}
			t[code] = row
			row.Form = FormCondReg
			t[code|srcReg] = row
		}
	}
	t[OpJump] = OpInfo{Form: FormJump, Name: "ja", Sign: "goto", Jump: JA}
	t[OpJumpLong] = OpInfo{Form: FormJumpLong, Name: "ja32", Sign: "gotol", Jump: JA, Since: cpuV4}
	t[OpMayGoto] = OpInfo{Form: FormMayGoto, Name: "may_goto", Sign: "may_goto", Jump: JCond, Since: mayGoto}
	t[OpCall] = OpInfo{Form: FormCall, Name: "call", Sign: "call", Jump: Call}
	t[OpExit] = OpInfo{Form: FormExit, Name: "exit", Sign: "exit", Jump: Exit}

	for i, size := range sizes {
		bits, letters := uint8(i)<<3, sizeNames[i]
		t[bits|modeMem|uint8(ClassLDX)] = OpInfo{Form: FormLoad, Name: "ldx" + letters, Size: size}
		t[bits|modeMem|uint8(ClassST)] = OpInfo{Form: FormStoreImm, Name: "st" + letters, Size: size}
		t[bits|modeMem|uint8(ClassSTX)] = OpInfo{Form: FormStoreReg, Name: "stx" + letters, Size: size}
		t[bits|modeAtomic|uint8(ClassSTX)] = OpInfo{Form: FormAtomic, Name: letters, Size: size, Wide: size == 8}
		if size < 8 {
			t[bits|modeMemSX|uint8(ClassLDX)] = OpInfo{Form: FormLoad, Name: "ldxs" + letters, Size: size, Signed: true, Since: cpuV4}
			t[bits|modeAbs|uint8(ClassLD)] = OpInfo{Form: FormLoadAbs, Name: "ldabs" + letters, Size: size, Since: packetLoads}
			t[bits|modeInd|uint8(ClassLD)] = OpInfo{Form: FormLoadInd, Name: "ldind" + letters, Size: size, Since: packetLoads}
		}
	}
	t[OpLoadWide] = OpInfo{Form: FormLoadWide, Name: "lddw", Wide: true}
	for i := range t {
		if t[i].Form != FormInvalid && t[i].Since == (Feature{}) {
			t[i].Since = basic
		}
	}
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

func (r Register) String() string { return fmt.Sprintf("r%d", uint8(r)) }

// StackSize is the stack of a program in bytes; it lies below R10.
const StackSize = 512
