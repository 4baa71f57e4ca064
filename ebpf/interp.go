package ebpf

import "sync"

// ReasonEndless says that a run was given up.
const ReasonEndless Reason = "the program does not end"

// Run executes the program on the packet and returns the value of R0 at exit. A nil packet is an empty one.
//
// Whatever goes wrong is an *Error with the pc: a malformed instruction, a register or a byte of the stack that is read
// before it is written, an access outside the packet, the SkBuff or the stack, a write to anything but the stack, a jump
// outside the program, a call of a function that helpers does not list, or more than a million executed instructions
// plus 16 for each slot. A LoadAbs or LoadInd outside the packet is no error: it ends the program with 0.
//
// Only what is executed is judged, and addresses need no alignment: Check is stricter.
func Run(p Program, abi ABI, pkt *Packet) (uint64, error) {
	m := machines.Get().(*machine)
	defer machines.Put(m)
	m.enter(p, abi, pkt)
	for budget := 1<<20 + 16*len(p); !m.done && m.err == nil; budget-- {
		if budget == 0 {
			m.fail(ReasonEndless, "pc %d after %d instructions", m.pc, 1<<20+16*len(p))
			break
		}
		m.step()
	}
	result, err := m.regs[R0], m.err
	m.prog, m.pkt, m.err = nil, nil, nil
	if err != nil {
		return 0, err
	}
	return result, nil
}

// machine is the state of one run.
type machine struct {
	prog Program
	abi  ABI
	pkt  *Packet

	pc   int // of the instruction at hand
	next int // of the one to follow
	done bool
	err  *Error // the first fault; the run ends with it

	regs [numRegs]uint64
	set  uint16 // bit r: register r holds something

	stack   [StackSize]byte
	written [StackSize / 64]uint64 // bit n: byte n of the stack holds something
	skb     [SkbSize]byte          // the SkBuff in host order, once it has been asked for
	skbMade bool
}

// machines saves an allocation a run.
var machines = sync.Pool{New: func() any { return new(machine) }}

// enter makes the machine ready for the first instruction. What is left over in registers and stack is out of reach.
func (m *machine) enter(p Program, abi ABI, pkt *Packet) {
	if pkt == nil {
		pkt = &Packet{}
	}
	m.prog, m.abi, m.pkt = p, abi, pkt
	m.pc, m.next, m.done, m.err = 0, 0, false, nil
	m.set, m.written, m.skbMade = 0, [StackSize / 64]uint64{}, false

	m.start(RFP, stackBase+StackSize)
	if abi == Socket {
		m.start(R1, skbBase)
		return
	}
	m.start(R1, dataBase)
	m.start(R2, uint64(len(pkt.Data)))
	m.start(R3, uint64(pkt.WireLen))
	m.start(R4, skbBase)
}

func (m *machine) start(r Register, v uint64) {
	m.regs[r] = v
	m.set |= 1 << r
}

// fail notes the first fault of the run.
func (m *machine) fail(reason Reason, format string, args ...any) {
	if m.err == nil {
		m.err = fault(reason, m.pc, format, args...)
	}
}

// get reads a register.
func (m *machine) get(r Register) uint64 {
	if m.set>>r&1 == 0 {
		m.fail(ReasonUnset, "%s", r)
	}
	return m.regs[r]
}

// put writes a register.
func (m *machine) put(r Register, v uint64) {
	if r == RFP {
		m.fail(ReasonBadRegister, "%s is read-only", r)
		return
	}
	m.start(r, v)
}

// step executes one instruction.
func (m *machine) step() {
	m.pc = m.next
	if m.pc >= len(m.prog) {
		m.pc = len(m.prog) - 1
		m.fail(ReasonFallsOff, "%d instructions", len(m.prog))
		return
	}
	i := m.prog[m.pc]
	if reason := i.Malformed(); reason != "" {
		m.fail(reason, "%s", raw(i))
		return
	}
	m.next = m.pc + 1
	info := i.Op.Info()
	switch info.Form {
	case FormALUImm, FormALUReg, FormNeg, FormEnd:
		m.put(i.Dst, m.arithmetic(i, info))
	case FormLoad:
		m.put(i.Dst, m.load(m.get(i.Src)+uint64(int64(i.Off)), info))
	case FormStoreImm:
		m.store(m.get(i.Dst)+uint64(int64(i.Off)), info.Size, uint64(int64(i.Imm)))
	case FormStoreReg:
		m.store(m.get(i.Dst)+uint64(int64(i.Off)), info.Size, m.get(i.Src))
	case FormLoadAbs:
		m.loadPacket(i.Imm, info.Size)
	case FormLoadInd:
		m.loadPacket(int32(uint32(m.get(i.Src))+uint32(i.Imm)), info.Size)
	case FormLoadWide:
		m.loadWide(i)
	case FormJump, FormJumpLong:
		m.jump(i)
	case FormCondImm, FormCondReg:
		if m.holds(i, info) {
			m.jump(i)
		}
	case FormCall:
		m.call(i)
	case FormExit:
		m.get(R0)
		m.done = true
	}
}

func (m *machine) loadWide(i Instruction) {
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

func (m *machine) jump(i Instruction) {
	target, _ := i.Target(m.pc)
	switch {
	case target < 0 || target >= len(m.prog):
		m.fail(ReasonJumpRange, "target %d, %d instructions", target, len(m.prog))
	case target > 0 && m.prog[target-1].Op == OpLoadWide:
		m.fail(ReasonJumpIntoWide, "target %d", target)
	}
	m.next = target
}
