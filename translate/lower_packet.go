package translate

import (
	"encoding/binary"
	"math/bits"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// bigEndianHost says that the order of the machine is that of packets. Optimised programs compare with constants in the
// order of the machine that they are made on.
var bigEndianHost = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// swapBytes reverses the order of the low size bytes of k, the others of which are 0.
func swapBytes(k uint32, size uint8) uint32 {
	switch size {
	case 2:
		return uint32(bits.ReverseBytes16(uint16(k)))
	case 4:
		return bits.ReverseBytes32(k)
	}
	return k
}

// guard goes elsewhere unless the bytes in front of hi are there.
func (l *lowerer) guard(in inst) {
	l.guarded = true
	limit := machine(l.limit)
	switch {
	case l.copier != nil:
		l.copyGuard(in)
		return
	case l.whole:
		return
	case in.hi > maxOffset && l.byAddress:
		l.never()
		return
	case in.base == noValue && !l.byAddress:
		l.goIf(ebpf.JLt.Imm32(0, uint32(in.hi)), limit, noReg, l.miss)
		return
	}
	from, end := machine(l.data), l.temp()
	if in.base != noValue {
		from = vreg(in.base)
	}
	l.put(ebpf.Mov.Reg(0, 0), end, from)
	l.put(ebpf.Add.Imm(0, int32(in.hi)), end, noReg)
	l.goIf(ebpf.JGt.Reg(0, 0), end, limit, l.miss)
}

// never goes elsewhere in any case.
func (l *lowerer) never() {
	l.goIf(ebpf.Jump(), noReg, noReg, l.miss)
	l.cut = true
}

// small goes elsewhere unless a number is small. It compares 64 bits: the verifier does not always know that half of them
// are 0.
func (l *lowerer) small(in inst) {
	if in.hi < 0 {
		l.never()
		return
	}
	l.goIf(ebpf.JGt.Imm(0, int32(in.hi)), vreg(in.v), noReg, l.miss)
}

// load loads bytes that a guard found to be there.
func (l *lowerer) load(in inst) {
	switch e := &l.exprs[in.v]; in.way {
	case loadCopied:
		l.loadCopied(in.v, e)
	case loadOwn:
		l.loadOwn(in.v)
	default:
		l.loadBytes(in.v, e)
	}
}

// loadBytes loads them by a pointer.
func (l *lowerer) loadBytes(v value, e *expr) {
	base, off := machine(l.data), e.k
	if e.a != noValue {
		base = vreg(e.a)
	}
	if off > 0x7fff {
		t := l.temp()
		l.put(ebpf.Mov.Reg(0, 0), t, base)
		l.put(ebpf.Add.Imm(0, int32(off)), t, noReg)
		base, off = t, 0
	}
	dst := vreg(v)
	l.put(ebpf.Load(int(e.size), 0, 0, int16(off)), dst, base)
	l.code[len(l.code)-1].lost = l.lostByLoads
	if e.size > 1 && !l.whole && !l.raw[v] {
		l.put(ebpf.ToBE(0, int32(8*e.size)), dst, noReg)
	}
}

// rawValues finds the numbers that can be kept in the byte order of the packet, since they are only compared for equality
// or tested for bits, as they are or masked: the constants are swapped instead.
func (g *graph) rawValues() []bool {
	raw := make([]bool, len(g.exprs))
	for v := range raw {
		e := &g.exprs[v]
		raw[v] = e.kind == exprLoad && e.size > 1 || g.isMask(value(v))
	}
	for _, b := range g.blocks {
		for _, in := range b.insts {
			g.wantHostOrder(in, raw)
		}
		for e := range b.edges() {
			for _, a := range e.assigns {
				raw[a.from] = false
			}
		}
		t := &b.term
		_, isConst := g.constOf(t.b)
		if t.kind == termRet || t.kind == termCond && !(isConst && (t.op == ebpf.JEq || t.op == ebpf.JNe || t.op == ebpf.JSet)) {
			raw[t.a], raw[t.b] = false, false
		}
	}
	return g.agree(raw)
}

// agree makes a mask and what it is put on have the same order.
func (g *graph) agree(raw []bool) []bool {
	for v, e := range g.exprs {
		if g.isMask(value(v)) && !raw[v] {
			raw[e.a] = false
		}
	}
	for v, e := range g.exprs {
		if g.isMask(value(v)) {
			raw[v] = raw[e.a]
		}
	}
	return raw
}

// isMask reports whether v is a number of several bytes out of the packet, and a constant.
func (g *graph) isMask(v value) bool {
	e := &g.exprs[v]
	if e.kind != exprALU || e.fn != ebpf.And {
		return false
	}
	_, isConst := g.constOf(e.b)
	return isConst && g.exprs[e.a].kind == exprLoad && g.exprs[e.a].size > 1
}

// wantHostOrder marks what the instruction reads as a number.
func (g *graph) wantHostOrder(in inst, raw []bool) {
	switch in.kind {
	case instGuard:
		if in.base != noValue {
			raw[in.base] = false
		}
	case instSmall:
		raw[in.v] = false
	case instDef:
		if in.way == loadOwn {
			raw[in.v] = false
		}
		if g.isMask(in.v) {
			return
		}
		ops, n := g.operands(in.v)
		for _, o := range ops[:n] {
			raw[o] = false
		}
	}
}

// lostByLength is what asking for the length destroys besides A.
func (l *lowerer) lostByLength() registerSet {
	if l.lost == byCalls {
		return byCalls
	}
	return setOf(l.regTmp)
}

// lostByExtension is what an extension destroys besides A. Where bytes of packets are copied, fields are too.
func (l *lowerer) lostByExtension(ext cbpf.Ext) registerSet {
	if _, isField := fields[ext]; l.copier == nil && (isField || ext == cbpf.ExtIfIndex) {
		return setOf(l.regTmp)
	}
	return byCalls | setOf(l.regTmp, l.regKept)
}
