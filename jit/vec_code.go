package jit

import "slices"

// coder writes a graph down as lines, block by block.
type coder struct {
	g       *graph
	place   *placement
	lines   []line
	labels  *asm
	vectors lanes // handed out so far
	masks   mask

	at      []lanes // of each node: its vector
	begun   []bool  // it has some number, but is still to be computed
	columns [][windowColumns]lanes
	bytes   lanes // offsets of the packets in the buffer
	verdict lanes

	entry   []mask // of each block: its lanes; none for all
	started []bool // of each block: entry is set
	ends    map[int][]label
	inits   map[int][]int // of each region: blocks behind it that it leads to
}

// code writes the lines for one group of packets.
func (g *graph) code(a *asm) *coder {
	n := len(g.blocks)
	c := &coder{
		g: g, place: place(g), labels: a, at: make([]lanes, len(g.list)), begun: make([]bool, len(g.list)), columns: make([][windowColumns]lanes, len(g.windows)),
		bytes: none, entry: make([]mask, n), started: make([]bool, n), ends: map[int][]label{}, inits: map[int][]int{},
	}
	for i := range c.at {
		c.at[i] = none
	}
	for i := range c.entry {
		c.entry[i] = none
	}
	c.findInits()
	c.head()
	c.verdict = c.vector()
	c.broadcast(c.verdict, g.verdict, none)
	for i := range g.blocks {
		c.block(i)
	}
	c.endRegions(n)
	return c
}

func (c *coder) vector() lanes {
	c.vectors++
	return c.vectors - 1
}

func (c *coder) mask() mask {
	c.masks++
	return c.masks - 1
}

func (c *coder) emit(l line) { c.lines = append(c.lines, l) }

// findInits finds, for each region, the blocks behind it to which it leads: their lanes must be counted before the region is
// jumped over.
func (c *coder) findInits() {
	r := c.place.regions
	for i := range c.g.blocks {
		for _, e := range c.g.blocks[i].in {
			for region := r.of[e.from]; !r.holds(region, i); region = r.parent(region) {
				if !slices.Contains(c.inits[region], i) {
					c.inits[region] = append(c.inits[region], i)
				}
			}
		}
	}
}

// head reads the descriptors.
func (c *coder) head() {
	l := newLine(lineHead)
	for id := range c.g.list {
		if !c.place.used[id] {
			continue
		}
		switch c.g.list[id].op {
		case opGather:
			if c.bytes == none {
				c.bytes = c.vector()
				l.outs[0] = c.bytes
			}
		case opCapLen:
			c.at[id] = c.vector()
			l.outs[1] = c.at[id]
		case opWireLen:
			c.at[id] = c.vector()
			l.outs[2] = c.at[id]
		}
	}
	c.emit(l)
}

// block writes what a block does for its lanes: it sets verdicts, or passes lanes on.
func (c *coder) block(i int) {
	b := &c.g.blocks[i]
	c.endRegions(i)
	if c.place.regions.made[i] {
		c.beginRegion(i)
	}
	if !c.g.reached(i) {
		return
	}
	for _, fault := range b.faults {
		l := newLine(lineGiveUp)
		l.x = c.condition(fault, c.entry[i])
		c.emit(l)
	}
	if b.verdict != noNode {
		c.assign(c.verdict, b.verdict, c.entry[i])
		return
	}
	if len(b.out) == 2 && c.g.negate(b.out[0].cond) == b.out[1].cond {
		some := c.condition(b.out[0].cond, c.entry[i])
		c.pass(b.out[0], some, some != c.entry[i])
		c.pass(b.out[1], c.without(c.entry[i], some), true)
		return
	}
	for _, e := range b.out {
		m := c.condition(e.cond, c.entry[i])
		c.pass(e, m, m != c.entry[i])
	}
}

// without is the mask of the lanes of all that are not of some.
func (c *coder) without(all, some mask) mask {
	l := newLine(lineNot)
	if all != none {
		l = newLine(lineMask)
		l.kop, l.y = kandNot, all
	}
	l.x, l.bits = some, c.mask()
	c.emit(l)
	return l.bits
}

