package ebpf

import "encoding/binary"

// pathSteps bounds what is followed path by path.
const pathSteps = 1 << 18

// Effort is about what it costs the verifier to follow all paths of p, as in [Demands]: the instructions, and the paths that wait
// to be followed at one time. ok is false if those are most instructions or more, or p is not sound on each path, with all
// accesses proved. The work grows with most, whatever p.
func Effort(p Program, abi ABI, most int) (insns, aside int, ok bool) {
	if len(p) == 0 || int(abi) >= len(abiInfos) {
		return 0, 0, false
	}
	facts, e, _ := checkPaths(p, abi, most)
	if facts == nil {
		return e.steps, e.aside, false
	}
	_, unproved := facts.Unproved()
	return e.steps, e.aside, !unproved
}

// checkPaths is Check that follows paths one by one, no more than so many instructions on them, as the kernel's verifier does:
// none that comparisons of known numbers rule out, and none again that comes to a comparison or to the target of a jump knowing
// what another one knew there of the registers that still matter. So it takes some programs that Check refuses, and has each access proved that is proved on every
// path that gets there. facts is nil, and err nil too, where there are too many paths, or something malformed that none of
// them comes to; err is the fault on one of them, or of the program's structure.
//
// effort is about what it costs the verifier, which looks for known states less often, and does not compare what it finds not to
// matter.
func checkPaths(p Program, abi ABI, most int) (facts *Facts, e effort, err error) {
	c := newChecker(p, abi)
	if err := c.structure(); err != nil {
		return nil, e, err
	}
	if err := c.graph(); err != nil {
		return nil, e, err
	}
	w := walker{checker: c, access: make([]Memory, len(p)), doubted: make([]bool, len(p)), known: make([]map[string]bool, len(p)), live: liveness(p, abi), most: most}
	w.findPrunePoints()
	w.waiting = []fork{{0, c.cur}}
	for len(w.waiting) > 0 && w.fault == nil && w.steps < w.most {
		last := len(w.waiting) - 1
		at := w.waiting[last]
		w.waiting = w.waiting[:last]
		c.cur = at.state
		w.follow(at.pc)
	}
	e = effort{w.steps, w.aside}
	if w.fault != nil || w.steps >= w.most || allWellFormed(p) != nil {
		return nil, e, w.fault
	}
	c.facts.Access = w.access
	for pc, m := range w.access {
		c.facts.Proved[pc] = m != NoMemory && !w.doubted[pc]
	}
	return &c.facts, e, nil
}

// graph checks that something leads to each instruction, whatever is compared, and that nothing leads past the last. Of programs
// with functions of their own it knows nothing.
func (c *checker) graph() error {
	for pc, ins := range c.p {
		if !c.wide[pc] && (ins.Op == OpCall && ins.Src == CallKindLocal || ins.Op == OpLoadWide && ins.Src == WideFunction) {
			return nil
		}
	}
	reached := make([]bool, len(c.p)+1)
	reached[0] = true
	for pc, ins := range c.p {
		if !reached[pc] {
			return &Error{Reason: ReasonUnreachable, PC: pc}
		}
		target, jumps := ins.Target(pc)
		if jumps && !c.wide[pc] {
			reached[target] = true
		}
		form := ins.Op.Info().Form
		if ends := ins.Op == OpExit || jumps && form != FormCondImm && form != FormCondReg; !ends || c.wide[pc] {
			reached[pc+1] = true
		}
	}
	if reached[len(c.p)] {
		return &Error{Reason: ReasonFallsOff, PC: len(c.p) - 1}
	}
	return nil
}

// effort is what it took to follow paths.
type effort struct {
	steps int // instructions followed
	aside int // the most paths that waited to be followed at one time
}

// walker follows paths.
type walker struct {
	*checker
	waiting []fork
	known   []map[string]bool // of the prune points: what was known there; nil elsewhere
	live    []registerSet
	access  []Memory // of the instructions that were passed
	doubted []bool   // of those: the access is not proved on some path
	steps   int
	aside   int
	most    int   // of them
	fault   error // what is wrong on the path that was followed last
}

// fork is the beginning of a path that is not followed yet.
type fork struct {
	pc    int
	state *state
}

// findPrunePoints finds where it is worth while to see whether a path is known: at comparisons, and where jumps lead to.
func (w *walker) findPrunePoints() {
	for pc, ins := range w.p {
		target, jumps := ins.Target(pc)
		switch form := ins.Op.Info().Form; {
		case !jumps || w.wide[pc]:
		case form == FormCondImm || form == FormCondReg:
			w.known[pc] = map[string]bool{}
		default:
			w.known[target] = map[string]bool{}
		}
	}
}

