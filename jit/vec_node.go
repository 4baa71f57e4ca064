package jit

import (
	"math"
	"math/bits"
)

// The vector body evaluates a program on 16 or 8 packets at once. In between stands a graph of nodes: each is a number of 32
// bits a lane, or one bit a lane where it is a condition. Nodes are pure. A load yields what the packet holds, and anything
// where the packet does not reach, so that it may be computed for lanes that never come to it. What the control flow of
// the program decides is left to the masks of blocks (vec_block.go).

// nodeID names a node of a graph. A node is made after what it reads.
type nodeID int32

// noNode stands for no node; what it names in a graph is never read.
const noNode nodeID = -1

// nodeOp is what a node computes.
type nodeOp uint8

const (
	opConst   nodeOp = iota // k
	opCapLen                // captured length
	opWireLen               // length on the wire
	opLoad                  // n bytes of the packet at a+k, little-endian; see bigEndian
	opAdd
	opSub
	opMul
	opAnd
	opOr
	opXor
	opShl // by b, which is below 32 or yields 0
	opShr
	opSar
	opMin  // unsigned
	opDiv  // unsigned; 0 where b is 0
	opMod  // unsigned; a where b is 0
	opSwap // the four bytes of a in reverse
	opFlag // 1 where the condition a holds, otherwise 0
	opPhi  // what the edge brought on which a lane came to block a; k numbers the phis there
	opPick // word a, modulo n, of the table at k, which has n words
	opRead // word a of the table at k

	// Made of loads by fetch.
	opColumn // column n of window k
	opGather // four bytes at offset a of the packet, little-endian

	// Conditions. k is a predicate; comparisons are unsigned in opCmp, signed in opCmpSigned.
	opTrue
	opFalse
	opCmp
	opCmpSigned
	opTest   // a & b is not 0
	opNoTest // a & b is 0
	opBoth
	opEither
)

// bigEndian marks a load that swaps what it reads: its n is the size plus this.
const bigEndian = 0x80

// node is one operation. Fields that it does not use are zero.
type node struct {
	op   nodeOp
	n    uint8
	a, b nodeID
	k    uint32
}

// operands returns what the node reads, in the order of its fields; there are count of them.
func (n *node) operands() (operands [2]nodeID, count int) {
	switch n.op {
	case opConst, opCapLen, opWireLen, opPhi, opColumn, opTrue, opFalse:
		return operands, 0
	case opLoad, opSwap, opFlag, opPick, opRead, opGather:
		return [2]nodeID{n.a}, 1
	}
	return [2]nodeID{n.a, n.b}, 2
}

// bounds are what is known of the numbers that a node yields: the least and the greatest.
type bounds struct{ lo, hi uint32 }

var anyNumber = bounds{0, math.MaxUint32}

// The predicates, numbered as vpcmpd does.
const (
	predEQ uint32 = 0
	predLT uint32 = 1
	predLE uint32 = 2
	predNE uint32 = 4
	predGE uint32 = 5
	predGT uint32 = 6
)

// swapped gives the predicate that holds for b, a where another does for a, b.
var swapped = [...]uint32{predEQ: predEQ, predLT: predGT, predLE: predGE, predNE: predNE, predGE: predLE, predGT: predLT}

// opposed is the predicate that holds where another does not: one bit.
func opposed(pred uint32) uint32 { return pred ^ 4 }

// nodes is a set of nodes in which no two are the same.
type nodes struct {
	list  []node
	known []bounds
	ids   map[node]nodeID
	least uint32 // no packet is shorter
}

// newNodes makes an empty set with room for some.
func newNodes(least uint32, room int) *nodes {
	return &nodes{ids: make(map[node]nodeID, room), list: make([]node, 0, room), known: make([]bounds, 0, room), least: least}
}

func (g *nodes) at(id nodeID) *node { return &g.list[id] }

// isConst returns the value of a constant node.
func (g *nodes) isConst(id nodeID) (uint32, bool) {
	n := &g.list[id]
	return n.k, n.op == opConst
}

// intern returns the node, a new one if there is none like it.
func (g *nodes) intern(n node, r bounds) nodeID {
	if id, ok := g.ids[n]; ok {
		return id
	}
	id := nodeID(len(g.list))
	g.list, g.known = append(g.list, n), append(g.known, r)
	g.ids[n] = id
	return id
}

func (g *nodes) constant(k uint32) nodeID { return g.intern(node{op: opConst, k: k}, bounds{k, k}) }

func (g *nodes) truth(on bool) nodeID {
	if on {
		return g.intern(node{op: opTrue}, bounds{})
	}
	return g.intern(node{op: opFalse}, bounds{})
}

func (g *nodes) capLen() nodeID {
	return g.intern(node{op: opCapLen}, bounds{g.least, math.MaxInt32})
}

func (g *nodes) wireLen() nodeID { return g.intern(node{op: opWireLen}, anyNumber) }

// load is n bytes at index plus off, modulo 2^32.
func (g *nodes) load(index nodeID, off uint32, n int) nodeID {
	index, off = g.split(index, off)
	return g.intern(node{op: opLoad, a: index, k: off, n: uint8(n)}, bounds{0, uint32(1<<(8*n) - 1)})
}

// split takes the constant part of a sum out of it.
func (g *nodes) split(x nodeID, k uint32) (nodeID, uint32) {
	if c, ok := g.isConst(x); ok {
		return g.constant(0), k + c
	}
	if n := g.at(x); n.op == opAdd {
		if c, ok := g.isConst(n.b); ok {
			return n.a, k + c
		}
	}
	return x, k
}

// swap is the number with its four bytes in reverse. Of a load it is a load.
func (g *nodes) swap(x nodeID) nodeID {
	n := *g.at(x)
	switch {
	case n.op == opConst:
		return g.constant(bits.ReverseBytes32(n.k))
	case n.op == opSwap:
		return n.a
	case n.op == opLoad && n.n&^bigEndian == 4:
		n.n ^= bigEndian
		return g.intern(n, g.known[x])
	}
	return g.intern(node{op: opSwap, a: x}, anyNumber)
}

// swap16 is the lower half of a number with its two bytes in reverse.
func (g *nodes) swap16(x nodeID) nodeID {
	if n := *g.at(x); n.op == opLoad && n.n&^bigEndian == 2 {
		n.n ^= bigEndian
		return g.intern(n, g.known[x])
	}
	return g.binary(opShr, g.swap(x), g.constant(16))
}

// flag is a condition as a number.
func (g *nodes) flag(cond nodeID) nodeID {
	switch g.at(cond).op {
	case opTrue:
		return g.constant(1)
	case opFalse:
		return g.constant(0)
	}
	return g.intern(node{op: opFlag, a: cond}, bounds{0, 1})
}
