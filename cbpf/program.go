package cbpf

import "golang.org/x/net/bpf"

// MaxInsns is the longest program that the kernel takes (BPF_MAXINSNS in linux/bpf_common.h).
const MaxInsns = 4096

// ScratchWords is the number of words of scratch memory (BPF_MEMWORDS).
const ScratchWords = 16

// Program is a classic program, field by field as struct sock_filter has it. Nothing is interpreted: unknown opcodes and
// fields without meaning are kept. An index into it is a pc, the (000) that tcpdump -d prints. A []bpf.RawInstruction can
// be assigned to it.
//
// Never build one through x/net's Disassemble: that loses information (0x81 becomes 0x80, for one).
type Program []bpf.RawInstruction
