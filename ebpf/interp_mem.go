package ebpf

import "encoding/binary"

// ReasonPacketRange is for plain loads; LoadAbs and LoadInd may leave the packet.
const ReasonPacketRange Reason = "the access leaves the packet"

// An address names its region in the upper half and an offset in the lower, so that sums and differences work as on any
// machine. What lies less than slack in front of a region still counts as an attempt at it. A program that adds as much as
// regions are apart gets from one into another; machine code, which knows where an address came from, faults there.
const (
	dataBase    uint64 = 0x100 << 32 // Packet.Data; each time that it may have moved, it lies dataStep further
	dataStep    uint64 = 1 << 32     //
	contextBase uint64 = 0x200 << 32 // the context
	stackBase   uint64 = 0x300 << 32 // the lowest byte of the outermost stack
	stackStep   uint64 = 1 << 32     // from each stack to the next one inside

	slack = 1 << 16
)

// bytes returns the n bytes at the address; nil with a fault where they are not all in one region. at is the offset of
// the first.
func (m *machine) bytes(addr uint64, n int) (b []byte, base uint64, at int) {
	base = (addr + slack) >> 32 << 32
	offset := int64(addr - base)
	reason := ReasonNotPointer
	switch {
	case base == m.base:
		b, reason = m.data, ReasonPacketRange
	case base == contextBase:
		b, reason = m.ctx[:m.abi.info().size], ReasonContextRange // perhaps not filled yet
	case isStack(base) && base <= stackBase+uint64(m.depth)*stackStep:
		b, reason = m.frameAt(base).stack[:], ReasonStackRange
	}
	if offset < 0 || offset > int64(len(b)-n) {
		if meta := m.metadata(base, offset, n); meta != nil {
			return meta, base, int(offset)
		}
		m.fail(reason, "%d bytes at %#x: offset %d, %d is the size", n, addr, offset, len(b))
		return nil, base, 0
	}
	return b[offset:][:n], base, int(offset)
}

// hasMeta are the ABIs whose programs see metadata in front of the packet.
var hasMeta = abis(TC, XDP)

// metadata returns n bytes in front of the packet, where programs can get at them; nil where they are not.
func (m *machine) metadata(base uint64, offset int64, n int) []byte {
	at := offset + int64(len(m.pkt.Meta))
	if base != m.base || at < 0 || offset > int64(-n) || !hasMeta.has(m.abi) {
		return nil
	}
	return m.pkt.Meta[at:][:n]
}

// isStack reports whether the region is a stack, of a frame that exists or not.
func isStack(base uint64) bool { return base >= stackBase && base < stackBase+MaxFrames*stackStep }

// frameAt is the frame that the stack belongs to.
func (m *machine) frameAt(base uint64) *frame { return &m.frames[(base-stackBase)/stackStep%MaxFrames] }

// load reads memory.
func (m *machine) load(addr uint64, info *OpInfo) uint64 {
	b, base, at := m.bytes(addr, info.Size)
	switch {
	case b == nil || base < contextBase:
	case base == contextBase:
		return m.loadContext(at, info)
	case base >= stackBase && !m.frameAt(base).isWritten(at, info.Size):
		m.fail(ReasonStackUnset, "%d bytes at r10%+d", info.Size, at-StackSize)
	}
	v := word(b)
	if info.Signed {
		return signExtend(v, 8*info.Size)
	}
	return v
}

// word is the number that 1, 2, 4 or 8 bytes hold; 0 for none.
func word(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	case 8:
		return binary.NativeEndian.Uint64(b)
	}
	return 0
}

// putWord is its inverse.
func putWord(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.NativeEndian.PutUint16(b, uint16(v))
	case 4:
		binary.NativeEndian.PutUint32(b, uint32(v))
	case 8:
		binary.NativeEndian.PutUint64(b, v)
	}
}

// store writes memory.
func (m *machine) store(addr uint64, n int, v uint64) { putWord(m.writable(addr, n), v) }

// writable returns n bytes that the caller is about to write, all of them.
func (m *machine) writable(addr uint64, n int) []byte {
	b, base, at := m.target(addr, n)
	if base >= stackBase && b != nil {
		m.frameAt(base).markWritten(at, n)
	}
	return b
}

// target returns n bytes that may be written, with their place; nil with a fault where they may not.
func (m *machine) target(addr uint64, n int) (b []byte, base uint64, at int) {
	b, base, at = m.bytes(addr, n)
	if b != nil && base < stackBase && (base != m.base || m.abi != Buffer) {
		m.fail(ReasonReadOnly, "%d bytes at %#x", n, addr)
		return nil, base, at
	}
	return b, base, at
}
