package jit

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/arch/x86/x86asm"
)

// asmReg is the register that the disassembler gives for ours, by size in bytes.
func asmReg(r reg, size int) x86asm.Reg {
	switch size {
	case 1:
		if r < rsp {
			return x86asm.AL + x86asm.Reg(r)
		}
		return x86asm.SPB + x86asm.Reg(r-rsp)
	case 2:
		return x86asm.AX + x86asm.Reg(r)
	case 4:
		return x86asm.EAX + x86asm.Reg(r)
	}
	return x86asm.RAX + x86asm.Reg(r)
}

func width(wide bool) int {
	if wide {
		return 8
	}
	return 4
}

// decoded checks that the code is exactly one instruction with that operation and those arguments. An argument is a reg
// argument (x86asm.Reg), an operand in memory, or an integer.
func decoded(t *testing.T, a *asm, op x86asm.Op, args ...any) {
	t.Helper()
	inst, err := x86asm.Decode(a.code, 64)
	require.NoError(t, err, "% x", a.code)
	text := fmt.Sprintf("% x is %s", a.code, x86asm.IntelSyntax(inst, 0, nil))
	require.Equal(t, len(a.code), inst.Len, text)
	require.Equal(t, op, inst.Op, text)
	for i, want := range args {
		switch want := want.(type) {
		case x86asm.Reg:
			require.Equal(t, x86asm.Arg(want), inst.Args[i], text)
		case operand:
			m, ok := inst.Args[i].(x86asm.Mem)
			require.True(t, ok, text)
			require.Equal(t, asmReg(want.base, 8), m.Base, text)
			require.Equal(t, int64(want.disp), int64(int32(m.Disp)), text)
			require.Zero(t, m.Index, text)
		case int64:
			require.Equal(t, x86asm.Arg(x86asm.Imm(want)), inst.Args[i], text)
		}
	}
	if len(args) < len(inst.Args) && len(args) > 0 {
		require.Nil(t, inst.Args[len(args)], text)
	}
}

// operandsOf runs f for each register as a direct operand and as a base with each displacement that is encoded its own way.
func operandsOf(f func(x operand)) {
	for r := rax; r <= r15; r++ {
		f(direct(r))
		for _, disp := range []int32{0, 1, -1, 127, 128, -128, -129, math.MaxInt32, math.MinInt32} {
			f(at(r, disp))
		}
	}
}

// arg is the operand as decoded expects it.
func arg(x operand, size int) any {
	if x.mem {
		return x
	}
	return asmReg(x.base, size)
}

var immediates = []int32{0, 1, -1, 127, 128, -128, -129, 0x800, math.MaxInt32, math.MinInt32}

func TestEncodeRegisterAndOperand(t *testing.T) {
	rows := []struct {
		name string
		op   x86asm.Op
		emit func(a *asm, wide bool, x operand, r reg)
		rev  bool // the register comes first
	}{
		{"add", x86asm.ADD, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluAdd, x, r) }, false},
		{"or", x86asm.OR, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluOr, x, r) }, false},
		{"and", x86asm.AND, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluAnd, x, r) }, false},
		{"sub", x86asm.SUB, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluSub, x, r) }, false},
		{"xor", x86asm.XOR, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluXor, x, r) }, false},
		{"cmp", x86asm.CMP, func(a *asm, w bool, x operand, r reg) { a.aluReg(w, aluCmp, x, r) }, false},
		{"cmp reg first", x86asm.CMP, func(a *asm, w bool, x operand, r reg) { a.aluMem(w, aluCmp, r, x) }, true},
		{"sub reg first", x86asm.SUB, func(a *asm, w bool, x operand, r reg) { a.aluMem(w, aluSub, r, x) }, true},
		{"test", x86asm.TEST, func(a *asm, w bool, x operand, r reg) { a.testReg(w, x, r) }, false},
		{"imul", x86asm.IMUL, func(a *asm, w bool, x operand, r reg) { a.imul(w, r, x) }, true},
	}
	for _, row := range rows {
		for _, wide := range []bool{false, true} {
			for r := rax; r <= r15; r++ {
				operandsOf(func(x operand) {
					var a asm
					row.emit(&a, wide, x, r)
					size := width(wide)
					if row.rev {
						decoded(t, &a, row.op, asmReg(r, size), arg(x, size))
					} else {
						decoded(t, &a, row.op, arg(x, size), asmReg(r, size))
					}
				})
			}
		}
	}
}

