package cbpf

// maxBisected is the most pieces into which the numbers of the calls or architectures are cut along one comparison.
const maxBisected = 128

// maxBisections bounds the work of finding them.
const maxBisections = 32 * maxBisected

// maxDepth bounds the work of finding out about a formula from the words it depends on.
const maxDepth = 5

// fork splits what is known by whether a formula has one of some values. A path that is known not to exist is nil, and
// false is its ok.
func (all formulas) fork(f facts, t *formula, in numbers) (yes, no facts, isYes, isNo bool) {
	yes, isYes = all.narrow(f, t, in)
	no, isNo = all.narrow(f, t, in.not(t.limit()))
	return yes, no, isYes, isNo
}

// narrow adds to what is known that a formula has one of some values. ok is false if it is known that it has none of them.
func (all formulas) narrow(f facts, t *formula, in numbers) (out facts, ok bool) {
	b := all.boundsOf(f, t, maxDepth)
	if b.impossible() {
		return nil, false
	}
	some, every := in.meets(uint64(b.lo), uint64(b.hi))
	switch {
	case !some:
		return nil, false
	case every:
		return f, true
	case t.words == 1<<wordNr || t.words == 1<<wordArch:
		return all.narrowNumber(f, t, in)
	case t.kind == formulaWord:
		return all.narrowHalf(f, t, in)
	}
	return narrowTo(f, t, in)
}

// narrowTo adds a fact as it is.
func narrowTo(f facts, t *formula, in numbers) (facts, bool) {
	in = f.about(t).and(in)
	if len(in) == 0 {
		return nil, false
	}
	return f.with(t, in), true
}

// narrowHalf adds a fact about the low or the high word of a 64-bit field: as one about the field, if it is about the
// high word or that is known.
func (all formulas) narrowHalf(f facts, t *formula, in numbers) (facts, bool) {
	pair := all.pair(int(t.k / 2))
	low := all.word(int(t.k &^ 1))
	if t == low {
		if high, ok := highOf(f.about(pair)); ok {
			return narrowTo(f, pair, in.shifted(high))
		}
		return narrowTo(f, t, in)
	}
	var wide numbers
	for _, one := range in {
		wide = append(wide, interval{one.lo << 32, one.hi<<32 | max32})
	}
	f, ok := narrowTo(f, pair, wide)
	if !ok {
		return nil, false
	}
	if high, single := highOf(f.about(pair)); single {
		return narrowTo(f.with(low, upTo(max32)), pair, f.about(low).shifted(high))
	}
	return f, true
}

// highOf returns the high word that all numbers of a set share, in its place. ok is false if they do not share one.
func highOf(s numbers) (high uint64, ok bool) {
	return s.min() &^ max32, s.min()>>32 == s.max()>>32
}

// shifted returns the set with high, whose low word is 0, added to all of its words.
func (s numbers) shifted(high uint64) numbers {
	out := make(numbers, len(s))
	for i, one := range s {
		out[i] = interval{one.lo | high, one.hi | high}
	}
	return out
}

// narrowNumber adds a fact about what depends only on the number of the call, or only on the architecture, as one about
// that number; where it would fall into too many pieces, as it is.
func (all formulas) narrowNumber(f facts, t *formula, in numbers) (facts, bool) {
	if t.kind == formulaWord {
		return narrowTo(f, t, in)
	}
	word := all.word(wordNr)
	if t.words == 1<<wordArch {
		word = all.word(wordArch)
	}
	for _, within := range []numbers{upTo(max32), f.about(word)} {
		if cut, ok := bisect(t, in, within); ok {
			return narrowTo(f, word, cut)
		}
	}
	return narrowTo(f, t, in)
}

// bisect returns the values of the one word that t depends on for which it has one of some values. ok is false if they
// are in too many pieces, or too hard to find.
func bisect(t *formula, in, within numbers) (cut numbers, ok bool) {
	c := bisection{of: t, in: in}
	for _, one := range within {
		c.bisect(uint32(one.lo), uint32(one.hi))
	}
	return c.out, !c.failed()
}

// bisection finds the values of one word for which a formula has one of some values.
type bisection struct {
	of    *formula
	in    numbers
	out   numbers
	steps int
}

// failed reports whether the values are in too many pieces, or too hard to find.
func (c *bisection) failed() bool { return len(c.out) > maxBisected || c.steps > maxBisections }

// bisect goes through the values from lo to hi.
func (c *bisection) bisect(lo, hi uint32) {
	c.steps++
	if c.failed() {
		return
	}
	b := c.boundsBetween(lo, hi)
	some, every := c.in.meets(uint64(b.lo), uint64(b.hi))
	switch {
	case !some:
	case every:
		c.out = c.out.add(interval{uint64(lo), uint64(hi)})
	default:
		mid := lo + (hi-lo)/2
		c.bisect(lo, mid)
		c.bisect(mid+1, hi)
	}
}

// boundsBetween returns what is known of the formula for the values from lo to hi of the word: all, if they are one.
func (c *bisection) boundsBetween(lo, hi uint32) bounds {
	if lo == hi { // the one word that matters is either of these
		d := SeccompData{Nr: int32(lo), Arch: Arch(lo)}
		return exactly(uint32(c.of.value(&d, make(map[*formula]uint64))))
	}
	return c.of.boundsWhere(between(lo, hi), maxDepth)
}

// boundsWhere returns what is known of a formula of one word if that is known of the word.
func (t *formula) boundsWhere(word bounds, depth int) bounds {
	switch {
	case t.kind == formulaWord:
		return word
	case t.kind == formulaConst || depth == 0:
		return t.bounds
	}
	return t.bounds.and(t.bound(t.a.boundsWhere(word, depth-1), t.b.boundsWhere(word, depth-1)))
}

// boundsOf returns what is known of a formula of 32 bits on a path.
func (all formulas) boundsOf(f facts, t *formula, depth int) bounds {
	b := t.bounds
	switch {
	case t.kind == formulaConst:
		return b
	case t.kind == formulaWord:
		b = all.boundsOfWord(f, t)
	case depth > 0:
		b = b.and(t.bound(all.boundsOf(f, t.a, depth-1), all.boundsOf(f, t.b, depth-1)))
	}
	if i, ok := f.find(t); ok {
		b = b.and(between(uint32(f[i].in.min()), uint32(f[i].in.max())))
	}
	return b
}

// boundsOfWord returns what is known of a word from facts about its field, and about its bits.
func (all formulas) boundsOfWord(f facts, t *formula) bounds {
	b := anything
	if t.k >= wordIP {
		whole := f.about(all.pair(int(t.k / 2)))
		if high, ok := highOf(whole); t.k%2 == 1 {
			b = between(uint32(whole.min()>>32), uint32(whole.max()>>32))
		} else if ok {
			b = between(uint32(whole.min()-high), uint32(whole.max()-high))
		}
	}
	for _, one := range f {
		if one.of.masked() && one.of.a == t && one.in.single() {
			b = b.and(bounds{hi: max32, known: uint32(one.of.b.k), ones: uint32(one.in.min())})
		}
	}
	return b
}
