package cbpf

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// insnSize is the size of struct sock_filter: {u16 code; u8 jt; u8 jf; u32 k}.
const insnSize = 8

// raw and rawBE read instructions as they lie in memory.
func (p *parser) raw()   { p.image([]byte(p.source), binary.LittleEndian) }
func (p *parser) rawBE() { p.image([]byte(p.source), binary.BigEndian) }

// hexOrder is the order of the bytes in Hex.
var hexOrder = binary.LittleEndian

// image takes all of a text as instructions in memory.
func (p *parser) image(image []byte, order binary.ByteOrder) {
	p.text, p.span = "", span{}
	for ; len(image) >= insnSize && len(p.errs) == 0; image = image[insnSize:] {
		p.add(bpf.RawInstruction{Op: order.Uint16(image), Jt: image[2], Jf: image[3], K: order.Uint32(image[4:])})
	}
	if len(image) > 0 && len(p.errs) == 0 {
		p.fail(ReasonCutInstruction, "%d bytes, where an instruction has %d", len(image), insnSize)
	}
}

// byteOrder guesses whether a text is instructions in memory, and in which byte order: the one in which more of them are
// known. Half of them must be.
func byteOrder(text string) (n Notation, ok bool) {
	little, big, all := 0, 0, 0
	for ; len(text) >= insnSize; text = text[insnSize:] {
		all++
		if Info(uint16(text[0])|uint16(text[1])<<8) != nil {
			little++
		}
		if Info(uint16(text[1])|uint16(text[0])<<8) != nil {
			big++
		}
	}
	if big > little {
		return RawBE, 2*big >= all
	}
	return Raw, all > 0 && 2*little >= all
}

// isBinary reports whether there is a byte in a text that no text has.
func isBinary(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' && !isBlank(text[i]) {
			return true
		}
	}
	return false
}

func appendRaw(b []byte, p Program) []byte   { return appendImage(b, p, binary.LittleEndian) }
func appendRawBE(b []byte, p Program) []byte { return appendImage(b, p, binary.BigEndian) }

func appendImage(b []byte, p Program, order binary.AppendByteOrder) []byte {
	for _, ins := range p {
		b = order.AppendUint16(b, ins.Op)
		b = append(b, ins.Jt, ins.Jf)
		b = order.AppendUint32(b, ins.K)
	}
	return b
}

// appendHex writes one instruction a line.
func appendHex(b []byte, p Program) []byte {
	const digits = "0123456789abcdef"
	var image [insnSize]byte
	for pc := range p {
		for i, v := range appendImage(image[:0], p[pc:pc+1], binary.LittleEndian) {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, digits[v>>4], digits[v&0xf])
		}
		b = append(b, '\n')
	}
	return b
}
