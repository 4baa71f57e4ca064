package ebpf

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
)

// Demands are what a program asks of the kernel that loads it. They are found without one.
type Demands struct {
	Slots   int // what counts against the limit of instructions
	Longest int // instructions on the longest path

	// Paths is how many ways there are through the program, and Followed how many instructions are on all of them if each
	// beginning that several share counts once: that many the verifier follows at most. MaxUint64 stands for that and more.
	Paths, Followed uint64
	// Expected is about how many it does follow, since it leaves a path where it knows what it knew there on another one. Aside
	// is about how many paths wait to be followed at one time.
	Expected, Aside int

	Stack    int           // bytes
	Calls    []HelperCalls // by number of the function
	Called   int           // the most calls on one path
	GPL      bool          // only programs under a licence compatible with the GPL may call some of them
	Features []Need        // the newest first

	Privilege string // what it takes to load it, for programs of the kernel
}

// HelperCalls says how a program calls a helper function.
type HelperCalls struct {
	ID     int32
	Places int // instructions that call it
	Most   int // the most calls on one path
}

// Need is a feature that a program makes use of.
type Need struct {
	Feature
	PC int // the first slot that does, from 0; -1 for the program as a whole
}

// Since is the first kernel that has all features.
func (d *Demands) Since() Version {
	if len(d.Features) == 0 {
		return Version{}
	}
	return d.Features[0].Since
}

// DemandsOf finds out what a program of the ABI asks for. The error is that of Check for a program that is not sound.
func DemandsOf(p Program, abi ABI) (*Demands, error) {
	facts, e, _, err := soundness(p, abi)
	if err != nil {
		return nil, err
	}
	return survey(p, abi, facts, e), nil
}

// soundness is Check for programs of which it is enough that they are sound on every path by itself. onPath says that the error
// is a fault on one path; otherwise Check may only know too little where paths meet.
func soundness(p Program, abi ABI) (facts *Facts, e effort, onPath bool, err error) {
	if facts, err = Check(p, abi); errors.Is(err, ReasonEmpty) || errors.Is(err, ReasonABI) || errors.Is(err, ReasonTooLong) {
		return nil, e, true, err
	}
	byPath, e, fault := checkPaths(p, abi, pathSteps)
	switch {
	case byPath != nil:
		return byPath, e, false, nil
	case fault != nil && err != nil:
		return nil, e, true, fault
	}
	return facts, e, false, err
}

func survey(p Program, abi ABI, facts *Facts, e effort) *Demands {
	s := surveyor{program: p, abi: abi, facts: facts,
		d:     &Demands{Slots: len(p), Expected: e.steps, Aside: e.aside, Stack: facts.Stack, GPL: facts.GPL, Privilege: abi.info().privilege},
		needs: map[Feature]int{}, calls: map[int32]*HelperCalls{}}
	s.survey()
	return s.d
}

// surveyor goes over a program that jumps forward only, once and in order.
type surveyor struct {
	program Program
	abi     ABI
	facts   *Facts
	d       *Demands
	needs   map[Feature]int // the first pc of each
	calls   map[int32]*HelperCalls
	ways    []way // of each pc: what is on the ways there
}

// way is what is on the ways to an instruction.
type way struct {
	count          uint64 // how many there are
	insns, helpers int    // the most on one of them
	each           map[int32]int
}

// survey fills in the demands.
func (s *surveyor) survey() {
	s.ways = make([]way, len(s.program))
	s.ways[0].count = 1
	s.need(s.abi.info().since, -1)
	if len(s.program) > unprivilegedInsns {
		s.need(millionInsns, -1)
	}
	for pc := 0; pc < len(s.program); pc++ {
		ins := s.program[pc]
		s.need(ins.Feature(), pc)
		s.context(pc, ins)
		s.pass(pc, ins)
		if ins.Op == OpLoadWide {
			pc++
		}
	}
	for feature, pc := range s.needs {
		s.d.Features = append(s.d.Features, Need{feature, pc})
	}
	slices.SortFunc(s.d.Features, func(a, b Need) int {
		return cmp.Or(b.Since.Major-a.Since.Major, b.Since.Minor-a.Since.Minor, a.PC-b.PC)
	})
	for _, id := range slices.Sorted(maps.Keys(s.calls)) {
		s.d.Calls = append(s.d.Calls, *s.calls[id])
	}
}

// need notes a feature. What comes first counts.
func (s *surveyor) need(f Feature, pc int) {
	if _, known := s.needs[f]; !known && f != (Feature{}) {
		s.needs[f] = pc
	}
}

// context notes the feature that a load from the context needs.
func (s *surveyor) context(pc int, ins Instruction) {
	info := ins.Op.Info()
	if s.facts.Access[pc] != ContextMemory || info.Form != FormLoad {
		return
	}
	if f, ok := s.abi.field(int64(ins.Off), info.Size); ok {
		s.need(f.since, pc)
	}
}

// pass adds an instruction to the ways that lead to it, and leads them on.
func (s *surveyor) pass(pc int, ins Instruction) {
	w := s.ways[pc]
	s.ways[pc] = way{}
	s.d.Followed = sum(s.d.Followed, w.count)
	w.insns++
	next := pc + 1
	switch info := ins.Op.Info(); info.Form {
	case FormLoadWide:
		next++
	case FormCall:
		s.call(&w, pc, ins)
	case FormExit:
		s.d.Paths = sum(s.d.Paths, w.count)
		s.d.Longest, s.d.Called = max(s.d.Longest, w.insns), max(s.d.Called, w.helpers)
		for id, n := range w.each {
			s.calls[id].Most = max(s.calls[id].Most, n)
		}
		return
	}
	target, jumps := ins.Target(pc)
	if jumps {
		s.ways[target].join(w)
	}
	if form := ins.Op.Info().Form; form != FormJump && form != FormJumpLong {
		s.ways[next].join(w)
	}
}

// call notes the call of a function.
func (s *surveyor) call(w *way, pc int, ins Instruction) {
	if h := helperFor(ins.Imm, s.abi); h != nil {
		s.need(Feature{HelperName(ins.Imm), h.since}, pc)
	}
	if s.calls[ins.Imm] == nil {
		s.calls[ins.Imm] = &HelperCalls{ID: ins.Imm}
	}
	s.calls[ins.Imm].Places++
	w.helpers++
	w.each = maps.Clone(w.each)
	if w.each == nil {
		w.each = map[int32]int{}
	}
	w.each[ins.Imm]++
}

// join adds ways that lead to the same instruction.
func (w *way) join(other way) {
	w.count = sum(w.count, other.count)
	w.insns, w.helpers = max(w.insns, other.insns), max(w.helpers, other.helpers)
	each := w.each
	for id, n := range other.each {
		if n > each[id] {
			if each = maps.Clone(each); each == nil {
				each = map[int32]int{}
			}
			each[id] = n
		}
	}
	w.each = each
}

// sum adds without going beyond the greatest number.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
