package ebpf

import "fmt"

// Reasons for which Check refuses a program.
const (
	ReasonEmpty         Reason = "the program is empty"
	ReasonABI           Reason = "there is no such ABI"
	ReasonBadOpcode     Reason = "there is no such instruction"
	ReasonReserved      Reason = "a field that the instruction does not use is not zero"
	ReasonBadRegister   Reason = "there is no such register, or it cannot be written"
	ReasonJumpRange     Reason = "the jump leaves the program"
	ReasonJumpIntoWide  Reason = "the jump lands inside a wide constant"
	ReasonWideCut       Reason = "the wide constant lacks its second slot"
	ReasonBackEdge      Reason = "the jump goes backwards"
	ReasonUnreachable   Reason = "no path reaches the instruction"
	ReasonFallsOff      Reason = "a path runs past the end of the program"
	ReasonUnset         Reason = "the register is read before it is set"
	ReasonMixed         Reason = "the register holds a pointer on one path and a number on another"
	ReasonPointer       Reason = "this cannot be done with a pointer"
	ReasonLeak          Reason = "this would show where a pointer points"
	ReasonNotPointer    Reason = "the address is a number, not a pointer"
	ReasonReadOnly      Reason = "this memory cannot be written"
	ReasonStackRange    Reason = "the access leaves the stack"
	ReasonStackUnset    Reason = "the stack is read before it is written"
	ReasonContextRange  Reason = "the access leaves the context"
	ReasonContextField  Reason = "programs of this kind may not load this from the context"
	ReasonAlignment     Reason = "the access to the stack is not aligned to its size"
	ReasonStale         Reason = "the pointer into the packet is from before a call that may have moved it"
	ReasonFar           Reason = "the pointer gets too far away from the packet"
	ReasonZeroDivisor   Reason = "division by the constant zero"
	ReasonShiftRange    Reason = "the constant shift is as wide as the register or wider"
	ReasonCall          Reason = "this function may not be called"
	ReasonResult        Reason = "r0 is not among the results that programs of this kind may return"
	ReasonNoPacketLoads Reason = "packet loads are for socket and tc programs"
	ReasonNeedsContext  Reason = "r6 must hold the context here"
	ReasonNotHere       Reason = "the instruction is not for programs that are checked here"
)

// Facts is what Check found out about a program that it accepts.
type Facts struct {
	// Proved tells, of each load and store, that it stays inside its memory whatever the packet. An access that is not
	// proved is legal, but has to be checked when it happens.
	Proved []bool
	// Access tells, of each load and store, what its address points into.
	Access []Memory
	Stack  int    // bytes of stack used, counted from the top
	Calls  bool   // some instruction calls a function
	GPL    bool   // one that only programs under a licence compatible with the GPL may call
	Result uint64 // R0 at exit is at most this
	stray  int    // pc of the first sum that makes a pointer of which nothing can be proved; 0 for none
}

// Unproved returns the pc of the first access that is not proved; ok is false where all are. The sum of a pointer into the
// packet and a number without bounds counts as one: the kernel's verifier may refuse it though nothing is read through it.
func (f *Facts) Unproved() (pc int, ok bool) {
	for pc, m := range f.Access {
		if m != NoMemory && !f.Proved[pc] || pc == f.stray && pc > 0 {
			return pc, true
		}
	}
	return 0, false
}

