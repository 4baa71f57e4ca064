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
	base       bool        // some load goes by it
	good       registerSet // where it can be all the time, and so can what it is moved to, as far as there is such a register
	hint       vreg        // whose register, or which, would spare a move; noReg where none
	heir       vreg        // what it is moved to, which had better live in the same register
}

// home is where a virtual register lives.
type home struct {
	reg  ebpf.Register
	slot int16 // offset from the frame pointer, if it is not 0: then it lives on the stack
}

// allocation gives the virtual registers homes by linear scan (Poletto and Sarkar, 1999).
type allocation struct {
	*layout
	homes   []home
	pool    registerSet
	recipes []recipe // of what may be without a home, since it is made easily; nil: of nothing
	lostAt  []lostAt // in order of their places
	active  []interval
	free    registerSet
	slots   []int      // of each place on the stack: until where it is taken
	all     []interval // by virtual register
}

// lostAt says that an instruction destroys registers.
type lostAt struct {
	at   int // index of the instruction
	lost registerSet
}

// allot gives out registers. What finds none is made anew where it is read, if that can be done; for what then lives on the
// stack two registers are kept back. It returns the code as that makes it.
func allot(code []vinsn, vregs int, at *layout) (out []vinsn, homes *allocation, spare [2]ebpf.Register) {
	pool := allRegisters &^ at.pinned
	homes = allocate(code, vregs, pool, nil, at)
	if len(homes.slots) == 0 {
		return code, homes, spare
	}
	code, vregs = separate(code)
	homes = allocate(code, vregs, pool, nil, at)
	made := remaker{made: make([]uint8, vregs)}
	for again := true; again && len(homes.slots) > 0; {
		made.recipes = recipes(code, len(made.made), at.pinned)
		made.forgetMade()
		homes = allocate(code, len(made.made), pool, made.recipes, at)
		code, again = made.remake(code, homes)
	}
	if len(homes.slots) == 0 {
		return code, homes, spare
	}
	spare = spares(pool, at.lostByLoads)
	return code, allocate(code, len(made.made), pool&^setOf(spare[:]...), nil, at), spare
}

// spares chooses two registers of the pool: first, for what is read only, one that is good for little else.
func spares(pool, poor registerSet) (spare [2]ebpf.Register) {
	if poor != 0 {
		spare[1] = poor.lowest()
		spare[0] = (pool &^ poor).highest()
		return spare
	}
	spare[0] = pool.highest()
	spare[1] = (pool &^ setOf(spare[0])).highest()
	return spare
}

// allocate gives out the registers of pool, and places on the stack for what finds none.
func allocate(code []vinsn, vregs int, pool registerSet, recipes []recipe, at *layout) *allocation {
	a := &allocation{layout: at, homes: make([]home, vregs), pool: pool, free: pool, recipes: recipes}
	for i := range code {
		if code[i].lost != 0 {
			a.lostAt = append(a.lostAt, lostAt{i, code[i].lost})
		}
	}
	a.all = intervals(code, vregs)
	sorted := inOrder(a.all)
	for i, iv := range slices.Backward(sorted) {
		sorted[i].good = a.goodFor(iv)
		a.all[iv.v].good = sorted[i].good
	}
	for _, iv := range sorted {
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
		if in.kind == vPlain && in.src >= 0 && in.ins.Op.Info().Form == ebpf.FormLoad {
			all[in.src].base = true
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
	case in.copies():
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
	if i := a.victim(iv, allowed); i >= 0 {
		other := a.active[i]
		a.homes[iv.v].reg = a.homes[other.v].reg
		a.homes[other.v] = home{slot: a.slot(other)}
		a.active[i] = iv
		return
	}
	a.homes[iv.v].slot = a.slot(iv)
}

// goodFor finds the registers that are good for an interval, given those for what starts later.
func (a *allocation) goodFor(iv interval) registerSet {
	good := a.pool &^ a.lostIn(iv)
	if iv.base && good&a.bases != 0 {
		good &= a.bases
	}
	if iv.heir >= 0 && good&a.all[iv.heir].good != 0 {
		good &= a.all[iv.heir].good
	}
	return good
}

// pick chooses among registers: one that will do for the heir too, then the one that spares a move, then the one with the
// lowest number, which calls destroy: the others remain for what has to survive them.
func (a *allocation) pick(iv interval, among registerSet) (r ebpf.Register, ok bool) {
	if among == 0 {
		return 0, false
	}
	if both := among & iv.good; both != 0 {
		among = both
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

// victim is the active interval, of those in allowed registers, that had better have no register than iv; -1 where there is
// none. That is one that can be made anew, and among those the one that ends last.
func (a *allocation) victim(iv interval, allowed registerSet) int {
	best, worst := -1, iv
	for i, other := range a.active {
		if allowed.has(a.homes[other.v].reg) && a.poorer(other, worst) {
			best, worst = i, other
		}
	}
	return best
}

// poorer reports whether x had better have no register than y.
func (a *allocation) poorer(x, y interval) bool {
	if a.recipes != nil {
		if made := a.recipes[x.v] != nil; made != (a.recipes[y.v] != nil) {
			return made
		}
	}
	return x.end > y.end
}

// slot finds eight bytes of the stack for the whole of an interval.
func (a *allocation) slot(iv interval) int16 {
	for i, until := range a.slots {
		if until < iv.start {
			a.slots[i] = iv.end
			return a.layout.stack - 8*int16(i+1)
		}
	}
	a.slots = append(a.slots, iv.end)
	return a.layout.stack - 8*int16(len(a.slots))
}

// stack is how far below the frame pointer the homes reach, in bytes.
func (a *allocation) stack() int {
	if len(a.slots) == 0 {
		return 0
	}
	return 8*len(a.slots) - int(a.layout.stack)
}
