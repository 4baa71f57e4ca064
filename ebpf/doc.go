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
// The table behind [Opcode.Info] is the one place that knows the opcodes, with that of the [AtomicOp] beside it; everything
// else reads them. [Instruction.Malformed] holds what the tables cannot say: the rules about an instruction's other fields.
// [Encode] and [Decode] turn a [Program] into bytes and back without loss, in either byte order. [Print] turns it into text
// in the dialect of llvm-objdump, of bpftool, or of uBPF, and [Assemble] is its inverse for all of them; its faults come all
// at once, and [Caret] shows where they are. JSON goes both ways too; [WriteC] and [WriteGo] write source for others.
// [Builder] makes programs whose jumps have names. [WriteELF] writes object files that loaders take, [ReadELF] reads those
// of compilers.
//
// [Run] is the reference interpreter, and [Prepare] is for programs that run often: plain, and as strict as the machine is
// described. Whatever the kernel's verifier would have refused before the run ends it here with an [Error] when it is
// reached: reading what was never written, leaving a region of memory, jumping outside the program, or never ending.
// [Check] finds out before. [Conformance] is for the public suite of tests for such interpreters.
//
// An [ABI] says how a program is entered. Those for hooks of the kernel (tc, cgroups, XDP, tracing) let its programs run and
// be checked without one: a [Packet] says what lies in pages, what the context holds, and what can be read of the kernel's
// memory.
package ebpf
