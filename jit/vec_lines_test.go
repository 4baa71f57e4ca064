package jit

import (
	"fmt"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// known is what is set at one place of the lines, whichever regions were jumped over.
type setPlaces struct {
	vectors map[lanes]bool
	masks   map[mask]bool
}

func (s setPlaces) clone() setPlaces {
	c := setPlaces{map[lanes]bool{}, map[mask]bool{}}
	for v := range s.vectors {
		c.vectors[v] = true
	}
	for m := range s.masks {
		c.masks[m] = true
	}
	return c
}

// readBeforeSet finds the first line that reads what is not set on some way to it.
func readBeforeSet(c *coder) error {
	s := setPlaces{}.clone()
	skipped := map[label]setPlaces{}
	for i := range c.lines {
		l := &c.lines[i]
		var err error
		l.reads(func(v lanes) {
			if !s.vectors[v] {
				err = fmt.Errorf("line %d reads vector %d: %+v", i, v, *l)
			}
		})
		l.readsMasks(func(m mask) {
			if !s.masks[m] {
				err = fmt.Errorf("line %d reads mask %d: %+v", i, m, *l)
			}
		})
		if err != nil {
			return err
		}
		l.writes(func(v lanes) { s.vectors[v] = true })
		if l.bits != none {
			s.masks[l.bits] = true
		}
		switch l.kind {
		case lineSkip:
			skipped[l.to] = s.clone()
		case lineLabel:
			for v := range s.vectors {
				if !skipped[l.to].vectors[v] {
					delete(s.vectors, v)
				}
			}
			for m := range s.masks {
				if !skipped[l.to].masks[m] {
					delete(s.masks, m)
				}
			}
		}
	}
	return nil
}

// TestNothingIsReadBeforeItIsSet follows the lines of random programs: a register that is set in a region only must not be
// read behind it, where the region may have been jumped over.
func TestNothingIsReadBeforeItIsSet(t *testing.T) { eachShape(t, testNothingIsReadBeforeItIsSet) }

func testNothingIsReadBeforeItIsSet(t *testing.T) {
	skips := 0
	for seed := range uint64(seeds(3000)) {
		p := randomLaneProgram(seed)
		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err)
		g, err := vectorGraph(p, facts, ebpf.User, shapes[0])
		if err != nil {
			continue
		}
		var a asm
		c := g.code(&a)
		require.NoError(t, readBeforeSet(c), "seed %d\n%s", seed, ebpf.Print(p, ebpf.LLVM))
		for i := range c.lines {
			if c.lines[i].kind == lineSkip {
				skips++
			}
		}
	}
	require.Greater(t, skips, seeds(3000)/10, "regions are jumped over")
}
