package jit

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// plain are the operations that are one instruction on both sides.
var plain = map[ebpf.ALUOp]alu{ebpf.Add: aluAdd, ebpf.Sub: aluSub, ebpf.Or: aluOr, ebpf.And: aluAnd, ebpf.Xor: aluXor}

var shifts = map[ebpf.ALUOp]shift{ebpf.Lsh: shiftLeft, ebpf.Rsh: shiftRight, ebpf.Arsh: shiftArith}

// arithmetic compiles one operation. 32-bit operations zero the upper half of their destination on both sides.
func (c *compiler) arithmetic(ins ebpf.Instruction, info *ebpf.OpInfo) {
	dst, imm := x86[ins.Dst], info.Form == ebpf.FormALUImm
	sh, isShift := shifts[info.ALU]
	switch {
	case info.ALU == ebpf.Mov:
		c.mov(ins, info)
	case info.ALU == ebpf.Div || info.ALU == ebpf.Mod:
		c.divide(ins, info)
	case info.ALU == ebpf.Mul && imm:
		c.imulImm(info.Wide, dst, direct(dst), ins.Imm)
	case info.ALU == ebpf.Mul:
		c.imul(info.Wide, dst, direct(c.source(ins.Src)))
	case isShift && imm:
		c.shiftImm(info.Wide, sh, dst, byte(ins.Imm))
	case isShift:
		c.move(false, regTmp, c.source(ins.Src))
		c.shiftCL(info.Wide, sh, dst)
	case imm:
		c.aluImm(info.Wide, plain[info.ALU], direct(dst), ins.Imm)
	default:
		c.aluReg(info.Wide, plain[info.ALU], direct(dst), c.source(ins.Src))
	}
}

func (c *compiler) mov(ins ebpf.Instruction, info *ebpf.OpInfo) {
	dst := x86[ins.Dst]
	switch {
	case info.Form == ebpf.FormALUImm && info.Wide:
		c.movImm(dst, uint64(int64(ins.Imm)))
	case info.Form == ebpf.FormALUImm:
		c.movImm(dst, uint64(uint32(ins.Imm)))
	case ins.Off != 0:
		c.loadSigned(info.Wide, int(ins.Off)/8, dst, direct(c.source(ins.Src)))
	case ins.Src == ebpf.R10 && info.Wide:
		c.lea(dst, at(rsp, frameTop))
	default:
		c.move(info.Wide, dst, c.source(ins.Src))
	}
}

// swap compiles the changes of byte order. All but those of 64 bits zero what lies above.
func (c *compiler) swap(ins ebpf.Instruction, info *ebpf.OpInfo) {
	dst, reverse := x86[ins.Dst], info.Sign != "le"
	switch {
	case ins.Imm == 16:
		if reverse {
			c.rotate16(dst, 8)
		}
		c.load(2, dst, direct(dst))
	case reverse:
		c.bswap(ins.Imm == 64, dst)
	case ins.Imm == 32:
		c.move(false, dst, dst)
	}
}

// divide compiles division and remainder. The processor wants the dividend in RDX:RAX and faults where the extended
// machine does not: x/0 is 0 and x%0 is x, and the smallest number divided by -1 is itself.
func (c *compiler) divide(ins ebpf.Instruction, info *ebpf.OpInfo) {
	signed, done := ins.Off == 1, c.newLabel()
	dst := x86[ins.Dst]
	if info.Form == ebpf.FormALUImm {
		c.movImm(regTmp, uint64(int64(ins.Imm)))
	} else {
		c.move(true, regTmp, c.source(ins.Src))
		c.divideByZero(info, dst, done)
	}
	if signed {
		c.divideByMinusOne(info, dst, done)
	}
	if dst != rax {
		c.store(8, at(rsp, keepRAX), rax)
		c.move(true, rax, dst)
	}
	if dst != rdx {
		c.store(8, at(rsp, keepRDX), rdx)
	}
	if signed {
		c.signToRDX(info.Wide)
		c.idiv(info.Wide, regTmp)
	} else {
		c.movImm(rdx, 0)
		c.div(info.Wide, regTmp)
	}
	result := rax
	if info.ALU == ebpf.Mod {
		result = rdx
	}
	c.move(info.Wide, regTmp, result)
	if dst != rax {
		c.load(8, rax, at(rsp, keepRAX))
	}
	if dst != rdx {
		c.load(8, rdx, at(rsp, keepRDX))
	}
	c.move(true, dst, regTmp)
	c.bind(done)
}

func (c *compiler) divideByZero(info *ebpf.OpInfo, dst reg, done label) {
	other := c.newLabel()
	c.testReg(info.Wide, direct(regTmp), regTmp)
	c.jump(ccNE, other)
	if info.ALU == ebpf.Div {
		c.movImm(dst, 0)
	} else {
		c.move(info.Wide, dst, dst)
	}
	c.jump(always, done)
	c.bind(other)
}

func (c *compiler) divideByMinusOne(info *ebpf.OpInfo, dst reg, done label) {
	other := c.newLabel()
	c.aluImm(info.Wide, aluCmp, direct(regTmp), -1)
	c.jump(ccNE, other)
	if info.ALU == ebpf.Div {
		c.neg(info.Wide, dst)
	} else {
		c.movImm(dst, 0)
	}
	c.jump(always, done)
	c.bind(other)
}
