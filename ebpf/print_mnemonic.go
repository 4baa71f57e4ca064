package ebpf

import "strconv"

// Mnemonic is the name of the instruction in the dialect of that name, "" for one that has none: the Name of its opcode,
// completed by what its other fields say. `sdiv` is `div` with an offset, `be16` is `be` with a constant.
func (i Instruction) Mnemonic() string {
	if i.printable() && i.Op != OpLoadWide {
		return string(appendName(nil, i, i.Op.Info()))
	}
	return i.Op.Info().Name
}

func appendName(b []byte, i Instruction, info *OpInfo) []byte {
	switch {
	case i.SignedDivision():
		return append(append(b, 's'), info.Name...)
	case i.SpaceCast():
		return append(b, "addr_space_cast"...)
	case info.Form == FormEnd:
		return appendInt(append(b, info.Name...), i.Imm)
	case info.Form == FormAtomic:
		row := i.atomic(info)
		switch {
		case row.sized:
			return append(append(b, row.name...), info.Name...)
		case info.Wide:
			return append(append(b, "lock "...), row.name...)
		}
		return append(append(append(b, "lock "...), row.name...), "32"...)
	}
	if bits := i.MoveBits(); bits != 0 {
		b = strconv.AppendInt(append(b, "movsx"...), int64(bits), 10)
		if info.Wide {
			return append(b, "64"...)
		}
		return append(b, "32"...)
	}
	return append(b, info.Name...)
}

// appendMnemonic appends the instruction in the dialect Mnemonic: its name and its operands, the one that is written first.
func appendMnemonic(b []byte, i Instruction) []byte {
	info := i.Op.Info()
	b = appendName(b, i, info)
	if info.Form == FormExit {
		return b
	}
	b = append(b, ' ')
	switch info.Form {
	case FormALUImm:
		b = appendInt(append(appendPercent(b, i.Dst), ", "...), i.Imm)
	case FormALUReg:
		b = appendPercent(append(appendPercent(b, i.Dst), ", "...), i.Src)
		if i.SpaceCast() {
			b = appendSpaces(append(b, ", "...), i)
		}
	case FormNeg, FormEnd:
		b = appendPercent(b, i.Dst)
	case FormLoad:
		b = appendBrackets(append(appendPercent(b, i.Dst), ", "...), i.Src, i.Off)
	case FormStoreImm:
		b = appendInt(append(appendBrackets(b, i.Dst, i.Off), ", "...), i.Imm)
	case FormStoreReg:
		b = appendPercent(append(appendBrackets(b, i.Dst, i.Off), ", "...), i.Src)
	case FormAtomic:
		if AtomicOp(i.Imm) == AtomicLoad {
			return appendBrackets(append(appendPercent(b, i.Dst), ", "...), i.Src, i.Off)
		}
		b = appendPercent(append(appendBrackets(b, i.Dst, i.Off), ", "...), i.Src)
	case FormLoadAbs:
		b = appendInt(b, i.Imm)
	case FormLoadInd:
		b = appendInt(append(appendPercent(b, i.Src), ", "...), i.Imm)
	case FormCondImm:
		b = appendInt(append(appendPercent(b, i.Dst), ", "...), i.Imm)
		b = Mnemonic.appendDistance(append(b, ", "...), i)
	case FormCondReg:
		b = appendPercent(append(appendPercent(b, i.Dst), ", "...), i.Src)
		b = Mnemonic.appendDistance(append(b, ", "...), i)
	case FormJump, FormJumpLong, FormMayGoto:
		b = Mnemonic.appendDistance(b, i)
	case FormCall:
		b = appendCallKind(b, i)
	}
	return b
}

func appendPercent(b []byte, r Register) []byte { return r.appendTo(append(b, '%')) }

// appendBrackets appends `[%r1+12]`.
func appendBrackets(b []byte, base Register, off int16) []byte {
	b = appendPercent(append(b, '['), base)
	if off != 0 {
		b = appendSigned(b, int(off))
	}
	return append(b, ']')
}

// appendCallKind appends `5`, `local +5` or `runtime 5`.
func appendCallKind(b []byte, i Instruction) []byte {
	switch i.Src {
	case CallKindLocal:
		return appendSigned(append(b, "local "...), int(i.Imm))
	case CallKindKernel:
		b = append(b, "runtime "...)
	}
	return appendInt(b, i.Imm)
}
