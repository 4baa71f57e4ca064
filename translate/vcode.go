package translate

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// vreg is a register before registers are given out: a value, or a temporary, from 0 on; or a machine register, in its
// complement.
type vreg int32

const noReg vreg = math.MinInt32

func machine(r ebpf.Register) vreg { return ^vreg(r) }

// fixed returns the machine register that v is, if it is one.
func (v vreg) fixed() (r ebpf.Register, ok bool) {
	return ebpf.Register(^v), v < 0 && v != noReg
}

// vkind says what a vinsn stands for.
type vkind uint8

const (
	vPlain  vkind = iota // one instruction
	vLabel               // the place of a label
	vMoves               // assignments that happen all at once
	vOpaque              // what the target emits by itself, with its result in A
)

// vinsn is an instruction whose registers are not given out yet.
type vinsn struct {
	kind     vkind
	ins      ebpf.Instruction // vPlain: Dst and Src are still to come
	dst, src vreg
	to       ebpf.Label // vPlain: where a jump goes; vLabel: the label
	moves    []vmove
	emit     func(e *emitter, pc int, src ebpf.Register) error // vOpaque
	lost     registerSet                                       // what it destroys besides dst
	ret      bool                                              // vOpaque: it only ends the program
	pc       int
}

// noLabel stands where an instruction has no label.
const noLabel ebpf.Label = -1

// vmove is one of several assignments. src is noReg for a constant.
type vmove struct {
	dst, src vreg
	k        uint32
}

// operands calls use for each register that the instruction reads, and def for each that it writes.
func (in *vinsn) operands(use, def func(vreg)) {
	switch in.kind {
	case vMoves:
		for _, m := range in.moves {
			if m.src != noReg {
				use(m.src)
			}
		}
		for _, m := range in.moves {
			def(m.dst)
		}
	case vPlain:
		if in.src != noReg {
			use(in.src)
		}
		if in.dst != noReg {
			if in.readsDst() {
				use(in.dst)
			}
			if in.writesDst() {
				def(in.dst)
			}
		}
	case vOpaque:
		if in.src != noReg {
			use(in.src)
		}
	}
}

func (in *vinsn) readsDst() bool {
	info := in.ins.Op.Info()
	switch info.Form {
	case ebpf.FormALUImm, ebpf.FormALUReg:
		return info.ALU != ebpf.Mov
	case ebpf.FormLoad, ebpf.FormLoadWide:
		return false
	}
	return true
}

func (in *vinsn) writesDst() bool {
	switch in.ins.Op.Info().Form {
	case ebpf.FormALUImm, ebpf.FormALUReg, ebpf.FormNeg, ebpf.FormEnd, ebpf.FormLoad, ebpf.FormLoadWide:
		return true
	}
	return false
}
