package ebpf

import "strconv"

// memoryTypes are the names of what loads and stores move, by size and sign.
var memoryTypes = [...]struct{ unsigned, signed string }{1: {"u8", "s8"}, 2: {"u16", "s16"}, 4: {"u32", "s32"}, 8: {"u64", "s64"}}

func appendType(b []byte, info *OpInfo) []byte {
	name := memoryTypes[info.Size].unsigned
	if info.Signed {
		name = memoryTypes[info.Size].signed
	}
	return append(append(b, name...), " *)"...)
}

// appendMemory appends `*(u16 *)(r1 + 12)`.
func (d Dialect) appendMemory(b []byte, info *OpInfo, base Register, off int16) []byte {
	return d.appendPointer(append(b, '*'), info, base, off)
}

// appendPointer appends `(u16 *)(r1 + 12)`.
func (d Dialect) appendPointer(b []byte, info *OpInfo, base Register, off int16) []byte {
	b = appendType(append(b, '('), info)
	return append(d.appendPlace(append(b, '('), base, off), ')')
}

// appendPlace appends `r1 + 12`, or `r1 +12` as the kernel has it.
func (d Dialect) appendPlace(b []byte, base Register, off int16) []byte {
	if d == Xlated {
		return appendSigned(append(base.appendTo(b), ' '), int(off))
	}
	return appendSum(b, base, int64(off))
}

// appendSum appends `r1 + 4` or `r1 - 4`.
func appendSum(b []byte, base Register, off int64) []byte {
	b = base.appendTo(b)
	if off < 0 {
		return strconv.AppendInt(append(b, " - "...), -off, 10)
	}
	return strconv.AppendInt(append(b, " + "...), off, 10)
}

// appendPacketLoad appends `r0 = *(u16 *)skb[12]` or `r0 = *(u16 *)skb[r7 + 4]`.
func (d Dialect) appendPacketLoad(b []byte, i Instruction, info *OpInfo) []byte {
	b = append(appendType(append(b, "r0 = *("...), info), "skb["...)
	switch {
	case info.Form == FormLoadAbs:
		b = appendInt(b, i.Imm)
	case d == Xlated:
		b = appendInt(append(i.Src.appendTo(b), " + "...), i.Imm)
	case i.Imm == 0:
		b = i.Src.appendTo(b)
	default:
		b = appendSum(b, i.Src, int64(i.Imm))
	}
	return append(b, ']')
}

// atomicCall is the name of an atomic operation that is written as a call, in both dialects and for 4 and 8 bytes.
type atomicCall struct{ llvm, xlated [2]string }

// atomicCalls names those operations that yield something. load_acquire and store_release are the same for all sizes.
var atomicCalls = map[AtomicOp]atomicCall{
	AtomicAdd | AtomicFetch: fetches("add"),
	AtomicOr | AtomicFetch:  fetches("or"),
	AtomicAnd | AtomicFetch: fetches("and"),
	AtomicXor | AtomicFetch: fetches("xor"),
	AtomicXchg:              {[2]string{"xchg32_32", "xchg_64"}, [2]string{"atomic_xchg", "atomic64_xchg"}},
	AtomicCmpXchg:           {[2]string{"cmpxchg32_32", "cmpxchg_64"}, [2]string{"atomic_cmpxchg", "atomic64_cmpxchg"}},
	AtomicLoad:              {[2]string{"load_acquire", "load_acquire"}, [2]string{"load_acquire", "load_acquire"}},
	AtomicStore:             {[2]string{"store_release", "store_release"}, [2]string{"store_release", "store_release"}},
}

func fetches(op string) atomicCall {
	plain := "atomic_fetch_" + op
	return atomicCall{[2]string{plain, plain}, [2]string{plain, "atomic64_fetch_" + op}}
}

// name is how the dialect calls the operation.
func (c *atomicCall) name(d Dialect, wide bool) string {
	names := &c.llvm
	if d == Xlated {
		names = &c.xlated
	}
	if wide {
		return names[1]
	}
	return names[0]
}

