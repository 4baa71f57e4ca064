package jit

import (
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/arch/x86/x86asm"
)

// vectorCase is one encoded instruction, and what a disassembler has to make of it in Intel's syntax, without blanks.
type vectorCase struct {
	code []byte
	want string
}

// rowsOfVectors are the encodings by the operands that they take: r the register operand (y: of half the length), v the first
// source, m the operand that may be memory, k a mask as destination, i an immediate.
var rowsOfVectors = []struct {
	op       *vop
	operands string
	bcast    bool
}{
	{&vpaddd, "rvm", true}, {&vpsubd, "rvm", true}, {&vpmulld, "rvm", true}, {&vpandd, "rvm", true}, {&vpord, "rvm", true},
	{&vpxord, "rvm", true}, {&vpminud, "rvm", true}, {&vpsllvd, "rvm", true}, {&vpsrlvd, "rvm", true}, {&vpsravd, "rvm", true},
	{&vpslld, "rmi", true}, {&vpsrld, "rmi", true}, {&vpsrad, "rmi", true}, {&vpshufb, "rvm", false}, {&vpermd, "rvm", true},
	{&vpermi2d, "rvm", true}, {&vpermt2d, "rvm", true}, {&vpcmpd, "kvmi", true}, {&vpcmpud, "kvmi", true},
	{&vptestmd, "kvm", true}, {&vptestnm, "kvm", true}, {&vmovdqa32, "rm", false}, {&vmovdqu32, "rm", false},
	{&vmovdqu32To, "mr", false}, {&vpbroadcastd, "rm", false}, {&vmovdqu128, "rm", false}, {&vinserti32x4, "rvmi", false},
	{&vpunpckldq, "rvm", true}, {&vpunpckhdq, "rvm", true}, {&vpunpcklqdq, "rvm", true}, {&vpunpckhqdq, "rvm", true},
	{&vextracti64x4, "mri", false}, {&vinserti64x4, "rvmi", false}, {&vcvtudq2pd, "rm", false}, {&vcvttpd2udq, "ym", false},
	{&vdivpd, "rvm", true},
}

var zregs = []zreg{0, 1, 7, 8, 15, 16, 23, 24, 31}

// memories are operands of which each base, each index and each length of displacement is encoded its own way.
func memories(unit int32, f func(x vrm, text string)) {
	for _, base := range []reg{rax, rsp, rbp, rsi, r8, r12, r13, r15} {
		for _, disp := range []int32{0, 1, 4, -4, unit, -unit, 127 * unit, 128 * unit, -128 * unit, -129 * unit, math.MaxInt32, math.MinInt32} {
			f(vat(base, disp), memoryText(base, "", disp))
			for _, index := range []reg{rax, rbp, r8, r12, r15} {
				f(vat(base, disp).plusReg(index), memoryText(base, asmReg(index, 8).String(), disp))
			}
		}
	}
}

func memoryText(base reg, index string, disp int32) string {
	s := asmReg(base, 8).String()
	if index != "" {
		s += "+" + index
	}
	if disp != 0 {
		s += fmt.Sprintf("%+d", disp)
	}
	return "[" + strings.ToLower(s) + "]"
}

// register is the name of a vector register, by the length of the operand.
func register(z zreg, bytes int32) string {
	return map[int32]string{4: "xmm", 16: "xmm", 32: "ymm", 64: "zmm"}[bytes] + fmt.Sprint(z)
}

var pointers = map[int32]string{4: "dwordptr", 16: "xmmwordptr", 32: "ymmwordptr", 64: "zmmwordptr"}

