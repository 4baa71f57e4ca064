package jit

import (
	"os"

	"golang.org/x/sys/cpu"
)

// shape is a set of vector instructions: how many lanes it has, and what code for it must know.
type shape struct {
	name       string
	lanes      int  // packets that are evaluated at once
	size       int  // bytes of a vector
	first      int  // vectors below are for the instructions of one line
	count      int  // vectors from there on
	masks      bool // masks have registers of their own
	slowGather bool // sixteen loads are faster
	slots      int  // vectors in the frame
	tables     int  // words of the longest table that fits into registers
	has        func() bool
	writer     func(*encoder) lineWriter

	// Estimates in cycles for all lanes, from measurements on Zen 4; group is the loop around. Gathers cost less on processors
	// of Intel.
	group, gather, window, divide int
	line                          float64
}

// lineWriter writes lines down as machine code of one shape.
type lineWriter interface {
	line(l *line)
	testMask(m mask) // ZF if it has no lane
	storeVerdict()   // of the group at hand
}

// wide is AVX-512 with F, BW, VL and DQ, narrow is AVX2.
var (
	wide = shape{
		name: "AVX-512", lanes: 16, size: 64, first: 8, count: 24, masks: true, slots: frameWide, tables: 32,
		has: func() bool {
			x := &cpu.X86
			return x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ
		},
		writer: func(e *encoder) lineWriter { return &wideWriter{e} },
		group:  30, gather: 24, window: 18, divide: 40, line: 0.8,
		slowGather: madeByAMD(),
	}
	narrow = shape{
		name: "AVX2", lanes: 8, size: 32, first: 7, count: 9, slots: frameNarrow, tables: 16,
		has:    func() bool { return cpu.X86.HasAVX2 },
		writer: func(e *encoder) lineWriter { return &narrowWriter{e} },
		group:  18, gather: 11, window: 8, divide: 40, line: 0.7,
	}
)

// shapes are those that are tried, the best first.
var shapes = []*shape{&wide, &narrow}

// VectorVariable is an environment variable that limits what processes may do with vectors: "never" or "8", the most lanes.
const VectorVariable = "CBPF2EBPF_VECTOR"

// chooseShape finds the best that the processor and the system have.
func chooseShape() (*shape, error) {
	limit := os.Getenv(VectorVariable)
	if limit == "never" {
		return nil, &VectorError{NoVectorOff, -1}
	}
	for _, s := range shapes {
		if s.has() && (limit != "8" || s.lanes <= 8) {
			return s, nil
		}
	}
	return nil, &VectorError{NoVectorCPU, -1}
}

// The frame that the trampoline reserves. The return address lies at RSP.
const (
	frameWide       = 36 // vectors of 64 bytes, and behind them masks
	frameMasks      = 128
	frameNarrow     = vectorFrameSize / 32
	frameAt         = 8
	frameMaskAt     = frameAt + 64*frameWide
	maskBytes       = 2
	vectorFrameSize = 64*frameWide + maskBytes*frameMasks
)

// slotOf is the place of a vector in the frame.
func (s *shape) slotOf(h home) vrm { return vat(rsp, int32(frameAt+h.slot*s.size)) }