// Check says whether p is sound as a program of the ABI: jumps land on instructions and go forward, all instructions are
// reached, registers and stack are set before they are read, numbers and pointers are kept apart, memory that cannot be
// written is not, functions called are of the list that helpers holds, and every path ends in exit with a number in r0.
// It returns the first fault as an *Error.
//
// Of programs for the kernel it also refuses some of what the kernel's verifier is sure to: loads of fields that the context
// does not show, accesses to the stack that are not aligned, pointers into the packet that a call has made void, results
// that the hook does not take. It follows paths together that the verifier follows one by one, so that it knows no more: an
// access to the packet that it proves is one that the verifier proves. It knows less where paths meet that differ.
//
// One sweep in program order suffices, because no jump goes backwards.
func Check(p Program, abi ABI) (*Facts, error) {
	if len(p) == 0 {
		return nil, &Error{Reason: ReasonEmpty, PC: -1}
	}
	if int(abi) >= len(abiInfos) {
		return nil, fault(ReasonABI, -1, "%d, %d is the last", abi, len(abiInfos)-1)
	}
	if len(p) > MaxInsns {
		return nil, fault(ReasonTooLong, -1, "%d instructions, %d is the most", len(p), MaxInsns)
	}
	c := newChecker(p, abi)
	if err := allWellFormed(p); err != nil {
		return nil, err
	}
	if err := c.structure(); err != nil {
		return nil, err
	}
	for pc := range p {
		if c.wide[pc] {
			continue
		}
		if err := c.visit(pc); err != nil {
			return nil, err
		}
	}
	return &c.facts, nil
}

// checker is a check at work.
type checker struct {
	p       Program
	abi     ABI
	info    *abiInfo
	wide    []bool   // second slots of wide constants
	pending []*state // of each pc: what is known on the jumps that lead there
	cur     *state   // what is known before the instruction at hand; nil behind one that never continues
	idle    []*state // states that nobody needs any more
	named   []joined // room for the work of a joiner
	names   []int32  // likewise
	symbols int32    // unknown numbers handed out so far
	facts   Facts
}

func newChecker(p Program, abi ABI) *checker {
	c := &checker{p: p, abi: abi, info: abi.info(), wide: make([]bool, len(p)), pending: make([]*state, len(p)), symbols: capSym}
	c.facts.Proved = make([]bool, len(p))
	c.facts.Access = make([]Memory, len(p))
	c.cur = c.entry()
	return c
}

// entry is the state in which a program of the ABI starts.
func (c *checker) entry() *state {
	s := &state{}
	s.regs[R10] = value{kind: stackPtr}
	switch c.abi {
	case Socket, TC, CGroupSKB, XDP, Trace:
		s.regs[R1] = value{kind: contextPtr}
	case Seccomp:
		s.regs[R1] = value{kind: dataPtr}
		s.caplen = SeccompSize
	case Buffer:
		s.regs[R1] = value{kind: dataPtr}
		s.regs[R2] = value{kind: number, sym: capSym, hi: 1<<32 - 1}
	default:
		s.regs[R1] = value{kind: dataPtr}
		s.regs[R2] = value{kind: number, sym: capSym, hi: 1<<32 - 1}
		s.regs[R3] = c.unknown(0, 1<<32-1)
		s.regs[R4] = value{kind: contextPtr}
	}
	return s
}

// structure checks where constants and jumps end.
func (c *checker) structure() error {
	for pc := 0; pc < len(c.p); pc++ {
		if c.p[pc].Op == OpLoadWide {
			if pc+1 == len(c.p) || !c.p[pc+1].WideSecond() {
				return &Error{Reason: ReasonWideCut, PC: pc}
			}
			pc++
			c.wide[pc] = true
		}
	}
	for pc, ins := range c.p {
		target, jumps := ins.Target(pc)
		switch {
		case !jumps || c.wide[pc]:
		case target < 0 || target >= len(c.p):
			return fault(ReasonJumpRange, pc, "target %d, %d instructions", target, len(c.p))
		case target <= pc:
			return fault(ReasonBackEdge, pc, "target %d", target)
		case c.wide[target]:
			return fault(ReasonJumpIntoWide, pc, "target %d", target)
		}
	}
	return nil
}

// visit follows the instruction at pc from what is known before it to what is known after it.
func (c *checker) visit(pc int) error {
	c.arrive(pc)
	if c.cur == nil {
		return &Error{Reason: ReasonUnreachable, PC: pc}
	}
	ins := c.p[pc]
	if err := c.step(pc, ins); err != nil {
		return err
	}
	if target, jumps := ins.Target(pc); jumps {
		c.branch(ins, target)
	} else if ins.Op == OpExit {
		c.idle, c.cur = append(c.idle, c.cur), nil
	}
	next := pc + 1
	if ins.Op == OpLoadWide {
		next++
	}
	if next >= len(c.p) && c.cur != nil {
		return &Error{Reason: ReasonFallsOff, PC: pc}
	}
	return nil
}

