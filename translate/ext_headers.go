package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// headers is how a target reads packets a header at a time, for code that may not end the program where one is cut short. Its
// methods emit code that destroys r0 and what spare registers they are given, and no variable but the one they write.
type headers interface {
	// variables are places that loads leave alone.
	variables(e *emitter) (at, proto, ip variable)
	// open makes the n bytes at the offset in at, headerMost at most, ready for part, and goes to miss where the packet does
	// not have all of them. It destroys r0 to r5, but no variable.
	open(e *emitter, at variable, n int, miss ebpf.Label)
	// part loads size bytes of what is open, at i, into dst, as they lie in memory.
	part(e *emitter, dst ebpf.Register, i, size int)
	// captured loads the number of bytes that the packet has.
	captured(e *emitter, dst ebpf.Register)
	// blur makes r, whose upper half is 0, a number that the kernel's verifier knows nothing of, and leaves it what it is.
	blur(e *emitter, r ebpf.Register)
	// field loads a word of the SkBuff, as it lies in memory.
	field(e *emitter, dst ebpf.Register, off int16)
	// networkOffset puts the place of the network header into at, and goes to miss, with anything in at, where that lies
	// behind the packet.
	networkOffset(e *emitter, at variable, miss ebpf.Label)
}

// regHeader is where what is open begins, for User programs. The other registers that calls would destroy are spare or hold
// variables: programs with such code have moved the arguments out of the way, as they do for calls.
const regHeader = ebpf.R4

func (u *user) variables(*emitter) (at, proto, ip variable) {
	return variable{reg: ebpf.R1}, variable{reg: ebpf.R2}, variable{reg: ebpf.R3}
}

func (u *user) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.b.Emit(ebpf.Mov.Reg(regHeader, at.reg), ebpf.Add.Imm(regHeader, int32(n)))
	e.goIf(ebpf.JGt.Reg(regHeader, u.caplen), miss)
	e.b.Emit(ebpf.Mov.Reg(regHeader, at.reg), ebpf.Add.Reg(regHeader, u.data))
}

func (u *user) part(e *emitter, dst ebpf.Register, i, size int) {
	e.b.Emit(ebpf.Load(size, dst, regHeader, int16(i)))
}

func (u *user) captured(e *emitter, dst ebpf.Register) { e.b.Emit(ebpf.Mov.Reg32(dst, u.caplen)) }

func (u *user) field(e *emitter, dst ebpf.Register, off int16) {
	e.b.Emit(ebpf.Load(8, u.skb, ebpf.R10, skbSlot), ebpf.Load(4, dst, u.skb, off))
}

func (u *user) blur(*emitter, ebpf.Register) {}

func (u *user) networkOffset(e *emitter, at variable, miss ebpf.Label) {
	e.setImm(at, u.netOff)
	if u.netOff > 0 {
		e.goIf(ebpf.JLt.Imm32(u.caplen, u.netOff), miss)
	}
}

// skbHeaders reads from a struct sk_buff by skb_load_bytes, which reaches what lies in pages too.
type skbHeaders struct {
	netOff uint32 // where the network header is taken to be, if it is found there
}

func (skbHeaders) variables(e *emitter) (at, proto, ip variable) {
	return e.onStack(atSlot), e.onStack(protoSlot), e.onStack(ipSlot)
}

func (skbHeaders) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.in(at, ebpf.R2)
	e.copyBytes(ebpf.HelperSkbLoadBytes, headerSlot, n)
	e.only(ebpf.JEq.Imm(ebpf.R0, 0), miss)
}

// copyBytes calls a function that copies n bytes at the offset in r2 to the stack, and leaves 0 in r0 where they exist.
func (e *emitter) copyBytes(helper int32, to int16, n int) {
	e.b.Emit(
		ebpf.Mov.Reg(ebpf.R1, e.regCtx),
		ebpf.Mov.Reg(ebpf.R3, ebpf.R10),
		ebpf.Add.Imm(ebpf.R3, int32(to)),
		ebpf.Mov.Imm32(ebpf.R4, uint32(n)),
		ebpf.CallHelper(helper),
	)
}

func (skbHeaders) part(e *emitter, dst ebpf.Register, i, size int) {
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, int16(headerSlot+i)))
}

func (skbHeaders) captured(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Load(4, dst, e.regCtx, ebpf.SkbLen))
}

func (skbHeaders) field(e *emitter, dst ebpf.Register, off int16) {
	e.b.Emit(ebpf.Load(4, dst, e.regCtx, off))
}

// blur adds the difference of two numbers that are equal, which the verifier does not know.
func (skbHeaders) blur(e *emitter, r ebpf.Register) {
	e.b.Emit(
		ebpf.Load(4, ebpf.R1, e.regCtx, ebpf.SkbLen),
		ebpf.Load(4, ebpf.R2, e.regCtx, ebpf.SkbLen),
		ebpf.Sub.Reg32(ebpf.R1, ebpf.R2),
		ebpf.Add.Reg32(r, ebpf.R1),
	)
}
