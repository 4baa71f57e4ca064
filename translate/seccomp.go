package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// seccomp reads struct seccomp_data: aligned words in host order, all of which are always there. Validation has left
// nothing but such loads.
type seccomp struct{}

// seccompData is the first argument, which nothing destroys: seccomp programs make no calls.
const seccompData = ebpf.R1

func newSeccomp(cbpf.Program, Options) access { return seccomp{} }

func (seccomp) holds() registers {
	return registers{regA: ebpf.R0, regX: ebpf.R7, regTmp: ebpf.R5}
}

func (seccomp) entry(*emitter) {}

func (seccomp) begin(*emitter) {}

func (seccomp) ends(uint32, int) bool { return false }

func (seccomp) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, _ ebpf.Label) {
	e.b.Emit(ebpf.Load(size, dst, seccompData, int16(k)))
}

func (seccomp) loadIndexed(*emitter, ebpf.Register, ebpf.Register, int, uint32, reach, ebpf.Label) {
	panic("translate: seccomp has no indirect loads")
}

func (seccomp) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Mov.Imm32(dst, ebpf.SeccompSize))
}

func (seccomp) property(*emitter, ebpf.Register, cbpf.Ext) bool { return false }

func (seccomp) hatype() (uint16, bool) { return 0, false }

func (s seccomp) hook() *hook {
	return &hook{ends: s.ends, place: func(k uint32) (uint32, bool) { return k, true }, most: ebpf.SeccompSize, hatype: s.hatype}
}

func (seccomp) layout(cbpf.Program, bool) layout {
	return layout{data: seccompData, whole: true, pinned: setOf(seccompData)}
}
