package cbpf

import (
	"strconv"

	"golang.org/x/net/bpf"
)

// commaText appends the text of an instruction where jump targets stand behind commas:
//
//	jneq #0x800, L5     asm
//	jeq #0x800, l2, l5  dbg
//	jneq #2048,3        xnet
func (d *dialect) commaText(b []byte, pc int, ins bpf.RawInstruction, n int) []byte {
	info, _ := d.info(ins.Op)
	switch {
	case info == nil || !d.reaches(info, pc, ins, n):
		b = append(append(b, d.unimp...), " 0x"...)
		b = strconv.AppendUint(b, uint64(ins.Op), 16)
		if d.unimpJumps && isTest(ins.Op) {
			b = d.appendTargets(b, pc, []uint8{ins.Jt, ins.Jf})
		}
		return b
	case d.shapes[info.Form].jumps:
		return d.appendTest(b, info, pc, ins)
	}
	b = append(b, info.Name...)
	switch s := &d.shapes[info.Form]; {
	case info.Form == FormJump:
		return d.appendJump(append(b, ' '), pc, ins.K)
	case s.k || s.prefix != "":
		return d.appendOperand(append(b, ' '), info, ins.K)
	}
	return append(b, d.blank...)
}

// appendJump appends the target of an unconditional jump.
func (d *dialect) appendJump(b []byte, pc int, k uint32) []byte {
	if d.relative {
		return strconv.AppendUint(b, uint64(k), 10)
	}
	if d.labels {
		b = append(b, d.label...)
	}
	return strconv.AppendInt(b, int64(int32(k+uint32(pc)+1)), 10)
}

// appendTest appends a conditional jump.
func (d *dialect) appendTest(b []byte, info *OpInfo, pc int, ins bpf.RawInstruction) []byte {
	name, skips := d.test(info, &[2]uint8{ins.Jt, ins.Jf})
	b = append(append(b, name...), ' ')
	b = d.appendOperand(b, info, ins.K)
	return d.appendTargets(b, pc, skips)
}

// test returns the mnemonic of a comparison and those of jt and jf that are written with it.
func (d *dialect) test(info *OpInfo, skips *[2]uint8) (name string, written []uint8) {
	switch {
	case d.opposites && skips[0] == 0 && info.Not != "":
		return info.Not, skips[1:]
	case d.opposites && skips[1] == 0:
		return info.Name, skips[:1]
	}
	return info.Name, skips[:]
}

func (d *dialect) appendTargets(b []byte, pc int, skips []uint8) []byte {
	for _, skip := range skips {
		b = append(append(b, d.comma...), d.label...)
		target := int64(skip)
		if !d.relative {
			target += int64(pc) + 1
		}
		b = strconv.AppendInt(b, target, 10)
	}
	return b
}

// appendAsm puts a label in front of the instructions that are jumped to, and a tab in front of all.
func appendAsm(b []byte, p Program) []byte {
	d := &asmDialect
	wanted := make([]bool, len(p))
	for pc, ins := range p {
		info, _ := d.info(ins.Op)
		switch {
		case info == nil || !d.reaches(info, pc, ins, len(p)):
		case info.Form == FormJump:
			wanted[int64(pc)+1+int64(int32(ins.K))] = true
		case d.shapes[info.Form].jumps:
			_, skips := d.test(info, &[2]uint8{ins.Jt, ins.Jf})
			for _, skip := range skips {
				wanted[pc+1+int(skip)] = true
			}
		}
	}
	for pc, ins := range p {
		if wanted[pc] {
			b = append(b, d.label...)
			b = append(strconv.AppendInt(b, int64(pc), 10), ':')
		}
		b = append(b, '\t')
		b = append(d.appendLine(b, pc, ins, len(p)), '\n')
	}
	return b
}

// appendDbg is byte for byte what bpf_dbg's `disassemble` prints, raw fields excepted.
func appendDbg(b []byte, p Program) []byte {
	for pc, ins := range p {
		b = append(b, dbgDialect.label...)
		b = append(strconv.AppendInt(b, int64(pc), 10), ":\t"...)
		b = append(dbgDialect.appendLine(b, pc, ins, len(p)), '\n')
	}
	return b
}

func appendXNet(b []byte, p Program) []byte {
	for pc, ins := range p {
		b = append(xnetDialect.appendLine(b, pc, ins, len(p)), '\n')
	}
	return b
}