func TestEncodeImmediate(t *testing.T) {
	ops := map[alu]x86asm.Op{aluAdd: x86asm.ADD, aluOr: x86asm.OR, aluAnd: x86asm.AND, aluSub: x86asm.SUB, aluXor: x86asm.XOR, aluCmp: x86asm.CMP}
	for _, wide := range []bool{false, true} {
		size := width(wide)
		operandsOf(func(x operand) {
			for _, imm := range immediates {
				for op, want := range ops {
					var a asm
					a.aluImm(wide, op, x, imm)
					decoded(t, &a, want, arg(x, size), int64(imm))
				}
				var a asm
				a.testImm(wide, x, imm)
				decoded(t, &a, x86asm.TEST, arg(x, size), int64(imm))
				for r := rax; r <= r15; r++ {
					var a asm
					a.imulImm(wide, r, x, imm)
					decoded(t, &a, x86asm.IMUL, asmReg(r, size), arg(x, size), int64(imm))
				}
			}
		})
	}
}

func TestEncodeLoadAndStore(t *testing.T) {
	for r := rax; r <= r15; r++ {
		operandsOf(func(x operand) {
			for _, n := range []int{1, 2, 4, 8} {
				var a, b asm
				a.load(n, r, x)
				switch {
				case n < 4:
					decoded(t, &a, x86asm.MOVZX, asmReg(r, 4), arg(x, n))
				default:
					decoded(t, &a, x86asm.MOV, asmReg(r, n), arg(x, n))
				}
				b.store(n, x, r)
				decoded(t, &b, x86asm.MOV, arg(x, n), asmReg(r, n))
			}
			for _, wide := range []bool{false, true} {
				for n, op := range map[int]x86asm.Op{1: x86asm.MOVSX, 2: x86asm.MOVSX, 4: x86asm.MOVSXD} {
					var a asm
					a.loadSigned(wide, n, r, x)
					decoded(t, &a, op, asmReg(r, width(wide)), arg(x, n))
				}
			}
		})
	}
	operandsOf(func(x operand) {
		for _, n := range []int{1, 2, 4, 8} {
			for _, imm := range immediates {
				var a asm
				a.storeImm(n, x, imm)
				want := int64(imm)
				switch n {
				case 1:
					want = int64(uint8(imm))
				case 2:
					want = int64(int16(imm))
				}
				decoded(t, &a, x86asm.MOV, arg(x, n), want)
			}
		}
		if x.mem {
			for r := rax; r <= r15; r++ {
				var a, b asm
				a.lea(r, x)
				decoded(t, &a, x86asm.LEA, asmReg(r, 8), x)
				b.xadd(x, r)
				decoded(t, &b, x86asm.XADD, x, asmReg(r, 8))
			}
		}
	})
}

