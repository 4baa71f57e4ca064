package cbpf

import "golang.org/x/net/bpf"

// ranges is what is known in front of an instruction, on whichever way it is reached.
type ranges struct {
	a, x bounds
	mem  [ScratchWords]bounds
}

// rangesOf follows what registers can hold through a program, in one pass, since jumps go forward. An entry is nil where
// nothing gets, whatever the comparisons yield, or only behind an opcode that does not exist.
func rangesOf(p Program) []*ranges {
	seen := make([]*ranges, len(p))
	start := ranges{a: exactly(0), x: exactly(0)}
	for i := range start.mem {
		start.mem[i] = anything
	}
	flowTo(seen, 0, start)
	for pc, ins := range p {
		if row := Info(ins.Op); row != nil && seen[pc] != nil {
			seen[pc].flow(seen, uint64(pc)+1, ins, row)
		}
	}
	return seen
}

// flow brings what is known behind an instruction to all that may come next; next is the one behind it.
func (r *ranges) flow(seen []*ranges, next uint64, ins bpf.RawInstruction, row *OpInfo) {
	after := *r
	switch row.Form {
	case FormRetK, FormRetA:
	case FormJump:
		flowTo(seen, next+uint64(ins.K), after)
	case FormCondK, FormCondX:
		other := after
		if row.Form == FormCondK {
			after.a, other.a = compared(r.a, row.Fn, ins.K)
		}
		flowTo(seen, next+uint64(ins.Jt), after)
		flowTo(seen, next+uint64(ins.Jf), other)
	default:
		after.step(ins, row)
		flowTo(seen, next, after)
	}
}

// flowTo joins what is known on a way to an instruction with what is known there. There is no way out of the program.
func flowTo(seen []*ranges, pc uint64, r ranges) {
	if pc >= uint64(len(seen)) {
		return
	}
	if old := seen[pc]; old != nil {
		r.a, r.x = r.a.or(old.a), r.x.or(old.x)
		for i := range r.mem {
			r.mem[i] = r.mem[i].or(old.mem[i])
		}
	}
	seen[pc] = &r
}

// or bounds a word that is bounded by either.
func (b bounds) or(c bounds) bounds {
	known := b.known & c.known &^ (b.ones ^ c.ones)
	return bounds{min(b.lo, c.lo), max(b.hi, c.hi), known, b.ones & known}
}

// compared returns what is known of A behind a comparison with k. On a way that is never taken, nothing new is.
func compared(a bounds, relation uint16, k uint32) (yes, no bounds) {
	yes, no = a, a
	switch relation {
	case Eq:
		yes = a.and(exactly(k))
	case Ge, Gt:
		in := related(relation, k)
		if len(in) > 0 {
			yes = a.and(between(uint32(in.min()), max32))
		}
		if out := in.not(max32); len(out) > 0 {
			no = a.and(between(0, uint32(out.max())))
		}
	case Set:
		no = a.and(bounds{hi: max32, known: k})
	}
	if yes.impossible() {
		yes = a
	}
	if no.impossible() {
		no = a
	}
	return yes, no
}

// step follows an instruction that goes on to the next one.
func (r *ranges) step(ins bpf.RawInstruction, row *OpInfo) {
	switch ins.Op & classBits {
	case classLd, classLdx:
		*r.register(row.Writes) = r.loaded(ins, row)
	case classSt, classStx:
		if ins.K < ScratchWords {
			r.mem[ins.K] = *r.register(row.Reads)
		}
	case classAlu:
		operand := exactly(ins.K)
		if row.Form == FormX {
			operand = r.x
		}
		r.a = computed(row.Fn, r.a, operand)
	default: // tax, txa
		*r.register(row.Writes) = *r.register(row.Reads)
	}
}

// register returns the one of A and X that is in the set.
func (r *ranges) register(set Regs) *bounds {
	if set&X != 0 {
		return &r.x
	}
	return &r.a
}

// loaded bounds what a load loads.
func (r *ranges) loaded(ins bpf.RawInstruction, row *OpInfo) bounds {
	switch {
	case row.Form == FormImm:
		return exactly(ins.K)
	case row.Form == FormMem && ins.K < ScratchWords:
		return r.mem[ins.K]
	case row.Form == FormMSH:
		return bounds{hi: max32, known: ^uint32(0xf << 2)}.tighten()
	case loadsBytes(ins, row):
		return between(0, 1<<(8*row.Size)-1)
	}
	return anything
}

// computed bounds the result of arithmetic. A division by 0 has none.
func computed(fn uint16, a, b bounds) bounds {
	if fn == Div || fn == Mod {
		if b.hi == 0 {
			return anything
		}
		b = b.and(between(1, max32))
	}
	if fn == Mod {
		return between(0, min(a.hi, b.hi-1))
	}
	return (&formulaKey{kind: formulaALU, fn: fn}).bound(a, b)
}
