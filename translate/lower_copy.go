package translate

import (
	"math"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// copyGuard asks for the bytes of a guard, and copies what it is to copy. Where it cannot copy what is there, it is verdict 0, as it
// is for a load; only a copy that goes further than the guard may fail for a reason that is none, and leaves it to miss.
func (l *lowerer) copyGuard(in inst) {
	if in.hi > math.MaxInt32 {
		l.goIf(ebpf.Jump(), noReg, noReg, l.drop)
		l.cut = true
		return
	}
	ask := vinsn{kind: vOpaque, dst: noReg, src: noReg, to: noLabel, lost: l.copier.asking(), pc: l.pc}
	if in.base != noValue {
		ask.src = vreg(in.base)
	}
	failed := l.drop
	if in.copied.hi > in.hi {
		failed, l.missed = l.miss, true
	}
	if !in.copied.empty() {
		ask.lost = byCalls
	}
	ask.emit = func(e *emitter, _ int, base ebpf.Register) error {
		if in.base == noValue {
			base = noBase
		}
		if in.copied.hi < in.hi || !l.copier.refuses() {
			l.copier.within(e, base, in.hi)
		}
		if n := in.copied.hi - in.copied.lo; n > 0 {
			l.copier.copyTo(e, l.areas[in.base].place(in.copied.lo), base, in.copied.lo, int(n), failed)
		}
		return nil
	}
	l.code = append(l.code, ask)
	l.wanted.add(l.drop)
}

// loadCopied loads what lies on the stack, in pieces where it lies crooked. In memory order a piece is so many bits further
// than the first.
func (l *lowerer) loadCopied(v value, e *expr) {
	base, s := l.loaded(v)
	at, size := l.areas[base].place(s.lo), int(e.size)
	for done, n := 0, 0; done < size; done += n {
		n = straight(int(at)+done, size-done)
		to, shift := vreg(v), 8*done
		if bigEndianHost {
			shift = 8 * (size - done - n)
		}
		if done > 0 {
			to = l.temp()
		}
		l.put(ebpf.Load(n, 0, 0, at+int16(done)), to, machine(ebpf.R10))
		if shift > 0 {
			l.put(ebpf.Lsh.Imm32(0, uint32(shift)), to, noReg)
		}
		if done > 0 {
			l.put(ebpf.Or.Reg32(0, 0), vreg(v), to)
		}
	}
	if size > 1 && !l.raw[v] {
		l.put(ebpf.ToBE(0, int32(8*size)), vreg(v), noReg)
	}
}

// straight is how many bytes one load takes that is straight, of so many at a place.
func straight(at, most int) int {
	n := 1
	for 2*n <= most && at%(2*n) == 0 {
		n *= 2
	}
	return n
}

// loadOwn loads as the target does, which ends the program where there is nothing.
func (l *lowerer) loadOwn(v value) {
	base, s := l.loaded(v)
	index := noReg
	if base != noValue {
		index = vreg(base)
	}
	l.emits(vreg(v), index, l.lost|setOf(l.regTmp, l.regKept), func(e *emitter, _ int, from ebpf.Register) error {
		size, k := int(s.hi-s.lo), uint32(s.lo-l.shift)
		if index == noReg {
			e.loadFixed(e, e.regA, size, k, e.drop)
		} else {
			e.loadIndexed(e, e.regA, from, size, k, withWindows, e.drop)
		}
		return nil
	})
}
