package jit

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Perfect hashing: a set of numbers becomes a table in which each number has a slot of its own, found by a multiplication
// and a shift. A number is of the set if it is what its slot holds. Empty slots hold one of the numbers, which is only ever
// looked for elsewhere.

// perfect is such a table of 2^(32-shift) slots. Where there is a second table, what the first hash finds in it is mixed
// into the slot (hash and displace: Belazzougui, Botelho, Dietzfelbinger, ESA 2009, in its simplest form).
type perfect struct {
	times, shift uint32
	slots        []uint32

	timesFirst, shiftFirst uint32
	moves                  []uint32
}

// multipliers are odd numbers, the same in each run.
func multipliers() func() uint32 {
	r := rand.New(rand.NewPCG(0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9))
	return func() uint32 { return r.Uint32() | 1 }
}

// perfectHash makes a table of 2^logSlots slots for the numbers; nil if none is found soon.
func perfectHash(keys []uint32, logSlots int, tries int) *perfect {
	if len(keys) > 1<<logSlots {
		return nil
	}
	next := multipliers()
	used := make([]int, 1<<logSlots)
	shift := uint32(32 - logSlots)
	for try := 1; try <= tries; try++ {
		times := next()
		if !slices.ContainsFunc(keys, func(k uint32) bool {
			slot := &used[k*times>>shift]
			taken := *slot == try
			*slot = try
			return taken
		}) {
			h := &perfect{times: times, shift: shift, slots: filled(keys[0], 1<<logSlots)}
			for _, k := range keys {
				h.slots[k*times>>shift] = k
			}
			return h
		}
	}
	return nil
}

func filled(k uint32, n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = k
	}
	return s
}

// displacedHash makes a table for more numbers, in two steps; nil if none is found soon.
func displacedHash(keys []uint32) *perfect {
	const tries = 8
	next := multipliers()
	logSlots := bits.Len(uint(len(keys) + len(keys)/4))
	for range tries {
		if h := displace(keys, logSlots, next(), next()); h != nil {
			return h
		}
	}
	return nil
}

// displace puts the numbers into groups, and looks for each group, the large ones first, for a mix that leads all of it to
// free slots.
func displace(keys []uint32, logSlots int, timesFirst, times uint32) *perfect {
	logGroups := max(logSlots-2, 1)
	h := &perfect{
		times: times, shift: uint32(32 - logSlots), slots: filled(keys[0], 1<<logSlots),
		timesFirst: timesFirst, shiftFirst: uint32(32 - logGroups), moves: make([]uint32, 1<<logGroups),
	}
	groups := make([][]uint32, 1<<logGroups)
	for _, k := range keys {
		i := k * timesFirst >> h.shiftFirst
		groups[i] = append(groups[i], k)
	}
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(groups[b]), len(groups[a])) })
	used := make([]bool, 1<<logSlots)
	for _, i := range order {
		if !h.place(groups[i], i, used) {
			return nil
		}
	}
	return h
}

// place finds the mix for a group.
func (h *perfect) place(group []uint32, i int, used []bool) bool {
	slots := make([]uint32, len(group))
	for n, k := range group {
		slots[n] = k * h.times >> h.shift
		if slices.Contains(slots[:n], slots[n]) {
			return false
		}
	}
	for move := range uint32(len(used)) {
		if slices.ContainsFunc(slots, func(s uint32) bool { return used[s^move] }) {
			continue
		}
		h.moves[i] = move
		for n, k := range group {
			used[slots[n]^move] = true
			h.slots[slots[n]^move] = k
		}
		return true
	}
	return false
}

// contains looks a number up, as the generated code does.
func (h *perfect) contains(k uint32) bool {
	slot := k * h.times >> h.shift
	if h.moves != nil {
		slot ^= h.moves[k*h.timesFirst>>h.shiftFirst]
	}
	return h.slots[slot] == k
}
