// Package translate turns classic BPF programs into extended BPF programs for the hook that their user has.
//
// The encoding of arithmetic is the same in both machines: A becomes r0, X becomes r7, and `add x` is `w0 += w7`, byte
// for byte. What differs is what this package is about: loads, which have to be guarded or turned into the ways of the
// target; jumps, whose jt and jf become one off; division by X, which ends a classic program when X is 0; and
// extensions, which the targets have as fields, as helper functions, as code that looks through the packet, or not at all.
//
// [Translate] refuses what cbpf.Validate refuses. Its output has no unreachable instruction and only jumps forward, and
// the checks of ebpf.Check and of the kernel's verifier hold for it.
package translate
