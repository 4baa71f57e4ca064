package cbpf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// way is one alternative of a verdict, taken apart.
type way struct {
	verdict  *formula
	nr, arch numbers
	know     facts // about everything else
}

// table makes rows of a walk.
type table struct {
	ways     []way
	archWord *formula
}

func newTable(w *walk) *table {
	b := &table{archWord: w.word(wordArch)}
	nr := w.word(wordNr)
	for _, verdict := range w.order {
		for _, know := range w.ends[verdict] {
			rest := know.with(nr, upTo(max32)).with(b.archWord, upTo(max32))
			b.ways = append(b.ways, way{verdict, know.about(nr), know.about(b.archWord), rest})
		}
	}
	return b
}

// archsCompared returns the architectures that are on a way by themselves, or that a way leaves out; those with names
// first, in their order.
func (b *table) archsCompared() []Arch {
	found := make(map[Arch]bool)
	for _, one := range b.ways {
		for _, s := range append(slices.Clone(one.arch), one.arch.not(max32)...) {
			if s.lo == s.hi {
				found[Arch(s.lo)] = true
			}
		}
	}
	var list []Arch
	for _, arch := range Archs() {
		if found[arch] {
			list = append(list, arch)
			delete(found, arch)
		}
	}
	named := len(list)
	for arch := range found {
		list = append(list, arch)
	}
	slices.Sort(list[named:])
	if len(list) == 0 {
		return []Arch{ArchX86_64}
	}
	return list
}

// rowsOf returns the rows of one architecture, or of all in a set.
func (b *table) rowsOf(arch Arch, archs numbers) []SeccompRow {
	var rows []SeccompRow
	known := make(map[string][]SeccompOutcome) // by the ways that lead there
	unnamed := make(map[string]int)            // the place in rows of the numbers without name, by what happens to them
	parts := b.parts(archs)
	for _, part := range parts {
		outcomes, ok := known[part.key()]
		if !ok {
			outcomes = outcomesOf(part.ways)
			known[part.key()] = outcomes
		}
		numbered := onNumber(outcomes)
		for _, one := range callNames(arch, part, len(parts) == 1 && !numbered) {
			row := SeccompRow{Arch: arch, Name: one.name, Numbers: []NumberRange{one.numbers}, Outcomes: outcomes}
			switch {
			case one.name == "":
				actions := row.Actions()
				if at, ok := unnamed[actions]; ok {
					rows[at].Numbers = appendRange(rows[at].Numbers, one.numbers)
					continue
				}
				unnamed[actions] = len(rows)
			case numbered:
				row.Outcomes = settle(outcomes, &SeccompData{Nr: int32(one.numbers.First), Arch: arch})
			}
			rows = append(rows, row)
		}
	}
	for _, at := range unnamed {
		rows[at].Rest = len(unnamed) == 1
	}
	return rows
}

// appendRange appends a range to ascending ones, or extends the last.
func appendRange(list []NumberRange, one NumberRange) []NumberRange {
	if last := len(list) - 1; list[last].Last+1 == one.First {
		list[last].Last = one.Last
		return list
	}
	return append(list, one)
}

// part is numbers that go the same ways.
type part struct {
	numbers interval
	ways    []alternative
}

// alternative is a way, and the facts under which it is taken by the architectures in question.
type alternative struct {
	index   int
	verdict *formula
	know    facts
}

// key tells which ways there are.
func (p part) key() string {
	var key strings.Builder
	for _, one := range p.ways {
		fmt.Fprintf(&key, "%d ", one.index)
	}
	return key.String()
}

