package jit

import "slices"

// lowering makes a graph of what is needed of another, with windows and gathers in place of loads. What blocks it keeps
// are numbered anew.
type lowering struct {
	from, to *graph
	columns  map[nodeID]column
	found    map[column]nodeID // in to
	done     []nodeID          // of each node of from; noNode where there is none yet
	places   []int             // of each block of from
}

// lower gives the graph that code is made of.
func (g *graph) lower() *graph {
	to := &graph{shape: g.shape, nodes: newNodes(g.least, 64), pool: g.pool, verdict: g.verdict}
	l := &lowering{from: g, to: to, found: map[column]nodeID{}, done: make([]nodeID, len(g.list)), places: make([]int, len(g.blocks))}
	for i := range l.done {
		l.done[i] = noNode
	}
	l.columns, to.windows = g.fetches(g.neededLoads())
	zero := g.constant(0)
	for i, w := range to.windows {
		for j, off := range w.columns {
			l.found[column{zero, off}] = to.intern(node{op: opColumn, n: uint8(j), k: uint32(i)}, anyNumber)
		}
	}
	twins := l.keepBlocks()
	for _, t := range twins {
		t.to.cond = l.node(t.from.cond)
	}
	for i := range g.blocks {
		if g.idle[i] || !g.reached(i) {
			continue
		}
		b := &to.blocks[l.places[i]]
		if v := g.blocks[i].verdict; v != noNode {
			b.verdict = l.node(v)
		}
		for _, fault := range g.blocks[i].faults {
			if cond := l.node(fault); to.at(cond).op != opFalse {
				b.faults = append(b.faults, cond)
			}
		}
	}
	to.dropImpossible()
	return to
}

// dropImpossible removes the edges whose condition turned out to be false, and what only they led to.
func (g *graph) dropImpossible() {
	impossible := func(e *edge) bool { return g.at(e.cond).op == opFalse }
	for i := range g.blocks {
		b := &g.blocks[i]
		b.in, b.out = slices.DeleteFunc(b.in, impossible), slices.DeleteFunc(b.out, impossible)
	}
	g.prune()
}

// twin is an edge in both graphs.
type twin struct{ from, to *edge }

// keepBlocks copies the blocks that are not idle, and the edges between them.
func (l *lowering) keepBlocks() (twins []twin) {
	keep := func(i int) bool { return !l.from.idle[i] && l.from.reached(i) }
	for i := range l.from.blocks {
		if keep(i) {
			l.places[i] = len(l.to.blocks)
			l.to.blocks = append(l.to.blocks, block{pc: l.from.blocks[i].pc, verdict: noNode})
		}
	}
	for i := range l.from.blocks {
		if !keep(i) {
			continue
		}
		for _, e := range l.from.blocks[i].in {
			t := &edge{from: l.places[e.from], to: l.places[i]}
			l.to.blocks[t.to].in = append(l.to.blocks[t.to].in, t)
			twins = append(twins, twin{e, t})
		}
	}
	for _, t := range twins {
		from := &l.to.blocks[t.to.from]
		from.out = append(from.out, t.to)
	}
	return twins
}

// node gives the node of the new graph that stands for one of the old.
func (l *lowering) node(id nodeID) nodeID {
	if l.done[id] == noNode {
		l.done[id] = l.translate(id)
	}
	return l.done[id]
}

func (l *lowering) translate(id nodeID) nodeID {
	n, g := *l.from.at(id), l.to
	switch n.op {
	case opLoad:
		return l.load(id, n)
	case opPhi:
		return l.phi(n)
	case opConst:
		return g.constant(n.k)
	case opCapLen:
		return g.capLen()
	case opSwap:
		return g.swap(l.node(n.a))
	case opFlag:
		return g.flag(l.node(n.a))
	case opCmp:
		return g.compare(n.k, l.node(n.a), l.node(n.b))
	case opCmpSigned:
		return g.compareSigned(n.k, l.node(n.a), l.node(n.b))
	case opTest, opNoTest:
		return g.test(l.node(n.a), l.node(n.b), n.op == opTest)
	case opBoth:
		return g.both(l.node(n.a), l.node(n.b))
	case opEither:
		return g.either(l.node(n.a), l.node(n.b))
	case opWireLen, opTrue, opFalse:
		return g.intern(n, l.from.known[id])
	case opPick, opRead:
		n.a = l.node(n.a)
		return g.intern(n, l.from.known[id])
	}
	return g.binary(n.op, l.node(n.a), l.node(n.b))
}

// phi translates what the edges to a block bring.
func (l *lowering) phi(n node) nodeID {
	in := l.from.blocks[n.a].in
	args := make([]nodeID, len(in))
	for i, e := range in {
		args[i] = l.node(e.brings[n.k])
	}
	return l.to.phi(l.places[n.a], args)
}

// load takes a field out of its column.
func (l *lowering) load(id nodeID, n node) nodeID {
	g, c, size := l.to, l.columns[id], uint32(n.n&^bigEndian)
	x, d := l.column(c), n.k-c.off
	shift := 8 * d
	if n.n&bigEndian != 0 {
		x, shift = g.swap(x), 8*(columnSize-d-size)
	}
	x = g.binary(opShr, x, g.constant(shift))
	return g.binary(opAnd, x, g.constant(uint32(1<<(8*size)-1)))
}

// column gathers four bytes of each packet, or has them of a window. Where a packet may end sooner, the four bytes at its
// end are gathered instead, and what is wanted of them is shifted down: no byte outside of a packet is read.
func (l *lowering) column(c column) nodeID {
	if id, ok := l.found[c]; ok {
		return id
	}
	g := l.to
	at := g.binary(opAdd, l.node(c.index), g.constant(c.off))
	gather := func(at nodeID) nodeID { return g.intern(node{op: opGather, a: at}, anyNumber) }
	var id nodeID
	if uint64(g.known[at].hi)+columnSize <= uint64(g.least) {
		id = gather(at)
	} else {
		last := g.binary(opSub, g.capLen(), g.constant(columnSize))
		inside := g.binary(opMin, at, last)
		id = g.binary(opShr, gather(inside), g.binary(opShl, g.binary(opSub, at, inside), g.constant(3)))
	}
	l.found[c] = id
	return id
}
