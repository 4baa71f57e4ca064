package cbpf

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// ReasonSeccompPaths says that a filter has too many paths that differ in what they know of the data for SeccompTable.
const ReasonSeccompPaths Reason = "too many ways through the filter"

// Limits of a walk. Filters in use stay below a tenth of them.
const (
	maxStates = 256     // different states at one instruction, or different ways to one verdict
	maxSteps  = 1 << 18 // instructions executed in all states together
)

// state is the machine on one path: what it holds, and what is known of the data. Places that no one reads again hold nil.
type state struct {
	a, x *formula
	mem  [ScratchWords]*formula
	know facts
}

// same reports whether two states differ in what is known at most.
func (s *state) same(t *state) bool { return s.a == t.a && s.x == t.x && s.mem == t.mem }

// register returns the one of A and X that is in the set.
func (s *state) register(r Regs) **formula {
	if r&X != 0 {
		return &s.x
	}
	return &s.a
}

// walk executes a filter on all data at once: in program order, which suffices as jumps go forward, with every state that
// can be at an instruction. States that hold the same are one, if what is known in both is one set of facts.
//
//	ld [16]              A = low word of args[0]
//	jeq #2, L, M    ->   at L: args[0] is 2, if its high word is known to be 0;    at M: everything else
type walk struct {
	formulas
	prog   Program
	live   []liveness
	at     [][]*state // states by pc
	ends   map[*formula][]facts
	order  []*formula // the keys of ends, in the order of coming up
	steps  int
	failed *Error
}

// walkAll returns for each verdict, which is a constant or computed, the alternative facts under which a filter ends with
// it. The alternatives exclude each other, and something is an alternative for all data. p has passed ValidateSeccomp.
func walkAll(p Program) (*walk, error) {
	w := &walk{
		formulas: make(formulas),
		prog:     p,
		live:     livenessOf(p),
		at:       make([][]*state, len(p)),
		ends:     make(map[*formula][]facts),
	}
	zero := w.constant(0)
	w.join(0, state{a: zero, x: zero})
	for pc, ins := range p {
		for _, s := range w.at[pc] {
			w.step(pc, ins, *s)
			if w.failed != nil {
				return nil, w.failed
			}
		}
		w.at[pc] = nil
	}
	return w, nil
}

// fail ends the walk.
func (w *walk) fail(pc int, what string, limit int) {
	w.failed = &Error{Reason: ReasonSeccompPaths, PC: pc, Detail: fmt.Sprintf("%s, the limit is %d", what, limit)}
}

// join brings a state to an instruction.
func (w *walk) join(pc int, s state) {
	w.live[pc].clear(&s)
	list := w.at[pc]
	for i := 0; i < len(list); i++ {
		if !s.same(list[i]) {
			continue
		}
		if either, ok := s.know.merge(list[i].know); ok {
			s.know, list = either, slices.Delete(list, i, i+1)
			i = -1 // it may be merged with others now
		}
	}
	w.at[pc] = append(list, &s)
	if len(w.at[pc]) > maxStates {
		w.fail(pc, "different states", maxStates)
	}
}

// end brings what is known to a verdict.
func (w *walk) end(pc int, verdict *formula, know facts) {
	if _, ok := w.ends[verdict]; !ok {
		w.order = append(w.order, verdict)
	}
	w.ends[verdict] = unite(w.ends[verdict], know)
	if len(w.ends[verdict]) > 8*maxStates {
		w.fail(pc, "different ways to one verdict", 8*maxStates)
	}
}

// plain returns the verdict that has the same name as a, and no data without meaning.
func plain(a Action) Action {
	if e := a.Effective(); e.String() == a.String() {
		return e
	}
	return a
}

// step executes one instruction in one state.
func (w *walk) step(pc int, ins bpf.RawInstruction, s state) {
	w.steps++
	if w.steps > maxSteps {
		w.fail(pc, "instructions on all ways together", maxSteps)
		return
	}
	row := Info(ins.Op)
	switch row.Form {
	case FormJump:
		w.join(pc+1+int(ins.K), s)
	case FormCondK, FormCondX:
		w.branch(pc, ins, row, s)
	case FormRetK:
		w.end(pc, w.constant(uint32(plain(Action(ins.K)))), s.know)
	case FormRetA:
		w.end(pc, s.a, s.know)
	default:
		if w.execute(pc, ins, row, &s) {
			w.join(pc+1, s)
		}
	}
}

// execute executes an instruction that goes on to the next one. ok is false if it never does.
func (w *walk) execute(pc int, ins bpf.RawInstruction, row *OpInfo, s *state) (ok bool) {
	switch ins.Op & classBits {
	case classLd, classLdx:
		*s.register(row.Writes) = w.loaded(ins, row, s)
	case classSt, classStx:
		s.mem[ins.K] = *s.register(row.Reads)
	case classAlu:
		return w.compute(pc, ins, row, s)
	default: // tax, txa
		*s.register(row.Writes) = *s.register(row.Reads)
	}
	return true
}

// loaded returns what a load loads.
func (w *walk) loaded(ins bpf.RawInstruction, row *OpInfo, s *state) *formula {
	switch row.Form {
	case FormImm:
		return w.constant(ins.K)
	case FormLen:
		return w.constant(SeccompLen)
	case FormMem:
		return s.mem[ins.K]
	}
	return w.word(int(ins.K / 4))
}

// compute executes arithmetic. Where it divides by 0, the path ends with verdict 0.
func (w *walk) compute(pc int, ins bpf.RawInstruction, row *OpInfo, s *state) (ok bool) {
	operand := w.constant(ins.K)
	if row.Form == FormX {
		operand = s.x
	}
	if row.Fn == Div {
		zero, rest, isZero, ok := w.fork(s.know, operand, only(0))
		if isZero {
			w.end(pc, w.constant(0), zero)
		}
		if !ok {
			return false
		}
		s.know = rest
	}
	s.a = w.alu(row.Fn, s.a, operand)
	return true
}

// branch goes both ways, as far as they exist.
func (w *walk) branch(pc int, ins bpf.RawInstruction, row *OpInfo, s state) {
	t, in := w.comparison(ins, row, &s)
	yes, no, isYes, isNo := w.fork(s.know, t, in)
	if isYes {
		s.know = yes
		w.join(pc+1+int(ins.Jt), s)
	}
	if isNo {
		s.know = no
		w.join(pc+1+int(ins.Jf), s)
	}
}

// comparison returns the formula whose value decides a jump, and the values with which jt is taken.
func (w *walk) comparison(ins bpf.RawInstruction, row *OpInfo, s *state) (*formula, numbers) {
	operand := w.constant(ins.K)
	if row.Form == FormCondX {
		operand = s.x
	}
	notZero := numbers{{1, max32}}
	switch {
	case row.Fn == Set:
		return w.relation(Set, s.a, operand), notZero
	case operand.kind == formulaConst:
		return s.a, related(row.Fn, uint32(operand.k))
	case row.Fn == Eq && s.a.kind == formulaConst:
		return operand, only(s.a.k)
	case row.Fn == Eq:
		return w.alu(Xor, s.a, operand), only(0)
	case s.a.kind == formulaConst: // k > x is not x >= k
		return operand, related(Gt^Ge^row.Fn, uint32(s.a.k)).not(max32)
	}
	return w.relation(row.Fn, s.a, operand), notZero
}
