package difftest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

func hasOp(p cbpf.Program, code uint16) bool {
	return slices.ContainsFunc(p, func(ins bpf.RawInstruction) bool { return ins.Op == code })
}

// Each predicate is a fault that an engine could have.
func TestShrink(t *testing.T) {
	const ldMem, divX, jgtX = 0x60, 0x3c, 0x2d
	tests := []struct {
		name    string
		bad     func(p cbpf.Program, pkt cbpf.Packet) bool
		program int // most instructions that may be left
		packet  int // most bytes
	}{
		{"always", func(cbpf.Program, cbpf.Packet) bool { return true }, 1, 0},
		{"an opcode", func(p cbpf.Program, _ cbpf.Packet) bool { return hasOp(p, divX) }, 2, 0},
		{"a comparison", func(p cbpf.Program, _ cbpf.Packet) bool { return hasOp(p, jgtX) }, 2, 0},
		{"a load that needs a store", func(p cbpf.Program, _ cbpf.Packet) bool { return hasOp(p, ldMem) }, 3, 0},
		{"a byte", func(_ cbpf.Program, pkt cbpf.Packet) bool { return len(pkt.Data) > 20 && pkt.Data[20] != 0 }, 1, 21},
		{"a long packet", func(_ cbpf.Program, pkt cbpf.Packet) bool { return pkt.WireLen >= 30 }, 1, 30},
		{"a verdict", func(p cbpf.Program, pkt cbpf.Packet) bool {
			verdict, err := cbpf.Run(p, &pkt)
			return err == nil && verdict > 1000
		}, 1, 0},
		{"two opcodes and bytes", func(p cbpf.Program, pkt cbpf.Packet) bool {
			return hasOp(p, divX) && hasOp(p, jgtX) && len(pkt.Data) > 3 && pkt.Data[3] == 0xff
		}, 3, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 9))
			for found := 0; found < 5; {
				p := GenProgram(r, GenOptions{MaxLen: 300})
				pkt := GenPacket(r, p)
				if !test.bad(p, pkt) {
					continue
				}
				found++
				before, data := slices.Clone(p), slices.Clone(pkt.Data)
				small, smallPkt := Shrink(p, pkt, func(p cbpf.Program, pkt cbpf.Packet) bool {
					require.NoError(t, cbpf.Validate(p), "asked about a program that is not valid")
					return test.bad(p, pkt)
				})
				require.True(t, test.bad(small, smallPkt))
				require.LessOrEqual(t, len(small), test.program, "%v", small)
				require.LessOrEqual(t, len(smallPkt.Data), test.packet)
				require.LessOrEqual(t, uint32(len(smallPkt.Data)), smallPkt.WireLen)
				require.Equal(t, before, p, "the program was changed")
				require.Equal(t, data, pkt.Data, "the packet was changed")
			}
		})
	}
}

// The result keeps nothing that the fault does not need.
func TestShrinkToTheFault(t *testing.T) {
	p := readFilter(t, "tcp-port-80.d")
	pkt := Crafted()[0].Packet
	for _, c := range Crafted() {
		if c.Name == "http/get" {
			pkt = c.Packet
		}
	}
	// An engine that takes `jeq #0x50` for true.
	small, smallPkt := Shrink(p, pkt, func(p cbpf.Program, pkt cbpf.Packet) bool {
		wrong := slices.Clone(p)
		for i := range wrong {
			if wrong[i].Op == cbpf.OpJeqK && wrong[i].K == 0x50 {
				wrong[i].Jf = wrong[i].Jt
			}
		}
		a, _ := cbpf.Run(p, &pkt)
		b, _ := cbpf.Run(wrong, &pkt)
		return a != b
	})
	text, err := cbpf.Print(small, cbpf.Listing)
	require.NoError(t, err)
	require.Equal(t, "(000) jeq      #0x50            jt 1\tjf 2\n(001) ret      #1\n(002) ret      #0\n", text)
	require.Equal(t, cbpf.Packet{Data: []byte{}}, smallPkt)
}

func TestShrinkIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	p := GenProgram(r, GenOptions{MaxLen: cbpf.MaxInsns})
	for len(p) < 2000 {
		p = GenProgram(r, GenOptions{MaxLen: cbpf.MaxInsns})
	}
	pkt := cbpf.Packet{Data: make([]byte, 9000), WireLen: 9000}
	for i := range pkt.Data {
		pkt.Data[i] = 1
	}
	calls := 0
	Shrink(p, pkt, func(q cbpf.Program, other cbpf.Packet) bool {
		calls++
		return calls%7 == 0 && len(other.Data) > 8000 || slices.Equal(p, q)
	})
	require.LessOrEqual(t, calls, maxShrinkCalls)
}
