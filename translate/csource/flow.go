package csource

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"golang.org/x/net/bpf"
)

// regs is a set of the registers and scratch words of the classic machine.
type regs uint32

const (
	regA regs = 1 << iota
	regX
	regM // M[0]; M[k] is regM<<k
)

// flow tells which instructions are reached, and what they have to keep for others.
type flow struct {
	reached []bool
	live    []regs   // behind each instruction: what is read before it is written again
	entry   regs     // the same in front of the first one: these are 0 at the start
	held    []uint32 // in front of each: how many bytes the packet is known to have, by loads on all ways there
}

// findFlow follows all jumps of a valid program; they only go forward, so one sweep in each direction does.
func findFlow(p cbpf.Program) flow {
	f := flow{reached: make([]bool, len(p)), live: make([]regs, len(p)), held: make([]uint32, len(p))}
	next := make([][]int, len(p))
	f.reached[0] = true
	for pc, ins := range p {
		if !f.reached[pc] {
			continue
		}
		next[pc] = successors(pc, ins)
		holds := max(f.held[pc], needs(ins))
		for _, to := range next[pc] {
			if !f.reached[to] || holds < f.held[to] {
				f.held[to] = holds
			}
			f.reached[to] = true
		}
	}
	in := make([]regs, len(p))
	for pc := len(p) - 1; pc >= 0; pc-- {
		for _, to := range next[pc] {
			f.live[pc] |= in[to]
		}
		if f.reached[pc] {
			in[pc] = f.live[pc]&^writes(p[pc]) | reads(p[pc], f.live[pc])
		}
	}
	f.entry = in[0]
	return f
}

// needs is how many bytes a packet has behind a load from a fixed place in it.
func needs(ins bpf.RawInstruction) uint32 {
	switch info := cbpf.Info(ins.Op); info.Form {
	case cbpf.FormAbs, cbpf.FormMSH:
		if ins.K < 1<<31 {
			return ins.K + uint32(info.Size)
		}
	}
	return 0
}

// successors lists where control goes from the instruction at pc.
func successors(pc int, ins bpf.RawInstruction) []int {
	info := cbpf.Info(ins.Op)
	onTrue, onFalse := pc+1+int(ins.Jt), pc+1+int(ins.Jf)
	switch info.Form {
	case cbpf.FormRetK, cbpf.FormRetA:
		return nil
	case cbpf.FormJump:
		return []int{pc + 1 + int(ins.K)}
	case cbpf.FormCondK, cbpf.FormCondX:
		switch taken, known := outcome(info, ins); {
		case known && taken:
			return []int{onTrue}
		case known:
			return []int{onFalse}
		}
		return []int{onTrue, onFalse}
	case cbpf.FormAbs, cbpf.FormMSH:
		if !isExtension(info, ins.K) && isNowhere(ins.K) {
			return nil
		}
	}
	return []int{pc + 1}
}

// isBranch tells comparisons from all other instructions.
func isBranch(info *cbpf.OpInfo) bool {
	return info.Form == cbpf.FormCondK || info.Form == cbpf.FormCondX
}

// outcome tells how a comparison ends that always ends the same: compilers warn of those. Where both ways lead to one place
// it does not matter.
func outcome(info *cbpf.OpInfo, ins bpf.RawInstruction) (taken, known bool) {
	if ins.Jt == ins.Jf {
		return true, true
	}
	if info.Form != cbpf.FormCondK {
		return false, false
	}
	switch info.Fn {
	case cbpf.Ge:
		return true, ins.K == 0
	case cbpf.Gt:
		return false, ins.K == 0xffffffff
	case cbpf.Set:
		return false, ins.K == 0
	}
	return false, false
}

// isNowhere tells the k between the packet and the windows of the kernel.
func isNowhere(k uint32) bool { return int32(k) < 0 && k < cbpf.LLOff }

// isExtension tells a load of a property from a load of packet bytes: only absolute loads into A do the former.
func isExtension(info *cbpf.OpInfo, k uint32) bool {
	_, ext := cbpf.Extension(k)
	return ext && info.Form == cbpf.FormAbs
}

// writes is what an instruction writes.
func writes(ins bpf.RawInstruction) regs {
	return setOf(cbpf.Info(ins.Op).Writes, ins.K)
}

// reads is what an instruction reads, given what is live behind it. One whose result nobody reads only looks at what may
// end the program.
func reads(ins bpf.RawInstruction, live regs) regs {
	info := cbpf.Info(ins.Op)
	if isBranch(info) {
		if _, known := outcome(info, ins); known {
			return 0
		}
	}
	ext, _ := cbpf.Extension(ins.K)
	wanted := info.Writes == 0 || writes(ins)&live != 0
	switch {
	case isExtension(info, ins.K):
		return extensionReads(ext, wanted)
	case wanted:
		return setOf(info.Reads, ins.K)
	case info.Form == cbpf.FormInd, divides(info):
		return regX
	}
	return 0
}

// extensionReads is the same for extensions. Those of an interface return A where there is none.
func extensionReads(ext cbpf.Ext, wanted bool) regs {
	switch ext {
	case cbpf.ExtIfIndex, cbpf.ExtHaType:
		return regA
	case cbpf.ExtXorX, cbpf.ExtNlattr, cbpf.ExtNlattrNest:
		if wanted {
			return regA | regX
		}
	}
	return 0
}

// divides tells the instructions that end the program where X is 0.
func divides(info *cbpf.OpInfo) bool {
	return info.Form == cbpf.FormX && (info.Fn == cbpf.Div || info.Fn == cbpf.Mod)
}

// setOf turns a set of the table of opcodes into one that tells the scratch words apart.
func setOf(r cbpf.Regs, k uint32) (s regs) {
	if r&cbpf.A != 0 {
		s |= regA
	}
	if r&cbpf.X != 0 {
		s |= regX
	}
	if r&cbpf.Mem != 0 {
		s |= regM << k
	}
	return s
}
