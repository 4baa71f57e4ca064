package kernel

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Counts are how often a program ran and how it ended, since it was loaded with LoadOptions.Count.
type Counts struct {
	Runs uint64
	Last uint32 // the low 32 bits of r0 after the last run
	// Ends counts the runs by result. Where r0 is an action (Type.Acts), that is r0, for actions from -1 to 14. Elsewhere, and
	// with LoadOptions.Result, it is a verdict, and the result is 0 or 1: dropped or kept.
	Ends     map[int32]uint64
	Verdicts bool // results are verdicts
}

// The value in which a program counts: four parts in a row of 64-bit words.
const (
	countRuns  = 0
	countLast  = 8
	countEnds  = 16
	countSlots = 16                       // by the low 4 bits of the result
	countKind  = countEnds + 8*countSlots // 1: results are verdicts; for whoever finds the map
	countSize  = countKind + 8
)

// counting returns p with code around it that counts in the value of the map with this descriptor, and how many slots stand
// in front of p. Registers and stack are left to p as they are, but for r2 and r3, in which no hook passes anything: they
// are 0.
//
//	r2 = value ll                 exit -> goto end
//	r3 = 1                        ...
//	lock *(u64 *)(r2 + 0) += r3   end: r1 = value ll
//	r3 = 0                             *(u64 *)(r1 + 8) = r0
//	*(u64 *)(r2 + 8) = r3              r2 = result of r0
//	r2 = 0                             r2 <<= 3
//	p                                  r1 += r2
//	                                   r2 = 1
//	                                   lock *(u64 *)(r1 + 16) += r2
//	                                   exit
//
// A packet load outside of the packet ends p without passing by the end: such runs are those that no result counts. They
// ended with 0, whatever LoadOptions.Result says.
func counting(p ebpf.Program, fd int, opts LoadOptions) (out ebpf.Program, front int) {
	r0, r1, r2, r3 := ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3
	out = append(out, valueOf(r2, fd)...)
	out = append(out,
		ebpf.Mov.Imm(r3, 1), ebpf.Atomic(8, ebpf.AtomicAdd, r2, countRuns, r3),
		ebpf.Mov.Imm(r3, 0), ebpf.Store(8, r2, countLast, r3), ebpf.Mov.Imm(r2, 0))
	front = len(out)
	out = append(out, p...)
	end := len(out)
	for pc := front; pc < end; pc++ {
		switch out[pc].Op {
		case ebpf.OpExit:
			out[pc] = jumpBy(end - pc - 1)
		case ebpf.OpLoadWide:
			pc++ // its second slot is no instruction
		}
	}
	out = append(out, valueOf(r1, fd)...)
	out = append(out, ebpf.Store(8, r1, countLast, r0), ebpf.Mov.Reg32(r2, r0))
	out = append(out, resultOf(r2, opts.verdicts())...)
	out = append(out,
		ebpf.Lsh.Imm(r2, 3), ebpf.Add.Reg(r1, r2),
		ebpf.Mov.Imm(r2, 1), ebpf.Atomic(8, ebpf.AtomicAdd, r1, countEnds, r2))
	switch {
	case opts.Result != nil:
		out = append(out, ebpf.Mov.Imm(r0, *opts.Result))
	case opts.Type == Fentry: // of which the verifier takes no other result
		out = append(out, ebpf.Mov.Imm(r0, 0))
	}
	return append(out, ebpf.Return()), front
}

// valueOf loads the address of the value of a map.
func valueOf(dst ebpf.Register, fd int) ebpf.Program {
	return ebpf.Program{{Op: ebpf.OpLoadWide, Dst: dst, Src: ebpf.WideMapValue, Imm: int32(fd)}, {}}
}

// resultOf turns r0, in r, into the index of the word that counts it.
func resultOf(r ebpf.Register, verdicts bool) ebpf.Program {
	if !verdicts {
		return ebpf.Program{ebpf.And.Imm32(r, countSlots-1)}
	}
	dropped := ebpf.JEq.Imm(r, 0)
	dropped.Off = 1
	return ebpf.Program{dropped, ebpf.Mov.Imm(r, 1)}
}

// jumpBy jumps over d slots: beyond 16 bits with an instruction that Linux 6.6 and later know.
func jumpBy(d int) ebpf.Instruction {
	ins := ebpf.Jump()
	if d > math.MaxInt16 {
		return ebpf.Instruction{Op: ebpf.OpJumpLong, Imm: int32(d)}
	}
	ins.Off = int16(d)
	return ins
}

// countsOf reads the value in which a program counts.
func countsOf(value []byte) *Counts {
	word := func(at int) uint64 { return hostOrder.Uint64(value[at:]) }
	c := &Counts{
		Runs: word(countRuns), Last: uint32(word(countLast)), Ends: map[int32]uint64{}, Verdicts: word(countKind) != 0,
	}
	rest := c.Runs
	for i := range int32(countSlots) {
		n := word(countEnds + 8*int(i))
		if n == 0 {
			continue
		}
		if i == countSlots-1 && !c.Verdicts {
			i = -1
		}
		c.Ends[i] = n
		rest -= min(n, rest)
	}
	if rest > 0 {
		c.Ends[0] += rest
	}
	return c
}
