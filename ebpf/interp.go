package ebpf

import "sync"

// ReasonEndless says that a run was given up.
const ReasonEndless Reason = "the program does not end"

// Run executes the program on the packet and returns the value of R0 at exit. A nil packet is an empty one.
//
// Whatever goes wrong is an *Error with the pc: a malformed instruction, a register or a byte of the stack that is read
// before it is written, an access outside the packet, the context or the stack, a write to anything but the stack (and the
// buffer of the ABI Buffer), a jump outside the program, a call of a function that helpers does not list for the ABI, calls
// nested deeper than MaxFrames, or more than a million executed instructions plus 16 for each slot. A LoadAbs or LoadInd
// outside the packet is no error: it ends the program with 0.
//
// A may_goto goes on until half of the instructions that a run may execute are spent, and jumps from then on.
//
// Only what is executed is judged, and addresses need no alignment: Check is stricter. Prepare is for many runs.
func Run(p Program, abi ABI, pkt *Packet) (uint64, error) {
	m := machines.Get().(*machine)
	m.prog, m.abi, m.sound = p, abi, false
	return m.run(pkt)
}

// Prepared is a program of which Prepare has judged all instructions, so that they need not be judged whenever they are
// executed.
type Prepared struct {
	prog  Program
	abi   ABI
	sound bool
}

// Prepare takes over p, which must not change from then on. It accepts any program, as Run does.
func Prepare(p Program, abi ABI) *Prepared {
	return &Prepared{prog: p, abi: abi, sound: p.sound()}
}

// Run returns what the function Run does for the program. Several goroutines may call it at once.
func (p *Prepared) Run(pkt *Packet) (uint64, error) {
	m := machines.Get().(*machine)
	m.prog, m.abi, m.sound = p.prog, p.abi, p.sound
	return m.run(pkt)
}

// sound reports whether no instruction of the program can turn out to be malformed, nor a jump to lead astray. Calls are
// judged when they happen.
func (p Program) sound() bool {
	second := make([]bool, len(p))
	for pc, i := range p {
		if second[pc] {
			continue
		}
		if i.Op == OpLoadWide {
			if _, ok := p.Wide(pc); !ok {
				return false
			}
			second[pc+1] = true
		}
		if i.Malformed() != "" {
			return false
		}
	}
	for pc, i := range p {
		target, jumps := i.Target(pc)
		if jumps && (target < 0 || target >= len(p) || second[target]) {
			return false
		}
	}
	return true
}

// machine is the state of one run.
type machine struct {
	prog  Program
	abi   ABI
	sound bool // see Program.sound
	pkt   *Packet
	data  []byte // what plain loads reach of the packet
	base  uint64 // its address

	pc   int    // of the instruction at hand
	next int    // of the one to follow
	done bool   // the run has ended
	err  *Error // the fault that ended it
	left int    // instructions that may still be executed

	regs [16]uint64 // numRegs of them exist; the rest makes any 4-bit index good
	set  uint16     // bit r: register r holds something

	frames  [MaxFrames]frame // of the functions that are being executed, the outermost first
	depth   int              // index of the innermost
	ctx     [SkbSize]byte    // the context in host order, once it has been asked for
	ctxMade bool
}

// machines saves an allocation a run.
var machines = sync.Pool{New: func() any { return new(machine) }}

// run executes the program from its first instruction and gives the machine back to the pool.
func (m *machine) run(pkt *Packet) (uint64, error) {
	defer machines.Put(m)
	m.enter(pkt)
	m.execute()
	result, err := m.regs[R0], m.err
	m.prog, m.pkt, m.data, m.err = nil, nil, nil, nil
	if err != nil {
		return 0, err
	}
	return result, nil
}

// budget is the number of instructions that a run may execute.
func (m *machine) budget() int { return 1<<20 + 16*len(m.prog) }

// enter makes the machine ready for the first instruction. What is left over in registers and stack is out of reach.
func (m *machine) enter(pkt *Packet) {
	if pkt == nil {
		pkt = &Packet{}
	}
	m.pkt, m.data, m.base = pkt, pkt.Data, dataBase
	m.pc, m.next, m.done, m.err, m.left = 0, 0, false, nil, m.budget()
	m.set, m.depth, m.ctxMade = 0, 0, false
	m.frames[0].written = [StackSize / 64]uint64{}

	m.start(R10, m.stackTop())
	switch m.abi {
	case User:
		m.start(R1, dataBase)
		m.start(R2, uint64(len(pkt.Data)))
		m.start(R3, uint64(pkt.WireLen))
		m.start(R4, contextBase)
	case Buffer:
		m.start(R1, dataBase)
		m.start(R2, uint64(len(pkt.Data)))
	case Seccomp:
		m.start(R1, dataBase)
	default:
		m.start(R1, contextBase)
		m.data = pkt.Data[:pkt.linear()]
	}
}

