package cbpf

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunTraceQuirks(t *testing.T) {
	whole := &Packet{Data: twenty, WireLen: 20, Meta: Meta{NetOff: 14, HasDev: true}}
	part := &Packet{Data: twenty, WireLen: 99}
	for _, c := range []struct {
		name string
		p    Program
		pkt  *Packet
		want Quirk
	}{
		{"none", Program{do(cLdxImm, 31), do(cLshX, 0), do(cLdW, 0), do(cLdLen, 0), do(cIndB, k32(1)), do(cRetA, 0)}, whole, 0},
		{"shift", Program{do(cLdxImm, 32), do(cRshX, 0), do(cRetA, 0)}, whole, QuirkShift},
		{"negative k", Program{do(cLdxImm, 20), do(cIndB, k32(-4)), do(cRetA, 0)}, whole, QuirkIndex},
		{"negative X", Program{do(cLdxImm, k32(-4)), do(cIndB, 20), do(cRetA, 0)}, whole, QuirkIndex},
		{"sum from 0x80000000 on", Program{do(cLdxImm, 0x7fffffff), do(cIndB, 1), do(cRetA, 0)}, whole, QuirkIndex},
		{"window", Program{do(cLdB, NetOff), do(cMsh, LLOff), do(cRetA, 0)}, whole, QuirkWindow},
		{"window by index", Program{do(cIndB, NetOff), do(cRetA, 0)}, whole, QuirkWindow | QuirkIndex},
		{"extension", Program{ext(ExtProto), do(cRetA, 0)}, whole, QuirkExtension},
		{"device", Program{ext(ExtIfIndex), do(cRetA, 0)}, whole, QuirkExtension},
		{"no device", Program{ext(ExtHaType), do(cRetA, 0)}, part, QuirkExtension | QuirkNoDevice},
		{"cpu", Program{ext(ExtCPU), do(cRetA, 0)}, whole, QuirkExtension | QuirkCPU},
		{"random", Program{ext(ExtRandom), do(cRetA, 0)}, whole, QuirkExtension | QuirkRandom},
		{"len", Program{do(cLdLen, 0), do(cRetA, 0)}, part, QuirkLen},
		{"ldx len", Program{do(cLdxLen, 0), do(cRetA, 0)}, whole, QuirkLdxLen},
		{"many attributes", findFrom(ExtNlattr, 0, 2), &Packet{Data: append(bytes.Repeat(attrs(4, 1), ManyAttrs), attrs(4, 2)...)},
			QuirkExtension | QuirkAttrs},
		{"as many attributes", findFrom(ExtNlattr, 0, 3), &Packet{Data: append(bytes.Repeat(attrs(4, 1), ManyAttrs), attrs(3, 3)...)},
			QuirkExtension},
		{"neg", Program{do(cNeg, 0), do(cRetA, 0)}, whole, QuirkNeg},
		{"scratch", Program{do(cSt, 1), do(cLdMem, 2), do(cRetA, 0)}, whole, QuirkScratch},
		{"scratch, written", Program{do(cSt, 1), do(cLdMem, 1), do(cRetA, 0)}, whole, 0},
		{"not reached", Program{do(cRetK, 1), do(cNeg, 0)}, whole, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict, quirks, err := RunTrace(c.p, c.pkt)
			require.NoError(t, err)
			require.Equal(t, c.want.String(), quirks.String())
			plain, err := Run(c.p, c.pkt)
			require.NoError(t, err)
			require.Equal(t, plain, verdict)
		})
	}
}

func TestQuirkString(t *testing.T) {
	require.Equal(t, "none", Quirk(0).String())
	require.Equal(t, "shift|neg", (QuirkShift | QuirkNeg).String())
	require.Equal(t, "no-device", QuirkNoDevice.String())
	require.Equal(t, "cpu|unknown", (QuirkCPU | 1<<31).String())
}
