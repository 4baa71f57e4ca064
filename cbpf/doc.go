// Package cbpf is the classic BPF machine: its programs, their notations, the rules by which Linux accepts them, and
// what they mean.
//
// # The machine
//
// Two 32-bit registers, the accumulator A and the index X, both 0 at the start; sixteen 32-bit words of scratch memory
// M[0] to M[15]; a packet that is read and never written. An instruction is {code uint16, jt uint8, jf uint8, k uint32}.
// Jumps only go forward, so every program ends. It ends with a verdict: the uint32 that `ret` yields, the number of
// bytes to keep, 0 to drop the packet. A load that leaves the packet ends the program with verdict 0.
//
// # What is here
//
// [Ops] is the table of the opcodes; everything else reads it. [Parse] and [Print] turn text into a [Program] and back
// without loss, in each [Notation] that the tools of the field speak, and [FromXNet] and [ToXNet] are the bridge to
// golang.org/x/net/bpf. [Validate] applies the rules of the Linux kernel, and [Run] is the reference interpreter: slow,
// plain, and the norm by which every other engine of this project is judged. Faults say where they are: see [ParseSource]
// and [Error.Excerpt].
package cbpf
