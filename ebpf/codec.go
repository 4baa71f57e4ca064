package ebpf

import "encoding/binary"

// ReasonSize says that bytes are not a whole number of slots.
const ReasonSize Reason = "the length of a program is not a multiple of 8 bytes"

// Encode returns the bytes of the program, 8 a slot (RFC 9669, section 3):
//
//	 0        1         2   3   4   5   6   7
//	+--------+----+----+-------+---------------+
//	| opcode | regs    |  off  |      imm      |
//	+--------+----+----+-------+---------------+
//
// The order governs off, imm and the two nibbles of regs: src is the upper one where it is little-endian, the lower one
// where it is big-endian. binary.NativeEndian makes what the running kernel takes. Only the low 4 bits of a register
// exist; every instruction that Decode makes survives.
func Encode(p Program, order binary.ByteOrder) []byte {
	return AppendTo(make([]byte, 0, len(p)*SlotSize), p, order)
}

// AppendTo appends the bytes of the program to b, likewise.
func AppendTo(b []byte, p Program, order binary.ByteOrder) []byte {
	big := isBig(order)
	for _, i := range p {
		slot := [SlotSize]byte{0: byte(i.Op), 1: byte(i.Src)<<4 | byte(i.Dst)&0xf}
		if big {
			slot[1] = byte(i.Dst)<<4 | byte(i.Src)&0xf
		}
		order.PutUint16(slot[2:], uint16(i.Off))
		order.PutUint32(slot[4:], uint32(i.Imm))
		b = append(b, slot[:]...)
	}
	return b
}

// Decode is the inverse of Encode. It takes any bytes whose length is a multiple of 8 and checks nothing else: unknown
// opcodes and registers 11 to 15 come out as they are.
func Decode(b []byte, order binary.ByteOrder) (Program, error) {
	if len(b)%SlotSize != 0 {
		return nil, fault(ReasonSize, -1, "%d bytes", len(b))
	}
	big := isBig(order)
	p := make(Program, 0, len(b)/SlotSize)
	for ; len(b) > 0; b = b[SlotSize:] {
		dst, src := Register(b[1]&0xf), Register(b[1]>>4)
		if big {
			dst, src = src, dst
		}
		p = append(p, Instruction{
			Op:  Opcode(b[0]),
			Dst: dst,
			Src: src,
			Off: int16(order.Uint16(b[2:])),
			Imm: int32(order.Uint32(b[4:])),
		})
	}
	return p, nil
}

// isBig asks the order itself, so that binary.NativeEndian answers too.
func isBig(order binary.ByteOrder) bool { return order.Uint16([]byte{0, 1}) == 1 }