// vectorCases encodes each row with registers of all kinds and with memory of all kinds, masked and not.
func vectorCases() (cases []vectorCase) {
	for _, row := range rowsOfVectors {
		o := row.op
		emit := func(z1, z2 zreg, x vrm, text string, k kreg, zero bool) {
			e := evex{op: o, dst: uint8(z1), src: z2, rm: x, mask: k, zero: zero, imm: 5}
			var operands []string
			for i, c := range row.operands {
				operand := ""
				switch c {
				case 'r':
					operand = register(z1, 16<<o.length)
				case 'y':
					operand = register(z1, 8<<o.length)
				case 'v':
					operand = register(z2, 64)
				case 'k':
					e.dst = uint8(z1) & 7
					operand = fmt.Sprintf("k%d", e.dst)
				case 'm':
					operand = text
				case 'i':
					operand = "5"
				}
				if i == 0 && k != 0 {
					operand += fmt.Sprintf("{k%d}", k)
					if zero {
						operand += "{z}"
					}
				}
				operands = append(operands, operand)
			}
			if !strings.Contains(row.operands, "v") {
				e.src = 0
			}
			var a asm
			a.evex(e)
			cases = append(cases, vectorCase{a.code, comparison(o.name+strings.Join(operands, ","), 5)})
		}
		for _, z1 := range zregs {
			for _, z2 := range zregs {
				for _, z3 := range zregs {
					if o != &vmovdqu32To {
						emit(z1, z2, vreg(z3), register(z3, o.unit), 0, false)
					}
				}
			}
		}
		masks := []kreg{0, 1, 7}
		memories(o.unit, func(x vrm, text string) {
			for _, k := range masks {
				emit(9, 18, x, pointers[o.unit]+text, k, false)
				if k != 0 && strings.IndexByte("ry", row.operands[0]) >= 0 {
					emit(25, 3, x, pointers[o.unit]+text, k, true)
				}
			}
			if row.bcast && !o.wide {
				x.bcast = true
				emit(30, 12, x, "dwordptr"+text+"{1to16}", 0, false)
			}
		})
	}
	return append(append(cases, oddCases()...), avx2Cases()...)
}

// comparison puts the predicate of a comparison into its name, as disassemblers do.
func comparison(text string, imm int) string {
	names := []string{"eq", "lt", "le", "", "neq", "nlt", "nle"}
	for _, o := range []string{"vpcmpud", "vpcmpd"} {
		if rest, ok := strings.CutPrefix(text, o); ok {
			return "vpcmp" + names[imm] + strings.TrimPrefix(o, "vpcmp") + strings.TrimSuffix(rest, fmt.Sprintf(",%d", imm))
		}
	}
	return text
}

