package cbpf_test

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// Short names for the instructions that the cases are made of.
var (
	retK  = bpf.RawInstruction{Op: 0x06}
	retA  = bpf.RawInstruction{Op: 0x16}
	tax   = bpf.RawInstruction{Op: 0x07}
	st0   = bpf.RawInstruction{Op: 0x02}
	ld0   = bpf.RawInstruction{Op: 0x60}
	ja1   = bpf.RawInstruction{Op: 0x05, K: 1}
	jeq01 = bpf.RawInstruction{Op: 0x15, Jf: 1}
)

// badPrograms break exactly these rules. The error must also contain says, which has the place or the limit.
var badPrograms = []struct {
	name    string
	prog    cbpf.Program
	reasons []cbpf.Reason
	says    string
}{
	{"nothing", nil, []cbpf.Reason{cbpf.ReasonEmpty}, "1 to 4096"},
	{"too long", repeat(retK, 4097), []cbpf.Reason{cbpf.ReasonTooManyInsns}, "4097, 4096 are the most"},
	{"ret x", cbpf.Program{{Op: 0x0e}, retK}, []cbpf.Reason{cbpf.ReasonUnknownOpcode}, "(000) unknown opcode: 0xe, ret x; use txa and ret"},
	{"the form that only seccomp has inside", cbpf.Program{{Op: 0x21}, retK}, []cbpf.Reason{cbpf.ReasonUnknownOpcode}, "0x21; X cannot be loaded so: use ld and tax"},
	{"the other order of bytes", cbpf.Program{{Op: 0x2800}, retK}, []cbpf.Reason{cbpf.ReasonUnknownOpcode}, "0x2800; it would be ldh in"},
	{"an opcode of 16 bits", cbpf.Program{{Op: 0x106}, retK}, []cbpf.Reason{cbpf.ReasonUnknownOpcode}, "0x106"},
	{"an unreachable unknown opcode", cbpf.Program{retK, {Op: 0xff}, retK}, []cbpf.Reason{cbpf.ReasonUnknownOpcode}, "(001) "},
	{"division", cbpf.Program{{Op: 0x34}, retK}, []cbpf.Reason{cbpf.ReasonDivisionByZero}, "div #0"},
	{"remainder", cbpf.Program{{Op: 0x94}, retK}, []cbpf.Reason{cbpf.ReasonDivisionByZero}, "mod #0"},
	{"left shift", cbpf.Program{{Op: 0x64, K: 32}, retK}, []cbpf.Reason{cbpf.ReasonShiftTooFar}, "lsh #32, 31 is the most"},
	{"right shift", cbpf.Program{{Op: 0x74, K: 0xffffffff}, retK}, []cbpf.Reason{cbpf.ReasonShiftTooFar}, "31 is the most"},
	{"st", cbpf.Program{{Op: 0x02, K: 16}, retK}, []cbpf.Reason{cbpf.ReasonNoSuchWord}, "M[16], M[15] is the last"},
	{"stx", cbpf.Program{{Op: 0x03, K: 16}, retK}, []cbpf.Reason{cbpf.ReasonNoSuchWord}, ""},
	{"ld", cbpf.Program{{Op: 0x60, K: 16}, retK}, []cbpf.Reason{cbpf.ReasonNoSuchWord}, ""},
	{"ldx", cbpf.Program{{Op: 0x61, K: 0xffffffff}, retK}, []cbpf.Reason{cbpf.ReasonNoSuchWord}, "M[4294967295]"},
	{"ja to the end", cbpf.Program{ja1, retK}, []cbpf.Reason{cbpf.ReasonJumpOutside}, "target 2, the last instruction is 1"},
	{"ja backward", cbpf.Program{tax, {Op: 0x05, K: 0xfffffffe}, retK}, []cbpf.Reason{cbpf.ReasonJumpBackwards}, "(001) jump backwards: to (000)"},
	{"ja at the end", cbpf.Program{{Op: 0x05}}, []cbpf.Reason{cbpf.ReasonJumpOutside, cbpf.ReasonNoReturn}, ""},
	{"jt and jf", cbpf.Program{{Op: 0x1d, Jt: 1, Jf: 255}, retK}, []cbpf.Reason{cbpf.ReasonJumpOutside, cbpf.ReasonJumpOutside}, "jf 256"},
	{"an extension between two", cbpf.Program{{Op: 0x20, K: 0xfffff001}, retK}, []cbpf.Reason{cbpf.ReasonUnknownExtension}, "extension 1, "},
	{"an extension too many", cbpf.Program{{Op: 0x30, K: 0xfffff040}, retK}, []cbpf.Reason{cbpf.ReasonUnknownExtension}, "up to 60"},
	{"the last offset", cbpf.Program{{Op: 0x28, K: 0xffffffff}, retK}, []cbpf.Reason{cbpf.ReasonUnknownExtension}, ""},
	{"a load at the end", cbpf.Program{retK, tax}, []cbpf.Reason{cbpf.ReasonNoReturn}, "(001) "},
	{"never stored", cbpf.Program{ld0, retA}, []cbpf.Reason{cbpf.ReasonUnsetWord}, "M[0]"},
	{"another word stored", cbpf.Program{st0, {Op: 0x61, K: 1}, retA}, []cbpf.Reason{cbpf.ReasonUnsetWord}, "M[1]"},
	{"stored on one branch", cbpf.Program{jeq01, st0, ld0, retA}, []cbpf.Reason{cbpf.ReasonUnsetWord}, "(002) "},
	{"dead code behind a return", cbpf.Program{retK, ld0, retA}, []cbpf.Reason{cbpf.ReasonUnsetWord}, "(001) "},
	{"several rules at once", cbpf.Program{ld0, {Op: 0x34}, {Op: 0xff}, ja1}, []cbpf.Reason{cbpf.ReasonUnsetWord,
		cbpf.ReasonDivisionByZero, cbpf.ReasonUnknownOpcode, cbpf.ReasonJumpOutside, cbpf.ReasonNoReturn}, ""},
}

