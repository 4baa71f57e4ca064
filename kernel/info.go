package kernel

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// Info is what the kernel knows of a program that it has loaded (struct bpf_prog_info). What it does not tell (without
// privilege, without JIT, before it knew of a field) is zero.
type Info struct {
	ID       uint32 // by which bpftool knows it
	Tag      string // hash of the program as it was given
	Name     string
	Verified int          // instructions that the verifier followed (Linux 5.16)
	Xlated   ebpf.Program // the program as the kernel rewrote it
	Jited    []byte       // machine code
}
