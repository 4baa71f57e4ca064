package jit

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// vectorBody is machine code that takes many packets at once.
type vectorBody struct {
	code  *pages
	lanes int
	batch int // packets per entry into generated code

	doubtful bool // it is estimated to be slower than one packet at a time
}

// Packets shorter than what a vector body is made for are left to the scalar body, a group at a time. It is made for
// what all but the very shortest have: leastMost bytes, an ARP request, if the program looks that far, and leastMin in
// any case.
const (
	leastMin  = windowSize
	leastMost = 42
)

// compileVector makes a vector body of a program that Check accepted. The error is a *VectorError, or that of seal.
func compileVector(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI, mode VectorMode) (*vectorBody, error) {
	s, err := chooseShape()
	if err != nil {
		return nil, err
	}
	g, err := vectorGraph(p, facts, abi, s)
	if err != nil {
		return nil, err
	}
	code, cost, err := generateVector(g)
	if err != nil {
		return nil, err
	}
	if mode == VectorAuto && cost > trialHopeless*g.scalar {
		return nil, &VectorError{NoVectorSlower, -1}
	}
	sealed, err := seal(code)
	if err != nil {
		return nil, err
	}
	batch := int(batchInsns/cost) * s.lanes * 16
	return &vectorBody{code: sealed, lanes: s.lanes, batch: min(max(batch, 16*s.lanes), batchMax), doubtful: cost > g.scalar}, nil
}

// vectorGraph makes the graph of a program.
func vectorGraph(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI, s *shape) (*graph, error) {
	if len(p) > vectorInsns {
		return nil, &VectorError{NoVectorLong, -1}
	}
	least := uint32(ebpf.SeccompSize)
	switch abi {
	case ebpf.User:
		least = chooseLeast(p)
	case ebpf.Seccomp:
	default:
		return nil, &VectorError{NoVectorABI, -1}
	}
	g, err := buildGraph(p, facts, abi, s, least)
	if err != nil {
		return nil, err
	}
	reads, scalar := readsOf(p, facts), g.scalarCost(len(p))
	g.threadJumps()
	g.chooseVerdict()
	g.joinDecisions()
	g = g.lower()
	g.reads, g.scalar = reads, scalar
	return g, nil
}

// chooseLeast finds the length that packets are supposed to have, from the bytes at constant offsets that are read. It sees
// those that are read through r1, or a register to which it was moved.
func chooseLeast(p ebpf.Program) uint32 {
	least, data := leastMin, registers(1)<<ebpf.R1
	for _, ins := range p {
		info := ins.Op.Info()
		if end := int(ins.Off) + info.Size; info.Form == ebpf.FormLoad && data.has(ins.Src) && ins.Off >= 0 && end <= leastMost {
			least = max(least, end)
		}
		data = pointersAfter(data, ins)
	}
	return uint32(least)
}
