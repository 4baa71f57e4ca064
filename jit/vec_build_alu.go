package jit

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// nodeOps are the operations that are one node each on 32 bits.
var nodeOps = map[ebpf.ALUOp]nodeOp{
	ebpf.Add: opAdd, ebpf.Sub: opSub, ebpf.Mul: opMul, ebpf.Div: opDiv, ebpf.Mod: opMod, ebpf.And: opAnd, ebpf.Or: opOr,
	ebpf.Xor: opXor, ebpf.Lsh: opShl, ebpf.Rsh: opShr, ebpf.Arsh: opSar,
}

// predicates are those of vpcmpd for the comparisons.
var predicates = map[ebpf.JumpOp]uint32{
	ebpf.JEq: predEQ, ebpf.JNe: predNE, ebpf.JGt: predGT, ebpf.JGe: predGE, ebpf.JLt: predLT, ebpf.JLe: predLE,
	ebpf.JSGt: predGT, ebpf.JSGe: predGE, ebpf.JSLt: predLT, ebpf.JSLe: predLE,
}

// arithmetic follows one operation.
func (b *builder) arithmetic(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	switch {
	case info.Form == ebpf.FormEnd:
		b.set(ins.Dst, b.byteOrder(ins, info, b.value(pc, ins.Dst)))
	case info.Form == ebpf.FormNeg:
		b.set(ins.Dst, b.apply(pc, ebpf.Sub, info.Wide, b.number(0, 0), b.value(pc, ins.Dst)))
	case info.ALU == ebpf.Mov:
		b.move(pc, ins, info)
	case info.Wide && b.pointerSum(ins, info):
	default:
		x, y := b.operands(pc, ins, info)
		if (info.ALU == ebpf.Div || info.ALU == ebpf.Mod) && ins.Off == 1 {
			b.refuse(pc, NoVectorSigned)
			return
		}
		b.set(ins.Dst, b.apply(pc, info.ALU, info.Wide, x, y))
	}
}

// move follows an assignment. A whole one copies pointers, too.
func (b *builder) move(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) {
	var c content
	switch {
	case info.Form == ebpf.FormALUImm && info.Wide:
		c = b.number(uint32(ins.Imm), uint32(ins.Imm>>31))
	case info.Form == ebpf.FormALUImm:
		c = b.number(uint32(ins.Imm), 0)
	case ins.Off != 0:
		c = b.signExtend(b.value(pc, ins.Src).lo, int(ins.Off), info.Wide)
	case info.Wide:
		c = b.cur.regs[ins.Src]
	default:
		c = b.narrow(b.value(pc, ins.Src).lo)
	}
	b.set(ins.Dst, c)
}

// signExtend fills what lies above the low bits with their sign, up to 32 or 64 bits.
func (b *builder) signExtend(lo nodeID, width int, wide bool) content {
	rest := b.constant(uint32(32 - width))
	lo = b.binary(opSar, b.binary(opShl, lo, rest), rest)
	if !wide {
		return b.narrow(lo)
	}
	return content{kind: holdsNumber, lo: lo, hi: b.binary(opSar, lo, b.constant(31))}
}

// pointerSum follows the 64-bit sums in which a pointer takes part. Of offsets into a packet only the lower half matters in
// accesses that are proved: these have no upper half.
func (b *builder) pointerSum(ins ebpf.Instruction, info *ebpf.OpInfo) bool {
	x, y := b.cur.regs[ins.Dst], b.number(uint32(ins.Imm), uint32(ins.Imm>>31))
	if info.Form == ebpf.FormALUReg {
		y = b.cur.regs[ins.Src]
	}
	if info.ALU == ebpf.Add && x.kind == holdsNumber {
		x, y = y, x
	}
	op, known := map[ebpf.ALUOp]nodeOp{ebpf.Add: opAdd, ebpf.Sub: opSub}[info.ALU]
	if !known || y.kind != holdsNumber || x.kind == holdsNumber || x.kind == holdsNothing {
		return false
	}
	lo, constant := b.isConst(y.lo)
	hi, constantHi := b.isConst(y.hi)
	switch {
	case x.kind == holdsData:
		at := b.sum(x, y)
		if op == opSub {
			at = b.difference(x, y)
		}
		x.lo, x.hi = at.lo, at.hi
	case x.kind == holdsStack && constant && constantHi:
		n := int64(uint64(hi)<<32 | uint64(lo))
		if op == opSub {
			n = -n
		}
		x.off += n
	case x.kind == holdsStack:
		x = content{}
	}
	b.set(ins.Dst, x)
	return true
}

// byteOrder follows the changes of byte order.
func (b *builder) byteOrder(ins ebpf.Instruction, info *ebpf.OpInfo, x content) content {
	reverse := info.Sign != "le"
	switch {
	case ins.Imm == 64 && reverse:
		return content{kind: holdsNumber, lo: b.swap(x.hi), hi: b.swap(x.lo)}
	case ins.Imm == 64:
		return x
	case ins.Imm == 32 && reverse:
		return b.narrow(b.swap(x.lo))
	case ins.Imm == 32:
		return b.narrow(x.lo)
	case reverse:
		return b.narrow(b.swap16(x.lo))
	}
	return b.narrow(b.binary(opAnd, x.lo, b.constant(math.MaxUint16)))
}

