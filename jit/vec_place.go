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
	after   []int      // of each node: the last block of whose phis it is made
	windows []nodeSpot // of each window
	fetched []bool
	before  map[int][]nodeID // of each region: nodes to be computed in front of it
	begun   map[int][]nodeID // nodes that get some number in front of it, and are computed inside
	views   map[int][]int    // windows to be fetched in front of it
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
	p := &placement{
		g: g, regions: r, used: make([]bool, n), first: make([]nodeSpot, n), last: make([]int, n), after: make([]int, n),
		windows: make([]nodeSpot, len(g.windows)), fetched: make([]bool, len(g.windows)),
		before: map[int][]nodeID{}, begun: map[int][]nodeID{}, views: map[int][]int{},
	}
	for id := range g.list {
		n := &g.list[id]
		operands, count := n.operands()
		for _, o := range operands[:count] {
			p.after[id] = max(p.after[id], p.after[o])
		}
		if n.op == opPhi {
			p.after[id] = int(n.a)
		}
	}
	return p
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
	at := p.home(id)
	operands, count := n.operands()
	for _, o := range operands[:count] {
		p.use(o, at)
	}
}

// home decides where a node is computed: in front of the outermost region that some of its readers are outside of. But a node
// that is made of phis is not computed before their block. If that is inside of the region, who reads the node behind it
// has come through, and whoever has not may find any number.
func (p *placement) home(id nodeID) nodeSpot {
	s, r := p.first[id], p.regions
	outermost, inside := root, r.of[s.block]
	at := nodeSpot{s.block, inside}
	for ; inside != s.region; inside = r.parent(inside) {
		if outermost = inside; inside >= p.after[id] {
			at = nodeSpot{inside, r.parent(inside)}
		}
	}
	if at.region != r.of[s.block] {
		p.before[at.block] = append(p.before[at.block], id)
	}
	if at.region != s.region {
		p.begun[outermost] = append(p.begun[outermost], id)
	}
	return at
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
		p.begun[child] = append(p.begun[child], id)
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
		own[narrowest(p.first[id].block, p.last[id])] += p.g.shape.costOf(n)
	}
	for i, w := range p.windows {
		if p.fetched[i] {
			own[narrowest(w.block, windowEnds[i])] += p.g.shape.window
		}
	}
	for i := range p.g.blocks {
		own[i] += costEdge * len(p.g.blocks[i].out)
	}
	return own
}

// costOf is the estimate for one node.
func (s *shape) costOf(n *node) int {
	switch n.op {
	case opConst, opCapLen, opWireLen, opColumn:
		return 0
	case opGather, opRead:
		return s.gather
	case opDiv, opMod:
		return s.divide
	case opPick:
		return costPick
	}
	return 1
}