// pass hands lanes to the target of an edge, and what they bring. own tells that the mask is nobody else's.
func (c *coder) pass(e *edge, m mask, own bool) {
	b := &c.g.blocks[e.to]
	for j, phi := range b.phis {
		if !c.place.used[phi] {
			continue
		}
		if c.at[phi] == none {
			c.at[phi] = c.vector()
			c.assign(c.at[phi], e.brings[j], none)
		} else {
			c.assign(c.at[phi], e.brings[j], m)
		}
	}
	to := &c.entry[e.to]
	l := newLine(lineCopy)
	l.x = m
	switch {
	case !c.started[e.to] && (own || m == none || len(b.in) == 1):
		*to, c.started[e.to] = m, true
		return
	case !c.started[e.to]:
		*to, c.started[e.to] = c.mask(), true
	case *to == none || m == none:
		*to = none
		return
	default:
		l = newLine(lineMask)
		l.kop, l.x, l.y = kor, *to, m
	}
	l.bits = *to
	c.emit(l)
}

// beginRegion computes what must be there before the region, and jumps over it if no lane gets there.
func (c *coder) beginRegion(i int) {
	before := slices.Clone(c.place.before[i])
	slices.Sort(before)
	for _, w := range c.place.views[i] {
		c.fetch(w)
	}
	for _, id := range before {
		c.value(id)
	}
	for _, id := range c.place.begun[i] {
		if c.at[id] == none {
			c.begin(id)
		}
	}
	if c.entry[i] == none {
		return
	}
	for _, to := range c.inits[i] {
		if !c.started[to] {
			l := newLine(lineClear)
			l.bits = c.mask()
			c.entry[to], c.started[to] = l.bits, true
			c.emit(l)
		}
	}
	l := newLine(lineSkip)
	l.x, l.to = c.entry[i], c.labels.newLabel()
	c.emit(l)
	end := c.place.regions.ends[i]
	c.ends[end] = append(c.ends[end], l.to)
}

// endRegions puts the labels of the regions that end before the block at i.
func (c *coder) endRegions(i int) {
	for _, to := range c.ends[i] {
		l := newLine(lineLabel)
		l.to = to
		c.emit(l)
	}
}

// assign gives a vector the number of a node, for the lanes of the mask.
func (c *coder) assign(dst lanes, id nodeID, within mask) {
	if k, constant := c.g.isConst(id); constant {
		c.broadcast(dst, k, within)
		return
	}
	l := newLine(lineVector)
	l.op, l.dst, l.b, l.within = &vmovdqa32, dst, c.value(id), within
	c.emit(l)
}

// broadcast gives all lanes of the mask a constant.
func (c *coder) broadcast(dst lanes, k uint32, within mask) {
	l := newLine(lineVector)
	l.op, l.dst, l.mem, l.within = &vpbroadcastd, dst, c.g.pool.word(k), within
	c.emit(l)
}

// condition is the mask of the lanes, of those within another, for which the condition holds.
func (c *coder) condition(id nodeID, within mask) mask {
	n := *c.g.at(id)
	l := newLine(lineCompare)
	switch n.op {
	case opTrue:
		return within
	case opBoth:
		return c.condition(n.b, c.condition(n.a, within))
	case opEither:
		x, y := c.condition(n.a, within), c.condition(n.b, within)
		l = newLine(lineMask)
		l.kop, l.x, l.y, l.bits = kor, x, y, c.mask()
		c.emit(l)
		return l.bits
	case opCmp:
		l.op, l.imm = &vpcmpud, byte(n.k)
	case opCmpSigned:
		l.op, l.imm = &vpcmpd, byte(n.k)
	case opTest:
		l.op = &vptestmd
	case opNoTest:
		l.op = &vptestnm
	}
	l.a = c.value(n.a)
	c.operand(&l, n.b)
	l.bits, l.within = c.mask(), within
	c.emit(l)
	return l.bits
}

// operand makes the node the second operand of a line: constants stay in memory.
func (c *coder) operand(l *line, id nodeID) {
	if k, constant := c.g.isConst(id); constant {
		l.mem, l.each = c.g.pool.word(k), true
		return
	}
	l.b = c.value(id)
}
