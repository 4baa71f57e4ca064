package difftest

import (
	"encoding/binary"
	"errors"
	"io"
)

// Types of pcapng blocks (draft-ietf-opsawg-pcapng). A section header reads the same in both byte orders.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

// blockFixed is the number of bytes in front of the options or packet, for the blocks that are read; all others are
// skipped.
var blockFixed = map[uint32]int{
	blockSection:   16,
	blockInterface: 8,
	blockPacket:    20,
	blockSimple:    4,
	blockEnhanced:  20,
}

const (
	maxBlock      = 1 << 20 // bytes of a block that is read: a packet and its options
	maxInterfaces = 1 << 16 // of a section
)

// ngInterface is what the packets of a pcapng file need to know of their interface.
type ngInterface struct {
	link LinkType
	snap uint32 // 0 for no limit
}

// firstInterface reads up to the first interface and leaves all of that pending. It is the start of every pcapng file.
func (g *guard) firstInterface() error {
	var start []byte // pieces in front of the interface, for gopacket to read again
	for len(g.ifaces) == 0 {
		err := g.next()
		if errors.Is(err, io.EOF) {
			return g.fault("no interface block in the file")
		}
		if err != nil {
			return err
		}
		if len(start)+len(g.pending) > maxBlock {
			return g.fault("no interface block in the first %d bytes", maxBlock)
		}
		start = append(start, g.pending...)
	}
	g.pending = start
	return nil
}

// block reads the next block that matters.
func (g *guard) block() error {
	for {
		if _, err := g.r.Peek(1); err == io.EOF {
			return io.EOF
		}
		typ, length, err := g.blockHeader()
		if err != nil {
			return err
		}
		fixed, known := blockFixed[typ]
		if known {
			return g.blockBody(typ, length, fixed)
		}
		if n, err := io.CopyN(io.Discard, g.r, int64(length)-8); err != nil {
			return g.fault("the file ends inside a block of type %d, after %d of %d bytes", typ, n+8, length)
		}
		g.buf = g.buf[:0]
	}
}

// blockHeader reads the type and the length of a block, and the byte order where it starts a section.
func (g *guard) blockHeader() (typ, length uint32, err error) {
	if err := g.extend(8, "block header"); err != nil {
		return 0, 0, err
	}
	if binary.LittleEndian.Uint32(g.buf) == blockSection {
		if err := g.byteOrder(); err != nil {
			return 0, 0, err
		}
	}
	typ, length = g.order.Uint32(g.buf), g.order.Uint32(g.buf[4:])
	if length < 12 || length%4 != 0 {
		return 0, 0, g.fault("block length %d: no multiple of 4, or below 12", length)
	}
	return typ, length, nil
}

// byteOrder reads the mark that says how the numbers of this section are written. Another section may differ.
func (g *guard) byteOrder() error {
	if err := g.extend(4, "section header"); err != nil {
		return err
	}
	switch magic := g.buf[8:12]; uint32(0x1a2b3c4d) {
	case binary.LittleEndian.Uint32(magic):
		g.order = binary.LittleEndian
	case binary.BigEndian.Uint32(magic):
		g.order = binary.BigEndian
	default:
		return g.fault("section header: byte order mark %x, 1a2b3c4d is the only one", magic)
	}
	return nil
}

// blockBody reads the rest of a block and checks all of it that gopacket will look at.
func (g *guard) blockBody(typ, length uint32, fixed int) error {
	if typ == blockPacket || typ == blockSimple || typ == blockEnhanced {
		g.packet++
	}
	if length > maxBlock {
		return g.fault("block length %d, %d is the most", length, maxBlock)
	}
	if int(length) < 12+fixed {
		return g.fault("block length %d, %d is the least for type %d", length, 12+fixed, typ)
	}
	if err := g.extend(int(length)-len(g.buf), "block"); err != nil {
		return err
	}
	if again := g.order.Uint32(g.buf[length-4:]); again != length {
		return g.fault("block length %d in front, %d behind", length, again)
	}
	body, rest := g.buf[8:8+fixed], g.buf[8+fixed:length-4]
	switch typ {
	case blockSection: // interfaces count from 0 again
		g.ifaces = g.ifaces[:0]
		return g.options(rest, nil)
	case blockInterface:
		return g.addInterface(body, rest)
	case blockSimple:
		return g.simplePacket(g.order.Uint32(body), len(rest))
	case blockPacket:
		return g.ngPacket(uint32(g.order.Uint16(body)), body, len(rest))
	default:
		return g.ngPacket(g.order.Uint32(body), body, len(rest))
	}
}

