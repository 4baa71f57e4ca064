package ebpf

import (
	"debug/elf"
	"encoding/binary"
)

// The section .llvm_addrsig lists symbols by their numbers, which change when symbols go.

// signatures returns the symbols that each such section lists. Numbers that are none are left out.
func (o *Object) signatures() map[*elfSection][]*elfSymbol {
	lists := map[*elfSection][]*elfSymbol{}
	for _, s := range o.sections {
		if elf.SectionType(s.Type) != addrsig {
			continue
		}
		lists[s] = nil
		for rest := s.data; len(rest) > 0; {
			n, size := binary.Uvarint(rest) // ULEB128 is the same
			if size <= 0 {
				break
			}
			if n > 0 && n <= uint64(len(o.symbols)) {
				lists[s] = append(lists[s], o.symbols[n-1])
			}
			rest = rest[size:]
		}
	}
	return lists
}

// sign lists the same symbols again, as far as they are still there.
func (o *Object) sign(lists map[*elfSection][]*elfSymbol) {
	number := map[*elfSymbol]uint64{}
	for i, s := range o.symbols {
		number[s] = uint64(i + 1)
	}
	for s, symbols := range lists {
		s.data = nil
		for _, sym := range symbols {
			if n := number[sym]; n > 0 {
				s.data = binary.AppendUvarint(s.data, n)
			}
		}
	}
}
