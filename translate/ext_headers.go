package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// searchable is a target whose packets code can look through.
type searchable interface {
	// headers is how.
	headers() headers
}

// headers is how a target reads packets a header at a time, for code that may not end the program where one is cut short. Its
// methods emit code that destroys r0 to r5, but no variable except the one they write, nor what is open except by open.
// Offsets count from the first byte of the program's packets.
type headers interface {
	// variables are places that loads leave alone.
	variables(e *emitter) (at, proto, ip variable)
	// open makes the n bytes at the offset in at, headerMost at most, ready for part, and goes to miss where the packet does
	// not have all of them.
	open(e *emitter, at variable, n int, miss ebpf.Label)
	// part loads size bytes of what is open, at i, into dst, as they lie in memory, and destroys nothing else.
	part(e *emitter, dst ebpf.Register, i, size int)
	// captured loads the number of bytes that the packet has.
	captured(e *emitter, dst ebpf.Register)
	// blur makes r, whose upper half is 0, a number that the kernel's verifier knows nothing of, and leaves it what it is. It
	// destroys nothing else but r1 and r2.
	blur(e *emitter, r ebpf.Register)
	// begin finds the network header and its EtherType, and goes to d.bad, with anything in d.at, where the packet has none.
	begin(d *dissection)
}

// userHeaders reads what lies behind a guard on the captured length. All registers that calls would destroy are free:
// programs with such code have moved the arguments out of the way, as they do for calls.
type userHeaders struct{ *user }

func (u *user) headers() headers { return userHeaders{u} }

// regHeader is where what is open begins.
const regHeader = ebpf.R4

func (userHeaders) variables(*emitter) (at, proto, ip variable) {
	return variable{reg: ebpf.R1}, variable{reg: ebpf.R2}, variable{reg: ebpf.R3}
}

func (u userHeaders) open(e *emitter, at variable, n int, miss ebpf.Label) {
	e.b.Emit(ebpf.Mov.Reg(regHeader, at.reg), ebpf.Add.Imm(regHeader, int32(n)))
	e.goIf(ebpf.JGt.Reg(regHeader, u.caplen), miss)
	e.b.Emit(ebpf.Mov.Reg(regHeader, at.reg), ebpf.Add.Reg(regHeader, u.data))
}

func (userHeaders) part(e *emitter, dst ebpf.Register, i, size int) {
	e.b.Emit(ebpf.Load(size, dst, regHeader, int16(i)))
}

func (u userHeaders) captured(e *emitter, dst ebpf.Register) { e.b.Emit(ebpf.Mov.Reg32(dst, u.caplen)) }

func (userHeaders) blur(*emitter, ebpf.Register) {}

func (u userHeaders) begin(d *dissection) {
	d.setImm(d.at, u.netOff)
	if u.netOff > 0 {
		d.goIf(ebpf.JLt.Imm32(u.caplen, u.netOff), d.bad)
	}
	d.beginTold()
}
