package cbpf

import (
	"fmt"
	"strings"
)

// maxFormulaText is the most operations that a formula is spelt out with; above it only says what it depends on.
const maxFormulaText = 8

// SeccompCondition is a condition on struct seccomp_data, besides the number of the call and mostly the architecture. The
// zero value never holds.
type SeccompCondition struct{ any []facts }

// Holds reports whether the condition is true of data. d is neither nil nor changed.
func (c SeccompCondition) Holds(d *SeccompData) bool {
	for _, one := range c.any {
		if one.hold(d) {
			return true
		}
	}
	return false
}

// Always reports whether the condition holds of all data.
func (c SeccompCondition) Always() bool {
	for _, one := range c.any {
		if len(one) == 0 {
			return true
		}
	}
	return false
}

// String returns the condition in the manner of C, && before ||:
//
//	args[0] & 0x7e020000 == 0
//	low32(args[1]) in {1, 2, 5..7} && args[2] >= 4096 || ip != 0
//
// low32 and high32 are the halves of a 64-bit field of which only one matters, in is membership in a set, and the
// operations on words are those of the filter, in 32 bits.
func (c SeccompCondition) String() string {
	switch {
	case len(c.any) == 0:
		return "never"
	case c.Always():
		return "always"
	}
	list := make([]string, len(c.any))
	for i, one := range c.any {
		list[i] = strings.Join(one.texts(), " && ")
	}
	return strings.Join(list, " || ")
}

// texts says facts. Those that bits of the same word are 0 are said as one, with all of the bits.
func (f facts) texts() []string {
	zeros := make(map[*formula]uint64)
	for _, one := range f {
		if one.clearsBits() {
			zeros[one.of.a] |= one.of.b.k
		}
	}
	var list []string
	for _, one := range f {
		if !one.clearsBits() {
			list = append(list, one.text())
		} else if mask := zeros[one.of.a]; mask != 0 {
			text, _ := one.of.maskText(mask)
			list = append(list, text+" == 0")
			zeros[one.of.a] = 0
		}
	}
	return list
}

// clearsBits reports whether the fact is that some bits of half of a field are 0.
func (f fact) clearsBits() bool {
	return f.of.masksHalf() && f.in.single() && f.in.min() == 0
}

// effort compares conditions: what is easier to say has less.
func (c SeccompCondition) effort() int {
	effort := 0
	for _, one := range c.any {
		effort += 4
		for _, f := range one {
			effort += 2 + len(f.in)
			if !f.in.single() {
				effort++
			}
		}
	}
	return effort
}

// text says a fact.
func (f fact) text() string {
	if f.of.kind == formulaPair && f.in.aligned() {
		return relationText("high32("+f.of.text(maxFormulaText)+")", f.in.halved(), max32)
	}
	outside := f.in.not(f.of.limit())
	if !f.of.masksHalf() || !f.in.single() && !outside.single() {
		return relationText(f.of.text(maxFormulaText), f.in, f.of.limit())
	}
	mask, shift := f.of.maskText(f.of.b.k)
	switch {
	case !f.in.single():
		return fmt.Sprintf("%s != %#x", mask, outside.min()<<shift)
	case f.in.min() == f.of.b.k && f.in.min()&(f.in.min()-1) == 0:
		return mask + " != 0"
	}
	return fmt.Sprintf("%s == %#x", mask, f.in.min()<<shift)
}

// aligned reports whether a set of 64-bit numbers is only about their high words, in the middle of the range.
func (s numbers) aligned() bool {
	for _, one := range s {
		if uint32(one.lo) != 0 || uint32(one.hi) != max32 {
			return false
		}
	}
	return s.min() != 0 && s.max() != 1<<64-1
}

// halved returns the high words of an aligned set.
func (s numbers) halved() numbers {
	out := make(numbers, len(s))
	for i, one := range s {
		out[i] = interval{one.lo >> 32, one.hi >> 32}
	}
	return out
}

// masksHalf reports whether a formula is half of a 64-bit field & a mask.
func (t *formula) masksHalf() bool { return t.masked() && t.a.kind == formulaWord && t.a.k >= wordIP }

// maskText says a formula that masksHalf, with another mask, as an operation on the field; and how far to shift values of
// the formula to have values of that.
func (t *formula) maskText(mask uint64) (text string, shift int) {
	shift = int(t.a.k % 2 * 32)
	return fmt.Sprintf("%s & %#x", pairText(t.a.k/2), mask<<shift), shift
}

// relationText says that a value of up to limit is in a set, which is neither empty nor full.
func relationText(name string, in numbers, limit uint64) string {
	outside := in.not(limit)
	switch {
	case in.single():
		return name + " == " + numberText(in.min())
	case len(in) == 1 && in.min() == 0:
		return name + " <= " + numberText(in.max())
	case len(in) == 1 && in.max() == limit:
		return name + " >= " + numberText(in.min())
	case outside.single():
		return name + " != " + numberText(outside.min())
	case len(outside) < len(in):
		return name + " not in {" + outside.text() + "}"
	}
	return name + " in {" + in.text() + "}"
}

func (s numbers) text() string {
	list := make([]string, len(s))
	for i, one := range s {
		list[i] = numberText(one.lo)
		switch one.hi - one.lo {
		case 0:
		case 1:
			list[i] += ", " + numberText(one.hi)
		default:
			list[i] += ".." + numberText(one.hi)
		}
	}
	return strings.Join(list, ", ")
}

// numberText writes small numbers in decimal, others in hexadecimal.
func numberText(n uint64) string {
	if n < 1<<12 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("0x%x", n)
}

// pairText names a 64-bit field.
func pairText(i uint64) string {
	if i == wordIP/2 {
		return "ip"
	}
	return fmt.Sprintf("args[%d]", i-wordArgs/2)
}

// symbols are the signs of the operations.
var symbols = map[uint16]string{
	Add: "+", Sub: "-", Mul: "*", Div: "/", Or: "|", And: "&", Lsh: "<<", Rsh: ">>", Xor: "^",
}

// text says a formula with up to so many operations.
func (t *formula) text(budget int) string {
	if t.size(budget) > budget {
		var words []string
		for i := range uint64(seccompWords) {
			if t.words>>i&1 == 1 {
				words = append(words, wordText(i))
			}
		}
		return "f(" + strings.Join(words, ", ") + ")"
	}
	switch t.kind {
	case formulaConst:
		return numberText(t.k)
	case formulaWord:
		return wordText(t.k)
	case formulaPair:
		return pairText(t.k)
	case formulaGt:
		return t.a.operand() + " > " + t.b.operand()
	case formulaGe:
		return t.a.operand() + " >= " + t.b.operand()
	}
	if t.fn == Neg {
		return "-" + t.a.operand()
	}
	return t.a.operand() + " " + symbols[t.fn] + " " + t.b.operand()
}

// operand says a formula inside another one.
func (t *formula) operand() string {
	if t.depth == 0 {
		return t.text(0)
	}
	return "(" + t.text(maxFormulaText) + ")"
}

// size counts the operations of a formula, not much above budget.
func (t *formula) size(budget int) int {
	if t.depth == 0 || budget < 0 {
		return 0
	}
	left := t.a.size(budget - 1)
	return 1 + left + t.b.size(budget-1-left)
}

// wordText names a word.
func wordText(i uint64) string {
	switch {
	case i == wordNr:
		return "nr"
	case i == wordArch:
		return "arch"
	case i%2 == 1:
		return "high32(" + pairText(i/2) + ")"
	}
	return "low32(" + pairText(i/2) + ")"
}
