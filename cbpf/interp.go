package cbpf

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// What stops a run that Validate would have refused to begin. The messages begin with "run:" to tell them from its own.
const (
	ReasonRunOpcode    Reason = "run: no such opcode"
	ReasonRunExtension Reason = "run: no such extension"
	ReasonRunScratch   Reason = "run: no such scratch word"
	ReasonRunDivisor   Reason = "run: division by the constant 0"
	ReasonRunShift     Reason = "run: shift by a constant of 32 or more"
	ReasonRunJump      Reason = "run: jump out of the program"
	ReasonRunEnd       Reason = "run: no instruction after the last one"
)

// Classes of opcodes: their low three bits (linux/bpf_common.h). Jumps are told apart by their form.
const (
	classBits uint16 = 0x07
	classLd   uint16 = 0x00
	classLdx  uint16 = 0x01
	classSt   uint16 = 0x02
	classStx  uint16 = 0x03
	classAlu  uint16 = 0x04
)

// Run executes a classic program on a packet as Linux 6.18 does and returns its verdict: the number of bytes to keep, 0 to
// drop the packet. It is the norm of this module. pkt is neither nil nor changed.
//
// The program need not be valid. What Validate refuses is an *Error with one of the ReasonRun constants and the pc, but
// only where the run meets it; scratch words hold 0 at the start. Every run ends, for no jump goes backward.
func Run(p Program, pkt *Packet) (uint32, error) {
	verdict, _, err := RunTrace(p, pkt)
	return verdict, err
}

// RunTrace is Run that tells in addition what happened that other engines are known to treat otherwise.
func RunTrace(p Program, pkt *Packet) (verdict uint32, quirks Quirk, err error) {
	m := machine{pkt: pkt}
	last := -1
	for pc := uint64(0); pc < uint64(len(p)) && !m.done; {
		last = int(pc)
		pc += 1 + m.step(p[pc])
	}
	if !m.done || m.reason != "" {
		return 0, m.quirks, m.fault(p, last)
	}
	return m.verdict, m.quirks, nil
}

// machine is the state of one run.
type machine struct {
	pkt     *Packet
	a, x    uint32
	mem     [ScratchWords]uint32
	written uint16 // bit k is set when M[k] has been stored to
	quirks  Quirk
	done    bool
	verdict uint32 // valid when done without a reason
	reason  Reason // why the program is at fault; empty if it is not
}

// end finishes the program with a verdict.
func (m *machine) end(verdict uint32) { m.done, m.verdict = true, verdict }

// fail finishes a program that is not valid.
func (m *machine) fail(r Reason) { m.done, m.reason = true, r }

// fault describes what stopped the run at the instruction last; without a reason of the machine, the program went on
// outside of itself.
func (m *machine) fault(p Program, last int) *Error {
	e := &Error{Reason: m.reason, PC: last}
	if last >= 0 {
		e.Detail = fmt.Sprintf("code 0x%02x, k 0x%x", p[last].Op, p[last].K)
	}
	if m.reason == "" {
		e.Reason = ReasonRunEnd
		if last >= 0 && isJump(Info(p[last].Op).Form) {
			e.Reason = ReasonRunJump
		}
	}
	return e
}

// isJump reports whether instructions of the form go anywhere but on.
func isJump(f Form) bool { return f == FormJump || f == FormCondK || f == FormCondX }

// step executes one instruction and returns how many of those behind it to skip.
func (m *machine) step(ins bpf.RawInstruction) (skip uint64) {
	row := Info(ins.Op)
	if row == nil {
		m.fail(ReasonRunOpcode)
		return 0
	}
	switch row.Form {
	case FormJump:
		return uint64(ins.K)
	case FormCondK:
		return branch(ins, compare(row.Fn, m.a, ins.K))
	case FormCondX:
		return branch(ins, compare(row.Fn, m.a, m.x))
	case FormRetK:
		m.end(ins.K)
		return 0
	case FormRetA:
		m.end(m.a)
		return 0
	}
	switch ins.Op & classBits {
	case classLd, classLdx:
		m.load(row, ins.K)
	case classSt, classStx:
		m.store(row, ins.K)
	case classAlu:
		m.arithmetic(row, ins.K)
	default: // tax, txa
		*m.register(row.Writes) = *m.register(row.Reads)
	}
	return 0
}

