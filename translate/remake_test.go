package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// listing shows code: v1 is a virtual register, r1 a machine one.
func listing(code []vinsn) string {
	var b strings.Builder
	name := func(v vreg) string {
		if r, ok := v.fixed(); ok {
			return r.String()
		}
		return fmt.Sprintf("v%d", v)
	}
	for i := range code {
		switch in := &code[i]; {
		case in.kind == vLabel:
			fmt.Fprintf(&b, "%d:\n", in.to)
		case in.kind == vMoves:
			for _, m := range in.moves {
				fmt.Fprintf(&b, "  %s <- %s\n", name(m.dst), name(m.src))
			}
		case in.ret:
			b.WriteString("  end\n")
		case in.jumps() && in.dst == noReg:
			fmt.Fprintf(&b, "  goto %d\n", in.to)
		case in.jumps():
			fmt.Fprintf(&b, "  if %s == %d goto %d\n", name(in.dst), in.ins.Imm, in.to)
		case in.ins.Op.Info().Form == ebpf.FormLoad:
			fmt.Fprintf(&b, "  %s = %s[%d]\n", name(in.dst), name(in.src), in.ins.Off)
		case in.src != noReg:
			fmt.Fprintf(&b, "  %s %s %s\n", name(in.dst), in.ins.Op.Info().Sign, name(in.src))
		default:
			fmt.Fprintf(&b, "  %s %s %d\n", name(in.dst), in.ins.Op.Info().Sign, in.ins.Imm)
		}
	}
	return b.String()
}

// The parts of code. Data of the packet is in r7.
func load(dst vreg, off int16) vinsn {
	return vinsn{ins: ebpf.Load(1, 0, 0, off), dst: dst, src: machine(ebpf.R7), to: noLabel}
}
func plainOf(ins ebpf.Instruction, dst, src vreg) vinsn {
	return vinsn{ins: ins, dst: dst, src: src, to: noLabel}
}
func ifEqual(v vreg, k uint32, to ebpf.Label) vinsn {
	return vinsn{ins: ebpf.JEq.Imm32(0, k), dst: v, src: noReg, to: to}
}
func at(l ebpf.Label) vinsn     { return vinsn{kind: vLabel, to: l, dst: noReg, src: noReg} }
func jumpTo(l ebpf.Label) vinsn { return vinsn{ins: ebpf.Jump(), dst: noReg, src: noReg, to: l} }
func moved(dst, src vreg) vinsn {
	return vinsn{kind: vMoves, dst: noReg, src: noReg, to: noLabel, moves: []vmove{{dst: dst, src: src}}}
}
func ended(verdict vreg) []vinsn {
	return []vinsn{plainOf(ebpf.Mov.Reg32(0, 0), machine(ebpf.R0), verdict), {kind: vOpaque, dst: noReg, src: noReg, to: noLabel, ret: true}}
}

// A value that two arms compute for themselves is two registers; what they hand on to where they meet is one.
func TestSeparate(t *testing.T) {
	code := []vinsn{load(0, 12), ifEqual(0, 6, 1),
		load(1, 20), ifEqual(1, 7, 2), load(2, 30), jumpTo(3),
		at(1), load(1, 20), load(2, 30), ifEqual(1, 8, 3),
		at(2), moved(3, 0), plainOf(ebpf.Add.Imm32(0, 5), 3, noReg), jumpTo(4),
		at(3), moved(3, 2),
		at(4)}
	out, n := separate(append(code, ended(3)...))
	require.Equal(t, `  v0 = r7[12]
  if v0 == 6 goto 1
  v1 = r7[20]
  if v1 == 7 goto 2
  v2 = r7[30]
  goto 3
1:
  v3 = r7[20]
  v2 = r7[30]
  if v3 == 8 goto 3
2:
  v5 <- v0
  v5 += 5
  goto 4
3:
  v5 <- v2
4:
  r0 = v5
  end
`, listing(out))
	require.Equal(t, 7, n)
	require.Equal(t, `  v0 = r7[12]`, strings.Split(listing(code), "\n")[0], "code is left as it was")
}

// What a few instructions make of the packet is made where it is read, once on a way; what is not of that kind stays.
func TestRemake(t *testing.T) {
	code := []vinsn{
		load(0, 14), plainOf(ebpf.And.Imm32(0, 15), 0, noReg), plainOf(ebpf.Mov.Reg32(0, 0), 1, 0), plainOf(ebpf.Lsh.Imm32(0, 2), 1, noReg),
		plainOf(ebpf.Mov.Reg(0, 0), 2, machine(ebpf.R0)),
		plainOf(ebpf.Mov.Reg32(0, 0), 3, 1), plainOf(ebpf.Add.Imm32(0, 1), 3, noReg),
		ifEqual(1, 20, 1), ifEqual(1, 24, 2),
		at(1), moved(4, 1),
		at(2),
	}
	code = append(code, ended(1)...)
	all := recipes(code, 5, setOf(ebpf.R7))
	require.Len(t, all[0], 2)
	require.Len(t, all[1], 3)
	require.Nil(t, all[2], "r0 does not keep what it holds")
	require.Nil(t, all[3], "too long")
	require.Nil(t, all[4], "it depends on the way")

	r := remaker{recipes: all, made: make([]uint8, 5)}
	homeless := &allocation{homes: make([]home, 5)}
	homeless.homes[1].slot, homeless.homes[2].slot = -8, -16
	out, some := r.remake(code, homeless)
	require.True(t, some)
	const made = " = r7[14]\n  V &= 15\n  V <<= 2\n"
	again := func(v string) string { return "  " + v + strings.ReplaceAll(made, "V", v) }
	require.Equal(t, "  v0 = r7[14]\n  v0 &= 15\n  v2 = r0\n"+
		again("v5")+"  v3 = v5\n  v3 += 1\n  if v5 == 20 goto 1\n  if v5 == 24 goto 2\n"+
		"1:\n"+again("v6")+"  v4 <- v6\n"+
		"2:\n"+again("v7")+"  r0 = v7\n  end\n", listing(out))
	require.Equal(t, []uint8{0, 0, 0, 0, 0, 1, 1, 1}, r.made)
}
