package ebpf

// atomic executes an operation that nothing comes between; in a machine that runs alone that is no feat. Operations on 4
// bytes take the low half of their operand, and zero the upper half of the register that they write.
func (m *machine) atomic(i *Instruction, info *OpInfo) {
	off := uint64(int64(i.Off))
	switch AtomicOp(i.Imm) {
	case AtomicLoad:
		m.put(i.Dst, m.load(m.get(i.Src)+off, info))
		return
	case AtomicStore:
		m.store(m.get(i.Dst)+off, info.Size, m.get(i.Src))
		return
	}
	addr, operand := m.get(i.Dst)+off, m.get(i.Src)
	was := m.load(addr, info)
	if v, ok := m.replacement(AtomicOp(i.Imm), was, operand, info); ok {
		m.store(addr, info.Size, v)
	}
	switch i.atomic(info).result {
	case srcResult:
		m.put(i.Src, was)
	case r0Result:
		m.put(R0, was)
	}
}

// replacement is what memory holds after the operation; ok is false where it stays as it was.
func (m *machine) replacement(op AtomicOp, was, operand uint64, info *OpInfo) (v uint64, ok bool) {
	switch op &^ AtomicFetch {
	case AtomicAdd:
		return was + operand, true
	case AtomicOr:
		return was | operand, true
	case AtomicAnd:
		return was & operand, true
	case AtomicXor:
		return was ^ operand, true
	case AtomicCmpXchg &^ AtomicFetch:
		return operand, was == narrow(m.get(R0), info)
	}
	return operand, true // AtomicXchg
}
