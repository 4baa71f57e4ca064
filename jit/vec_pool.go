package jit

import "encoding/binary"

// pool is the memory of constants and tables that stands behind the code of a vector body. Equal ones are kept once.
type pool struct {
	bytes  []byte
	tables map[string]int32
	words  map[uint32]int32
}

// tableAlign is how tables are aligned: as vector registers are.
const tableAlign = 64

// word is the offset of a number.
func (p *pool) word(k uint32) int32 {
	if at, ok := p.words[k]; ok {
		return at
	}
	if p.words == nil {
		p.words = map[uint32]int32{}
	}
	at := int32(len(p.bytes))
	p.bytes = binary.LittleEndian.AppendUint32(p.bytes, k)
	p.words[k] = at
	return at
}

// table is the offset of a table of numbers.
func (p *pool) table(words []uint32) int32 {
	var b []byte
	for _, k := range words {
		b = binary.LittleEndian.AppendUint32(b, k)
	}
	return p.block(b)
}

// block is the offset of a block of bytes.
func (p *pool) block(b []byte) int32 {
	key := string(b)
	if at, ok := p.tables[key]; ok {
		return at
	}
	if p.tables == nil {
		p.tables = map[string]int32{}
	}
	for len(p.bytes)%tableAlign != 0 {
		p.bytes = append(p.bytes, 0)
	}
	at := int32(len(p.bytes))
	p.bytes = append(p.bytes, b...)
	p.tables[key] = at
	return at
}
