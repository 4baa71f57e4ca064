package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"golang.org/x/net/bpf"
)

// paths tells how control flows through a program.
type paths struct {
	into   []int // of each pc: from how many places control comes there; the entry counts as one
	visits int   // instructions on all paths together, each path counted by itself; maxVisits stands for that and more
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
	p := paths{into: make([]int, len(prog))}
	through := make([]int, len(prog)) // paths that lead to each pc
	p.into[0], through[0] = 1, 1
	for pc, ins := range prog {
		if !p.reached(pc) {
			continue
		}
		p.visits = min(maxVisits, p.visits+through[pc])
		for _, next := range successors(pc, ins, ends) {
			p.into[next]++
			through[next] = min(maxVisits, through[next]+through[pc])
		}
	}
	return p
}

// successors lists where control goes from the instruction at pc.
func successors(pc int, ins bpf.RawInstruction, ends func(k uint32, size int) bool) []int {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormRetK, cbpf.FormRetA:
		return nil
	case cbpf.FormJump:
		return []int{pc + 1 + int(ins.K)}
	case cbpf.FormCondK, cbpf.FormCondX:
		if ins.Jt == ins.Jf {
			return []int{pc + 1 + int(ins.Jt)}
		}
		return []int{pc + 1 + int(ins.Jt), pc + 1 + int(ins.Jf)}
	case cbpf.FormAbs, cbpf.FormMSH:
		if !isExtension(info, ins) && ends(ins.K, info.Size) {
			return nil
		}
	}
	return []int{pc + 1}
}
