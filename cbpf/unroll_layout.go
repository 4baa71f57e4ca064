package cbpf

import (
	"math"

	"golang.org/x/net/bpf"
)

// layout is a program in the making: nodes in their order, each with the unconditional jumps that it needs behind it.
type layout struct {
	prog  Program // the old one
	nodes []*node
	jumps [][2]bool // of each node: its edges that a jump behind it takes
	end   int       // the length of the new program
}

// layOut returns the program that the nodes make, which are in reverse order, and where its instructions come from; nil where
// it is too long.
func layOut(p Program, reverse []*node) (Program, []int) {
	l := layout{prog: p, nodes: make([]*node, len(reverse)), jumps: make([][2]bool, len(reverse))}
	for i, n := range reverse {
		l.nodes[len(reverse)-1-i] = n
	}
	// Each jump that is added can move another target out of reach, so it is done again until none is added.
	for l.place(); l.lengthen(); l.place() {
	}
	if l.end > MaxInsns {
		return nil, nil
	}
	var out Program
	var origins []int
	for i, n := range l.nodes {
		out = append(out, l.instruction(i))
		origins = append(origins, n.pc)
		for k, e := range n.next[:n.count] {
			if l.jumps[i][k] {
				out = append(out, bpf.RawInstruction{Op: OpJa, K: uint32(e.to.at - len(out) - 1)})
				origins = append(origins, e.via)
			}
		}
	}
	return out, origins
}

// place finds the place of each node.
func (l *layout) place() {
	l.end = 0
	for i, n := range l.nodes {
		n.at = l.end
		l.end += 1 + l.added(i)
	}
}

// added is the number of jumps behind a node.
func (l *layout) added(i int) (count int) {
	for _, added := range l.jumps[i] {
		if added {
			count++
		}
	}
	return count
}

// lengthen adds jumps for edges that lead too far for the node itself. It reports whether it added any.
func (l *layout) lengthen() (some bool) {
	for i, n := range l.nodes {
		for k := range n.next[:n.count] {
			if !l.jumps[i][k] && !l.reaches(i, k) {
				l.jumps[i][k], some = true, true
			}
		}
	}
	return some
}

// reaches reports whether an edge needs no jump of its own: what is no jump goes on with what stands next, and a conditional
// one leaps over 255 at most.
func (l *layout) reaches(i, k int) bool {
	n := l.nodes[i]
	if n.count == 1 {
		return n.next[k].to.at == n.at+1+l.added(i)
	}
	return n.next[k].to.at-n.at-1 <= math.MaxUint8
}

// instruction returns the instruction of a node, a conditional jump with its new distances.
func (l *layout) instruction(i int) bpf.RawInstruction {
	n := l.nodes[i]
	ins := originOf(l.prog, n)
	if n.count < 2 {
		return ins
	}
	var skips [2]uint8
	behind := 0 // jumps behind the node that are passed
	for k, e := range n.next {
		if l.jumps[i][k] {
			skips[k] = uint8(behind)
			behind++
		} else {
			skips[k] = uint8(e.to.at - n.at - 1)
		}
	}
	ins.Jt, ins.Jf = skips[0], skips[1]
	return ins
}
