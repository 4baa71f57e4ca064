package cbpfc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// EBPFOpts say what the code of a filter may use. Registers are R0 to R9.
type EBPFOpts struct {
	// PacketStart holds a pointer to the first byte of the packet, PacketEnd one behind its last byte. They are not written.
	PacketStart asm.Register
	PacketEnd   asm.Register
	// Result gets what the filter returns. It may be one of Working.
	Result asm.Register

	// ResultLabel is where the code jumps to with the result. The caller defines it, right behind the code as a rule.
	ResultLabel string

	// Working are registers that the code destroys. They must differ from each other and from the two pointers.
	Working [4]asm.Register

	// StackOffset is how many bytes of the stack, from R10 down, are taken. The code may use the 64 below them: for scratch memory,
	// or for numbers that find no register.
	StackOffset int

	// LabelPrefix stands in front of the names of labels: PREFIX_block_N, and PREFIX_nomatch where guards fail.
	LabelPrefix string
}

// ToEBPF makes code of a filter. All its paths end with a jump to ResultLabel; Result holds 0 then if the packet does not
// match, and otherwise what the filter returns. Instructions that x/net could not decode are refused: see ToEBPFRaw.
func ToEBPF(filter []bpf.Instruction, opts EBPFOpts) (asm.Instructions, error) {
	p, err := assemble(filter)
	if err != nil {
		return nil, err
	}
	return ToEBPFRaw(p, opts)
}

// assemble turns instructions of x/net into raw ones.
func assemble(filter []bpf.Instruction) ([]bpf.RawInstruction, error) {
	var p []bpf.RawInstruction
	for pc, ins := range filter {
		if ins == nil {
			return nil, fmt.Errorf("instruction %d is nil", pc)
		}
		if _, raw := ins.(bpf.RawInstruction); raw {
			return nil, fmt.Errorf("instruction %d is a bpf.RawInstruction: ToEBPFRaw and ToCRaw are for those", pc)
		}
		raw, err := ins.Assemble()
		if err != nil {
			return nil, fmt.Errorf("instruction %d, %v: %w", pc, ins, err)
		}
		p = append(p, raw)
	}
	return p, nil
}

// ToEBPFRaw is ToEBPF for instructions as they stand in struct sock_filter. The error holds a cbpf.Errors for a filter that the
// kernel would refuse, and a *translate.SnippetError for one that asks for what two pointers to a packet do not tell.
func ToEBPFRaw(filter []bpf.RawInstruction, opts EBPFOpts) (asm.Instructions, error) {
	s, err := translate.Snippet(filter, translate.SnippetOptions{
		PacketStart: ebpf.Register(opts.PacketStart),
		PacketEnd:   ebpf.Register(opts.PacketEnd),
		Result:      ebpf.Register(opts.Result),
		Working: [4]ebpf.Register{
			ebpf.Register(opts.Working[0]), ebpf.Register(opts.Working[1]), ebpf.Register(opts.Working[2]), ebpf.Register(opts.Working[3]),
		},
		StackOffset: aligned(filter, opts.StackOffset),
		Optimize:    translate.MaxOptimize,
	})
	if err != nil {
		return nil, err
	}
	return Label(s, opts.LabelPrefix, opts.ResultLabel)
}

// aligned is the offset itself, but where a filter without scratch memory gives one that is even and no multiple of 4: there
// a little more may be taken as well.
func aligned(filter []bpf.RawInstruction, offset int) int {
	scratch := func(ins bpf.RawInstruction) bool {
		info := cbpf.Info(ins.Op)
		return info != nil && info.Form == cbpf.FormMem
	}
	if offset%4 == 2 && !slices.ContainsFunc(filter, scratch) {
		return offset + 2
	}
	return offset
}

// Label turns a snippet into instructions whose jumps refer to symbols, named as those of ToEBPF. It serves those who want
// more of translate.Snippet than EBPFOpts have.
func Label(s *translate.SnippetResult, prefix, result string) (asm.Instructions, error) {
	code, err := asm.AppendInstructions(nil, bytes.NewReader(ebpf.Encode(s.Program, binary.LittleEndian)), binary.LittleEndian, "linux")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(code)+1)
	for n, pc := range s.Blocks() {
		names[pc] = fmt.Sprintf("%s_block_%d", prefix, n)
		if pc == s.NoMatch {
			names[pc] = prefix + "_nomatch"
		}
	}
	names[len(code)] = result
	for pc := range code {
		if target, ok := s.Program[pc].Target(pc); ok {
			code[pc] = refer(code[pc], s.Program[pc].Op, names[target])
		}
		if names[pc] != "" {
			code[pc] = code[pc].WithSymbol(names[pc])
		}
	}
	return code, nil
}

// refer makes a jump go to a symbol: cilium/ebpf computes distances that are -1.
func refer(ins asm.Instruction, op ebpf.Opcode, name string) asm.Instruction {
	if op == ebpf.OpJumpLong {
		ins.Constant = -1
	} else {
		ins.Offset = -1
	}
	return ins.WithReference(name)
}
