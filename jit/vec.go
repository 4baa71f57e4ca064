package jit

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/sys/cpu"
)

// vectorBody is machine code that takes 16 packets at once.
type vectorBody struct {
	code  *pages
	batch int // packets per entry into generated code
}

// Packets shorter than what a vector body is made for are left to the scalar body, a group of 16 at a time. It is made for
// what all but the very shortest have: leastMost bytes, an ARP request, if the program looks that far, and leastMin in
// any case.
const (
	leastMin  = windowSize
	leastMost = 42
)

// hasVectors reports whether the processor has the instructions, and the system keeps their registers.
var hasVectors = func() bool {
	x := &cpu.X86
	return x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ
}

// compileVector makes a vector body of a program that Check accepted. The error is a *VectorError, or that of seal.
func compileVector(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI, mode VectorMode) (*vectorBody, error) {
	if !hasVectors() {
		return nil, &VectorError{NoVectorCPU, -1}
	}
	g, err := vectorGraph(p, facts, abi)
	if err != nil {
		return nil, err
	}
	code, cost, err := generateVector(g)
	if err != nil {
		return nil, err
	}
	if mode == VectorAuto && cost > g.scalar {
		return nil, &VectorError{NoVectorSlower, -1}
	}
	sealed, err := seal(code)
	if err != nil {
		return nil, err
	}
	return &vectorBody{code: sealed, batch: min(max(group*int(batchInsns/cost)*group, 16*group), batchMax)}, nil
}

// vectorGraph makes the graph of a program.
func vectorGraph(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI) (*graph, error) {
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
	g, err := buildGraph(p, facts, abi, least)
	if err != nil {
		return nil, err
	}
	scalar := g.scalarCost(len(p))
	g.threadJumps()
	g.chooseVerdict()
	g.joinDecisions()
	g = g.lower()
	g.scalar = scalar
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
		_, writes := usage(ins)
		data &^= writes
		if ins == ebpf.Mov.Reg(ins.Dst, ins.Src) && data.has(ins.Src) {
			data |= writes
		}
	}
	return uint32(least)
}
