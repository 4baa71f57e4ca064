package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// skbHeaders reads from a struct sk_buff by skb_load_bytes, which reaches what lies in pages too.
type skbHeaders struct {
	shift   int32  // place of the program's first byte in the packets of the hook
	netOff  uint32 // place of the network header, or where to look for it first
	fixed   bool   // it is there; otherwise only the kernel knows
	pointed bool   // the context tells how long the linear part is
}

func (s socket) headers() headers { return skbHeaders{netOff: s.netOff} }

func (d *direct) headers() headers {
	if !d.skb {
		return xdpHeaders{direct: d}
	}
	h := skbHeaders{shift: d.shift, netOff: d.net.at, fixed: !d.net.header, pointed: true}
	if d.net.header {
		h.netOff = d.netOff
	}
	return h
}

func (skbHeaders) variables(e *emitter) (at, proto, ip variable) { return e.stackVariables() }

// stackVariables are words of the stack.
func (e *emitter) stackVariables() (at, proto, ip variable) {
	return e.onStack(atSlot), e.onStack(protoSlot), e.onStack(ipSlot)
}

func (s skbHeaders) open(e *emitter, at variable, n int, miss ebpf.Label) {
	s.place(e, at, miss)
	e.copyBytes(ebpf.HelperSkbLoadBytes, headerSlot, n)
	e.only(ebpf.JEq.Imm(ebpf.R0, 0), miss)
}

// place puts an offset into r2 as helper functions count it.
func (s skbHeaders) place(e *emitter, at variable, miss ebpf.Label) {
	e.in(at, ebpf.R2)
	if s.shift > 0 { // lest the sum wrap
		e.only(ebpf.JSGe.Imm32(ebpf.R2, 0), miss)
	}
	if s.shift != 0 {
		e.b.Emit(ebpf.Add.Imm32(ebpf.R2, uint32(s.shift)))
	}
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

func (skbHeaders) part(e *emitter, dst ebpf.Register, i, size int) { e.copied(dst, i, size) }

// copied loads size bytes, at i, of what copyBytes has put to headerSlot.
func (e *emitter) copied(dst ebpf.Register, i, size int) {
	e.b.Emit(ebpf.Load(size, dst, ebpf.R10, int16(headerSlot+i)))
}

func (s skbHeaders) captured(e *emitter, dst ebpf.Register) {
	s.length(e, dst)
	e.behind(dst, s.shift)
}

// behind makes a length that counts from the first byte of the hook's packets count from that of the program's, shift behind
// it. Of a packet that ends before, nothing is left.
func (e *emitter) behind(length ebpf.Register, shift int32) {
	if shift != 0 {
		e.b.Emit(ebpf.Sub.Imm32(length, uint32(shift)))
	}
	if shift > 0 {
		some := e.b.NewLabel()
		e.b.Branch(ebpf.JSGe.Imm32(length, 0), some)
		e.b.Emit(ebpf.Mov.Imm32(length, 0))
		e.b.Place(some)
	}
}

// distance loads what lies between two pointers of the context. It destroys nothing else but r1.
func (e *emitter) distance(dst ebpf.Register, from, to int16) {
	e.b.Emit(
		ebpf.Load(4, ebpf.R1, e.regCtx, from),
		ebpf.Load(4, dst, e.regCtx, to),
		ebpf.Sub.Reg(dst, ebpf.R1),
		ebpf.Mov.Reg32(dst, dst),
	)
}

// length loads the length of the packets of the hook.
func (skbHeaders) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Load(4, dst, e.regCtx, ebpf.SkbLen))
}

// blur adds the difference of two numbers that are equal, which the verifier does not know.
func (skbHeaders) blur(e *emitter, r ebpf.Register) { e.blurBy(r, e.regCtx, ebpf.SkbLen) }

// blurBy is blur with a word that the verifier does not know.
func (e *emitter) blurBy(r, base ebpf.Register, word int16) {
	e.b.Emit(
		ebpf.Load(4, ebpf.R1, base, word),
		ebpf.Load(4, ebpf.R2, base, word),
		ebpf.Sub.Reg32(ebpf.R1, ebpf.R2),
		ebpf.Add.Reg32(r, ebpf.R1),
	)
}

func (s skbHeaders) begin(d *dissection) {
	if s.fixed {
		s.told(d.emitter, d.at)
		if s.netOff > 0 {
			s.captured(d.emitter, ebpf.R0)
			d.only(ebpf.JGe.Imm32(ebpf.R0, s.netOff), d.bad)
		}
	} else {
		s.findNetwork(d.emitter, d.at, d.bad)
	}
	d.beginTold()
}

// told puts the place where the network header is said to be into at.
func (s skbHeaders) told(e *emitter, at variable) {
	e.b.Emit(ebpf.Mov.Imm32(ebpf.R0, s.netOff))
	s.blur(e, ebpf.R0)
	e.set(at, ebpf.R0)
}
