package inject

import (
	"slices"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// Instructions puts a filter in the place of a stub in a program, which are the Instructions of a ProgramSpec that
// cilium/ebpf has made of an object file. It returns another list and leaves the one that it is given alone. Errors are those
// of Object.
func Instructions(program asm.Instructions, symbol string, filter cbpf.Program, opts Options) (asm.Instructions, error) {
	start, end, err := find(program, symbol)
	if err != nil {
		return nil, err
	}
	if err := checkStub(symbol, plain(program[start:end])); err != nil {
		return nil, err
	}
	s, err := translate.Snippet(filter, opts.snippet())
	if err != nil {
		return nil, err
	}
	code, err := cbpfc.Label(s, symbol+"_filter", symbol+"_result")
	if err != nil {
		return nil, err
	}
	code = append(opts.beginning(), code...)
	code[0] = code[0].WithMetadata(program[start].Metadata) // its name, type and line of source
	code = append(code, opts.ending(symbol)...)
	return slices.Concat(program[:start], code, program[end:]), nil
}

// find returns where a function begins and where the next one does. Functions have a type out of BTF, or are called; other
// symbols are labels.
func find(program asm.Instructions, symbol string) (start, end int, err error) {
	called := map[string]bool{}
	for i := range program {
		if program[i].IsFunctionReference() {
			called[program[i].Reference()] = true
		}
	}
	start = -1
	for i := range program {
		name := program[i].Symbol()
		switch {
		case start < 0 && name == symbol:
			start = i
		case start >= 0 && name != "" && (called[name] || btf.FuncMetadata(&program[i]) != nil):
			return start, i, nil
		}
	}
	if start < 0 {
		return 0, 0, &StubError{symbol, "the program has no such symbol"}
	}
	return start, len(program), nil
}

// plain are the instructions as far as it matters which registers they read.
func plain(program asm.Instructions) (p ebpf.Program) {
	for _, ins := range program {
		p = append(p, ebpf.Instruction{Op: ebpf.Opcode(ins.OpCode), Dst: ebpf.Register(ins.Dst), Src: ebpf.Register(ins.Src)})
		if ins.OpCode.IsDWordLoad() {
			p = append(p, ebpf.Instruction{})
		}
	}
	return p
}

// beginning is Options.begin.
func (o Options) beginning() (code asm.Instructions) {
	for _, ins := range o.begin() {
		code = append(code, asm.Mov.Reg(asm.Register(ins.Dst), asm.Register(ins.Src)))
	}
	return code
}

// ending is Options.end behind the label for results.
func (o Options) ending(symbol string) asm.Instructions {
	result := symbol + "_result"
	if o.Verdict {
		return asm.Instructions{asm.Return().WithSymbol(result)}
	}
	return asm.Instructions{
		asm.JEq.Imm32(asm.R0, 0, symbol+"_return").WithSymbol(result),
		asm.Mov.Imm32(asm.R0, 1),
		asm.Return().WithSymbol(symbol + "_return"),
	}
}
