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
	dataPtr         // address of packet byte sym+off, below the captured length
	contextPtr      // address of byte sym+off of the context
	stackPtr        // address of r10+sym+off
	packetPtr       // address of packet byte sym+off, below data_end
	endPtr          // data_end
	metaPtr         // address of metadata byte sym+off, below the packet
	stale           // a pointer into the packet from before the packet was moved
	mixed           // a pointer on one path and something else on another
)

// intoPacket reports whether it is one of the pointers that contexts hold.
func (k kind) intoPacket() bool { return k == packetPtr || k == endPtr || k == metaPtr }

// memory is what a pointer of that kind points into.
func (k kind) memory() Memory {
	return [...]Memory{dataPtr: DataMemory, contextPtr: ContextMemory, stackPtr: StackMemory, packetPtr: DataMemory,
		metaPtr: DataMemory, mixed: NoMemory}[k]
}

// value is what is known of a register: the sum of an unknown number and a known one. The sum of an unknown number never
// wraps; off alone, where there is none, is any 64 bits.
type value struct {
	kind   kind
	linked bool   // the kernel's verifier may take it for a copy of any number: on some path, or with a constant added
	sym    int32  // names the unknown number; 0 where there is none
	room   int32  // of packetPtr and metaPtr: the bytes from sym on that are proved to be there; -1 for none
	off    int64  // the known number
	lo, hi uint64 // of numbers: bounds of the whole, unsigned; of packetPtr and metaPtr: hi is the bound of sym
}

// capSym is the name of the captured length, the unknown number that guards compare with.
const capSym int32 = 1

func constant(n uint64) value { return value{kind: number, off: int64(n), lo: n, hi: n} }

// unknown is a number of which only the bounds are known. It gets a name of its own.
func (c *checker) unknown(lo, hi uint64) value {
	if lo == hi {
		return constant(lo)
	}
	return value{kind: number, sym: c.name(), lo: lo, hi: hi}
}

// name is one that no other unknown number has.
func (c *checker) name() int32 {
	c.symbols++
	return c.symbols
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
	fills  []fill                 // likewise
}

// fill is a place on the stack that a function has written if it returned none of its failures.
type fill struct {
	sym    int32 // names what it returned
	off    int64 // from r10
	n      int
	failed []uint64
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
