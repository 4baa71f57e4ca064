// Package csource turns classic BPF programs into C: functions for user space, and programs for the hooks of the Linux
// kernel that compile with clang -target bpf as they are, without any header.
//
// The C is made to be read. Each instruction that some path reaches becomes a statement behind a comment with its line of
// tcpdump -d; jumps forward are gotos, and a jump to a return returns. Loads stand behind a guard each, unless
// loads on all ways there have shown that the packet is long enough. There is no dead code, no unused label and no unused variable, so gcc and
// clang have nothing to say under -Wall -Wextra.
//
// Verdicts are those of package cbpf, bit for bit: X+k wraps at 32 bits, a division by X = 0 ends the function with 0,
// shifts by X take its low five bits. What a form has no way to express is refused with an *Error.
package csource
