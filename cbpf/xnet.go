package cbpf

import (
	"strings"

	"golang.org/x/net/bpf"
)

// ReasonNotAssembled is the fault of an instruction of x/net that has no encoding.
const ReasonNotAssembled Reason = "not assembled by x/net"

// FromXNet encodes instructions of x/net, raw ones among them. The error is an Errors with each instruction that x/net
// itself does not assemble, up to a hundred. The program need not be valid: see Validate.
func FromXNet(insns []bpf.Instruction) (Program, error) {
	p := make(Program, len(insns))
	var errs Errors
	for pc, ins := range insns {
		if len(errs) == maxViolations {
			break
		}
		if ins == nil {
			errs = append(errs, &Error{Reason: ReasonNotAssembled, PC: pc, Detail: "nil"})
			continue
		}
		raw, err := ins.Assemble()
		if err != nil {
			errs = append(errs, &Error{Reason: ReasonNotAssembled, PC: pc, Detail: err.Error()})
		}
		p[pc] = raw
	}
	if err := errs.asError(); err != nil {
		return nil, err
	}
	return p, nil
}

// Loss is an instruction that x/net reads as something else.
type Loss struct {
	PC  int
	Was bpf.RawInstruction // in the program
	Is  bpf.RawInstruction // what x/net makes of it, encoded again
}

// Changes reports whether the meaning is another one. It is the same where fields got lost that have no meaning, and where
// an extension is loaded by another size, as it is always loaded in whole.
func (l Loss) Changes() bool { return meaning(l.Was) != meaning(l.Is) }

// String shows both as a listing does: `(003) ldx #pktlen becomes ld #pktlen`.
func (l Loss) String() string {
	was, is := strings.Fields(Line(l.PC, l.Was)), strings.Fields(Line(l.PC, l.Is))
	return strings.Join(was, " ") + " becomes " + strings.Join(is[1:], " ")
}

// meaning returns the instruction without the fields that do not matter.
func meaning(ins bpf.RawInstruction) bpf.RawInstruction {
	info := Info(ins.Op)
	if info == nil {
		return ins
	}
	s := &listingShapes[info.Form]
	if !s.k {
		ins.K = 0
	}
	if !s.jumps {
		ins.Jt, ins.Jf = 0, 0
	}
	if e, ok := Extension(ins.K); ok && info.Form == FormAbs && e.String() != "" {
		ins.Op = OpLdAbsW
	}
	return ins
}

// ToXNet decodes a program by x/net's Disassemble, one instruction for each, and names what does not survive that: where
// there is no Loss, FromXNet gives back the same. What x/net does not know stays a bpf.RawInstruction and is no Loss.
func ToXNet(p Program) ([]bpf.Instruction, []Loss) {
	insns := make([]bpf.Instruction, len(p))
	var losses []Loss
	for pc, raw := range p {
		insns[pc] = raw.Disassemble()
		again, err := insns[pc].Assemble()
		if err != nil || again != raw {
			losses = append(losses, Loss{PC: pc, Was: raw, Is: again})
		}
	}
	return insns, losses
}
