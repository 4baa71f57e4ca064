package translate

import (
	"math/bits"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// onesUpTo is the smallest number of the form 2^n-1 that is not below hi.
func onesUpTo(hi uint32) uint32 { return uint32(1<<bits.Len32(hi) - 1) }

// compute is the arithmetic of both machines on 32 bits. b is not 0 for Div and Mod; shifts take it modulo 32.
func compute(fn ebpf.ALUOp, a, b uint32) uint32 {
	switch fn {
	case ebpf.Add:
		return a + b
	case ebpf.Sub:
		return a - b
	case ebpf.Mul:
		return a * b
	case ebpf.Div:
		return a / b
	case ebpf.Mod:
		return a % b
	case ebpf.Or:
		return a | b
	case ebpf.And:
		return a & b
	case ebpf.Xor:
		return a ^ b
	case ebpf.Lsh:
		return a << (b & 31)
	case ebpf.Rsh:
		return a >> (b & 31)
	}
	panic("translate: no such arithmetic")
}

// commutes are the operations whose operands may change places.
var commutes = map[ebpf.ALUOp]bool{ebpf.Add: true, ebpf.Mul: true, ebpf.Or: true, ebpf.And: true, ebpf.Xor: true}

// alu is a fn b, simplified. For Div and Mod something else has made sure that b is not 0.
func (vs *values) alu(fn ebpf.ALUOp, a, b value) value {
	ka, constA := vs.constOf(a)
	kb, constB := vs.constOf(b)
	switch {
	case constA && constB:
		if kb == 0 && (fn == ebpf.Div || fn == ebpf.Mod) {
			return a // never gets here at run time
		}
		return vs.constant(compute(fn, ka, kb))
	case commutes[fn] && (constA || !constB && a > b):
		a, b, constB, kb = b, a, constA, ka
	}
	if constB {
		return vs.aluConst(fn, a, kb)
	}
	if fn == ebpf.Add || fn == ebpf.Sub {
		if v, ok := vs.sum(fn, a, b); ok {
			return v
		}
	}
	if a == b {
		switch fn {
		case ebpf.Sub, ebpf.Xor:
			return vs.constant(0)
		case ebpf.And, ebpf.Or:
			return a
		}
	}
	return vs.newALU(fn, a, b)
}

// line is a number that is factor times base, and a constant more.
type line struct {
	base         value
	factor, more uint32
}

// line takes a number apart.
func (vs *values) line(v value) line {
	l := line{base: v, factor: 1}
	take := func(fn ebpf.ALUOp) (k uint32, ok bool) {
		e := &vs.exprs[l.base]
		if e.kind != exprALU || e.fn != fn {
			return 0, false
		}
		if k, ok = vs.constOf(e.b); ok {
			l.base = e.a
		}
		return k, ok
	}
	if k, ok := take(ebpf.Add); ok {
		l.more = k
	}
	if k, ok := take(ebpf.Mul); ok {
		l.factor = k
	} else if k, ok := take(ebpf.Lsh); ok {
		l.factor = 1 << k
	}
	return l
}

// sum is a fn b, for Add and Sub, as a multiple of what both are multiples of.
func (vs *values) sum(fn ebpf.ALUOp, a, b value) (v value, ok bool) {
	l, r := vs.line(a), vs.line(b)
	if l.base != r.base {
		return noValue, false
	}
	product := vs.alu(ebpf.Mul, l.base, vs.constant(compute(fn, l.factor, r.factor)))
	return vs.alu(ebpf.Add, product, vs.constant(compute(fn, l.more, r.more))), true
}

// aluConst is a fn k. Operations that others can stand for become those: a sub is an add, a mul or div by a power of two
// a shift, a mod by one a mask.
func (vs *values) aluConst(fn ebpf.ALUOp, a value, k uint32) value {
	if fn == ebpf.Lsh || fn == ebpf.Rsh {
		k &= 31
	}
	power := k != 0 && k&(k-1) == 0
	log := uint32(bits.TrailingZeros32(k))
	switch {
	case fn == ebpf.Sub:
		return vs.aluConst(ebpf.Add, a, -k)
	case fn == ebpf.Mul && power:
		return vs.aluConst(ebpf.Lsh, a, log)
	case fn == ebpf.Div && power:
		return vs.aluConst(ebpf.Rsh, a, log)
	case fn == ebpf.Mod && power:
		return vs.aluConst(ebpf.And, a, k-1)
	case fn == ebpf.Mul && k == 0:
		return vs.constant(0)
	case fn == ebpf.Mod && vs.known[a].hi < k:
		return a
	case fn == ebpf.And && vs.known[a].may&k == 0:
		return vs.constant(0)
	case fn == ebpf.And && vs.known[a].may&^k == 0:
		return a
	case fn == ebpf.Or && k == 1<<32-1:
		return vs.constant(k)
	case k == 0 && fn != ebpf.Div && fn != ebpf.Mod:
		return a
	}
	if e := &vs.exprs[a]; e.kind == exprALU {
		if inner, ok := vs.constOf(e.b); ok {
			if v, ok := vs.chain(e.fn, fn, e.a, inner, k); ok {
				return v
			}
		}
	}
	return vs.newALU(fn, a, vs.constant(k))
}

// chain is (a inner j) fn k as one operation, where that is possible.
func (vs *values) chain(inner, fn ebpf.ALUOp, a value, j, k uint32) (value, bool) {
	switch {
	case inner != fn:
		if inner == ebpf.Lsh && fn == ebpf.Rsh && j == k && vs.known[a].hi <= (1<<32-1)>>j {
			return a, true
		}
		return noValue, false
	case fn == ebpf.Add || fn == ebpf.And || fn == ebpf.Or || fn == ebpf.Xor:
		return vs.aluConst(fn, a, compute(fn, j, k)), true
	case (fn == ebpf.Lsh || fn == ebpf.Rsh) && j+k < 32:
		return vs.aluConst(fn, a, j+k), true
	case fn == ebpf.Lsh || fn == ebpf.Rsh:
		return vs.constant(0), true
	}
	return noValue, false
}

func (vs *values) newALU(fn ebpf.ALUOp, a, b value) value {
	known := aluBounds(fn, vs.known[a], vs.known[b])
	if known.lo == known.hi {
		return vs.constant(known.lo)
	}
	return vs.intern(expr{kind: exprALU, fn: fn, a: a, b: b}, known)
}

// neg is -a.
func (vs *values) neg(a value) value {
	if k, ok := vs.constOf(a); ok {
		return vs.constant(-k)
	}
	return vs.intern(expr{kind: exprNeg, a: a, b: noValue}, anyNumber)
}

// aluBounds is what is known of the result, given what is known of the operands.
func aluBounds(fn ebpf.ALUOp, a, b bounds) bounds {
	shift := b.lo & 31
	switch fn {
	case ebpf.Add:
		if a.hi+b.hi >= a.hi {
			return within(a.lo+b.lo, a.hi+b.hi)
		}
	case ebpf.Mul:
		if over, _ := bits.Mul32(a.hi, b.hi); over == 0 {
			return within(a.lo*b.lo, a.hi*b.hi)
		}
	case ebpf.Div:
		return upTo(a.hi / max(b.lo, 1))
	case ebpf.Mod:
		return upTo(min(a.hi, b.hi-min(b.hi, 1)))
	case ebpf.Or, ebpf.Xor:
		known := bounds{hi: a.may | b.may, may: a.may | b.may}
		if fn == ebpf.Or {
			known.lo = max(a.lo, b.lo)
		}
		return known
	case ebpf.And:
		may := a.may & b.may
		return bounds{hi: min(may, a.hi, b.hi), may: may}
	case ebpf.Lsh:
		if b.lo == b.hi {
			may := a.may << shift
			if a.hi<<shift>>shift == a.hi {
				return bounds{a.lo << shift, a.hi << shift, may}
			}
			return bounds{hi: may, may: may}
		}
		if a.lo == a.hi {
			return shifted(a.lo)
		}
	case ebpf.Rsh:
		if b.lo == b.hi {
			return bounds{a.lo >> shift, a.hi >> shift, a.may >> shift}
		}
		return upTo(a.hi)
	}
	return anyNumber
}

// shifted are the numbers that k becomes where it is shifted left by any number of bits.
func shifted(k uint32) bounds {
	known := exactly(k)
	for n := range uint32(32) {
		known = known.both(exactly(k << n))
	}
	return known
}