// appendAtomic appends `lock *(u64 *)(r1 + 8) += r2`, `r2 = atomic_fetch_add((u64 *)(r1 + 8), r2)` and the like. LLVM
// writes the registers of narrow operations as w2, the kernel does not.
func (d Dialect) appendAtomic(b []byte, i Instruction, info *OpInfo) []byte {
	row, wide := i.atomic(info), info.Wide || d == Xlated
	if row.sign != "" {
		b = d.appendMemory(append(b, "lock "...), info, i.Dst, i.Off)
		b = append(append(append(b, ' '), row.sign...), ' ')
		return appendOperand(b, i.Src, wide)
	}
	call := atomicCalls[row.op]
	base, operands := i.Dst, []Register{i.Src}
	switch row.result {
	case srcResult:
		b = append(appendOperand(b, i.Src, wide), " = "...)
	case r0Result:
		b = append(appendOperand(b, R0, wide), " = "...)
		operands = []Register{R0, i.Src}
	case dstResult:
		b = append(appendOperand(b, i.Dst, wide), " = "...)
		base, operands = i.Src, nil
	}
	b = append(append(b, call.name(d, info.Wide)...), '(')
	if d == LLVM && (row.op == AtomicXchg || row.op == AtomicCmpXchg) {
		b = d.appendPlace(b, base, i.Off)
	} else {
		b = d.appendPointer(b, info, base, i.Off)
	}
	for _, r := range operands {
		b = appendOperand(append(b, ", "...), r, wide)
	}
	return append(b, ')')
}

// wideKind is how the dialect Xlated writes a wide constant that becomes an address: the lower half between two texts,
// then the upper half if it has one.
type wideKind struct {
	kind          Register
	before, after string
	signed, upper bool
}

var wideKinds = []wideKind{
	{kind: WideMapFD, before: "map[id:", after: "]"},
	{kind: WideMapValue, before: "map[id:", after: "][0]+", upper: true},
	{kind: WideVariable, before: "btf[id:", after: "]+", upper: true},
	{kind: WideFunction, before: "subprog[", after: "]", signed: true},
	{kind: WideMapIndex, before: "map[idx:", after: "]"},
	{kind: WideMapIndexValue, before: "map[idx:", after: "]+", upper: true},
}

// shows reports whether the text of the wide constant has all of its bits.
func (d Dialect) shows(i Instruction, value uint64) bool {
	return d != Xlated || i.Src == WideConstant || wideKinds[i.Src-1].upper || value>>32 == 0
}

// appendWide appends the load of a wide constant.
func (d Dialect) appendWide(b []byte, i Instruction, value uint64) []byte {
	switch {
	case d == Xlated:
		return appendWideXlated(append(i.Dst.appendTo(b), " = "...), i, value)
	case d == Mnemonic && i.Src == WideConstant:
		b = append(i.Dst.appendTo(append(b, "lddw %"...)), ", 0x"...)
		return strconv.AppendUint(b, value, 16)
	case i.Src == WideConstant:
		b = strconv.AppendInt(append(i.Dst.appendTo(b), " = "...), int64(value), 10)
		return append(b, " ll"...)
	}
	b = append(b, "ld_pseudo "...)
	if d == Mnemonic {
		b = append(b, '%')
	}
	b = strconv.AppendUint(append(i.Dst.appendTo(b), ", "...), uint64(i.Src), 10)
	return strconv.AppendInt(append(b, ", "...), int64(value), 10)
}

func appendWideXlated(b []byte, i Instruction, value uint64) []byte {
	if i.Src == WideConstant {
		return strconv.AppendUint(append(b, "0x"...), value, 16)
	}
	k := &wideKinds[i.Src-1]
	b = append(b, k.before...)
	if k.signed {
		b = appendSigned(b, int(int32(value)))
	} else {
		b = strconv.AppendUint(b, uint64(uint32(value)), 10)
	}
	b = append(b, k.after...)
	if k.upper {
		b = strconv.AppendUint(b, value>>32, 10)
	}
	return b
}
