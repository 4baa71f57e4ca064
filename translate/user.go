package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// user reads the packet with plain loads, each behind a guard on the captured length. The arguments stay in r1 to r4
// unless the program calls a helper function, which destroys those; then they are moved out of its way.
type user struct {
	data, caplen, wirelen, skb ebpf.Register
	calls                      bool
	netOff                     uint32
	haType                     uint16
}

// skbSlot is where the fourth argument waits when the program makes calls: below the scratch memory.
const skbSlot = -(4*cbpf.ScratchWords + 8)

func newUser(p cbpf.Program, _ paths, opts Options) access {
	u := &user{data: ebpf.R1, caplen: ebpf.R2, wirelen: ebpf.R3, skb: ebpf.R4, netOff: uint32(opts.NetOff), haType: opts.HaType}
	if u.calls = callsHelper(p); u.calls {
		u.data, u.caplen, u.wirelen, u.skb = ebpf.R6, ebpf.R8, ebpf.R9, regTmp
	}
	return u
}

// callsHelper reports whether any instruction needs a helper function.
func callsHelper(p cbpf.Program) bool {
	for _, ins := range p {
		if ext, ok := cbpf.Extension(ins.K); ok && cbpf.Info(ins.Op).Form == cbpf.FormAbs && helpers[ext] != 0 {
			return true
		}
	}
	return false
}

func (u *user) entry(e *emitter) {
	if !u.calls {
		return
	}
	e.stack = -skbSlot
	e.b.Emit(
		ebpf.Mov.Reg(u.data, ebpf.R1),
		ebpf.Mov.Reg(u.caplen, ebpf.R2),
		ebpf.Mov.Reg(u.wirelen, ebpf.R3),
		ebpf.Store(8, ebpf.R10, skbSlot, ebpf.R4),
	)
}

// userEnds: between the packet and the windows of the kernel there is nothing.
func userEnds(k uint32, _ int) bool { return int32(k) < 0 && k < cbpf.LLOff }

// offset is the place in the packet that an absolute k means.
func (u *user) offset(k uint32) uint32 {
	switch {
	case k >= cbpf.NetOff:
		return k - cbpf.NetOff + u.netOff
	case k >= cbpf.LLOff:
		return k - cbpf.LLOff
	}
	return k
}

func (u *user) join(*emitter) {}

func (u *user) scratchOffset(k uint32) int16 { return wordBelow(k) }

// wordBelow puts M[k] below M[k-1], as the kernel's own translation does.
func wordBelow(k uint32) int16 { return -4 * (int16(k) + 1) }

func (u *user) loadAbs(e *emitter, size int, k uint32) {
	u.loadConst(e, regA, size, k)
	toHost(e, size)
}

func (u *user) loadMSH(e *emitter, k uint32) { u.loadConst(e, regX, 1, k) }

// loadConst loads from an offset known now. Offsets beyond the 16 bits of the field need an addition.
func (u *user) loadConst(e *emitter, dst ebpf.Register, size int, k uint32) {
	off := u.offset(k)
	e.dropIf(ebpf.JLt.Imm32(u.caplen, off+uint32(size)))
	base := u.data
	if off > 0x7fff {
		e.b.Emit(ebpf.Mov.Reg(regTmp, base), ebpf.Add.Imm(regTmp, int32(off)))
		base, off = regTmp, 0
	}
	e.b.Emit(ebpf.Load(size, dst, base, int16(off)))
}

// loadInd computes X+k as the kernel does, wrapping in 32 bits, and sends what is negative then to the LL and NET windows.
func (u *user) loadInd(e *emitter, size int, k uint32) {
	const windowSize = cbpf.NetOff - cbpf.LLOff
	inPacket := e.b.NewLabel()
	e.b.Emit(ebpf.Mov.Reg32(regTmp, regX))
	if k != 0 {
		e.b.Emit(ebpf.Add.Imm32(regTmp, k))
	}
	e.b.Branch(ebpf.JSGe.Imm32(regTmp, 0), inPacket)
	e.dropIf(ebpf.JLt.Imm32(regTmp, cbpf.LLOff))
	e.b.Emit(ebpf.Sub.Imm32(regTmp, cbpf.LLOff))
	e.b.Branch(ebpf.JLt.Imm32(regTmp, windowSize), inPacket)
	e.b.Emit(ebpf.Add.Imm32(regTmp, u.netOff-windowSize))
	e.b.Place(inPacket)
	e.b.Emit(ebpf.Mov.Reg(regA, regTmp), ebpf.Add.Imm(regA, int32(size)))
	e.dropIf(ebpf.JGt.Reg(regA, u.caplen))
	e.b.Emit(ebpf.Add.Reg(regTmp, u.data), ebpf.Load(size, regA, regTmp, 0))
	toHost(e, size)
}

// toHost turns A from the big-endian order of the packet into that of the host.
func toHost(e *emitter, size int) {
	if size > 1 {
		e.b.Emit(ebpf.ToBE(regA, int32(8*size)))
	}
}

func (u *user) length(e *emitter, dst ebpf.Register) { e.b.Emit(ebpf.Mov.Reg32(dst, u.wirelen)) }

func (u *user) field(e *emitter, dst ebpf.Register, off int16) {
	if u.calls {
		e.b.Emit(ebpf.Load(8, u.skb, ebpf.R10, skbSlot))
	}
	e.b.Emit(ebpf.Load(4, dst, u.skb, off))
}

func (u *user) hatype() (uint16, bool) { return u.haType, u.haType != 0 }
