// Package ebpf is the extended BPF machine of RFC 9669: its instructions, their bytes, their text, and what they mean.
//
// # The machine
//
// Ten 64-bit registers R0 to R9, a read-only frame pointer R10, and 512 bytes of stack below it. R0 carries results, R1
// to R5 arguments; a call destroys R1 to R5 and keeps R6 to R9. A 32-bit operation (`w1 += w2`) computes on the low halves
// and zeroes the upper half of its destination. An instruction is one 8-byte slot; a 64-bit constant takes two.
//
// # What is here
//
// The table behind [Opcode.Info] is the one place that knows the opcodes; everything else reads it.
// [Instruction.Malformed] holds what the table cannot say: the rules about an instruction's other fields. [Encode] and
// [Decode] turn a [Program] into bytes and back without loss, in either byte order. [Print] turns it into text in the
// dialect of llvm-objdump or of bpftool. [Builder] makes programs whose jumps have names.
//
// [Run] is the reference interpreter: plain, and as strict as the machine is described. Whatever the kernel's verifier
// would have refused before the run ends it here with an [Error] when it is reached: reading what was never written,
// leaving a region of memory, jumping outside the program, or never ending.
package ebpf