func (m *machine) start(r Register, v uint64) {
	m.regs[r] = v
	m.set |= 1 << r
}

// fail notes the first fault, which ends the run.
func (m *machine) fail(reason Reason, format string, args ...any) {
	if m.err == nil {
		m.err = fault(reason, m.pc, format, args...)
		m.done = true
	}
}

// get reads a register.
func (m *machine) get(r Register) uint64 {
	if m.set>>(r&15)&1 == 0 {
		m.unset(r)
	}
	return m.regs[r&15]
}

// put writes a register. Where it may not, the run is over, and nobody looks at the registers.
func (m *machine) put(r Register, v uint64) {
	if r >= R10 {
		m.readOnly(r)
	}
	m.regs[r&15] = v
	m.set |= 1 << (r & 15)
}

// unset and readOnly are apart so that get and put are small enough to vanish in their callers.
//
//go:noinline
func (m *machine) unset(r Register) { m.fail(ReasonUnset, "%s", r) }

//go:noinline
func (m *machine) readOnly(r Register) { m.fail(ReasonBadRegister, "%s is read-only", r) }

// execute runs the program from next on to its end.
func (m *machine) execute() {
	for !m.done {
		m.pc = m.next
		if m.pc >= len(m.prog) || m.left == 0 {
			m.stop()
			return
		}
		m.left--
		i := &m.prog[m.pc]
		if !m.sound && !i.plain() {
			if reason := i.malformed(i.Op.Info()); reason != "" {
				m.fail(reason, "%s", raw(*i))
				return
			}
		}
		m.next = m.pc + 1
		info := i.Op.Info()
		switch info.Form {
		case FormALUImm:
			m.arithmetic(i, info, uint64(int64(i.Imm)))
		case FormALUReg:
			m.arithmetic(i, info, m.get(i.Src))
		case FormNeg:
			m.put(i.Dst, narrow(-m.get(i.Dst), info))
		case FormEnd:
			m.put(i.Dst, swap(m.get(i.Dst), int(i.Imm), reverses(i.Op)))
		case FormLoad:
			m.put(i.Dst, m.load(m.get(i.Src)+uint64(int64(i.Off)), info))
		case FormStoreImm:
			m.store(m.get(i.Dst)+uint64(int64(i.Off)), info.Size, uint64(int64(i.Imm)))
		case FormStoreReg:
			m.store(m.get(i.Dst)+uint64(int64(i.Off)), info.Size, m.get(i.Src))
		case FormAtomic:
			m.atomic(i, info)
		case FormLoadAbs:
			m.loadPacket(i.Imm, info.Size)
		case FormLoadInd:
			m.loadPacket(int32(uint32(m.get(i.Src))+uint32(i.Imm)), info.Size)
		case FormLoadWide:
			m.loadWide(i)
		case FormJump:
			m.goTo(m.next + int(i.Off))
		case FormJumpLong:
			m.goTo(m.next + int(i.Imm))
		case FormCondImm:
			if holds(info, m.get(i.Dst), uint64(int64(i.Imm))) {
				m.goTo(m.next + int(i.Off))
			}
		case FormCondReg:
			if holds(info, m.get(i.Dst), m.get(i.Src)) {
				m.goTo(m.next + int(i.Off))
			}
		case FormMayGoto:
			if m.left < m.budget()/2 {
				m.goTo(m.next + int(i.Off))
			}
		case FormCall:
			m.call(i)
		case FormExit:
			m.exit()
		}
	}
}

// stop ends a run that cannot go on.
func (m *machine) stop() {
	if m.pc >= len(m.prog) {
		m.pc = len(m.prog) - 1
		m.fail(ReasonFallsOff, "%d instructions", len(m.prog))
		return
	}
	m.fail(ReasonEndless, "pc %d after %d instructions", m.pc, m.budget())
}

func (m *machine) loadWide(i *Instruction) {
	value, ok := m.prog.Wide(m.pc)
	switch {
	case !ok:
		m.fail(ReasonWideCut, "%d instructions", len(m.prog))
	case i.Src != WideConstant:
		m.fail(ReasonBadOpcode, "a wide constant of kind %d is for the kernel", i.Src)
	}
	m.put(i.Dst, value)
	m.next++
}

// goTo continues at the target.
func (m *machine) goTo(target int) {
	m.next = target
	if !m.sound {
		m.judge(target)
	}
}

// judge refuses a target that no jump may have.
func (m *machine) judge(target int) {
	switch {
	case target < 0 || target >= len(m.prog):
		m.fail(ReasonJumpRange, "target %d, %d instructions", target, len(m.prog))
	case target > 0 && m.prog[target-1].Op == OpLoadWide:
		m.fail(ReasonJumpIntoWide, "target %d", target)
	}
}
