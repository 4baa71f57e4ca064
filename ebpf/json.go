package ebpf

import (
	"encoding/json"
	"strconv"
)

// ReasonJSON says that a JSON value is no program.
const ReasonJSON Reason = "this is not the JSON of a program"

// slotJSON is one slot of a program as JSON. The numbers count; pc and text are for readers, and checked where they are.
type slotJSON struct {
	PC   *int   `json:"pc,omitempty"`
	Text string `json:"text,omitempty"`
	Op   uint8  `json:"op"`
	Dst  uint8  `json:"dst"`
	Src  uint8  `json:"src"`
	Off  int16  `json:"off"`
	Imm  int32  `json:"imm"`
}

// MarshalJSON returns the program as an array with an object for each slot:
//
//	{"pc":0,"text":"r0 = 1","op":183,"dst":0,"src":0,"off":0,"imm":1}
//
// The text is that of the dialect LLVM. The second slot of a wide constant has none.
func (p Program) MarshalJSON() ([]byte, error) {
	slots := make([]slotJSON, len(p))
	for pc := 0; pc < len(p); {
		text, n := p.Line(pc, LLVM)
		for k := range n {
			i, at := p[pc+k], pc+k
			slots[at] = slotJSON{&at, text, uint8(i.Op), uint8(i.Dst), uint8(i.Src), i.Off, i.Imm}
			text = ""
		}
		pc += n
	}
	return json.Marshal(slots)
}

// UnmarshalJSON is the inverse of MarshalJSON. An object may leave out what is zero, and its pc and text; where they are
// there, they must be right.
func (p *Program) UnmarshalJSON(b []byte) error {
	var slots []slotJSON
	if err := json.Unmarshal(b, &slots); err != nil {
		return &Error{Reason: ReasonJSON, PC: -1, Detail: err.Error()}
	}
	program := make(Program, len(slots))
	for pc, s := range slots {
		switch {
		case s.Dst > 15 || s.Src > 15:
			return fault(ReasonJSON, pc, "registers %d and %d; 15 is the most", s.Dst, s.Src)
		case s.PC != nil && *s.PC != pc:
			return fault(ReasonDisagree, pc, "its pc is said to be %d", *s.PC)
		}
		program[pc] = Instruction{Opcode(s.Op), Register(s.Dst), Register(s.Src), s.Off, s.Imm}
	}
	for pc := 0; pc < len(program); {
		text, n := program.Line(pc, LLVM)
		if said := slots[pc].Text; said != "" && said != text {
			return fault(ReasonDisagree, pc, "%s is said to be %s", strconv.Quote(text), strconv.Quote(said))
		}
		pc += n
	}
	*p = program
	return nil
}
