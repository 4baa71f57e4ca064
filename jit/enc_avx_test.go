package jit

import (
	"fmt"
	"strings"
)

// rowsOfAVX2 are the instructions of AVX2 and their operands, as in rowsOfVectors; x is one half as long, n a mask in the immediate.
var rowsOfAVX2 = []struct {
	op             *vop
	name, operands string
}{
	{&vpaddd, "vpaddd", "rvm"}, {&vpsubd, "vpsubd", "rvm"}, {&vpmulld, "vpmulld", "rvm"}, {&vpandd, "vpand", "rvm"},
	{&vpord, "vpor", "rvm"}, {&vpxord, "vpxor", "rvm"}, {&vpand, "vpand", "rvm"}, {&vpandn, "vpandn", "rvm"}, {&vpor, "vpor", "rvm"},
	{&vpxor, "vpxor", "rvm"}, {&vpminud, "vpminud", "rvm"}, {&vpsllvd, "vpsllvd", "rvm"}, {&vpsrlvd, "vpsrlvd", "rvm"},
	{&vpsravd, "vpsravd", "rvm"}, {&vpslld, "vpslld", "rri"}, {&vpsrld, "vpsrld", "rri"}, {&vpsrad, "vpsrad", "rri"},
	{&vpshufb, "vpshufb", "rvm"}, {&vpermd, "vpermd", "rvm"}, {&vpcmpeqd, "vpcmpeqd", "rvm"}, {&vpcmpgtd, "vpcmpgtd", "rvm"},
	{&vpblendd, "vpblendd", "rvmi"}, {&vpblendvb, "vpblendvb", "rvmn"}, {&vptest, "vptest", "rm"}, {&vmovdqu, "vmovdqu", "rm"},
	{&vmovdquTo, "vmovdqu", "mr"}, {&vpbroadcastd, "vpbroadcastd", "rx"}, {&vmovdqu128, "vmovdqu", "rx"},
	{&vinserti32x4, "vinserti128", "rvxi"}, {&vpunpckldq, "vpunpckldq", "rvm"}, {&vpunpckhdq, "vpunpckhdq", "rvm"},
	{&vpunpcklqdq, "vpunpcklqdq", "rvm"}, {&vpunpckhqdq, "vpunpckhqdq", "rvm"}, {&vextracti128, "vextracti128", "xRi"},
	{&vcvtdq2pd, "vcvtdq2pd", "rx"}, {&vcvttpd2dq, "vcvttpd2dq", "hr"}, {&vaddpd, "vaddpd", "rvm"}, {&vsubpd, "vsubpd", "rvm"},
	{&vdivpd, "vdivpd", "rvm"}, {&vroundpd, "vroundpd", "rmi"},
}

// avx2Cases encodes each row with registers of all kinds and with memory of all kinds.
func avx2Cases() (cases []vectorCase) {
	regs := []zreg{0, 1, 7, 8, 15}
	for _, row := range rowsOfAVX2 {
		length := int32(32)
		if row.op.length == vl128 {
			length = 16
		}
		emit := func(dst, src zreg, x vrm, text string) {
			const imm = 0x50
			e := evex{op: row.op, dst: uint8(dst), rm: x, imm: imm}
			var operands []string
			for i, c := range row.operands {
				switch {
				case c == 'r' && i == 0, c == 'R', c == 'r' && row.operands == "mr":
					operands = append(operands, register(dst, length))
				case c == 'h': // half as long
					operands = append(operands, register(dst, 16))
				case c == 'v':
					e.src = src
					operands = append(operands, register(src, length))
				case c == 'i':
					operands = append(operands, fmt.Sprint(imm))
				case c == 'n':
					operands = append(operands, register(imm>>4, length))
				default:
					operands = append(operands, text)
				}
			}
			var a asm
			a.vex(e)
			cases = append(cases, vectorCase{a.code, row.name + strings.Join(operands, ",")})
		}
		inMemory := length
		if strings.Contains(row.operands, "x") {
			inMemory = row.op.unit
		}
		for _, dst := range regs {
			for _, src := range regs {
				for _, x := range regs {
					if row.op != &vmovdquTo {
						emit(dst, src, vreg(x), register(x, inMemory))
					}
				}
			}
		}
		if row.operands == "rri" || row.operands == "hr" {
			continue
		}
		memories(1, func(x vrm, text string) {
			emit(9, 3, x, pointers[inMemory]+text)
			emit(2, 12, x, pointers[inMemory]+text)
		})
	}
	for _, z := range regs {
		for _, base := range []reg{rax, rbp, rsp, r12, r13, r15} {
			for scale, factor := range []string{"", "2*", "4*"} {
				for _, disp := range []int32{0, 4, -4, 127, 128, 70000} {
					index, m := (z+3)&15, (z+5)&15
					text := memoryText(base, factor+register(index, 32), disp)
					var a asm
					a.vex(evex{op: &vpgatherdd, dst: uint8(z), src: m, rm: vat(base, disp).plusLanes(index, byte(scale))})
					cases = append(cases, vectorCase{a.code, fmt.Sprintf("vpgatherdd%s,ymmwordptr%s,%s", register(z, 32), text, register(m, 32))})
				}
			}
		}
	}
	return cases
}
