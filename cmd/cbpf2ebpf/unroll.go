package main

import (
	"errors"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// loops says what was read, where the program at hand is what it became when its loops were unrolled.
type loops struct {
	original cbpf.Program
	origins  []int // of each instruction of the program at hand, the pc in the original; -1 for none. nil where nothing was unrolled
}

// unrolled unrolls the loops of what was read, if that is asked for.
func (s *source) unrolled(in *input) (*input, error) {
	switch {
	case s.unroll < 0 || s.unroll > cbpf.MaxUnroll:
		return nil, usagef("--unroll %d: a number from 1 to %d is expected", s.unroll, cbpf.MaxUnroll)
	case s.unroll == 0:
		return in, nil
	}
	p, origins, err := cbpf.Unroll(in.program, s.unroll)
	if err != nil {
		return nil, in.fault(err)
	}
	in.loops = loops{in.program, origins}
	in.program = p
	return in, nil
}

// origin returns the pc in what was read.
func (in *input) origin(pc int) int {
	if in.origins == nil || pc < 0 || pc >= len(in.origins) {
		return pc
	}
	return in.origins[pc]
}

// written returns err with the pcs in what was read. What is wrong with several copies is told once.
func (in *input) written(err error) error {
	var many cbpf.Errors
	var unsupported *translate.UnsupportedError
	switch {
	case in.origins == nil:
	case errors.As(err, &many):
		var moved cbpf.Errors
		for _, e := range many {
			at := *e
			at.PC = in.origin(e.PC)
			if !slices.ContainsFunc(moved, func(other *cbpf.Error) bool { return *other == at }) {
				moved = append(moved, &at)
			}
		}
		slices.SortStableFunc(moved, func(a, b *cbpf.Error) int { return a.PC - b.PC })
		return moved
	case errors.As(err, &unsupported):
		at := *unsupported
		at.PC = in.origin(at.PC)
		return &at
	}
	return err
}

// show returns the program that was read, and lets the result of its translation tell of that.
func (in *input) show(r *translate.Result) cbpf.Program {
	if in.origins == nil {
		return in.program
	}
	for slot, pc := range r.PCs {
		r.PCs[slot] = in.origin(pc)
	}
	return in.original
}
