package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// value names an expression of a graph. The packet never changes while a program runs, so an expression over it has one
// value wherever it is computed: two computations that read the same have the same name.
type value int32

const noValue value = -1

// exprKind says what an expression is made of.
type exprKind uint8

// The kinds of expression. In the drawings a, b, k, size and fn are the fields of expr.
const (
	exprConst    exprKind = iota // k
	exprLoad                     // size bytes at address a+k, or at k in the packet where a is noValue; in host order
	exprOpaque                   // size bytes at k, or at a+k, as a classic load means it; ends the program where there are none
	exprLen                      // length on the wire
	exprProperty                 // extension k, of A = a and X = b where it takes them
	exprALU                      // a fn b, on 32 bits
	exprNeg                      // -a
	exprPhi                      // whatever the edges into a block assign; k tells one from another
	exprPtr                      // address of packet byte a
)

// expr is an expression. Equal ones are the same value.
type expr struct {
	kind exprKind
	fn   ebpf.ALUOp
	size uint8
	a, b value
	k    uint32
}

// bounds is what is known of a number whatever the packet.
type bounds struct {
	lo, hi uint32
	may    uint32 // bits that may be set
}

var anyNumber = bounds{hi: 1<<32 - 1, may: 1<<32 - 1}

func exactly(k uint32) bounds { return bounds{k, k, k} }

// upTo are the numbers from 0 to hi.
func upTo(hi uint32) bounds { return bounds{hi: hi, may: onesUpTo(hi)} }

// within are the numbers from lo to hi.
func within(lo, hi uint32) bounds {
	if lo == hi {
		return exactly(lo)
	}
	return bounds{lo, hi, onesUpTo(hi)}
}

// both are the numbers that a or b allow.
func (a bounds) both(b bounds) bounds { return bounds{min(a.lo, b.lo), max(a.hi, b.hi), a.may | b.may} }

// values holds the expressions of a graph.
type values struct {
	exprs  []expr
	known  []bounds // of each
	index  map[expr]value
	serial uint32 // tells apart what would be equal and is not: phis and random numbers
}

// expect makes room for so many expressions.
func (vs *values) expect(n int) {
	vs.index = make(map[expr]value, n)
	vs.exprs, vs.known = make([]expr, 0, n), make([]bounds, 0, n)
}

func (vs *values) intern(e expr, known bounds) value {
	if v, ok := vs.index[e]; ok {
		return v
	}
	v := value(len(vs.exprs))
	vs.index[e] = v
	vs.exprs = append(vs.exprs, e)
	vs.known = append(vs.known, known)
	return v
}

func (vs *values) constant(k uint32) value {
	return vs.intern(expr{kind: exprConst, a: noValue, b: noValue, k: k}, exactly(k))
}

// constOf returns the number that v always is.
func (vs *values) constOf(v value) (k uint32, ok bool) {
	e := &vs.exprs[v]
	return e.k, e.kind == exprConst
}

// load is the number in size bytes at k behind an address.
func (vs *values) load(size int, address value, k uint32) value {
	return vs.intern(expr{kind: exprLoad, size: uint8(size), a: address, b: noValue, k: k}, ofSize(size))
}

// opaque is the number that a classic load yields, at k or, if that is a value, index+k.
func (vs *values) opaque(size int, index value, k uint32) value {
	return vs.intern(expr{kind: exprOpaque, size: uint8(size), a: index, b: noValue, k: k}, ofSize(size))
}

// ofSize are the numbers that so many bytes hold.
func ofSize(size int) bounds { return upTo(uint32(1<<(8*size) - 1)) }

func (vs *values) length() value {
	return vs.intern(expr{kind: exprLen, a: noValue, b: noValue}, anyNumber)
}

// property is an extension of the packet. Each random number is one of its own.
func (vs *values) property(ext cbpf.Ext, a, b value) value {
	e := expr{kind: exprProperty, a: noValue, b: noValue, k: uint32(ext)}
	known := anyNumber
	switch ext {
	case cbpf.ExtNlattr, cbpf.ExtNlattrNest:
		e.a, e.b = a, b
	case cbpf.ExtRandom:
		vs.serial++
		e.b = -value(vs.serial) - 1
	case cbpf.ExtProto, cbpf.ExtVlanTPID:
		known = ofSize(2)
	}
	return vs.intern(e, known)
}

// phi is a new number, of which known is known.
func (vs *values) phi(known bounds) value {
	vs.serial++
	return vs.intern(expr{kind: exprPhi, a: noValue, b: noValue, k: vs.serial}, known)
}

// pointer is the address of the packet byte that a number says. Those of another kind are apart.
func (vs *values) pointer(base value, kind uint32) value {
	return vs.intern(expr{kind: exprPtr, a: base, b: noValue, k: kind}, anyNumber)
}

// operands lists the values that an expression is computed from. Constants are no operands: they are part of instructions.
func (vs *values) operands(v value) (ops [2]value, n int) {
	e := &vs.exprs[v]
	for _, o := range [2]value{e.a, e.b} {
		if o >= 0 && vs.exprs[o].kind != exprConst {
			ops[n] = o
			n++
		}
	}
	return ops, n
}
