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

// userRegisters are those of the kernel's own translation (bpf_convert_filter in net/core/filter.c), which fit here too.
var userRegisters = registers{regA: ebpf.R0, regX: ebpf.R7, regTmp: ebpf.R5, lost: setOf(ebpf.R5)}

func newUser(p cbpf.Program, opts Options) access {
	u := &user{data: ebpf.R1, caplen: ebpf.R2, wirelen: ebpf.R3, skb: ebpf.R4, netOff: uint32(opts.NetOff), haType: opts.HaType}
	if u.calls = callsHelper(p); u.calls {
		u.data, u.caplen, u.wirelen, u.skb = ebpf.R6, ebpf.R8, ebpf.R9, userRegisters.regTmp
	}
	return u
}

// callsHelper reports whether any instruction needs a helper function, or code that destroys the same registers.
func callsHelper(p cbpf.Program) bool {
	for _, ins := range p {
		if ext, ok := cbpf.Extension(ins.K); ok && cbpf.Info(ins.Op).Form == cbpf.FormAbs && (helpers[ext] != 0 || searches[ext] != nil) {
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

// ends: between the packet and the windows of the kernel there is nothing.
func (u *user) ends(k uint32, _ int) bool { return int32(k) < 0 && k < cbpf.LLOff }

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

func (u *user) holds() registers { return userRegisters }

func (u *user) begin(*emitter) {}

// loadFixed loads from an offset known now. Offsets beyond the 16 bits of the field need an addition.
func (u *user) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	off := u.offset(k)
	e.goIf(ebpf.JLt.Imm32(u.caplen, off+uint32(size)), miss)
	base := u.data
	if off > 0x7fff {
		e.b.Emit(ebpf.Mov.Reg(e.regTmp, base), ebpf.Add.Imm(e.regTmp, int32(off)))
		base, off = e.regTmp, 0
	}
	e.b.Emit(ebpf.Load(size, dst, base, int16(off)))
	e.toHost(dst, size)
}

// loadIndexed computes the offset as the kernel does, wrapping in 32 bits, and sends what is negative then to the LL and
// NET windows.
func (u *user) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	tmp := e.regTmp
	e.sum(tmp, index, k)
	if reach == withWindows {
		e.outOfWindow(tmp, u.netOff, miss)
	} else {
		e.goIf(ebpf.JSLt.Imm32(tmp, 0), miss)
	}
	e.b.Emit(ebpf.Mov.Reg(dst, tmp), ebpf.Add.Imm(dst, int32(size)))
	e.goIf(ebpf.JGt.Reg(dst, u.caplen), miss)
	e.b.Emit(ebpf.Add.Reg(tmp, u.data), ebpf.Load(size, dst, tmp, 0))
	e.toHost(dst, size)
}

// outOfWindow turns an offset that may lie in the LL or NET window into one in the packet, which begins with the link-layer
// header and has the network header at netOff. What is 2^31 and above and in neither goes to miss.
func (e *emitter) outOfWindow(off ebpf.Register, netOff uint32, miss ebpf.Label) {
	inPacket := e.b.NewLabel()
	e.b.Branch(ebpf.JSGe.Imm32(off, 0), inPacket)
	e.goIf(ebpf.JLt.Imm32(off, cbpf.LLOff), miss)
	e.b.Emit(ebpf.Sub.Imm32(off, cbpf.LLOff))
	e.b.Branch(ebpf.JLt.Imm32(off, windowSize), inPacket)
	e.b.Emit(ebpf.Add.Imm32(off, netOff-windowSize))
	e.b.Place(inPacket)
}

func (u *user) length(e *emitter, dst ebpf.Register) { e.b.Emit(ebpf.Mov.Reg32(dst, u.wirelen)) }

// property finds the SkBuff in its register or on the stack.
func (u *user) property(e *emitter, dst ebpf.Register, ext cbpf.Ext) bool {
	if _, ok := fields[ext]; ok && u.calls {
		e.b.Emit(ebpf.Load(8, u.skb, ebpf.R10, skbSlot))
	}
	return e.skbField(dst, u.skb, ext)
}

func (u *user) hatype() (uint16, bool) { return u.haType, u.haType != 0 }

func (u *user) hook() *hook {
	return &hook{
		ends:   u.ends,
		place:  func(k uint32) (uint32, bool) { return u.offset(k), true },
		most:   1<<31 - 1,
		hatype: u.hatype,
	}
}

// layout keeps those of the arguments that the program looks at.
func (u *user) layout(p cbpf.Program, twin bool) layout {
	at := layout{data: u.data, limit: u.caplen, pinned: setOf(u.data, u.caplen)}
	for _, ins := range p {
		info := cbpf.Info(ins.Op)
		switch {
		case info.Form == cbpf.FormLen:
			at.pinned |= setOf(u.wirelen)
		case isExtension(info, ins) && !u.calls:
			at.pinned |= setOf(u.skb)
		}
	}
	if u.calls {
		at.stack = skbSlot
	}
	return at
}
