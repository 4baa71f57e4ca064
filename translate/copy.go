package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// Where a program has no pointer to the packet, each load is the call of a function. A guard knows what is read below it in
// any case: so it has the function copy all of that to the stack at once, and the loads find it there:
//
//	guard 24             guard 24, copy 12 to 24
//	v1 = load2 [12]  =>  v1 = load2 [12], copied
//	v2 = load1 [23]      v2 = load1 [23], copied
//
// Copying takes as long for a few bytes as for a hundred. So where more is there to be read than the packet has, a copy takes along
// what only some paths below read, and guards further down find it copied.

// copier is a target whose programs have bytes of the packet copied.
type copier interface {
	access
	// ahead says that memory goes on behind the packet, as a rule: copies may reach further than their guards ask.
	ahead() bool
	// within emits what ends the program with verdict 0 unless so many bytes, counted from base, are there. base is a number in a
	// register, or noBase for the beginning of the packet. It destroys what asking destroys.
	within(e *emitter, base ebpf.Register, bytes int64)
	asking() registerSet
	// refuses says that copyTo goes to miss for bytes that the packet does not have: then within is not asked before.
	refuses() bool
	// copyTo emits what copies n bytes at base+off to the stack, or goes to miss where it cannot have them all. It destroys what
	// calls destroy.
	copyTo(e *emitter, to int16, base ebpf.Register, off int64, n int, miss ebpf.Label)
}

// noBase stands for the beginning of the packet.
const noBase = ebpf.R10

// loadWay says where a load finds its bytes.
type loadWay uint8

const (
	loadDirect loadWay = iota // in the packet, by a pointer
	loadCopied                // on the stack, where a guard above has put them
	loadOwn                   // as the target loads, which ends the program where there are none
)

// area is where copies of bytes, counted from one base, are on the stack.
type area struct {
	span
	at int16 // where the first byte is
}

// place is where a byte is on the stack.
func (a *area) place(k int64) int16 { return a.at + int16(k-a.lo) }

// mostCopied is how many bytes are copied from one base, at most: less than what is behind the packet of any kernel.
const mostCopied = 128

// mostCopies is how many guards, at most, are looked at: it takes a walk through all that is below each.
const mostCopies = 64

// copyPlan decides what guards copy, and which loads find it.
type copyPlan struct {
	*graph
	ahead bool
	areas map[value]*area
}

// planCopies marks guards and loads. It puts the areas into the layout, and the end of the stack below them. further tells
// that some copy reaches further than its guard asks, and so may fail where nothing is missing.
func (g *graph) planCopies(at *layout) (further bool) {
	p := &copyPlan{graph: g, ahead: at.copier.ahead(), areas: make(map[value]*area)}
	at.stack, at.areas = p.place(at.stack, at.most), p.areas
	copied := make([]extents, len(g.blocks)) // at the beginning of each block
	copied[0] = extents{}
	guards := 0
	for _, b := range g.blocks {
		have := copied[b.id]
		for i := range b.insts {
			in := &b.insts[i]
			if in.kind == instGuard && p.areas[in.base] != nil && guards < mostCopies {
				guards++
				have = p.guard(b, i, have)
				further = further || in.copied.hi > in.hi
			}
			if in.way = loadOwn; g.loads(*in) && p.has(in.v, have) {
				in.way = loadCopied
			}
		}
		for e := range b.edges() {
			if known := copied[e.to.id]; known == nil {
				copied[e.to.id] = have.copy()
			} else {
				copied[e.to.id] = known.meet(have)
			}
		}
	}
	return further
}

// loads reports whether an instruction loads what a guard has asked for.
func (g *graph) loads(in inst) bool { return in.kind == instDef && g.exprs[in.v].kind == exprLoad }

// loaded are the bytes of a load, and what they are counted from.
func (g *graph) loaded(v value) (base value, s span) {
	e := &g.exprs[v]
	if base = noValue; e.a != noValue {
		base = g.exprs[e.a].a
	}
	return base, span{int64(e.k), int64(e.k) + int64(e.size)}
}

