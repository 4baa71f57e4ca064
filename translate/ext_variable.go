package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// Extensions that neither a field nor a helper function yields (poff, nla, nlan) become code of some length in place of the
// load. To what stands around it, that code is like the call of a helper function: it takes A and X from their registers,
// leaves its result in A, destroys r0 to r5 and keeps r6 to r9, and what it has on the stack is its own.

// variable is where such code keeps a number of 32 bits: a register, or a word of the stack where loads destroy registers.
//
// The words are upper halves of 8 bytes, whose contents the kernel's verifier does not follow: to it they hold any number,
// unless it saw a 0 stored. So it finds the same state wherever paths through the code meet, and need not go on with each.
type variable struct {
	reg  ebpf.Register
	slot int16 // offset from the frame pointer; 0 where it is in reg
}

// The area on the stack, below loadSlot: first a copy of the header at hand, then words.
const (
	headerMost = 40 // the longest header that is looked at as a whole, that of IPv6
	headerSlot = loadSlot - headerMost

	atSlot     = headerSlot - 4
	protoSlot  = atSlot - 8
	ipSlot     = protoSlot - 8
	flagsSlot  = ipSlot - 8
	tagSlot    = flagsSlot - 8
	payOffSlot = tagSlot - 8
	keptASlot  = payOffSlot - 8

	searchStack = keptASlot - 4 // the lower end
)

// onStack makes a variable of a word of the stack.
func (e *emitter) onStack(slot int16) variable {
	e.stack = max(e.stack, int(-slot))
	return variable{slot: slot}
}

// in returns the register that holds v: its own, or spare, into which it is loaded.
func (e *emitter) in(v variable, spare ebpf.Register) ebpf.Register {
	if v.slot == 0 {
		return v.reg
	}
	e.b.Emit(ebpf.Load(4, spare, ebpf.R10, v.slot))
	return spare
}

// get puts v into dst.
func (e *emitter) get(dst ebpf.Register, v variable) {
	if r := e.in(v, dst); r != dst {
		e.b.Emit(ebpf.Mov.Reg32(dst, r))
	}
}

// set makes v the low 32 bits of src.
func (e *emitter) set(v variable, src ebpf.Register) {
	if v.slot == 0 {
		e.b.Emit(ebpf.Mov.Reg32(v.reg, src))
		return
	}
	e.b.Emit(ebpf.Store(4, ebpf.R10, v.slot, src))
}

func (e *emitter) setImm(v variable, k uint32) {
	if v.slot == 0 {
		e.b.Emit(ebpf.Mov.Imm32(v.reg, k))
		return
	}
	e.b.Emit(ebpf.StoreImm(4, ebpf.R10, v.slot, int32(k)))
}

// clear makes v, which holds something, 0. The kernel's verifier, which knows a 0 that is stored when it sees one, is not to
// see it: it would go on from there twice.
func (e *emitter) clear(v variable, spare, other ebpf.Register) {
	e.get(spare, v)
	e.b.Emit(ebpf.Sub.Reg32(spare, e.in(v, other)))
	e.set(v, spare)
}

// add adds src to v, modulo 2^32. spare may be lost.
func (e *emitter) add(v variable, src, spare ebpf.Register) {
	r := e.in(v, spare)
	e.b.Emit(ebpf.Add.Reg32(r, src))
	e.keep(v, r)
}

func (e *emitter) addImm(v variable, k uint32, spare ebpf.Register) {
	r := e.in(v, spare)
	e.b.Emit(ebpf.Add.Imm32(r, k))
	e.keep(v, r)
}

// keep stores back what in has loaded.
func (e *emitter) keep(v variable, r ebpf.Register) {
	if v.slot != 0 {
		e.set(v, r)
	}
}
