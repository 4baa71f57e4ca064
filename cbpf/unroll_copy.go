package cbpf

import (
	"golang.org/x/net/bpf"
)

// round is one time around a loop, inside of one around each loop outside of that. Two that are equal are the same one.
type round struct {
	loop   *loop
	number int // from 0
	outer  *round
}

// node is a copy of an instruction: that of one round. Unconditional jumps have no copies; edges lead to where they go.
type node struct {
	pc    int // -1 for the end of what went round too often
	round *round
	next  [2]edge // for conditional jumps that of jt and that of jf, otherwise one
	count int
	state visitState
	ended bool // whatever happens from here on, the verdict is 0 because something goes round too often
	at    int  // the place in the new program
}

type visitState uint8

// edge leads to a node.
type edge struct {
	to  *node
	via int // the pc of the last unconditional jump on the way, or of where the way begins
}

// copier makes the copies of all instructions that a path reaches.
type copier struct {
	*flow
	most   int // rounds of a loop
	rounds map[round]*round
	nodes  map[nodeKey]*node
	order  []*node // in reverse: what a node leads to stands in front of it
}

type nodeKey struct {
	pc    int
	round *round
}

// unroll returns the program with loops unrolled, and where its instructions come from; nil where it is too long.
func (g *flow) unroll(n int) (Program, []int) {
	c := copier{flow: g, most: n, rounds: map[round]*round{}, nodes: map[nodeKey]*node{}}
	start := c.follow(edge{via: 0}, 0, c.enter(nil, 0))
	if !c.copyFrom(start.to) {
		return nil, nil
	}
	if start.to.ended {
		c.order = []*node{c.end()}
	}
	for _, n := range c.order {
		for k := range n.next[:n.count] {
			if n.next[k].to.ended {
				n.next[k].to = c.end()
			}
		}
	}
	return layOut(g.prog, c.order)
}

// end returns the node of what went round too often.
func (c *copier) end() *node { return c.node(-1, nil) }

// enter returns the round in which a path is at pc when it comes there from the given round, or from none.
func (c *copier) enter(r *round, pc int) *round {
	for r != nil && !r.loop.has(pc) {
		r = r.outer
	}
	switch l := c.inner[pc]; {
	case r != nil && r.loop.header == pc:
		return c.round(round{r.loop, r.number + 1, r.outer})
	case l != nil && (r == nil || r.loop != l):
		return c.round(round{l, 0, r})
	}
	return r
}

// round returns the one round that is equal.
func (c *copier) round(r round) *round {
	if known := c.rounds[r]; known != nil {
		return known
	}
	c.rounds[r] = &r
	return &r
}

// follow returns the edge to the node at pc in a round, past unconditional jumps.
func (c *copier) follow(e edge, pc int, r *round) edge {
	for r == nil || r.number <= c.most {
		if Info(c.prog[pc].Op) == nil || Info(c.prog[pc].Op).Form != FormJump {
			e.to = c.node(pc, r)
			return e
		}
		e.via = pc
		next, _ := successors(c.prog, pc)
		pc = next[0]
		r = c.enter(r, pc)
	}
	e.to = c.end()
	return e
}

// node returns the one node of a pc and a round.
func (c *copier) node(pc int, r *round) *node {
	key := nodeKey{pc, r}
	n := c.nodes[key]
	if n == nil {
		n = &node{pc: pc, round: r}
		c.nodes[key] = n
	}
	return n
}

const (
	untouched visitState = iota
	opened
	closed
)

// copyFrom puts the node and all that it leads to in order. It returns false where there are more than a program may have.
//
// What is followed last stands next to the node, so that is followed last which is the nearer one in the program.
func (c *copier) copyFrom(start *node) bool {
	stack := []*node{start}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		if n.state == untouched {
			n.state = opened
			c.connect(n)
			for _, e := range n.next[:n.count] {
				stack = append(stack, e.to)
			}
			if last := len(stack) - 1; n.count == 2 && c.prog[n.pc].Jt > c.prog[n.pc].Jf {
				stack[last], stack[last-1] = stack[last-1], stack[last]
			}
			if len(c.nodes) > MaxInsns {
				return false
			}
			continue
		}
		stack = stack[:len(stack)-1]
		if n.state == opened {
			n.state = closed
			if n.ended = c.ends(n); !n.ended || n.pc < 0 {
				c.order = append(c.order, n)
			}
		}
	}
	return true
}

// ends reports whether all that the node leads to has ended, and it cannot end the run in another way itself: a load from
// outside of the packet and a division by 0 have the verdict 0 too, but a property of no interface leaves A.
func (c *copier) ends(n *node) bool {
	for _, e := range n.next[:n.count] {
		if !e.to.ended {
			return false
		}
	}
	return n.pc < 0 || n.count > 0 && !mayReturnA(c.prog[n.pc]) && c.isValid(n.pc)
}

func mayReturnA(ins bpf.RawInstruction) bool {
	row := Info(ins.Op)
	ext, isExt := Extension(ins.K)
	return row != nil && row.Form == FormAbs && isExt && (ext == ExtIfIndex || ext == ExtHaType)
}

// isValid reports whether an instruction alone breaks no rule. What does must not be left out: it would be hidden.
func (c *copier) isValid(pc int) bool {
	v := validator{prog: c.prog}
	v.check(pc, c.prog[pc])
	return len(v.errs) == 0
}

// connect finds where a path goes on from the node.
func (c *copier) connect(n *node) {
	if n.pc < 0 {
		return
	}
	next, count := successors(c.prog, n.pc)
	n.count = count
	for i, to := range next[:count] {
		n.next[i] = c.follow(edge{via: n.pc}, to, c.enter(n.round, to))
	}
}

// originOf returns the instruction of a node.
func originOf(p Program, n *node) bpf.RawInstruction {
	if n.pc < 0 {
		return bpf.RawInstruction{Op: OpRetK}
	}
	return p[n.pc]
}