func TestEncodeOneRegister(t *testing.T) {
	for r := rax; r <= r15; r++ {
		for _, wide := range []bool{false, true} {
			size := width(wide)
			for op, want := range map[shift]x86asm.Op{shiftLeft: x86asm.SHL, shiftRight: x86asm.SHR, shiftArith: x86asm.SAR, rotateRight: x86asm.ROR} {
				for _, n := range []byte{0, 1, 31, 63} {
					var a asm
					a.shiftImm(wide, op, r, n)
					decoded(t, &a, want, asmReg(r, size), int64(n))
				}
				var a asm
				a.shiftCL(wide, op, r)
				decoded(t, &a, want, asmReg(r, size), x86asm.CL)
			}
			for _, one := range []struct {
				op   x86asm.Op
				emit func(a *asm)
			}{
				{x86asm.BSWAP, func(a *asm) { a.bswap(wide, r) }},
				{x86asm.NEG, func(a *asm) { a.neg(wide, r) }},
				{x86asm.DIV, func(a *asm) { a.div(wide, r) }},
				{x86asm.IDIV, func(a *asm) { a.idiv(wide, r) }},
			} {
				var a asm
				one.emit(&a)
				decoded(t, &a, one.op, asmReg(r, size))
			}
		}
		var a asm
		a.rotate16(r, 8)
		decoded(t, &a, x86asm.ROR, asmReg(r, 2), int64(8))
		for s := rax; s <= r15; s++ {
			var b asm
			b.lsl(r, s)
			inst, err := x86asm.Decode(b.code, 64)
			require.NoError(t, err)
			require.Equal(t, x86asm.LSL, inst.Op)
		}
	}
	var cdq, cqo, ret asm
	cdq.signToRDX(false)
	decoded(t, &cdq, x86asm.CDQ)
	cqo.signToRDX(true)
	decoded(t, &cqo, x86asm.CQO)
	ret.ret()
	decoded(t, &ret, x86asm.RET)
}

func TestEncodeMoveConstant(t *testing.T) {
	for r := rax; r <= r15; r++ {
		for _, n := range []uint64{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<64 - 1, 1<<64 - 0x80000000, 1<<64 - 0x80000001, 0x0123456789abcdef} {
			var a asm
			a.movImm(r, n)
			inst, err := x86asm.Decode(a.code, 64)
			require.NoError(t, err)
			require.Equal(t, x86asm.MOV, inst.Op)
			require.Equal(t, len(a.code), inst.Len)
			got := uint64(inst.Args[1].(x86asm.Imm))
			if inst.Args[0] == x86asm.Arg(asmReg(r, 4)) {
				got = uint64(uint32(got))
			} else {
				require.Equal(t, x86asm.Arg(asmReg(r, 8)), inst.Args[0])
			}
			require.Equal(t, n, got)
		}
	}
}

func TestJumpsGrowUntilTheyReach(t *testing.T) {
	for _, gap := range []int{0, 1, 126, 127, 128, 129, 1000} {
		for cc := ccB; cc <= always; cc++ {
			var a asm
			end := a.newLabel()
			begin := a.newLabel()
			a.bind(begin)
			a.jump(cc, end)
			for range gap {
				a.bytes(0x90)
			}
			a.bind(end)
			a.jump(cc, begin)
			code, place := a.assemble()
			forward, err := x86asm.Decode(code, 64)
			require.NoError(t, err)
			require.Equal(t, place(a.labels[end]), forward.Len+int(forward.Args[0].(x86asm.Rel)))
			back, err := x86asm.Decode(code[place(a.labels[end]):], 64)
			require.NoError(t, err)
			require.Zero(t, place(a.labels[end])+back.Len+int(back.Args[0].(x86asm.Rel)))
			if gap <= 127 {
				require.Equal(t, 2, forward.Len)
			}
		}
	}
}

func TestEncodeSumOfRegisters(t *testing.T) {
	for dst := rax; dst <= r15; dst++ {
		for x := rax; x <= r15; x++ {
			for y := rax; y <= r15; y++ {
				if y == rsp {
					continue // it cannot be an index
				}
				var a asm
				a.leaSum(dst, x, y)
				inst, err := x86asm.Decode(a.code, 64)
				require.NoError(t, err, "% x", a.code)
				text := strings.ToLower(x86asm.IntelSyntax(inst, 0, nil))
				base, index := strings.ToLower(asmReg(x, 8).String()), strings.ToLower(asmReg(y, 8).String())
				require.Equal(t, fmt.Sprintf("lea %s, ptr [%s+%s]", strings.ToLower(asmReg(dst, 8).String()), base, index), text, "% x", a.code)
				require.Equal(t, len(a.code), inst.Len)
			}
		}
	}
}