// arrive joins what flows into pc from before with what the jumps there bring.
func (c *checker) arrive(pc int) {
	switch {
	case c.pending[pc] == nil:
	case c.cur == nil:
		c.cur = c.pending[pc]
	default:
		c.cur = c.merge(c.cur, c.pending[pc])
	}
	c.pending[pc] = nil
}

// branch sends what is known to the target of a jump, and keeps what is known where it is not taken.
func (c *checker) branch(ins Instruction, target int) {
	taken := c.cur
	if info := ins.Op.Info(); info.Form == FormCondImm || info.Form == FormCondReg {
		taken = c.copyOf(c.cur)
		left, right := c.operands(ins)
		taken.learn(ins, left, right, true)
		c.cur.learn(ins, left, right, false)
	} else {
		c.cur = nil
	}
	if known := c.pending[target]; known != nil {
		taken = c.merge(taken, known)
	}
	c.pending[target] = taken
}

// copyOf is a copy of a state, in an idle one if there is any: a check needs few at a time, but one more at each comparison.
func (c *checker) copyOf(s *state) *state {
	last := len(c.idle) - 1
	if last < 0 {
		return s.clone()
	}
	twin := c.idle[last]
	c.idle = c.idle[:last]
	*twin = *s
	return twin
}

// merge is join of two states of which nobody needs the second any more.
func (c *checker) merge(a, b *state) *state {
	c.idle = append(c.idle, b)
	return c.join(a, b)
}

// allWellFormed checks each instruction on its own.
func allWellFormed(p Program) error {
	for pc := 0; pc < len(p); pc++ {
		if err := wellFormed(pc, p[pc]); err != nil {
			return err
		}
		if p[pc].Op == OpLoadWide {
			pc++
		}
	}
	return nil
}

// wellFormed checks one instruction on its own, more strictly than Malformed: besides having a meaning it must have one that
// programs here may use.
func wellFormed(pc int, ins Instruction) error {
	info := ins.Op.Info()
	if reason := ins.Malformed(); reason != "" {
		return fault(reason, pc, "%s", describe(ins))
	}
	switch {
	case formFields[info.Form].writesDst && ins.Dst == R10:
		return fault(ReasonBadRegister, pc, "r10 is read-only")
	case info.Form == FormLoadWide && ins.Src != WideConstant:
		return fault(ReasonBadOpcode, pc, "wide constant of kind %d; only plain numbers here", ins.Src)
	case info.Form == FormCall && ins.Src != CallKindHelper:
		return fault(ReasonCall, pc, "call of kind %d; only helper functions here", ins.Src)
	case info.Form == FormAtomic, info.Form == FormMayGoto, ins.SpaceCast():
		return fault(ReasonNotHere, pc, "%s", describe(ins))
	case info.Form == FormALUImm:
		return constantOperand(pc, ins, info)
	}
	return nil
}

// constantOperand checks the constant of an operation.
func constantOperand(pc int, ins Instruction, info *OpInfo) error {
	bits := int32(info.bits())
	switch info.ALU {
	case Div, Mod:
		if ins.Imm == 0 {
			return &Error{Reason: ReasonZeroDivisor, PC: pc}
		}
	case Lsh, Rsh, Arsh:
		if ins.Imm < 0 || ins.Imm >= bits {
			return fault(ReasonShiftRange, pc, "by %d, %d is the most", ins.Imm, bits-1)
		}
	}
	return nil
}

func describe(ins Instruction) string {
	return fmt.Sprintf("opcode %#02x with dst %d, src %d, off %d, imm %d", uint8(ins.Op), ins.Dst, ins.Src, ins.Off, ins.Imm)
}
