package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Where registers are few, a number out of the packet does not wait on the stack for its use: it is loaded again. Whoever
// reads it has the packet checked behind him, on every way, and the packet never changes.

// A number is made anew by maxRecipe instructions at most.
const maxRecipe = 3

// recipe makes a number out of what the pinned registers hold. Its instructions work on one register; dst is still to come.
type recipe []vinsn

// recipes finds those of the virtual registers; nil for what cannot be made so, or not that cheaply. Each definition of a
// value is the same, so the last one tells.
func recipes(code []vinsn, vregs int, pinned registerSet) []recipe {
	all := make([]recipe, vregs)
	spoilt := make([]bool, vregs)
	for i := range code {
		in := &code[i]
		for _, m := range in.moves {
			if m.dst >= 0 {
				spoilt[m.dst] = true
			}
		}
		if v := in.dst; in.kind == vPlain && v >= 0 && in.writesDst() {
			all[v] = in.continued(all, pinned)
			spoilt[v] = spoilt[v] || all[v] == nil && !in.readsDst()
		}
	}
	for v := range all {
		if spoilt[v] {
			all[v] = nil
		}
	}
	return all
}

// continued is the recipe of what in writes, given those of what it reads; nil if there is none.
func (in *vinsn) continued(all []recipe, pinned registerSet) (r recipe) {
	reg, fixed := in.src.fixed()
	switch {
	case in.src >= 0 && in.copies():
		return all[in.src]
	case in.src != noReg && !(fixed && pinned.has(reg)):
		return nil
	case in.readsDst() && (all[in.dst] == nil || fixed):
		return nil
	case in.readsDst():
		r = all[in.dst]
	}
	if len(r) == maxRecipe {
		return nil
	}
	return append(slices.Clip(r), *in)
}

// copies reports whether in does nothing but move one register to another.
func (in *vinsn) copies() bool {
	info := in.ins.Op.Info()
	return in.kind == vPlain && info.Form == ebpf.FormALUReg && info.ALU == ebpf.Mov
}

// remaker writes code anew, in which some virtual registers are made where they are read.
type remaker struct {
	recipes []recipe
	made    []uint8 // of each virtual register: how often what it holds was made anew already
	wanted  []bool  // whether it is to be
	aimed   map[ebpf.Label]bool
	at      map[vreg]vreg // what holds a value that was made anew further up, where no other way comes in between
	out     []vinsn
}

// maxMade is how often a value is made anew: first for several uses, then for each.
const maxMade = 2

// remake makes those of the homeless anew that have a recipe. It reports false if there are none.
func (r *remaker) remake(code []vinsn, homes *allocation) (out []vinsn, some bool) {
	r.wanted = make([]bool, len(r.made))
	for v, h := range homes.homes {
		r.wanted[v] = h.slot != 0 && r.recipes[v] != nil
		some = some || r.wanted[v]
	}
	if !some {
		return code, false
	}
	r.out, r.at, r.aimed = make([]vinsn, 0, len(code)), make(map[vreg]vreg), aims(code)
	for _, in := range code {
		r.insn(in)
	}
	return r.out, true
}

// aims are the labels that some jump goes to.
func aims(code []vinsn) map[ebpf.Label]bool {
	all := make(map[ebpf.Label]bool)
	for i := range code {
		if code[i].jumps() {
			all[code[i].to] = true
		}
	}
	return all
}

func (r *remaker) insn(in vinsn) {
	switch in.kind {
	case vLabel:
		if r.aimed[in.to] {
			clear(r.at)
		}
	case vMoves:
		in.moves = slices.Clone(in.moves)
		for i := range in.moves {
			in.moves[i].src = r.use(in.moves[i].src, in.pc)
		}
	default:
		if in.kind == vPlain && in.dst >= 0 && r.wanted[in.dst] && in.writesDst() {
			return // it is made where it is read
		}
		if in.src = r.use(in.src, in.pc); in.kind == vPlain {
			in.dst = r.use(in.dst, in.pc)
		}
	}
	r.out = append(r.out, in)
}

// use returns the register that holds the value of v here.
func (r *remaker) use(v vreg, pc int) vreg {
	if v < 0 || int(v) >= len(r.wanted) || !r.wanted[v] {
		return v
	}
	if t, ok := r.at[v]; ok {
		return t
	}
	t := vreg(len(r.made))
	r.made = append(r.made, r.made[v]+1)
	for _, in := range r.recipes[v] {
		in.dst, in.pc = t, pc
		r.out = append(r.out, in)
	}
	if r.made[v] == 0 {
		r.at[v] = t
	}
	return t
}

// forgetMade takes the recipes of what was made anew too often.
func (r *remaker) forgetMade() {
	for v, n := range r.made {
		if n >= maxMade {
			r.recipes[v] = nil
		}
	}
}
