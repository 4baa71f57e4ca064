package ebpf

// registerSet is a set of registers, one bit each.
type registerSet uint16

func setOf(all ...Register) (s registerSet) {
	for _, r := range all {
		s |= 1 << r
	}
	return s
}

func (s registerSet) has(r Register) bool { return s>>r&1 != 0 }

// byCalls are the registers that a call destroys, packet loads included.
var byCalls = setOf(R0, R1, R2, R3, R4, R5)

// touches returns the registers that an instruction of a program of the ABI reads, and those that it writes or destroys.
func (i Instruction) touches(abi ABI) (reads, writes registerSet) {
	info := i.Op.Info()
	dst, src := setOf(i.Dst), setOf(i.Src)
	switch info.Form {
	case FormALUImm, FormNeg, FormEnd:
		reads, writes = dst, dst
	case FormALUReg:
		reads, writes = dst|src, dst
	case FormLoad:
		return src, dst
	case FormStoreImm, FormCondImm:
		return dst, 0
	case FormStoreReg, FormCondReg:
		return dst | src, 0
	case FormLoadAbs:
		return setOf(R6), byCalls
	case FormLoadInd:
		return setOf(R6) | src, byCalls
	case FormLoadWide:
		return 0, dst
	case FormCall:
		if h := helperFor(i.Imm, abi); h != nil {
			reads = (1<<len(h.args) - 1) << R1
		}
		return reads, byCalls
	case FormExit:
		return setOf(R0), 0
	}
	if info.ALU == Mov && (info.Form == FormALUImm || info.Form == FormALUReg) {
		reads &^= dst
		if i.Src == i.Dst && info.Form == FormALUReg {
			reads = src
		}
	}
	return reads, writes
}

// liveness returns of each slot the registers whose value in front of it matters to what comes. Jumps go forward.
func liveness(p Program, abi ABI) []registerSet {
	live := make([]registerSet, len(p)+1)
	for pc := len(p) - 1; pc >= 0; pc-- {
		ins := p[pc]
		after := live[pc+1]
		target, jumps := ins.Target(pc)
		switch form := ins.Op.Info().Form; {
		case form == FormExit:
			after = 0
		case form == FormJump || form == FormJumpLong:
			after = live[target]
		case jumps:
			after |= live[target]
		}
		reads, writes := ins.touches(abi)
		live[pc] = after&^writes | reads
	}
	return live[:len(p)]
}
