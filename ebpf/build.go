package ebpf

import "math"

// Reasons for which a Builder refuses to make a program.
const (
	ReasonLabelUnplaced Reason = "a jump aims at a label that was never placed"
	ReasonTooLong       Reason = "the program is too long"
)

// MaxInsns is the longest program that Linux loads (BPF_COMPLEXITY_LIMIT_INSNS, with CAP_BPF).
const MaxInsns = 1_000_000

// Label names a place in a program under construction.
type Label int

// Builder assembles a program out of instructions and labels. It is the only place where jumps have names: Program
// turns them into distances. The zero value is ready for use.
type Builder struct {
	// Grows tells how many slots the kernel makes of an instruction when it loads the program; nil stands for one. It does not
	// widen jumps that outgrow their field then, but refuses the program: so Program widens them in time.
	Grows func(Instruction) int

	insns   []Instruction
	targets []Label // of each instruction: the label that it jumps to, or noLabel
	origins []int   // of each instruction: the value of Origin when it was emitted
	places  []int   // of each label: index of the instruction that it stands before, or unplaced
	starts  []int   // of each instruction: its first slot, once Program has found out
	origin  int
}

const (
	noLabel  Label = -1
	unplaced int   = -1
)

// NewLabel makes a label, to be placed once.
func (b *Builder) NewLabel() Label {
	b.places = append(b.places, unplaced)
	return Label(len(b.places) - 1)
}

// Place puts the label before the next instruction.
func (b *Builder) Place(l Label) { b.places[l] = len(b.insns) }

// Origin sets the number that Program reports for each instruction emitted from now on: where it comes from.
func (b *Builder) Origin(n int) { b.origin = n }

// Emit appends instructions. A jump among them keeps its Off; Branch is for jumps to labels.
func (b *Builder) Emit(insns ...Instruction) {
	for _, ins := range insns {
		b.Branch(ins, noLabel)
	}
}

// Branch appends a jump to the label, which may be placed before or after.
func (b *Builder) Branch(ins Instruction, to Label) {
	b.insns = append(b.insns, ins)
	b.targets = append(b.targets, to)
	b.origins = append(b.origins, b.origin)
}

// Len is the number of instructions emitted so far; jumps that outgrow their field become longer in Program.
func (b *Builder) Len() int { return len(b.insns) }

// Program resolves the labels. A jump further than the 16 bits of its field is widened: `goto` becomes `gotol`, and a
// conditional one becomes a hop over a `gotol` (Linux 6.6 and later take it). origins[pc] is the origin of each slot.
func (b *Builder) Program() (p Program, origins []int, err error) {
	for i, to := range b.targets {
		if to != noLabel && b.places[to] == unplaced {
			return nil, nil, fault(ReasonLabelUnplaced, i, "label %d", to)
		}
	}
	far, starts := b.relax()
	b.starts = starts
	if n := starts[len(b.insns)]; n > MaxInsns {
		return nil, nil, fault(ReasonTooLong, -1, "%d instructions, %d is the most", n, MaxInsns)
	}
	p = make(Program, 0, starts[len(b.insns)])
	origins = make([]int, 0, cap(p))
	for i, ins := range b.insns {
		if to := b.targets[i]; to != noLabel {
			p = appendJump(p, ins, starts[b.places[to]]-starts[i]-1, far[i])
		} else {
			p = append(p, ins)
		}
		for len(origins) < len(p) {
			origins = append(origins, b.origins[i])
		}
	}
	return p, origins, nil
}

// Slot is where Program has put the label: the slot that it stands before, which may be the one behind the last. It is -1 for a
// label that was not placed, and before Program has made the program.
func (b *Builder) Slot(l Label) int {
	if b.starts == nil || b.places[l] == unplaced {
		return -1
	}
	return b.starts[b.places[l]]
}

// relax finds out which jumps need the long form, and where each instruction begins. It starts with all jumps short and
// only ever makes them longer, so it ends.
func (b *Builder) relax() (far []bool, starts []int) {
	far = make([]bool, len(b.insns))
	grown := make([]int, len(b.insns)+1) // where each instruction begins once the program is loaded
	for changed := true; changed; {
		changed = false
		for i, ins := range b.insns {
			grown[i+1] = grown[i] + slots(ins, far[i]) - 1 + b.grows(ins)
		}
		for i, to := range b.targets {
			if to == noLabel || far[i] {
				continue
			}
			if d := grown[b.places[to]] - grown[i] - 1; d < math.MinInt16 || d > math.MaxInt16 {
				far[i], changed = true, true
			}
		}
	}
	starts = make([]int, len(b.insns)+1)
	for i, ins := range b.insns {
		starts[i+1] = starts[i] + slots(ins, far[i])
	}
	return far, starts
}

// grows is Grows, whatever that is.
func (b *Builder) grows(ins Instruction) int {
	if b.Grows == nil {
		return 1
	}
	return b.Grows(ins)
}

// slots is the length of an instruction, given that its jump is far or not.
func slots(ins Instruction, far bool) int {
	if far && ins.Op.Info().Form != FormJump {
		return 3
	}
	return 1
}

// appendJump appends the jump over d slots, counted from the slot after its first.
func appendJump(p Program, ins Instruction, d int, far bool) Program {
	switch {
	case !far:
		ins.Off = int16(d)
		return append(p, ins)
	case ins.Op.Info().Form == FormJump:
		return append(p, jumpLong(d))
	}
	ins.Off = 1
	skip := Jump()
	skip.Off = 1
	return append(p, ins, skip, jumpLong(d-2))
}

func jumpLong(d int) Instruction { return Instruction{Op: OpJumpLong, Imm: int32(d)} }
