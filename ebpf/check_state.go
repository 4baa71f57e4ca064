package ebpf

// Memory names what an address points into.
type Memory uint8

// The memories of a program.
const (
	NoMemory Memory = iota
	DataMemory
	ContextMemory
	StackMemory
)

// kind says what a register is known to hold.
type kind uint8

const (
	unset      kind = iota
	number          // an integer
	dataPtr         // address of packet byte sym+off
	contextPtr      // address of byte sym+off of the SkBuff
	stackPtr        // address of r10+sym+off
	mixed           // a pointer on one path and something else on another
)

// memory is what a pointer of that kind points into.
func (k kind) memory() Memory {
	return [...]Memory{dataPtr: DataMemory, contextPtr: ContextMemory, stackPtr: StackMemory, mixed: NoMemory}[k]
}

// value is what is known of a register: the sum of an unknown number and a known one. The sum of an unknown number never
// wraps; off alone, where there is none, is any 64 bits.
type value struct {
	kind   kind
	sym    int32  // names the unknown number; 0 where there is none
	off    int64  // the known number
	lo, hi uint64 // of numbers: bounds of the whole, unsigned
}

// capSym is the name of the captured length, the unknown number that guards compare with.
const capSym int32 = 1

func constant(n uint64) value { return value{kind: number, off: int64(n), lo: n, hi: n} }

// unknown is a number of which only the bounds are known. It gets a name of its own.
func (c *checker) unknown(lo, hi uint64) value {
	c.symbols++
	return value{kind: number, sym: c.symbols, lo: lo, hi: hi}
}

// anything is a number of which nothing is known.
func (c *checker) anything() value { return c.unknown(0, 1<<64-1) }

// guard is a fact about an unknown number: sym + room is at most the captured length.
type guard struct {
	sym  int32
	room int64
}

// maxGuards bounds what a state remembers; the oldest fact is forgotten first.
const maxGuards = 32

// spill is a whole register at an 8-byte aligned place of the stack.
type spill struct {
	off int64
	val value
}

// state is what is known at one point of the program, on all paths that lead there.
type state struct {
	regs   [numRegs]value
	set    [StackSize / 64]uint64 // bytes of the stack that are written; bit 0 is the lowest address
	caplen int64                  // the captured length is at least this
	guards []guard                // shared between states: copied when changed
	spills []spill                // likewise
}

func (s *state) clone() *state {
	twin := *s
	return &twin
}

// stackSet reports whether all of n bytes at r10+off are written.
func (s *state) stackSet(off int64, n int) bool {
	for i := off + StackSize; i < off+StackSize+int64(n); i++ {
		if s.set[i/64]>>(i%64)&1 == 0 {
			return false
		}
	}
	return true
}

func (s *state) markStack(off int64, n int) {
	for i := off + StackSize; i < off+StackSize+int64(n); i++ {
		s.set[i/64] |= 1 << (i % 64)
	}
}

// spillAt returns the register kept at r10+off; ok is false where none is.
func (s *state) spillAt(off int64) (v value, ok bool) {
	for _, sp := range s.spills {
		if sp.off == off {
			return sp.val, true
		}
	}
	return value{}, false
}

// overlapsPointer reports whether any of the n bytes at r10+off belongs to a pointer that is kept there.
func (s *state) overlapsPointer(off int64, n int) bool {
	for _, sp := range s.spills {
		if sp.off < off+int64(n) && off < sp.off+8 && sp.val.kind != number {
			return true
		}
	}
	return false
}

// cutsPointer reports whether a store to the n bytes at r10+off would leave some bytes of a pointer there and not others.
func (s *state) cutsPointer(off int64, n int) bool {
	for _, sp := range s.spills {
		overlaps, covers := sp.off < off+int64(n) && off < sp.off+8, off <= sp.off && sp.off+8 <= off+int64(n)
		if overlaps && !covers && sp.val.kind != number {
			return true
		}
	}
	return false
}