// branch returns the one of the two distances that the outcome of a comparison selects.
func branch(ins bpf.RawInstruction, taken bool) (skip uint64) {
	if taken {
		return uint64(ins.Jt)
	}
	return uint64(ins.Jf)
}

// register returns the one of A and X that is in the set.
func (m *machine) register(r Regs) *uint32 {
	if r&X != 0 {
		return &m.x
	}
	return &m.a
}

// load executes an instruction of the classes LD and LDX. A load that ends the program leaves A and X as they are.
func (m *machine) load(row *OpInfo, k uint32) {
	v := m.operand(row, k)
	if !m.done {
		*m.register(row.Writes) = v
	}
}

// operand yields what a load loads.
func (m *machine) operand(row *OpInfo, k uint32) uint32 {
	switch row.Form {
	case FormImm:
		return k
	case FormLen:
		return m.length(row)
	case FormMem:
		return m.scratch(k)
	case FormInd:
		return m.bytes(m.index(k), row.Size)
	case FormMSH: // reaches no extension, only the NET window
		return 4 * (m.bytes(k, row.Size) & 0xf)
	}
	if e, ok := Extension(k); ok {
		return m.extension(e)
	}
	return m.bytes(k, row.Size)
}

// length yields the length on the wire.
func (m *machine) length(row *OpInfo) uint32 {
	if uint64(m.pkt.WireLen) != uint64(len(m.pkt.Data)) {
		m.quirks |= QuirkLen
	}
	if row.Writes == X {
		m.quirks |= QuirkLdxLen
	}
	return m.pkt.WireLen
}

// index yields X + k modulo 2^32; from 0x80000000 on it is a window, or nothing.
func (m *machine) index(k uint32) uint32 {
	if uint64(m.x)+uint64(k) >= 1<<31 {
		m.quirks |= QuirkIndex
	}
	return m.x + k
}

// bytes reads size bytes of the packet, big-endian; outside of it the program ends with verdict 0.
func (m *machine) bytes(k uint32, size int) uint32 {
	if k >= LLOff {
		m.quirks |= QuirkWindow
	}
	if off, ok := place(m.pkt, k); ok {
		if v, ok := fetch(m.pkt, off, size); ok {
			return v
		}
	}
	m.end(0)
	return 0
}

// scratch yields M[k].
func (m *machine) scratch(k uint32) uint32 {
	if k >= ScratchWords {
		m.fail(ReasonRunScratch)
		return 0
	}
	if m.written>>k&1 == 0 {
		m.quirks |= QuirkScratch
	}
	return m.mem[k]
}

// store executes st and stx.
func (m *machine) store(row *OpInfo, k uint32) {
	if k >= ScratchWords {
		m.fail(ReasonRunScratch)
		return
	}
	m.mem[k] = *m.register(row.Reads)
	m.written |= 1 << k
}

// arithmetic executes an instruction of the class ALU. Division by an X of 0 ends the program with verdict 0.
func (m *machine) arithmetic(row *OpInfo, k uint32) {
	b := k
	if row.Form == FormX {
		b = m.x
	}
	switch row.Fn {
	case Div, Mod:
		m.checkDivisor(row, b)
	case Lsh, Rsh:
		m.checkShift(row, b)
	case Neg:
		m.quirks |= QuirkNeg
	}
	if !m.done {
		m.a = evaluate(row.Fn, m.a, b)
	}
}

// checkDivisor ends the program where the right operand is 0, which can only be X in a valid one.
func (m *machine) checkDivisor(row *OpInfo, b uint32) {
	switch {
	case b != 0:
	case row.Form == FormX:
		m.end(0)
	default:
		m.fail(ReasonRunDivisor)
	}
}

// checkShift notes shifts of 32 and more, which can only be by X in a valid program; evaluate masks them.
func (m *machine) checkShift(row *OpInfo, b uint32) {
	switch {
	case b < 32:
	case row.Form == FormX:
		m.quirks |= QuirkShift
	default:
		m.fail(ReasonRunShift)
	}
}
