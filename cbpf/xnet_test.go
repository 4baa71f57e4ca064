package cbpf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

func TestToXNet(t *testing.T) {
	for _, tc := range []struct {
		name    string
		ins     bpf.RawInstruction
		loss    string // "" for none
		changes bool
	}{
		{name: "a load", ins: bpf.RawInstruction{Op: 0x28, K: 12}},
		{name: "a comparison without jt", ins: bpf.RawInstruction{Op: 0x15, Jf: 4, K: 5}},
		{name: "an unknown opcode that stays raw", ins: bpf.RawInstruction{Op: 0x0e, Jt: 1, K: 2}},
		{name: "garbage on tax", ins: bpf.RawInstruction{Op: 0x07, K: 99}, loss: "(003) tax ; raw 0x0007 0 0 99 becomes tax"},
		{name: "the length in X", ins: bpf.RawInstruction{Op: 0x81}, loss: "(003) ldx #pktlen becomes ld #pktlen", changes: true},
		{name: "an extension by byte", ins: bpf.RawInstruction{Op: 0x30, K: 0xfffff030}, loss: "(003) ldb [vlanp] becomes ld [vlanp]"},
		{name: "no extension", ins: bpf.RawInstruction{Op: 0x20, K: 0xfffff001}, loss: "(003) ld [-4095] becomes ld #pktlen", changes: true},
		{name: "a load into X", ins: bpf.RawInstruction{Op: 0x21, K: 7},
			loss: "(003) unimp 0x21 ; raw 0x0021 0 0 7 becomes ld [7]", changes: true},
		{name: "high bits of the opcode", ins: bpf.RawInstruction{Op: 0x1234, K: 5},
			loss: "(003) unimp 0x1234 ; raw 0x1234 0 0 5 becomes div #5", changes: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := cbpf.Program{{Op: 0x07}, {Op: 0x07}, {Op: 0x07}, tc.ins}
			insns, losses := cbpf.ToXNet(p)
			require.Len(t, insns, len(p))
			if tc.loss == "" {
				require.Empty(t, losses)
				again, err := cbpf.FromXNet(insns)
				require.NoError(t, err)
				require.Equal(t, p, again)
				return
			}
			require.Len(t, losses, 1)
			require.Equal(t, tc.loss, losses[0].String())
			require.Equal(t, tc.changes, losses[0].Changes())
		})
	}
}

func TestFromXNet(t *testing.T) {
	_, err := cbpf.FromXNet([]bpf.Instruction{bpf.TAX{}, bpf.LoadScratch{N: 16}, nil, bpf.RetA{}})
	require.Equal(t, []cbpf.Reason{cbpf.ReasonNotAssembled, cbpf.ReasonNotAssembled}, reasonsOf(err))
	require.EqualError(t, err, "(001) not assembled by x/net: invalid scratch slot 16\n(002) not assembled by x/net: nil")
}

// TestTextOfXNet takes thousands of instructions through x/net's own String and Assemble.
func TestTextOfXNet(t *testing.T) {
	for _, raw := range randomInstructions(50000) {
		text, err := cbpf.Print(cbpf.Program{raw}, cbpf.XNet)
		require.NoError(t, err)
		text, comment, _ := strings.Cut(strings.TrimSpace(text), " ; raw")

		ins := raw.Disassemble()
		theirs := fmt.Sprint(ins)
		again, err := ins.Assemble()
		require.NoError(t, err)
		ext, isExt := cbpf.Extension(raw.K)
		switch _, isRaw := ins.(bpf.RawInstruction); {
		case isRaw && cbpf.Info(raw.Op) != nil: // the one known instruction that they leave raw
			require.True(t, strings.HasSuffix(text, fmt.Sprintf(" M[%d]", raw.K)), "%+v %s", raw, text)
			continue
		case isRaw || cbpf.Info(raw.Op) == nil: // they have no text for it, or the one of another opcode
			require.True(t, strings.HasPrefix(text, "unimp 0x"), "%+v %s", raw, text)
			continue
		case isExt && cbpf.Info(raw.Op).Form == cbpf.FormAbs && (raw.Op != cbpf.OpLdAbsW || strings.HasPrefix(theirs, "unknown") || ext == 1):
			// they lose the size, have no text, or take it for the length; of loads of their own they print the offset
			require.True(t, strings.HasSuffix(text, fmt.Sprintf(" [%d]", raw.K)), "%+v %s", raw, text)
		default:
			require.Equal(t, theirs, text, "%+v", raw)
			require.Equal(t, again == raw, comment == "", "%+v %s", raw, text)
		}
		p, err := cbpf.ParseAs(cbpf.XNet, []byte(theirs))
		if strings.HasPrefix(theirs, "unknown") {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, "%s", theirs)
		require.Equal(t, cbpf.Program{again}, p, "%s", theirs)
	}
}
