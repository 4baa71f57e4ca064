package jit

import "slices"

// A region is a run of blocks that are only reached through the first of them. Code for it is jumped over when no lane gets
// there. That costs a test, and a misprediction now and then, so only regions that cost more are made.

// regions is the tree of regions over the blocks of a graph. A region is named by its first block; root is the whole.
type regions struct {
	g     *graph
	ends  []int // of each block: one past the region that could begin there
	outer []int // of each block: the block whose region most narrowly holds its own; root at the outside
	made  []bool
	of    []int // of each block: the region, of those that are made, that most narrowly holds it
}

const root = -1

// newRegions finds which regions there could be. A region ends before the first block to which something leads from before
// it; so regions are nested, and a stack of open ones does.
func newRegions(g *graph) *regions {
	n := len(g.blocks)
	r := &regions{g: g, ends: make([]int, n), outer: make([]int, n), made: make([]bool, n), of: make([]int, n)}
	var open []int
	for x := range g.blocks {
		low := x
		for _, e := range g.blocks[x].in {
			low = min(low, e.from)
		}
		for len(open) > 0 && open[len(open)-1] > low {
			r.ends[open[len(open)-1]] = x
			open = open[:len(open)-1]
		}
		r.outer[x], r.of[x] = root, root
		if len(open) > 0 {
			r.outer[x] = open[len(open)-1]
		}
		open = append(open, x)
	}
	for _, x := range open {
		r.ends[x] = n
	}
	return r
}

// costs of a region: below the first it is not worth a test, and a part of a region that costs this share of it is tested
// for instead, since it is reached by fewer lanes.
const (
	regionMin   = 20
	regionShare = 0.75
)

// choose makes the regions that are worth it, given the cost of each block's own region without those inside.
func (r *regions) choose(own []int) {
	total := slices.Clone(own)
	for x := len(total) - 1; x >= 0; x-- {
		if o := r.outer[x]; o != root {
			total[o] += total[x]
		}
	}
	largest := make([]int, len(total)) // part of each region
	for x, t := range total {
		if o := r.outer[x]; o != root {
			largest[o] = max(largest[o], t)
		}
	}
	for x, t := range total {
		r.made[x] = x > 0 && t >= regionMin && float64(largest[x]) < regionShare*float64(t)
		switch o := r.outer[x]; {
		case r.made[x]:
			r.of[x] = x
		case o != root:
			r.of[x] = r.of[o]
		}
	}
}

// parent is the region around a region.
func (r *regions) parent(region int) int {
	if o := r.outer[region]; o != root {
		return r.of[o]
	}
	return root
}

// holds reports whether a block belongs to the region.
func (r *regions) holds(region, block int) bool {
	return region == root || region <= block && block < r.ends[region]
}

// around is the narrowest region that holds two others.
func (r *regions) around(a, b int) int {
	for a != b {
		if b == root || a != root && a > b {
			a, b = b, a
		}
		// b begins later, and is no part of a unless it begins inside.
		if r.holds(a, b) {
			return a
		}
		a = r.parent(a)
	}
	return a
}

// childWith is the region directly inside of another that holds the block; root where the block lies in no narrower one.
func (r *regions) childWith(region, block int) int {
	child := root
	for inner := r.of[block]; inner != region; inner = r.parent(inner) {
		child = inner
	}
	return child
}
