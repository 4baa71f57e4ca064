package kernel

import (
	"math/bits"
	"slices"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// coding spells the verdicts of a program in bits, each of which one variant of the program tells.
type coding struct {
	bits   int
	values []uint32 // verdict by code, values[0] being 0; nil where the verdict is its own code, of 32 bits
}

// codingOf finds the shortest coding. A program that returns no computed value has its constants for verdicts, and 0
// for loads outside of the packet and divisions by 0.
func codingOf(p cbpf.Program) coding {
	values := []uint32{0}
	for _, ins := range p {
		if returnsA(ins) {
			return coding{bits: 32}
		}
		if ins.Op == cbpf.OpRetK {
			values = append(values, ins.K)
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	return coding{bits: bits.Len(uint(len(values) - 1)), values: values}
}

// code returns the code of a constant that the program returns. 0 is the code of 0.
func (c coding) code(verdict uint32) uint32 {
	if c.values == nil {
		return verdict
	}
	i, _ := slices.BinarySearch(c.values, verdict)
	return uint32(i)
}

// verdict is the inverse of code. ok is false where there is no such code.
func (c coding) verdict(code uint32) (verdict uint32, ok bool) {
	if c.values == nil {
		return code, true
	}
	if int(code) >= len(c.values) {
		return 0, false
	}
	return c.values[code], true
}

// returnsA tells instructions that end the program with the value of A: `ret a`, and the extensions ifidx and hatype,
// which do so where there is no interface (convert_bpf_extensions in net/core/filter.c). AF_UNIX never has one.
func returnsA(ins bpf.RawInstruction) bool {
	return ins.Op == cbpf.OpRetA || loads(ins, cbpf.ExtIfIndex, cbpf.ExtHaType)
}

// loads tells loads of one of the extensions.
func loads(ins bpf.RawInstruction, exts ...cbpf.Ext) bool {
	row := cbpf.Info(ins.Op)
	if row == nil || row.Form != cbpf.FormAbs {
		return false
	}
	ext, ok := cbpf.Extension(ins.K)
	return ok && slices.Contains(exts, ext)
}

// variant returns the program that keeps a packet where bit i of the code of p's verdict is set, and drops it elsewhere:
//
//	ret #k   ->  ret #-1 or ret #0
//	ret a    ->  ja tail
//	             ...
//	             tail: jset #1<<i, 0, 1
//	                   ret #-1
//	                   ret #0
//
// Nothing moves, so no other jump changes. Programs that return no A get no tail.
func variant(p cbpf.Program, c coding, i int) cbpf.Program {
	out := slices.Clone(p)
	tail := len(p)
	for pc, ins := range p {
		switch {
		case returnsA(ins):
			out[pc] = bpf.RawInstruction{Op: cbpf.OpJa, K: uint32(tail - pc - 1)}
		case ins.Op == cbpf.OpRetK:
			out[pc] = retBit(c.code(ins.K) >> i)
		}
	}
	if c.values != nil {
		return out
	}
	return append(out, bpf.RawInstruction{Op: cbpf.OpJsetK, Jf: 1, K: 1 << i}, retBit(1), retBit(0))
}

// retBit makes `ret #-1` if the lowest bit is set, `ret #0` otherwise.
func retBit(bit uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: cbpf.OpRetK, K: -(bit & 1)}
}