// parts cuts all numbers where a way of the architectures begins or ends.
func (b *table) parts(archs numbers) []part {
	type edge struct {
		at    uint64 // the first number for which it is so
		index int
		enter bool
	}
	var edges []edge
	open := make(map[int]alternative)
	for i, one := range b.ways {
		shared := one.arch.and(archs)
		if len(shared) == 0 {
			continue
		}
		know := one.know
		if !shared.equal(archs) {
			know = know.with(b.archWord, shared)
		}
		open[i] = alternative{i, one.verdict, know}
		for _, s := range one.nr {
			edges = append(edges, edge{s.lo, i, true}, edge{s.hi + 1, i, false})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	var parts []part
	active := make(map[int]bool)
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			if edges[i].enter {
				active[edges[i].index] = true
			} else {
				delete(active, edges[i].index)
			}
		}
		if at > max32 {
			break
		}
		one := part{numbers: interval{at, edges[i].at - 1}}
		for index := range active {
			one.ways = append(one.ways, open[index])
		}
		slices.SortFunc(one.ways, func(a, b alternative) int { return a.index - b.index })
		parts = append(parts, one)
	}
	return parts
}

// namedRange is numbers with one name, or without.
type namedRange struct {
	name    string
	numbers NumberRange
}

// callNames cuts a part where single numbers have names. The x32 numbers are cut only where the filter does: mostly it has
// one answer for them all. Nor are there names on an architecture that has one answer for all numbers.
func callNames(arch Arch, p part, uniform bool) []namedRange {
	first, last := uint32(p.numbers.lo), uint32(p.numbers.hi)
	var list []namedRange
	add := func(name string, lo, hi uint32) { list = append(list, namedRange{name, NumberRange{lo, hi}}) }
	row := arch.info()
	if row == nil || uniform {
		return []namedRange{{"", NumberRange{first, last}}}
	}
	next := uint64(first)
	for _, nr := range row.calls().numbers {
		if nr < first || nr > last || nr >= X32Bit && last > X32Bit|0xffff {
			continue
		}
		if uint64(nr) > next {
			add("", uint32(next), nr-1)
		}
		add(row.calls().names[nr], nr, nr)
		next = uint64(nr) + 1
	}
	if next <= uint64(last) {
		add("", uint32(next), last)
	}
	return list
}

// settle returns what is left of outcomes when the number and the architecture are those of d.
func settle(outcomes []SeccompOutcome, d *SeccompData) []SeccompOutcome {
	var left []SeccompOutcome
	for _, o := range outcomes {
		var any []facts
		for _, alternative := range o.When.any {
			if rest, ok := alternative.settle(d); ok {
				any = unite(any, rest)
			}
		}
		if len(any) == 0 {
			continue
		}
		o.When.any = any
		if o.Computed && o.verdict.onNumbers() {
			o.Computed, o.Action = false, Action(o.Value(d))
		}
		left = append(left, o)
	}
	return left
}

// settle leaves out the facts that only depend on the number and the architecture. ok is false if one of them is not true.
func (f facts) settle(d *SeccompData) (rest facts, ok bool) {
	for _, one := range f {
		switch {
		case !one.of.onNumbers():
			rest = append(rest, one)
		case !(facts{one}).hold(d):
			return nil, false
		}
	}
	return rest, true
}

// onNumber reports whether outcomes depend on the number.
func onNumber(outcomes []SeccompOutcome) bool {
	var words uint16
	for _, o := range outcomes {
		words |= o.verdict.words
		for _, alternative := range o.When.any {
			for _, one := range alternative {
				words |= one.of.words
			}
		}
	}
	return words&(1<<wordNr) != 0
}

// onNumbers reports whether a formula depends on nothing but the number and the architecture.
func (t *formula) onNumbers() bool { return t.words&^(1<<wordNr|1<<wordArch) == 0 }

// outcomesOf returns the outcomes of ways, the simplest condition first.
func outcomesOf(ways []alternative) []SeccompOutcome {
	var list []SeccompOutcome
	for i, one := range ways {
		if i == 0 || one.verdict != ways[i-1].verdict {
			list = append(list, SeccompOutcome{
				Action:   Action(one.verdict.k),
				Computed: one.verdict.kind != formulaConst,
				verdict:  one.verdict,
			})
		}
		when := &list[len(list)-1].When
		when.any = unite(when.any, one.know)
	}
	slices.SortStableFunc(list, func(a, b SeccompOutcome) int { return a.When.effort() - b.When.effort() })
	return list
}