// apply is one operation on two numbers.
func (b *builder) apply(pc int, op ebpf.ALUOp, wide bool, x, y content) content {
	if wide {
		return b.applyWide(pc, op, x, y)
	}
	return b.narrow(b.apply32(op, x.lo, y.lo))
}

func (b *builder) apply32(op ebpf.ALUOp, x, y nodeID) nodeID {
	if op == ebpf.Lsh || op == ebpf.Rsh || op == ebpf.Arsh {
		y = b.binary(opAnd, y, b.constant(31))
	}
	return b.binary(nodeOps[op], x, y)
}

// applyWide is one operation on 64 bits, in halves.
func (b *builder) applyWide(pc int, op ebpf.ALUOp, x, y content) content {
	c := content{kind: holdsNumber}
	switch op {
	case ebpf.And, ebpf.Or, ebpf.Xor:
		c.lo, c.hi = b.binary(nodeOps[op], x.lo, y.lo), b.binary(nodeOps[op], x.hi, y.hi)
	case ebpf.Add:
		return b.sum(x, y)
	case ebpf.Sub:
		return b.difference(x, y)
	case ebpf.Lsh, ebpf.Rsh, ebpf.Arsh:
		n, constant := b.isConst(y.lo)
		if !constant {
			b.refuse(pc, NoVectorWide)
			return x
		}
		return b.shiftWide(op, x, n&63)
	default:
		return b.narrowOnly(pc, op, x, y)
	}
	return c
}

// sum adds halves, and what the lower ones carry.
func (b *builder) sum(x, y content) content {
	c := content{kind: holdsNumber, lo: b.binary(opAdd, x.lo, y.lo)}
	carry := b.constant(0)
	if b.known[x.lo].hi+b.known[y.lo].hi < b.known[x.lo].hi {
		carry = b.flag(b.compare(predLT, c.lo, y.lo))
	}
	c.hi = b.binary(opAdd, b.binary(opAdd, x.hi, y.hi), carry)
	return c
}

func (b *builder) difference(x, y content) content {
	c := content{kind: holdsNumber, lo: b.binary(opSub, x.lo, y.lo)}
	borrow := b.flag(b.compare(predLT, x.lo, y.lo))
	c.hi = b.binary(opSub, b.binary(opSub, x.hi, y.hi), borrow)
	return c
}

// narrowOnly is a product, quotient or remainder of 64 bits whose operands and result are known to have no upper half.
func (b *builder) narrowOnly(pc int, op ebpf.ALUOp, x, y content) content {
	above := max(b.known[x.hi].hi, b.known[y.hi].hi)
	if above > 0 || op == ebpf.Mul && uint64(b.known[x.lo].hi)*uint64(b.known[y.lo].hi) > math.MaxUint32 {
		b.refuse(pc, NoVectorWide)
		return x
	}
	return b.narrow(b.binary(nodeOps[op], x.lo, y.lo))
}

// shiftWide shifts 64 bits by a constant.
func (b *builder) shiftWide(op ebpf.ALUOp, x content, n uint32) content {
	by := b.constant(n % 32)
	back := b.constant(32 - n%32)
	sign := b.constant(0)
	if op == ebpf.Arsh {
		sign = b.binary(opSar, x.hi, b.constant(31))
	}
	switch {
	case op == ebpf.Lsh && n >= 32:
		return content{kind: holdsNumber, lo: b.constant(0), hi: b.binary(opShl, x.lo, by)}
	case op == ebpf.Lsh:
		return content{kind: holdsNumber, lo: b.binary(opShl, x.lo, by), hi: b.binary(opOr, b.binary(opShl, x.hi, by), b.binary(opShr, x.lo, back))}
	case n >= 32 && op == ebpf.Arsh:
		return content{kind: holdsNumber, lo: b.binary(opSar, x.hi, by), hi: sign}
	case n >= 32:
		return content{kind: holdsNumber, lo: b.binary(opShr, x.hi, by), hi: sign}
	}
	return content{kind: holdsNumber, lo: b.binary(opOr, b.binary(opShr, x.lo, by), b.binary(opShl, x.hi, back)), hi: b.binary(nodeOps[op], x.hi, by)}
}

// condition is what a jump depends on.
func (b *builder) condition(pc int, ins ebpf.Instruction, info *ebpf.OpInfo) nodeID {
	x, y := b.operands(pc, ins, info)
	switch {
	case info.Jump == ebpf.JSet && info.Wide:
		return b.either(b.test(x.lo, y.lo, true), b.test(x.hi, y.hi, true))
	case info.Jump == ebpf.JSet:
		return b.test(x.lo, y.lo, true)
	}
	pred, compare := predicates[info.Jump], b.compare
	switch info.Jump {
	case ebpf.JSGt, ebpf.JSGe, ebpf.JSLt, ebpf.JSLe:
		compare = b.compareSigned
	}
	if !info.Wide {
		return compare(pred, x.lo, y.lo)
	}
	switch pred {
	case predEQ:
		return b.both(b.compare(predEQ, x.lo, y.lo), b.compare(predEQ, x.hi, y.hi))
	case predNE:
		return b.either(b.compare(predNE, x.lo, y.lo), b.compare(predNE, x.hi, y.hi))
	}
	strict := predGT
	if pred == predLT || pred == predLE {
		strict = predLT
	}
	return b.either(compare(strict, x.hi, y.hi), b.both(b.compare(predEQ, x.hi, y.hi), b.compare(pred, x.lo, y.lo)))
}
