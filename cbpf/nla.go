package cbpf

import "encoding/binary"

// attrHeader is the size of struct nlattr: its length, header included, and its type, 16 bits each in the order of the
// host. Attributes begin at multiples of 4, counted from the first one (linux/netlink.h).
const attrHeader = 4

// attrType is the part of an attribute's type field that is its type; the other bits are flags (NLA_TYPE_MASK).
const attrType = 0x3fff

// findAttr returns the offset of the first netlink attribute of the type kind, searched from the offset from on, or 0
// (bpf_skb_get_nlattr in net/core/filter.c, Linux 6.18), and how many attributes it had to look at.
func findAttr(data []byte, from, kind uint32) (off uint32, looked int) {
	if !roomForAttr(data, from) {
		return 0, 0
	}
	return scanAttrs(data, int(from), len(data), kind)
}

// findNestedAttr returns the offset of the first attribute of the type kind inside the attribute at the offset from, or 0
// (bpf_skb_get_nlattr_nest).
func findNestedAttr(data []byte, from, kind uint32) (off uint32, looked int) {
	if !roomForAttr(data, from) {
		return 0, 0
	}
	size, _, ok := attrAt(data, int(from), len(data))
	if !ok {
		return 0, 0
	}
	return scanAttrs(data, int(from)+attrHeader, int(from)+size, kind)
}

// roomForAttr reports whether the header of an attribute fits at the offset from.
func roomForAttr(data []byte, from uint32) bool {
	return uint64(from)+attrHeader <= uint64(len(data))
}

// scanAttrs walks the attributes in data[pos:end] until one of the type kind or a malformed one.
func scanAttrs(data []byte, pos, end int, kind uint32) (off uint32, looked int) {
	for {
		size, k, ok := attrAt(data, pos, end)
		if !ok {
			return 0, looked
		}
		looked++
		if k == kind {
			return uint32(pos), looked
		}
		pos += (size + 3) &^ 3
	}
}

// attrAt reads the header of the attribute at pos. ok is false where header or contents go beyond end (nla_ok).
func attrAt(data []byte, pos, end int) (size int, kind uint32, ok bool) {
	if end-pos < attrHeader {
		return 0, 0, false
	}
	size = int(binary.NativeEndian.Uint16(data[pos:]))
	kind = uint32(binary.NativeEndian.Uint16(data[pos+2:]) & attrType)
	return size, kind, size >= attrHeader && size <= end-pos
}