// goodPrograms are at the edge of a rule.
var goodPrograms = []struct {
	name string
	prog cbpf.Program
}{
	{"one instruction", cbpf.Program{retK}},
	{"longest", repeat(retA, 4096)},
	{"fields without meaning", cbpf.Program{{Op: 0x07, Jt: 255, Jf: 255, K: 99}, {Op: 0x16, K: 7}}},
	{"greatest shift", cbpf.Program{{Op: 0x64, K: 31}, retK}},
	{"variable division", cbpf.Program{{Op: 0x3c}, retK}},
	{"last word", cbpf.Program{{Op: 0x02, K: 15}, {Op: 0x61, K: 15}, retK}},
	{"ja to the next", cbpf.Program{{Op: 0x05}, retK}},
	{"ja to the last", cbpf.Program{ja1, tax, retK}},
	{"last offset before the extensions", cbpf.Program{{Op: 0x20, K: 0xffffefff}, retK}},
	{"last extension", cbpf.Program{{Op: 0x30, K: 0xfffff03c}, retK}},
	{"indirect loads take any offset", cbpf.Program{{Op: 0x40, K: 0xfffff001}, {Op: 0xb1, K: 0xffffffff}, retK}},
	{"stored on both branches", cbpf.Program{{Op: 0x15, Jf: 2}, st0, ja1, st0, ld0, retA}},
	{"dead code behind ja", cbpf.Program{ja1, ld0, retK}},
	{"dead code behind a comparison", cbpf.Program{{Op: 0x15, Jt: 1, Jf: 1}, ld0, retK}},
}

func TestValidate(t *testing.T) {
	for _, tc := range goodPrograms {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, cbpf.Validate(tc.prog))
		})
	}
}

func TestValidateFaults(t *testing.T) {
	for _, tc := range badPrograms {
		t.Run(tc.name, func(t *testing.T) {
			err := cbpf.Validate(tc.prog)
			require.Equal(t, tc.reasons, reasonsOf(err), "%v", err)
			require.ErrorContains(t, err, tc.says)
			require.ErrorIs(t, err, tc.reasons[0])
		})
	}
}

func TestViolationsAreBounded(t *testing.T) {
	err := cbpf.Validate(repeat(bpf.RawInstruction{Op: 0xffff}, 1<<16))
	require.Len(t, reasonsOf(err), 100)
}

func repeat(ins bpf.RawInstruction, n int) cbpf.Program {
	p := make(cbpf.Program, n)
	for i := range p {
		p[i] = ins
	}
	return p
}
