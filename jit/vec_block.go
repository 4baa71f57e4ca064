package jit

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// graph is a program as nodes, and blocks that say for which lanes they count. Blocks stand in program order, which is a
// topological one: jumps only go forward.
type graph struct {
	*nodes
	shape   *shape
	blocks  []block
	windows []window
	pool    pool
	verdict uint32  // of all lanes to begin with
	reads   reads   // what the program is supposed to read of a packet
	scalar  float64 // estimate of what one packet after the other costs, for a group of them
	idle    []bool  // of each block: whatever happens from there on, lanes keep that verdict
}

// block is a stretch of the program that is entered at its begin and left at its end. It does nothing but decide where to
// go next: whatever is computed in it is a node.
type block struct {
	pc      int
	in      []*edge
	out     []*edge  // exactly one is taken
	verdict nodeID   // of a block that ends the run; noNode for others
	faults  []nodeID // conditions in which an access leaves the packet
	phis    []nodeID // what differs between the edges that lead here
}

// edge leads from one block to a later one, for the lanes where its condition holds.
type edge struct {
	from, to int
	cond     nodeID
	brings   []nodeID // of each phi of the target
	gone     bool     // it is no edge any more, and to be taken out of lists
}

// phi is the number that the edges bring to the block at i; args are in the order of the edges.
func (g *graph) phi(i int, args []nodeID) nodeID {
	same, r := true, g.known[args[0]]
	for _, a := range args[1:] {
		same = same && a == args[0]
		r = bounds{min(r.lo, g.known[a].lo), max(r.hi, g.known[a].hi)}
	}
	if same {
		return args[0]
	}
	b, id := &g.blocks[i], nodeID(len(g.list))
	g.list, g.known = append(g.list, node{op: opPhi, a: nodeID(i), k: uint32(len(b.phis))}), append(g.known, r)
	b.phis = append(b.phis, id)
	for j, e := range b.in {
		e.brings = append(e.brings, args[j])
	}
	return id
}

// kindOf says what a register or a word of the stack holds.
type kindOf uint8

const (
	holdsNothing kindOf = iota // nothing that may be read
	holdsNumber
	holdsData  // the address of packet byte lo
	holdsStack // r10 + off
	holdsOther // the context
)

// content is what a register holds: a number of 64 bits in two halves, or a pointer.
type content struct {
	kind   kindOf
	lo, hi nodeID
	off    int64
}

// places are all registers and the words of the stack at one point of the program; words count from the lowest address.
type places struct {
	regs  [ebpf.R10 + 1]content
	stack []word
	edges int // that share them: who changes one of several has to take a copy
}

// word is four bytes of the stack: a number, or a half of a pointer.
type word struct {
	kind kindOf
	n    nodeID
	off  int64
}

func (p *places) clone() *places {
	twin := *p
	twin.stack, twin.edges = append([]word(nil), p.stack...), 0
	return &twin
}

// join is what is known where the edges to the block at i meet, of the registers that are read later.
func (g *graph) join(i int, from []*places, live registers) *places {
	if len(from) == 1 {
		return from[0]
	}
	p := &places{stack: make([]word, len(from[0].stack))}
	args := make([]nodeID, len(from))
	gather := func(pick func(*places) nodeID) nodeID {
		for j := range from {
			args[j] = pick(from[j])
		}
		return g.phi(i, args)
	}
	for r := range p.regs {
		c := &p.regs[r]
		if *c = from[0].regs[r]; !live.has(ebpf.Register(r)) || !sameKind(from, func(p *places) (kindOf, int64) { return p.regs[r].kind, p.regs[r].off }) {
			*c = content{}
			continue
		}
		if c.kind == holdsNumber || c.kind == holdsData {
			c.lo = gather(func(p *places) nodeID { return p.regs[r].lo })
			c.hi = gather(func(p *places) nodeID { return p.regs[r].hi })
		}
	}
	for j := range p.stack {
		w := &p.stack[j]
		if *w = from[0].stack[j]; !sameKind(from, func(p *places) (kindOf, int64) { return p.stack[j].kind, p.stack[j].off }) {
			*w = word{}
		} else if w.kind == holdsNumber || w.kind == holdsData {
			w.n = gather(func(p *places) nodeID { return p.stack[j].n })
		}
	}
	return p
}

// sameKind reports whether a place holds the same kind of thing everywhere.
func sameKind(from []*places, of func(*places) (kindOf, int64)) bool {
	kind, off := of(from[0])
	for _, p := range from[1:] {
		if k, o := of(p); k != kind || o != off {
			return false
		}
	}
	return true
}

// registers is a set of registers, a bit each.
type registers uint16

func (s registers) has(r ebpf.Register) bool { return s>>r&1 != 0 }

// liveRegisters finds, for each pc, the registers that some path from there reads before it sets them. One sweep from the
// end suffices, because jumps only go forward.
func liveRegisters(p ebpf.Program) []registers {
	live := make([]registers, len(p)+1)
	for pc := len(p) - 1; pc >= 0; pc-- {
		ins := p[pc]
		next := live[pc+1]
		target, jumps := ins.Target(pc)
		switch form := ins.Op.Info().Form; {
		case form == ebpf.FormExit:
			next = 0
		case jumps && (form == ebpf.FormJump || form == ebpf.FormJumpLong):
			next = live[target]
		case jumps:
			next |= live[target]
		}
		reads, writes := usage(ins)
		live[pc] = next&^writes | reads
	}
	return live
}

// usage tells which registers an instruction reads and which it writes.
func usage(ins ebpf.Instruction) (reads, writes registers) {
	dst, src := registers(1)<<ins.Dst, registers(1)<<ins.Src
	info := ins.Op.Info()
	switch info.Form {
	case ebpf.FormALUImm, ebpf.FormALUReg, ebpf.FormNeg, ebpf.FormEnd:
		if info.Form == ebpf.FormALUReg {
			reads = src
		}
		if info.ALU != ebpf.Mov {
			reads |= dst
		}
		return reads, dst
	case ebpf.FormLoad:
		return src, dst
	case ebpf.FormLoadWide:
		return 0, dst
	case ebpf.FormStoreImm, ebpf.FormCondImm:
		return dst, 0
	case ebpf.FormStoreReg, ebpf.FormCondReg:
		return dst | src, 0
	case ebpf.FormExit:
		return 1 << ebpf.R0, 0
	}
	return 0, 0
}
