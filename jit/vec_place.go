package jit

// spot at which a node is computed: in a block, or in front of it where the region there is inside of the one that is meant.
type nodeSpot struct{ block, region int }

// placement decides where each node is computed: as late as possible, but where all that read it find it, whichever regions
// are jumped over.
type placement struct {
	g       *graph
	regions *regions
	used    []bool
	first   []nodeSpot // of each node: the first block that reads it, and the region around all that do
	last    []int      // the last block that reads it
	windows []nodeSpot // of each window
	fetched []bool
	before  map[int][]nodeID // of each region: nodes to be computed in front of it
	views   map[int][]int    // likewise for windows
}

// place finds the place of each node.
func place(g *graph) *placement {
	r := newRegions(g)
	p := newPlacement(g, r)
	p.walk()
	r.choose(p.costs())
	p = newPlacement(g, r)
	p.walk()
	return p
}

func newPlacement(g *graph, r *regions) *placement {
	n := len(g.list)
	return &placement{
		g: g, regions: r, used: make([]bool, n), first: make([]nodeSpot, n), last: make([]int, n),
		windows: make([]nodeSpot, len(g.windows)), fetched: make([]bool, len(g.windows)),
		before: map[int][]nodeID{}, views: map[int][]int{},
	}
}

// walk goes from what decides something to what that reads. A node is made after what it reads, so that each is visited
// when all that read it have been.
func (p *placement) walk() {
	for i := range p.g.blocks {
		b, at := &p.g.blocks[i], nodeSpot{i, p.regions.of[i]}
		if b.verdict != noNode {
			p.use(b.verdict, at)
		}
		for _, fault := range b.faults {
			p.use(fault, at)
		}
		for _, e := range b.out {
			p.use(e.cond, at)
		}
	}
	for id := nodeID(len(p.g.list)) - 1; id >= 0; id-- {
		if p.used[id] {
			p.settle(id)
		}
	}
	for i := range p.windows {
		if p.fetched[i] {
			if at, child := p.at(p.windows[i]); child != root {
				p.views[child] = append(p.views[child], i)
				p.windows[i].block = at.block
			}
		}
	}
}

// use notes that the node is read at a spot. Conditions are made anew wherever they are read, of what they read.
func (p *placement) use(id nodeID, at nodeSpot) {
	n := p.g.at(id)
	if n.isCondition() {
		operands, count := n.operands()
		for _, o := range operands[:count] {
			p.use(o, at)
		}
		return
	}
	p.first[id], p.last[id] = p.merge(p.used[id], p.first[id], at), max(p.last[id], at.block)
	p.used[id] = true
}

// merge is the earlier spot, in the region around both.
func (p *placement) merge(used bool, a, b nodeSpot) nodeSpot {
	if !used {
		return b
	}
	return nodeSpot{min(a.block, b.block), p.regions.around(a.region, b.region)}
}

// at is where something is computed that is read at a spot first; child is the region in front of which that is, or root.
func (p *placement) at(s nodeSpot) (at nodeSpot, child int) {
	if child = p.regions.childWith(s.region, s.block); child != root {
		s.block = child
	}
	return s, child
}

// settle places a node of which all readers are known, and lets it read what it reads there.
func (p *placement) settle(id nodeID) {
	n := p.g.at(id)
	switch n.op {
	case opConst:
		return
	case opPhi:
		p.settlePhi(id, n)
		return
	case opColumn:
		p.windows[n.k] = p.merge(p.fetched[n.k], p.windows[n.k], p.first[id])
		p.fetched[n.k] = true
		return
	}
	at, child := p.at(p.first[id])
	if child != root {
		p.before[child] = append(p.before[child], id)
	}
	operands, count := n.operands()
	for _, o := range operands[:count] {
		p.use(o, at)
	}
}

// settlePhi lets a phi read what the edges bring. Where a region is jumped over in which it gets its first number, it needs
// some number before.
func (p *placement) settlePhi(id nodeID, n *node) {
	spot := p.first[id]
	for _, e := range p.g.blocks[n.a].in {
		at := nodeSpot{e.from, p.regions.of[e.from]}
		p.use(e.brings[n.k], at)
		spot = p.merge(true, spot, at)
	}
	if _, child := p.at(spot); child != root {
		p.before[child] = append(p.before[child], id)
	}
}

// isCondition tells the nodes that are one bit a lane.
func (n *node) isCondition() bool { return n.op >= opTrue }

// costs estimates, for each block, what is computed for its region and for none inside of it.
func (p *placement) costs() []int {
	const costEdge = 2
	own := make([]int, len(p.g.blocks))
	narrowest := func(first, last int) int {
		for first != root && p.regions.ends[first] <= last {
			first = p.regions.outer[first]
		}
		return max(first, 0)
	}
	windowEnds := make([]int, len(p.windows))
	for id := range p.g.list {
		n := p.g.at(nodeID(id))
		if !p.used[id] {
			continue
		}
		if n.op == opColumn {
			windowEnds[n.k] = max(windowEnds[n.k], p.last[id])
			continue
		}
		own[narrowest(p.first[id].block, p.last[id])] += costOf(n)
	}
	for i, w := range p.windows {
		if p.fetched[i] {
			own[narrowest(w.block, windowEnds[i])] += costWindow
		}
	}
	for i := range p.g.blocks {
		own[i] += costEdge * len(p.g.blocks[i].out)
	}
	return own
}

// Estimates in cycles for 16 lanes.
const (
	costWindow = 18
	costDivide = 40
)

// costOf is the estimate for one node.
func costOf(n *node) int {
	switch n.op {
	case opConst, opCapLen, opWireLen, opColumn:
		return 0
	case opGather, opRead:
		return costGather
	case opDiv, opMod:
		return costDivide
	case opPick:
		return costPick
	}
	return 1
}