// place makes the areas, each as large as what is loaded from its base, as far as there is room: a third of the stack is for
// what lives there otherwise. It returns where the stack ends then.
func (p *copyPlan) place(stack int16, most int) int16 {
	var bases []value
	spans := make(map[value][]span)
	for _, b := range p.blocks {
		for _, in := range b.insts {
			if !p.loads(in) {
				continue
			}
			base, s := p.loaded(in.v)
			if spans[base] == nil {
				bases = append(bases, base)
			}
			spans[base] = append(spans[base], s)
		}
	}
	room := (int64(most) + int64(stack)) * 2 / 3
	for _, base := range bases {
		a := hull(spans[base], min(mostCopied, room-2*(word-1))) // at both ends a word may be in use in part
		if a == nil {
			continue
		}
		shift := straightest(spans[base], a.lo)
		size := (a.hi - a.lo + shift + word - 1) / word * word
		stack, room = stack-int16(size), room-size
		a.at = stack + int16(shift)
		p.areas[base] = a
	}
	return stack
}

// word is the size of a place on the stack.
const word = 8

// hull is an area for spans, without those that would make it larger than room; nil if that leaves none.
func hull(spans []span, room int64) *area {
	var a area
	for _, s := range spans {
		if both := a.with(s); both.hi-both.lo <= room {
			a.span = both
		}
	}
	if a.empty() {
		return nil
	}
	return &a
}

// straightest is the place of byte lo in its word of the stack at which the fewest loads are crooked: the verifier wants loads from
// the stack straight.
func straightest(spans []span, lo int64) (best int64) {
	least := len(spans) + 1
	for shift := range int64(word) {
		crooked := 0
		for _, s := range spans {
			if (s.lo-lo+shift)%(s.hi-s.lo) != 0 {
				crooked++
			}
		}
		if crooked < least {
			least, best = crooked, shift
		}
	}
	return best
}

// guard decides about a guard with an area, and returns what is copied behind it.
func (p *copyPlan) guard(b *block, i int, have extents) extents {
	in := &b.insts[i]
	a, known := p.areas[in.base], have.of(in.base)
	reach := min(in.hi, a.hi)
	if p.ahead {
		reach = a.hi
	}
	if reach <= known {
		return have
	}
	anyway, what := p.below(b, i, span{known, reach})
	if !anyway {
		return have
	}
	if p.ahead {
		what = span{known, reach}
	}
	in.copied = span{max(what.lo, a.lo), min(what.hi, a.hi)}
	return have.with(in.base, reach)
}

// has reports whether the bytes of a load are copied.
func (p *copyPlan) has(v value, have extents) bool {
	base, s := p.loaded(v)
	a := p.areas[base]
	return a != nil && s.lo >= a.lo && s.hi <= min(a.hi, have.of(base))
}

// below looks at the loads behind a guard, from its base, that end within a span: whether there is one on each path that does
// not end with verdict 0, and what they load.
func (p *copyPlan) below(b *block, i int, within span) (anyway bool, what span) {
	base, loads := b.insts[i].base, make([]bool, len(p.blocks))
	for id := len(p.blocks) - 1; id >= b.id; id-- {
		bl := p.blocks[id]
		k, isConst := p.constOf(bl.term.a)
		anyway = bl.term.kind != termRet || isConst && k == 0
		for e := range bl.edges() {
			anyway = anyway && loads[e.to.id]
		}
		for at, in := range bl.insts {
			if !p.loads(in) || id == b.id && at < i {
				continue
			}
			if from, s := p.loaded(in.v); from == base && s.hi > within.lo && s.hi <= within.hi {
				anyway, what = true, what.with(s)
			}
		}
		loads[id] = anyway
	}
	return anyway && !what.empty(), what
}

// span are the bytes from lo to hi, without the last.
type span struct{ lo, hi int64 }

func (s span) empty() bool { return s.lo >= s.hi }

// with is the span that holds both.
func (s span) with(other span) span {
	if s.empty() {
		return other
	}
	return span{min(s.lo, other.lo), max(s.hi, other.hi)}
}
