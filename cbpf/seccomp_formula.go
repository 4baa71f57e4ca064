package cbpf

// formulaKind says what a formula is.
type formulaKind uint8

const (
	formulaConst formulaKind = iota // k
	formulaWord                     // word k of the data, 32 bits
	formulaPair                     // the 64-bit field of the words 2k and 2k+1
	formulaALU                      // a fn b, in 32 bits
	formulaGt                       // 1 if a > b, otherwise 0
	formulaGe                       // 1 if a >= b, otherwise 0
)

// formulaKey is what makes a formula: two formulas of one formulas are equal if and only if they are the same pointer.
type formulaKey struct {
	kind formulaKind
	fn   uint16
	a, b *formula
	k    uint64
}

// formula is a value that a filter computes from the words of the data, or that a fact is about. It never changes.
type formula struct {
	formulaKey
	id     int    // counts up from operands to results
	words  uint16 // the words that it depends on, one bit a word
	bounds bounds // what is known of it, whatever the data
	depth  int    // operations on the longest way to a word
}

// formulas makes formulas, each one once.
type formulas map[formulaKey]*formula

// intern returns the one formula with a key.
func (all formulas) intern(key formulaKey) *formula {
	if t := all[key]; t != nil {
		return t
	}
	t := &formula{formulaKey: key, id: len(all)}
	switch key.kind {
	case formulaConst:
		t.bounds = exactly(uint32(key.k))
	case formulaWord:
		t.words, t.bounds = 1<<key.k, anything
	case formulaPair:
		t.words = 3 << (2 * key.k)
	default:
		t.words = key.a.words | key.b.words
		t.depth = max(key.a.depth, key.b.depth) + 1
		t.bounds = key.bound(key.a.bounds, key.b.bounds)
	}
	all[key] = t
	return t
}

func (all formulas) constant(k uint32) *formula {
	return all.intern(formulaKey{kind: formulaConst, k: uint64(k)})
}
func (all formulas) word(i int) *formula {
	return all.intern(formulaKey{kind: formulaWord, k: uint64(i)})
}
func (all formulas) pair(i int) *formula {
	return all.intern(formulaKey{kind: formulaPair, k: uint64(i)})
}

// alu returns the formula of an operation, simplified. The right operand of Div and Mod is not the constant 0.
func (all formulas) alu(fn uint16, a, b *formula) *formula {
	if a.kind == formulaConst && commutes(fn) {
		a, b = b, a
	}
	if fn == And && b.kind == formulaConst && a.masked() {
		a, b = a.a, all.constant(uint32(a.b.k&b.k))
	}
	if b.kind == formulaConst && neutral(fn, uint32(b.k)) {
		return a
	}
	t := all.intern(formulaKey{kind: formulaALU, fn: fn, a: a, b: b})
	if t.bounds.lo == t.bounds.hi {
		return all.constant(t.bounds.lo)
	}
	return t
}

// relation returns a formula that is not 0 where a stands in a relation to b.
func (all formulas) relation(relation uint16, a, b *formula) *formula {
	switch relation {
	case Gt:
		return all.intern(formulaKey{kind: formulaGt, a: a, b: b})
	case Ge:
		return all.intern(formulaKey{kind: formulaGe, a: a, b: b})
	}
	return all.alu(And, a, b) // Set
}

// masked reports whether a formula is another one & a constant.
func (t *formula) masked() bool {
	return t.kind == formulaALU && t.fn == And && t.b.kind == formulaConst
}

// limit returns the highest value that the kind of formula can have.
func (t *formula) limit() uint64 {
	if t.kind == formulaPair {
		return ^uint64(0)
	}
	return max32
}

// commutes reports whether the operands of an operation may change places.
func commutes(fn uint16) bool {
	switch fn {
	case Add, Mul, And, Or, Xor:
		return true
	}
	return false
}

// neutral reports whether `a fn k` is a.
func neutral(fn uint16, k uint32) bool {
	switch fn {
	case Add, Sub, Or, Xor, Lsh, Rsh:
		return k == 0
	case Mul, Div:
		return k == 1
	case And:
		return k == max32
	}
	return false
}

// value computes a formula from data. What has been computed already is in done, so that each operation is done once.
func (t *formula) value(d *SeccompData, done map[*formula]uint64) uint64 {
	switch t.kind {
	case formulaConst:
		return t.k
	case formulaWord:
		return uint64(d.word(int(t.k)))
	case formulaPair:
		return d.pair(int(t.k))
	}
	if v, ok := done[t]; ok {
		return v
	}
	v := t.apply(uint32(t.a.value(d, done)), uint32(t.b.value(d, done)))
	done[t] = uint64(v)
	return uint64(v)
}

// apply computes an operation. Division by 0, which no path reaches, is 0.
func (key *formulaKey) apply(a, b uint32) uint32 {
	switch {
	case key.kind == formulaGt:
		return truth(a > b)
	case key.kind == formulaGe:
		return truth(a >= b)
	case key.fn == Div && b == 0:
		return 0
	}
	return evaluate(key.fn, a, b)
}

func truth(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
