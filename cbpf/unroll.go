package cbpf

import (
	"fmt"
	"slices"
	"sort"
)

// Why Unroll refuses a program.
const (
	ReasonUnrollDepth   Reason = "depth that loops cannot be unrolled to"
	ReasonIrreducible   Reason = "loop that is entered in more than one place"
	ReasonUnrolledLarge Reason = "too many instructions once unrolled"
)

// MaxUnroll is the greatest depth that Unroll takes. A loop with an instruction in it is too long for the kernel then.
const MaxUnroll = MaxInsns

// Unroll returns a program that jumps forward only and does what p does, as long as no loop of p goes round more than n
// times from when it is entered. Where one would, the verdict is 0. libpcap makes such programs of protochain, and jumps
// backwards by a `ja` of which k is negative as an int32; no kernel takes them.
//
// A loop is n+1 copies of its instructions; one inside of another is copied with it. What no path reaches is left out, and so
// is what only leads to another round in the last copy. A conditional jump that outgrows its eight bits leads to a `ja` behind it. origins tells of each instruction the pc in p of
// the one that it came from, -1 for the end of those that went round too often.
//
// A program without a backward jump is returned as it is. p need not be valid otherwise, but every path must end in a return:
// the error is an Errors with the pc of each jump that leaves p, of a loop that has two entries, or of nothing in particular
// where more than MaxInsns instructions come out.
func Unroll(p Program, n int) (unrolled Program, origins []int, err error) {
	if n < 0 || n > MaxUnroll {
		return nil, nil, Errors{{Reason: ReasonUnrollDepth, PC: -1, Detail: fmt.Sprintf("%d, 0 to %d are", n, MaxUnroll)}}
	}
	if !slices.ContainsFunc(p, jumpsBack) {
		return slices.Clone(p), identity(len(p)), nil
	}
	if len(p) > MaxInsns {
		return nil, nil, Errors{{Reason: ReasonTooManyInsns, PC: -1, Detail: fmt.Sprintf("%d, %d are the most", len(p), MaxInsns)}}
	}
	g, err := newFlow(p)
	if err != nil {
		return nil, nil, err
	}
	if unrolled, origins = g.unroll(n); unrolled == nil {
		return nil, nil, Errors{g.tooLarge(n)}
	}
	return unrolled, origins, nil
}

// tooLarge is the fault of a program that is too long when unrolled n times. It says which depth is the most.
func (g *flow) tooLarge(n int) *Error {
	most := sort.Search(n, func(m int) bool {
		p, _ := g.unroll(m)
		return p == nil
	}) - 1
	e := &Error{Reason: ReasonUnrolledLarge, PC: -1, Detail: fmt.Sprintf("more than %d, depth %d is the most that fits", MaxInsns, most)}
	if most < 1 {
		e.Detail = fmt.Sprintf("more than %d, even if no loop goes round more than once", MaxInsns)
	}
	return e
}

func identity(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
