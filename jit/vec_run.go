package jit

import (
	"math"
	"runtime"
	"sync"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// VectorMode says whether [Func.RunBatch] takes many packets at once.
type VectorMode uint8

// The modes.
const (
	VectorAuto   VectorMode = iota // while that is found to be faster
	VectorAlways                   // wherever it is possible
	VectorNever
)

// vectors is the vector body of a Func. It is made when it is first wanted: a Func that runs one packet at a time has no
// use for it.
type vectors struct {
	mode    VectorMode
	make    func(VectorMode) (*vectorBody, error) // nil where there is no machine code at all
	once    sync.Once
	body    *vectorBody // nil: one packet at a time
	why     error
	cleanup runtime.Cleanup
	choice  choice
}

// vectorMaker remembers what a vector body is made of.
func vectorMaker(p ebpf.Program, facts *ebpf.Facts, abi ebpf.ABI) func(VectorMode) (*vectorBody, error) {
	p = append(ebpf.Program(nil), p...)
	return func(mode VectorMode) (*vectorBody, error) {
		if mode == VectorNever {
			return nil, &VectorError{NoVectorOff, -1}
		}
		return compileVector(p, facts, abi, mode)
	}
}

// SetVector chooses the mode; a Func begins with VectorAuto. Call it before anything runs.
func (f *Func) SetVector(mode VectorMode) { f.vectors.mode = mode }

// Vector returns how many packets RunBatch takes at once, where it finds that to be faster or must. If it is one, why tells the reason: a
// *VectorError, or that of a Func without machine code.
func (f *Func) Vector() (lanes int, why error) {
	if f.code == nil {
		return 1, f.why
	}
	if err := f.acquire(); err != nil {
		return 1, err
	}
	defer f.release()
	body := f.vectorBody()
	if body == nil {
		return 1, f.vectors.why
	}
	return body.lanes, nil
}

// vectorBody makes the vector body if there is none yet. The caller holds the Func.
func (f *Func) vectorBody() *vectorBody {
	v := &f.vectors
	v.once.Do(func() {
		if v.body, v.why = v.make(v.mode); v.body != nil {
			v.cleanup = runtime.AddCleanup(f, (*pages).free, v.body.code)
			v.choice.scalar.Store(v.body.doubtful)
		}
	})
	return v.body
}

// free lets go of the pages. Nobody may be running them.
func (v *vectors) free() {
	if v.body != nil {
		v.cleanup.Stop()
		v.body.code.free()
	}
}

// Groups that vectors give up are left to the scalar body, and some packets more, so that little is lost where there are many
// such groups: restMin at first, and twice as many each time up to restMax.
const (
	restMin = 16
	restMax = 1024
)

// runVector judges the packets from one index to another with vectors, as far as they carry. Their indices have 31 bits.
func (f *Func) runVector(body *vectorBody, buf []byte, descs []Desc, verdicts []uint32, from, to int) error {
	rest := restMin
	for done := from; done < to; {
		n, took := min(to-done, body.batch), 0
		if n >= body.lanes && len(buf) <= math.MaxInt32 {
			took = body.code.runVector(buf, descs[done:done+n], askingFrom(buf, done, len(descs)), verdicts[done:done+n])
		}
		done += took
		if took > rest {
			rest = restMin
		}
		if took == n {
			continue
		}
		n = min(to-done, rest)
		if err := f.runScalar(buf, descs, nil, verdicts, done, done+n); err != nil {
			return err
		}
		done, rest = done+n, min(2*rest, restMax)
	}
	return nil
}
