package kernel

import (
	"slices"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// The verdict of a seccomp filter comes out in pieces of twelve bits, as an errno each.
const (
	errnoBits = 12
	maxErrno  = 1<<errnoBits - 1
)

// Offsets in struct seccomp_data.
const (
	offNr   = 0
	offArch = 4
	offIP   = 8
)

// seccompVariant returns the filter that answers every call with an errno: twelve bits of the code of p's verdict, from
// shift on.
//
//	ret #k   ->  ret #ERRNO(code(k) >> shift & 0xfff)
//	ret a    ->  ja tail
//	             ...
//	             tail: rsh #shift
//	                   and #0xfff
//	                   or  #ERRNO(0)
//	                   ret a
//	ld [8]   ->  ld #low word of the instruction pointer
//	ld [12]  ->  ld #high word
//	ld [4]   ->  ld #architecture, unless it is the true one
//	ld [0]   ->  ld #number, if no call with this number gets to the filter
//
// Nothing moves, so no other jump changes. Programs that return no A get no tail.
func seccompVariant(p cbpf.Program, c coding, shift int, at scene) cbpf.Program {
	out := slices.Clone(p)
	tail := len(p)
	for pc, ins := range p {
		switch {
		case ins.Op == cbpf.OpRetK:
			out[pc].K = uint32(cbpf.ActionErrno) | c.code(ins.K)>>shift&maxErrno
		case ins.Op == cbpf.OpRetA:
			out[pc] = bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(tail - pc - 1)}
		case ins.Op == cbpf.OpLdAbsW:
			out[pc] = at.load(ins)
		}
	}
	if c.values != nil {
		return out
	}
	return append(out,
		bpf.RawInstruction{Op: cbpf.OpRshK, K: uint32(shift)},
		bpf.RawInstruction{Op: cbpf.OpAndK, K: maxErrno},
		bpf.RawInstruction{Op: opOrK, K: uint32(cbpf.ActionErrno)},
		bpf.RawInstruction{Op: cbpf.OpRetA})
}

// opOrK is the code of `or #k`.
const opOrK = uint16(0x44)

// load returns what stands in place of a load.
func (at scene) load(ins bpf.RawInstruction) bpf.RawInstruction {
	switch {
	case ins.K == offIP:
		return loadConstant(uint32(at.ip))
	case ins.K == offIP+4:
		return loadConstant(uint32(at.ip >> 32))
	case ins.K == offNr && at.unheard != 0:
		return loadConstant(at.unheard)
	case ins.K == offArch && at.arch != cbpf.ArchX86_64:
		return loadConstant(uint32(at.arch))
	}
	return ins
}

func loadConstant(k uint32) bpf.RawInstruction { return bpf.RawInstruction{Op: cbpf.OpLdImm, K: k} }

// scene is what cannot be chosen in a call, as far as the filter looks at it.
type scene struct {
	arch    cbpf.Arch
	ip      uint64
	unheard uint32 // the number, if the kernel does not ask the filter about it; otherwise 0
}

// uretprobe and uprobe are calls that the kernel lets pass without asking any filter (__secure_computing in
// kernel/seccomp.c, Linux 6.14 and 6.18).
const (
	uretprobe = 335
	uprobe    = 336
)

// sceneOf returns what cannot be chosen in a call. What the filter does not load is left out, so that more calls share a
// child.
func sceneOf(p cbpf.Program, d *cbpf.SeccompData) (at scene) {
	loadsWord := func(offsets ...uint32) bool {
		return slices.ContainsFunc(p, func(ins bpf.RawInstruction) bool {
			return ins.Op == cbpf.OpLdAbsW && slices.Contains(offsets, ins.K)
		})
	}
	if loadsWord(offArch) {
		at.arch = d.Arch
	}
	if loadsWord(offIP, offIP+4) {
		at.ip = d.InstructionPointer
	}
	if d.Nr == uretprobe || d.Nr == uprobe {
		at.unheard = uint32(d.Nr)
	}
	return at
}
