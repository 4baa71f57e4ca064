package cbpf

import "encoding/binary"

// SeccompLen is the size of struct seccomp_data in bytes, what `ld #len` yields in a seccomp filter.
const SeccompLen = 64

// SeccompData is what a seccomp filter runs on: struct seccomp_data of linux/seccomp.h.
//
//	offset  0    4     8                   16      24           56
//	        nr   arch  instruction pointer args[0] args[1] .... args[5]
//
// The machine is a little-endian one, as all of the named architectures are: of each 64-bit field, the low word comes
// first.
type SeccompData struct {
	Nr                 int32 // number of the system call
	Arch               Arch
	InstructionPointer uint64 // the instruction behind the one that made the call
	Args               [6]uint64
}

// Bytes returns the data as they lie in the memory of a little-endian machine, SeccompLen bytes.
func (d *SeccompData) Bytes() []byte {
	return d.words(binary.LittleEndian.AppendUint32)
}

// Packet returns the data as a packet of SeccompLen bytes. A seccomp filter loads words in the order of the machine,
// engines of packet filters load them big-endian: with each word stored big-endian, both load the same.
func (d *SeccompData) Packet() *Packet {
	return &Packet{Data: d.words(binary.BigEndian.AppendUint32), WireLen: SeccompLen}
}

// words stores the data word by word.
func (d *SeccompData) words(store func([]byte, uint32) []byte) []byte {
	data := make([]byte, 0, SeccompLen)
	for i := range seccompWords {
		data = store(data, d.word(i))
	}
	return data
}

// seccompWords is the number of 32-bit words that a filter can load.
const seccompWords = SeccompLen / 4

// The words of struct seccomp_data, by a quarter of their offset.
const (
	wordNr = iota
	wordArch
	wordIP   // low word, and the high one
	wordArgs = 4
)

// word returns what `ld [4*i]` yields; i is below seccompWords.
func (d *SeccompData) word(i int) uint32 {
	switch i {
	case wordNr:
		return uint32(d.Nr)
	case wordArch:
		return uint32(d.Arch)
	}
	return uint32(d.pair(i/2) >> (i % 2 * 32))
}

// pair returns the 64-bit field at offset 8*i: the instruction pointer is 1, the arguments are 2 to 7.
func (d *SeccompData) pair(i int) uint64 {
	if i == wordIP/2 {
		return d.InstructionPointer
	}
	return d.Args[i-wordArgs/2]
}

// RunSeccomp executes a seccomp filter as Linux 6.18 does and returns its verdict, which is an Action. p has passed
// ValidateSeccomp; another program runs as Run has it, on the data as a packet. d is neither nil nor changed.
func RunSeccomp(p Program, d *SeccompData) (uint32, error) { return Run(p, d.Packet()) }