// addInterface takes note of an interface, and checks its options.
func (g *guard) addInterface(body, options []byte) error {
	if len(g.ifaces) == maxInterfaces {
		return g.fault("more than %d interfaces in a section", maxInterfaces)
	}
	link, announced := LinkType(g.order.Uint16(body)), g.order.Uint32(body[4:])
	if g.start == (fileHeader{}) {
		g.start = fileHeader{link: link, nanos: true}
		g.start.setSnap(announced)
	}
	// gopacket allocates a buffer of the announced size; above the most that a packet may have it says nothing.
	snap := min(announced, maxCapture)
	g.order.PutUint32(body[4:], snap)
	g.ifaces = append(g.ifaces, ngInterface{link: link, snap: snap})
	return g.options(options, g.interfaceOption)
}

// interfaceOption checks the two options of an interface that gopacket calculates with.
func (g *guard) interfaceOption(code uint16, value []byte) error {
	const resolution, offset = 9, 14 // if_tsresol and if_tsoffset
	switch {
	case code == resolution && len(value) != 1, code == offset && len(value) != 8:
		return g.fault("interface option %d has %d bytes", code, len(value))
	// A resolution is a negative power of 2 (with the top bit) or of 10. gopacket divides by 2^n or 10^n in 64 bits, and
	// that must not be 0.
	case code == resolution && value[0] >= 0x80 && value[0] > 0x80+63:
		return g.fault("time resolution 2^-%d, 2^-63 is the finest", value[0]-0x80)
	case code == resolution && value[0] < 0x80 && value[0] > 19:
		return g.fault("time resolution 10^-%d, 10^-19 is the finest", value[0])
	}
	return nil
}

// options walks a list of options, which ends with code 0 or with the block, and shows each to check.
func (g *guard) options(list []byte, check func(code uint16, value []byte) error) error {
	for len(list) > 0 {
		code, length := g.order.Uint16(list), int(g.order.Uint16(list[2:]))
		padded := (length + 3) &^ 3
		// The sum of a length and its padding is 16 bits wide in gopacket.
		if padded > len(list)-4 || padded > 0xffff {
			return g.fault("option %d of %d bytes, %d are left", code, length, len(list)-4)
		}
		if code == 0 {
			return nil
		}
		if check != nil {
			if err := check(code, list[4:4+length]); err != nil {
				return err
			}
		}
		list = list[4+padded:]
	}
	return nil
}

// ngPacket checks an enhanced or an obsolete packet block, whose lengths stand in the same place.
func (g *guard) ngPacket(iface uint32, body []byte, room int) error {
	if err := g.setInterface(iface); err != nil {
		return err
	}
	capLen := g.order.Uint32(body[12:])
	if err := g.checkLengths(capLen, g.order.Uint32(body[16:])); err != nil {
		return err
	}
	return g.checkRoom(capLen, room)
}

// simplePacket checks a packet block that states the wire length only.
func (g *guard) simplePacket(wireLen uint32, room int) error {
	if err := g.setInterface(0); err != nil {
		return err
	}
	capLen := wireLen
	if snap := g.ifaces[0].snap; snap != 0 {
		capLen = min(capLen, snap)
	}
	return g.checkRoom(capLen, room)
}

// setInterface says which interface of the section the packet in hand came through.
func (g *guard) setInterface(n uint32) error {
	if n >= uint32(len(g.ifaces)) {
		return g.fault("interface %d, the section has %d", n, len(g.ifaces))
	}
	g.link = g.ifaces[n].link
	return nil
}

// checkRoom compares a length with that of the block around it.
func (g *guard) checkRoom(capLen uint32, room int) error {
	if uint64(capLen) > uint64(room) {
		return g.fault("captured length %d, its block has room for %d", capLen, room)
	}
	return nil
}
