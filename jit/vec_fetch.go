package jit

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
)

// How packet bytes get into vectors. Fields at constant offsets, where every packet is long enough, are read 16 bytes at a
// time for each packet and transposed: a window, whose columns are words of four bytes. One that has to be gathered, lane
// by lane, costs as much as a window of four columns. Fields that lie in the same four bytes share them.

// window is 16 bytes of each packet; columns are the offsets in the packet of the words that are wanted of it.
type window struct {
	start   uint32
	columns []uint32
}

const (
	windowSize    = 16
	windowColumns = 4
	columnSize    = 4
)

// column is four bytes of each packet, at index plus off.
type column struct {
	index nodeID
	off   uint32
}

// fetches finds a column for each load, and windows for the columns that every packet has.
func (g *graph) fetches(loads []nodeID) (columns map[nodeID]column, windows []window) {
	columns = map[nodeID]column{}
	type place struct {
		index nodeID
		near  bool
	}
	groups := map[place][]nodeID{}
	for _, id := range loads {
		n := g.at(id)
		at := place{n.a, g.near(n)}
		groups[at] = append(groups[at], id)
	}
	var near []uint32
	for at, group := range groups {
		for _, c := range g.cover(group, columns) {
			if at.near {
				near = append(near, c)
			}
		}
	}
	slices.Sort(near)
	return columns, g.windowsOf(near)
}

// near reports whether every packet has the bytes that a load reads.
func (g *graph) near(n *node) bool {
	_, constant := g.isConst(n.a)
	return constant && uint64(n.k)+uint64(n.n&^bigEndian) <= uint64(g.least)
}

// cover finds columns for loads of one index: each begins with a load and holds as many as it can.
func (g *graph) cover(loads []nodeID, columns map[nodeID]column) (offsets []uint32) {
	slices.SortFunc(loads, func(a, b nodeID) int {
		x, y := g.at(a), g.at(b)
		return cmp.Or(cmp.Compare(int32(x.k), int32(y.k)), cmp.Compare(a, b))
	})
	for _, id := range loads {
		n := g.at(id)
		last := len(offsets) - 1
		if last < 0 || n.k+uint32(n.n&^bigEndian)-offsets[last] > columnSize {
			off := n.k
			if g.near(n) {
				off = min(off, g.least-columnSize)
			}
			offsets = append(offsets, off)
			last++
		}
		columns[id] = column{n.a, offsets[last]}
	}
	return offsets
}

// windowsOf finds windows for sorted columns. Where that is possible, columns are a multiple of four bytes from the start.
func (g *graph) windowsOf(columns []uint32) (windows []window) {
	for len(columns) > 0 {
		first, n := columns[0], 1
		start := min(first, g.least-windowSize)
		for n < len(columns) && n < windowColumns && columns[n]+columnSize <= start+windowSize {
			n++
		}
		last := columns[n-1]
		for s := int64(start); s >= 0 && uint32(s)+windowSize >= last+columnSize; s-- {
			if aligned(uint32(s), columns[:n]) {
				start = uint32(s)
				break
			}
		}
		windows = append(windows, window{start, columns[:n]})
		columns = columns[n:]
	}
	return windows
}

// aligned reports whether the columns are words of a window that starts there.
func aligned(start uint32, columns []uint32) bool {
	return !slices.ContainsFunc(columns, func(c uint32) bool { return (c-start)%columnSize != 0 })
}

// slots tells in which words of the window the columns are. Where they are no words, shuffle moves them there: it is for
// vectors of up to 64 bytes.
func (w *window) slots() (slots [windowColumns]int, shuffle []byte) {
	if aligned(w.start, w.columns) {
		for i, c := range w.columns {
			slots[i] = int(c-w.start) / columnSize
		}
		return slots, nil
	}
	for range 4 {
		for i := range windowColumns {
			slots[i] = i
			c := w.columns[min(i, len(w.columns)-1)] - w.start
			shuffle = binary.LittleEndian.AppendUint32(shuffle, c|(c+1)<<8|(c+2)<<16|(c+3)<<24)
		}
	}
	return slots, shuffle
}

// roots calls f with each node that decides something: conditions of edges that lead somewhere, verdicts, and faults.
func (g *graph) roots(f func(nodeID)) {
	for i := range g.blocks {
		if g.idle[i] {
			continue
		}
		b := &g.blocks[i]
		if b.verdict != noNode {
			f(b.verdict)
		}
		for _, fault := range b.faults {
			f(fault)
		}
		for _, e := range b.out {
			if !g.idle[e.to] {
				f(e.cond)
			}
		}
	}
}

// neededLoads lists the loads that something depends on.
func (g *graph) neededLoads() []nodeID {
	seen, loads := make([]bool, len(g.list)), map[nodeID]bool{}
	var todo []nodeID
	want := func(id nodeID) {
		if !seen[id] {
			seen[id] = true
			todo = append(todo, id)
		}
	}
	g.roots(want)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := g.at(id)
		if n.op == opLoad {
			loads[id] = true
		}
		if n.op == opPhi {
			for _, e := range g.blocks[n.a].in {
				want(e.brings[n.k])
			}
		}
		operands, count := n.operands()
		for _, o := range operands[:count] {
			want(o)
		}
	}
	return slices.Sorted(maps.Keys(loads))
}
