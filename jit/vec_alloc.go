package jit

import (
	"cmp"
	"slices"
)

// Registers for vectors and masks, by linear scan (Poletto and Sarkar, TOPLAS 1999): what is alive at the same time gets
// different registers, and where there are too few, what is read least for its length lives in the frame. Nothing moves
// during its life, so that it does not matter which regions are jumped over.

// The mask registers that live things get. k0 cannot be a write mask and is not used; those from firstScratchMask on are for
// the instructions of one line.
const (
	firstMask        = 1
	firstScratchMask = 6
	countMasks       = firstScratchMask - firstMask
)

// home is where a vector or mask lives: in a register, or in a slot of the frame.
type home struct {
	reg  uint8
	slot int // -1 where it is in a register
}

// life is the stretch of lines during which something must be kept. Lines count twice: reading comes before writing.
type life struct {
	id       int
	from, to int
	uses     int
}

// allocate finds the homes of vectors and masks. ok is false where the frame is too small. Where masks have no registers of
// their own, they are vectors like others.
func (c *coder) allocate() (vectors, masks []home, ok bool) {
	all, s := newLives(int(c.vectors)+int(c.masks)), c.g.shape
	lv, lm := all[:c.vectors], all[c.vectors:]
	for i := range c.lines {
		l := &c.lines[i]
		read, written := 2*i, 2*i+1
		if l.steps() {
			read = written
		}
		l.reads(func(v lanes) { lv.see(int(v), read) })
		l.writes(func(v lanes) { lv.see(int(v), written) })
		l.readsMasks(func(m mask) { lm.see(int(m), read) })
		if l.bits != none {
			lm.see(int(l.bits), written)
		}
	}
	lv.see(int(c.verdict), 2*len(c.lines))
	homes := make([]home, len(all))
	if !s.masks {
		return homes[:c.vectors], homes[c.vectors:], all.assign(homes, s.first, s.count, s.slots)
	}
	ok = lv.assign(homes, s.first, s.count, s.slots) && lm.assign(homes, firstMask, countMasks, frameMasks)
	return homes[:c.vectors], homes[c.vectors:], ok
}

// lives are those of one class of registers.
type lives []life

func newLives(n int) lives {
	l := make(lives, n)
	for i := range l {
		l[i] = life{id: i, from: -1}
	}
	return l
}

// see extends a life to a line.
func (l lives) see(id, at int) {
	if l[id].from < 0 {
		l[id].from = at
	}
	l[id].to = max(l[id].to, at)
	l[id].uses++
}

// density is how often something is used for the time that it takes a register.
func (l *life) density() float64 { return float64(l.uses) / float64(l.to-l.from+1) }

// assign hands out registers, and slots of the frame. homes are by id.
func (l lives) assign(homes []home, first, count, slots int) (ok bool) {
	order := slices.DeleteFunc(slices.Clone(l), func(v life) bool { return v.from < 0 })
	slices.SortFunc(order, func(a, b life) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.id, b.id)) })
	free := make([]uint8, count)
	for i := range free {
		free[i] = uint8(first + i)
	}
	frame := make([]int, slots) // of each slot: where the last life in it ends
	for i := range frame {
		frame[i] = -1
	}
	var active []life
	for _, v := range order {
		active = slices.DeleteFunc(active, func(a life) bool {
			if a.to < v.from {
				free = append(free, homes[a.id].reg)
			}
			return a.to < v.from
		})
		if len(free) == 0 {
			i, out := leastDense(active), v
			if active[i].density() < v.density() {
				out, active[i] = active[i], v
				homes[v.id] = home{reg: homes[out.id].reg, slot: -1}
			}
			slot := slices.IndexFunc(frame, func(end int) bool { return end < out.from })
			if slot < 0 {
				return false
			}
			frame[slot], homes[out.id].slot = out.to, slot
			continue
		}
		homes[v.id] = home{reg: free[len(free)-1], slot: -1}
		free = free[:len(free)-1]
		active = append(active, v)
	}
	return true
}

// leastDense is the index of the life that is used least for its length.
func leastDense(active []life) int {
	least := 0
	for i := range active {
		if active[i].density() < active[least].density() {
			least = i
		}
	}
	return least
}