// oddCases are the gathers and the operations on masks, and what has no operands.
func oddCases() (cases []vectorCase) {
	add := func(want string, emit func(a *asm)) {
		var a asm
		emit(&a)
		cases = append(cases, vectorCase{a.code, want})
	}
	for _, z := range zregs {
		for _, index := range zregs {
			for _, base := range []reg{rax, rbp, rsp, r12, r13, r15} {
				for _, disp := range []int32{0, 4, -4, 508, 512, 5, math.MaxInt32} {
					for scale, factor := range []string{"", "2*", "4*"} {
						if z == index {
							continue
						}
						text := memoryText(base, factor+register(index, 64), disp)
						add(fmt.Sprintf("vpgatherdd%s{k3},zmmwordptr%s", register(z, 64), text), func(a *asm) {
							a.evex(evex{op: &vpgatherdd, dst: uint8(z), rm: vat(base, disp).plusLanes(index, byte(scale)), mask: 3})
						})
					}
				}
			}
		}
	}
	for _, z := range zregs {
		memories(4, func(x vrm, text string) {
			to, with := register(z, 16), register(31-z, 16)
			load, insert := evex{op: &vmovd, dst: uint8(z), rm: x}, evex{op: &vpinsrd, dst: uint8(z), src: 31 - z, rm: x, imm: 3}
			add("vmovd"+to+",dwordptr"+text, func(a *asm) { a.evex(load) })
			add("vpinsrd"+to+","+with+",dwordptr"+text+",3", func(a *asm) { a.evex(insert) })
			if insert.src = z ^ 15; z < 16 {
				add("vmovd"+to+",dwordptr"+text, func(a *asm) { a.vex(load) })
				add("vpinsrd"+to+","+register(z^15, 16)+",dwordptr"+text+",3", func(a *asm) { a.vex(insert) })
			}
		})
		for _, r := range []reg{rax, rcx, rbx, r8, r15} {
			name := strings.ToLower(asmReg(r, 8).String())
			add("vmovq"+name+","+register(z, 16), func(a *asm) { a.evex(evex{op: &vmovqTo, dst: uint8(z), rm: vreg(zreg(r))}) })
			add("vpextrq"+name+","+register(z, 16)+",1", func(a *asm) { a.evex(evex{op: &vpextrq, dst: uint8(z), rm: vreg(zreg(r)), imm: 1}) })
		}
		for _, other := range zregs {
			add(fmt.Sprintf("vextracti32x4%s,%s,3", register(other, 16), register(z, 64)), func(a *asm) {
				a.evex(evex{op: &vextracti32x4, dst: uint8(z), rm: vreg(other), imm: 3})
			})
			add(fmt.Sprintf("vinserti32x4%s,%s,%s,1", register(z, 32), register(31-z, 32), register(other, 16)), func(a *asm) {
				a.evex(evex{op: &vinserti32y4, dst: uint8(z), src: 31 - z, rm: vreg(other), imm: 1})
			})
		}
	}
	for x := range kreg(8) {
		for y := range kreg(8) {
			for op, name := range map[kop]string{kand: "kandw", kandNot: "kandnw", kor: "korw", kxnor: "kxnorw", kxor: "kxorw"} {
				z := (x + y) & 7
				add(fmt.Sprintf("%sk%d,k%d,k%d", name, z, x, y), func(a *asm) { a.mask(op, z, x, y) })
			}
			add(fmt.Sprintf("knotwk%d,k%d", x, y), func(a *asm) { a.maskNot(x, y) })
			add(fmt.Sprintf("kmovwk%d,k%d", x, y), func(a *asm) { a.maskMove(x, y) })
			add(fmt.Sprintf("kortestwk%d,k%d", x, y), func(a *asm) { a.maskTest(x, y) })
		}
		for _, disp := range []int32{0, 8, 127, 128, 4000} {
			text := memoryText(rsp, "", disp)
			add(fmt.Sprintf("kmovwk%d,wordptr%s", x, text), func(a *asm) { a.maskLoad(x, disp) })
			add(fmt.Sprintf("kmovwwordptr%s,k%d", text, x), func(a *asm) { a.maskStore(disp, x) })
		}
	}
	for _, base := range []reg{rax, rbp, r12, r13} {
		for _, index := range []reg{rax, rbp, r8, r15} {
			text := memoryText(base, asmReg(index, 8).String(), 64)
			add("prefetcht1byteptr"+text, func(a *asm) { a.prefetch(base, index, 64) })
		}
	}
	add("vzeroupper", (*asm).vzeroupper)
	return cases
}

// TestEncodeVectors asks LLVM what the encodings mean.
func TestEncodeVectors(t *testing.T) {
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("skipped: llvm-mc is not installed")
	}
	cases := vectorCases()
	var in strings.Builder
	for _, c := range cases {
		for _, b := range c.code {
			fmt.Fprintf(&in, "%#02x ", b)
		}
		in.WriteByte('\n')
	}
	cmd := exec.Command(mc, "--disassemble", "-triple=x86_64", "-mattr=+avx512f,+avx512bw,+avx512vl,+avx512dq", "-output-asm-variant=1")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%.2000s", out)
	var lines []string
	for _, line := range strings.Split(string(out), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), ""); line != "" && !strings.HasPrefix(line, ".") {
			lines = append(lines, line)
		}
	}
	require.Len(t, lines, len(cases))
	for i, c := range cases {
		require.Equal(t, c.want, lines[i], "% x", c.code)
	}
	t.Logf("%d encodings", len(cases))
}

// TestVectorsDecode holds the lengths and the names against the disassembler that is always there. It knows no vzeroupper.
func TestVectorsDecode(t *testing.T) {
	for _, c := range vectorCases() {
		if c.want == "vzeroupper" {
			require.Equal(t, []byte{0xc5, 0xf8, 0x77}, c.code)
			continue
		}
		inst, err := x86asm.Decode(c.code, 64)
		require.NoError(t, err, "% x: %s", c.code, c.want)
		require.Equal(t, len(c.code), inst.Len, "% x: %s", c.code, c.want)
		name := strings.ToLower(inst.Op.String())
		require.True(t, strings.HasPrefix(c.want, name) || strings.HasPrefix(name, "vpcmp"), "% x is %s: %s", c.code, name, c.want)
	}
}
