package ebpf

// ReasonDepth says that functions call each other too deeply.
const ReasonDepth Reason = "too many calls inside each other"

// MaxFrames is the number of functions that may be at work at once, the program itself included (MAX_CALL_FRAMES in
// linux/bpf_verifier.h).
const MaxFrames = 8

// frame is one function at work.
type frame struct {
	stack   [StackSize]byte
	written [StackSize / 64]uint64 // bit n: byte n of the stack holds something

	// What the caller gets back at exit.
	back  int       // where it goes on
	saved [4]uint64 // R6 to R9
	set   uint16    // which of them held something
}

// kept are the registers that a function finds as it left them, when one that it called returns.
const kept uint16 = 1<<R6 | 1<<R7 | 1<<R8 | 1<<R9

// stackTop is the frame pointer of the function at work.
func (m *machine) stackTop() uint64 { return stackBase + uint64(m.depth)*stackStep + StackSize }

// callLocal enters the function at the target, with R1 to R5 as they are, a stack of its own, and nothing else.
func (m *machine) callLocal(target int) {
	if m.depth+1 == MaxFrames {
		m.fail(ReasonDepth, "%d are the most", MaxFrames)
		return
	}
	m.depth++
	f := &m.frames[m.depth]
	f.written = [StackSize / 64]uint64{}
	f.back, f.set = m.next, m.set&kept
	copy(f.saved[:], m.regs[R6:])
	m.set &^= kept | 1<<R0
	m.regs[R10] = m.stackTop()
	m.next = target
	m.judge(target)
}

// exit returns to the caller, or ends the run.
func (m *machine) exit() {
	m.get(R0)
	if m.depth == 0 {
		m.done = true
		return
	}
	f := &m.frames[m.depth]
	m.depth--
	m.clobber()
	copy(m.regs[R6:], f.saved[:])
	m.set = m.set&^kept | f.set
	m.regs[R10] = m.stackTop()
	m.next = f.back
}

// writtenMask has a bit for each of the n bytes from the given one on, as far as they share a word of written.
func writtenMask(at, n int) (word int, mask uint64) { return at / 64, (1<<n - 1) << (at % 64) }

// markWritten notes that the n bytes from the given one on hold something now.
func (f *frame) markWritten(at, n int) {
	for ; n > 0; at, n = at+8, n-8 {
		size := min(n, 8)
		word, mask := writtenMask(at, size)
		f.written[word] |= mask
		if rest := at%64 + size - 64; rest > 0 {
			f.written[word+1] |= 1<<rest - 1
		}
	}
}

// isWritten reports whether all of the n bytes, 8 at most, from the given one on hold something.
func (f *frame) isWritten(at, n int) bool {
	word, mask := writtenMask(at, n)
	if f.written[word]&mask != mask {
		return false
	}
	rest := at%64 + n - 64
	return rest <= 0 || f.written[word+1]&(1<<rest-1) == 1<<rest-1
}