// follow follows a path to its end, or to where it goes on as another one did.
func (w *walker) follow(pc int) {
	for w.cur != nil && w.steps < w.most {
		if known := w.known[pc]; known != nil {
			key := w.cur.key(w.live[pc])
			if known[key] {
				return
			}
			known[key] = true
			w.cur.bury(w.live[pc])
		}
		w.steps++
		ins := w.p[pc]
		w.facts.Access[pc], w.facts.Proved[pc] = NoMemory, false
		if w.fault = w.wellFormedStep(pc, ins); w.fault != nil {
			return
		}
		if m := w.facts.Access[pc]; m != NoMemory {
			w.access[pc] = m
			w.doubted[pc] = w.doubted[pc] || !w.facts.Proved[pc]
		}
		pc = w.next(pc, ins)
	}
}

// wellFormedStep is step for what was not looked at before: the verifier, too, looks only at what some path comes to.
func (w *walker) wellFormedStep(pc int, ins Instruction) error {
	if err := wellFormed(pc, ins); err != nil {
		return err
	}
	return w.step(pc, ins)
}

// next returns where the path goes on. It puts the other way of a comparison aside, and ends where no path goes on.
func (w *walker) next(pc int, ins Instruction) int {
	next := pc + 1
	if ins.Op == OpLoadWide {
		next++
	}
	target, jumps := ins.Target(pc)
	switch info := ins.Op.Info(); {
	case ins.Op == OpExit:
		w.cur = nil
	case !jumps:
	case info.Form == FormCondImm || info.Form == FormCondReg:
		a, b := w.operands(ins)
		if possible(info, a, b, true) {
			taken := w.cur.clone()
			taken.learn(ins, a, b, true)
			w.waiting = append(w.waiting, fork{target, taken})
			w.aside = max(w.aside, len(w.waiting))
		}
		if !possible(info, a, b, false) {
			w.cur = nil
			break
		}
		w.cur.learn(ins, a, b, false)
	default:
		next = target
	}
	return next
}

// possible reports whether a comparison of two values may turn out so, going by their bounds.
func possible(info *OpInfo, a, b value, taken bool) bool {
	if a.kind != number || b.kind != number {
		return true
	}
	if !info.Wide {
		a, b = a.half(), b.half()
	}
	if a.lo == a.hi && b.lo == b.hi {
		return holds(info, a.lo, b.lo) == taken
	}
	op, known := info.Jump, true
	if !taken {
		op, known = opposite(op)
	}
	switch {
	case !known:
		return true
	case op == JEq:
		return a.lo <= b.hi && b.lo <= a.hi
	case op == JLe:
		return a.lo <= b.hi
	case op == JLt:
		return a.lo < b.hi
	case op == JGe:
		return a.hi >= b.lo
	case op == JGt:
		return a.hi > b.lo
	}
	return true
}

// half is what is known of the low 32 bits of a number.
func (v value) half() value {
	switch {
	case v.hi <= max32:
	case v.lo == v.hi:
		v.lo, v.hi = v.lo&max32, v.lo&max32
	default:
		v.lo, v.hi = 0, max32
	}
	return v
}

// key tells states apart that differ in what they know of the registers, which are those that matter, or of the stack. Unknown
// numbers count by where they are first met, not by their name.
func (s *state) key(live registerSet) string {
	k := stateKey{b: make([]byte, 0, 256), names: make(map[int32]int32, 8)}
	for r := range s.regs {
		if live.has(Register(r)) {
			k.value(s.regs[r])
		}
	}
	for _, sp := range s.spills {
		k.number(uint64(sp.off))
		k.value(sp.val)
	}
	for _, bits := range s.set {
		k.number(bits)
	}
	for _, f := range s.fills {
		k.number(uint64(k.name(f.sym)))
		k.number(uint64(f.off))
	}
	k.number(uint64(s.caplen))
	for _, g := range s.guards {
		k.number(uint64(k.name(g.sym)))
		k.number(uint64(g.room))
	}
	return string(k.b)
}

// bury forgets what registers hold that nobody reads. Other paths that are known by the same key may have copies of numbers there.
func (s *state) bury(live registerSet) {
	for r := range s.regs {
		if v := &s.regs[r]; !live.has(Register(r)) && (v.named() || v.linked) {
			*v = value{linked: true}
		}
	}
}

// stateKey is a key in the making.
type stateKey struct {
	b     []byte
	names map[int32]int32
}

func (k *stateKey) number(n uint64) { k.b = binary.LittleEndian.AppendUint64(k.b, n) }

func (k *stateKey) name(sym int32) int32 {
	if sym == 0 || sym == capSym {
		return sym
	}
	if k.names[sym] == 0 {
		k.names[sym] = capSym + 1 + int32(len(k.names))
	}
	return k.names[sym]
}

func (k *stateKey) value(v value) {
	k.number(uint64(v.kind) | uint64(uint32(k.name(v.sym)))<<8 | uint64(uint32(v.room))<<40)
	k.number(uint64(v.off))
	k.number(v.lo)
	k.number(v.hi)
	if v.linked {
		k.b = append(k.b, 1)
	}
}
