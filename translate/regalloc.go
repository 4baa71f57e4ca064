package translate

import (
	"cmp"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// interval is where a virtual register holds something: from its first definition to its last use. Control only goes down,
// so it is alive nowhere else. Instruction i reads at 2i and writes at 2i+1.
type interval struct {
	v          vreg
	start, end int
	hint       vreg // whose register, or which, would spare a move; noReg where none
	heir       vreg // what it is moved to, which had better live in the same register
}

// home is where a virtual register lives.
type home struct {
	reg  ebpf.Register
	slot int16 // offset from the frame pointer, if it is not 0: then it lives on the stack
}

// allocation gives the virtual registers homes by linear scan (Poletto and Sarkar, 1999).
type allocation struct {
	homes  []home
	pool   registerSet
	lostAt []lostAt // in order of their places
	active []interval
	free   registerSet
	slots  []int      // of each place on the stack: until where it is taken
	top    int16      // the places on the stack lie below it
	all    []interval // by virtual register
}

// lostAt says that an instruction destroys registers.
type lostAt struct {
	at   int // index of the instruction
	lost registerSet
}

// allocate gives out the registers of pool, and places on the stack below top for what finds none.
func allocate(code []vinsn, vregs int, pool registerSet, top int16) *allocation {
	a := &allocation{homes: make([]home, vregs), pool: pool, free: pool, top: top}
	for i := range code {
		if code[i].lost != 0 {
			a.lostAt = append(a.lostAt, lostAt{i, code[i].lost})
		}
	}
	a.all = intervals(code, vregs)
	for _, iv := range inOrder(a.all) {
		a.expire(iv.start)
		a.place(iv)
	}
	return a
}

// intervals finds where each virtual register is alive; one that is not starts at -1.
func intervals(code []vinsn, vregs int) []interval {
	all := make([]interval, vregs)
	for i := range all {
		all[i] = interval{v: vreg(i), start: -1, hint: noReg, heir: noReg}
	}
	for i := range code {
		in, read := &code[i], 2*i
		if in.kind == vOpaque {
			read++ // what the target emits may destroy one register before it reads another
		}
		in.operands(func(v vreg) {
			if v >= 0 {
				all[v].end = max(all[v].end, read)
			}
		}, func(v vreg) {
			if v < 0 {
				return
			}
			if all[v].start < 0 {
				all[v].start = 2*i + 1
			}
			all[v].end = max(all[v].end, 2*i+1)
		})
		hints(in, all)
	}
	return all
}

// inOrder sorts the intervals by their starts, without those that are nowhere.
func inOrder(all []interval) []interval {
	sorted := slices.DeleteFunc(slices.Clone(all), func(iv interval) bool { return iv.start < 0 })
	slices.SortFunc(sorted, func(x, y interval) int { return cmp.Compare(x.start, y.start) })
	return sorted
}

// hints notes which registers had better be the same.
func hints(in *vinsn, all []interval) {
	note := func(dst, src vreg) {
		if dst >= 0 && all[dst].hint == noReg {
			all[dst].hint = src
		}
		if dst >= 0 && src >= 0 {
			all[src].heir = dst
		}
		if src >= 0 && dst < 0 && all[src].hint == noReg {
			all[src].hint = dst
		}
	}
	switch {
	case in.kind == vMoves:
		for _, m := range in.moves {
			if m.src != noReg {
				note(m.dst, m.src)
			}
		}
	case in.kind == vPlain && in.src != noReg && in.ins.Op.Info().ALU == ebpf.Mov && in.ins.Op.Info().Form == ebpf.FormALUReg:
		note(in.dst, in.src)
	}
}

// expire frees the registers of what is no longer alive.
func (a *allocation) expire(at int) {
	a.active = slices.DeleteFunc(a.active, func(iv interval) bool {
		if iv.end >= at {
			return false
		}
		a.free |= setOf(a.homes[iv.v].reg)
		return true
	})
}

// place finds a home for an interval.
func (a *allocation) place(iv interval) {
	allowed := a.pool &^ a.lostIn(iv)
	if r, ok := a.pick(iv, a.free&allowed); ok {
		a.homes[iv.v].reg = r
		a.free &^= setOf(r)
		a.active = append(a.active, iv)
		return
	}
	if i := a.longest(allowed); i >= 0 && a.active[i].end > iv.end {
		other := a.active[i]
		a.homes[iv.v].reg = a.homes[other.v].reg
		a.homes[other.v] = home{slot: a.slot(other)}
		a.active[i] = iv
		return
	}
	a.homes[iv.v].slot = a.slot(iv)
}

// pick chooses among registers: one that will do for the heir too, then the one that spares a move, then the one with the
// lowest number, which calls destroy: the others remain for what has to survive them.
func (a *allocation) pick(iv interval, among registerSet) (r ebpf.Register, ok bool) {
	if among == 0 {
		return 0, false
	}
	if iv.heir >= 0 {
		if both := among &^ a.lostIn(a.all[iv.heir]); both != 0 {
			among = both
		}
	}
	if fixed, ok := iv.hint.fixed(); ok && among.has(fixed) {
		return fixed, true
	}
	if iv.hint >= 0 && a.homes[iv.hint].slot == 0 && among.has(a.homes[iv.hint].reg) {
		return a.homes[iv.hint].reg, true
	}
	return among.lowest(), true
}

// lostIn are the registers that some instruction inside the interval destroys.
func (a *allocation) lostIn(iv interval) (lost registerSet) {
	from, _ := slices.BinarySearchFunc(a.lostAt, iv.start, func(l lostAt, start int) int { return cmp.Compare(2*l.at+1, start) })
	for _, l := range a.lostAt[from:] {
		if 2*l.at >= iv.end {
			break
		}
		if 2*l.at+1 > iv.start {
			lost |= l.lost
		}
	}
	return lost
}

// longest is the active interval that ends last, of those in allowed registers; -1 where there is none.
func (a *allocation) longest(allowed registerSet) int {
	best := -1
	for i, iv := range a.active {
		if allowed.has(a.homes[iv.v].reg) && (best < 0 || iv.end > a.active[best].end) {
			best = i
		}
	}
	return best
}

// slot finds eight bytes of the stack for the whole of an interval.
func (a *allocation) slot(iv interval) int16 {
	for i, until := range a.slots {
		if until < iv.start {
			a.slots[i] = iv.end
			return a.top - 8*int16(i+1)
		}
	}
	a.slots = append(a.slots, iv.end)
	return a.top - 8*int16(len(a.slots))
}

// stack is how far below the frame pointer the homes reach, in bytes.
func (a *allocation) stack() int {
	if len(a.slots) == 0 {
		return 0
	}
	return 8*len(a.slots) - int(a.top)
}