// putSpill replaces what was kept in the n bytes at r10+off by v; v without kind means that nothing is kept there now.
func (s *state) putSpill(off int64, n int, v value) {
	var kept []spill
	for _, sp := range s.spills {
		if sp.off+8 <= off || off+int64(n) <= sp.off {
			kept = append(kept, sp)
		}
	}
	if v.kind != unset {
		kept = append(kept, spill{off, v})
	}
	s.spills = kept
}

// learn draws what the outcome of a comparison says about the captured length.
func (s *state) learn(info *OpInfo, a, b value, taken bool) {
	if !info.Wide && (a.hi > 1<<32-1 || b.hi > 1<<32-1) || a.kind != number || b.kind != number {
		return
	}
	op, teaches := info.Jump, true
	if !taken {
		op, teaches = opposite[op]
	}
	if !teaches {
		return
	}
	switch op {
	case JEq:
		s.atMost(a, b, 0)
		s.atMost(b, a, 0)
	case JLe:
		s.atMost(a, b, 0)
	case JLt:
		s.atMost(a, b, 1)
	case JGe:
		s.atMost(b, a, 0)
	case JGt:
		s.atMost(b, a, 1)
	}
}

// opposite gives the comparison that holds when another does not; those that teach nothing are left out.
var opposite = map[JumpOp]JumpOp{JEq: JNe, JNe: JEq, JGt: JLe, JLe: JGt, JGe: JLt, JLt: JGe}

// atMost takes note that a + n is at most b.
func (s *state) atMost(a, b value, n int64) {
	if b.sym != capSym {
		return
	}
	room := a.off - b.off + n
	if a.sym == 0 {
		s.caplen = max(s.caplen, room)
		return
	}
	if s.room(a.sym) >= room {
		return
	}
	kept := s.guards
	if len(kept) == maxGuards {
		kept = kept[1:]
	}
	s.guards = append(append([]guard(nil), kept...), guard{a.sym, room})
}

// room is the most that can be added to the unknown number with a sum that is at most the captured length.
func (s *state) room(sym int32) int64 {
	most := int64(-1) << 62
	for _, g := range s.guards {
		if g.sym == sym {
			most = max(most, g.room)
		}
	}
	return most
}

// join keeps what holds in both states.
func (c *checker) join(a, b *state) *state {
	j := &state{caplen: min(a.caplen, b.caplen)}
	for r := range j.regs {
		j.regs[r] = c.joinValue(a.regs[r], b.regs[r])
	}
	for i := range j.set {
		j.set[i] = a.set[i] & b.set[i]
	}
	for _, g := range a.guards {
		if room := min(g.room, b.room(g.sym)); room >= 0 {
			j.guards = append(j.guards, guard{g.sym, room})
		}
	}
	j.spills = c.joinSpills(a, b)
	return j
}

// joinValue keeps what two values have in common. Different numbers become a new unknown one.
func (c *checker) joinValue(a, b value) value {
	switch {
	case a == b:
		return a
	case a.kind == unset || b.kind == unset:
		return value{}
	case a.kind == number && b.kind == number:
		if a.sym == b.sym && a.off == b.off && a.sym != 0 {
			return value{kind: number, sym: a.sym, off: a.off, lo: min(a.lo, b.lo), hi: max(a.hi, b.hi)}
		}
		return c.unknown(min(a.lo, b.lo), max(a.hi, b.hi))
	case a.kind == b.kind && a.kind != mixed:
		c.symbols++
		return value{kind: a.kind, sym: c.symbols}
	}
	return value{kind: mixed}
}

// joinSpills joins what the stack keeps. Bytes that hold a register on one side only are taken for a number on the other.
func (c *checker) joinSpills(a, b *state) (out []spill) {
	for _, sp := range a.spills {
		other, ok := b.spillAt(sp.off)
		if !ok {
			other = c.anything()
		}
		out = append(out, spill{sp.off, c.joinValue(sp.val, other)})
	}
	for _, sp := range b.spills {
		if _, ok := a.spillAt(sp.off); !ok {
			out = append(out, spill{sp.off, c.joinValue(sp.val, c.anything())})
		}
	}
	return out
}
