package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"golang.org/x/net/bpf"
)

// paths tells how control flows through a program.
type paths struct {
	into    []int // of each pc: from how many places control comes there; the entry counts as one
	through []int // of each pc: paths that lead there; maxVisits stands for that and more
	from    []int // of each pc: the last one that all paths there have in common before it; NoPC for the entry
	visits  int   // instructions on all paths together, each path counted by itself; maxVisits stands for that and more
}

// maxVisits is where counting ends.
const maxVisits = 1 << 30

// reached reports whether some path gets to pc. The verifier takes no other instruction.
func (p *paths) reached(pc int) bool { return p.into[pc] > 0 }

// live is the number of instructions that are reached.
func (p *paths) live() (n int) {
	for _, from := range p.into {
		if from > 0 {
			n++
		}
	}
	return n
}

// findPaths follows all jumps of a valid program. ends says where a load cannot but end the program (see access).
func findPaths(prog cbpf.Program, ends func(k uint32, size int) bool) paths {
	p := paths{into: make([]int, len(prog)), through: make([]int, len(prog)), from: make([]int, len(prog))}
	p.into[0], p.through[0], p.from[0] = 1, 1, NoPC
	for pc, ins := range prog {
		if !p.reached(pc) {
			continue
		}
		p.visits = min(maxVisits, p.visits+p.through[pc])
		nexts, n := successors(pc, ins, ends)
		for _, next := range nexts[:n] {
			if p.reached(next) {
				p.from[next] = p.common(p.from[next], pc)
			} else {
				p.from[next] = pc
			}
			p.into[next]++
			p.through[next] = min(maxVisits, p.through[next]+p.through[pc])
		}
	}
	return p
}

// common is the last pc that all paths to a and all paths to b go through; a and b are reached. NoPC stands for no place, to
// which there are no paths.
func (p *paths) common(a, b int) int {
	if a == NoPC {
		return b
	}
	for a != b {
		if a > b {
			a = p.from[a]
		} else {
			b = p.from[b]
		}
	}
	return a
}

// weigh counts the instruction at pc as so many more.
func (p *paths) weigh(pc, insns int) {
	p.visits = int(min(maxVisits, int64(p.visits)+int64(p.through[pc])*int64(insns)))
}

// successors lists the n places where control goes from the instruction at pc.
func successors(pc int, ins bpf.RawInstruction, ends func(k uint32, size int) bool) (nexts [2]int, n int) {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormRetK, cbpf.FormRetA:
		return nexts, 0
	case cbpf.FormJump:
		return [2]int{pc + 1 + int(ins.K)}, 1
	case cbpf.FormCondK, cbpf.FormCondX:
		nexts = [2]int{pc + 1 + int(ins.Jt), pc + 1 + int(ins.Jf)}
		if ins.Jt == ins.Jf {
			return nexts, 1
		}
		return nexts, 2
	case cbpf.FormAbs, cbpf.FormMSH:
		if !isExtension(info, ins) && ends(ins.K, info.Size) {
			return nexts, 0
		}
	}
	return [2]int{pc + 1}, 1
}
