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

func newSeccomp(cbpf.Program, paths, Options) access { return seccomp{} }

func (seccomp) entry(*emitter) {}

func (seccomp) join(*emitter) {}

func (seccomp) scratchOffset(k uint32) int16 { return wordBelow(k) }

func (seccomp) loadAbs(e *emitter, size int, k uint32) {
	e.b.Emit(ebpf.Load(size, regA, seccompData, int16(k)))
}

func (seccomp) loadInd(*emitter, int, uint32) { panic("translate: seccomp has no indirect loads") }

func (seccomp) loadMSH(*emitter, uint32) { panic("translate: seccomp has no header loads") }

func (seccomp) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Mov.Imm32(dst, ebpf.SeccompSize))
}

func (seccomp) field(*emitter, ebpf.Register, int16) { panic("translate: seccomp has no extensions") }

func (seccomp) hatype() (uint16, bool) { return 0, false }
