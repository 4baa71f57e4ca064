package cbpf

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// Opcodes by name, for tests that write programs by hand.
const (
	cLdImm, cLdW, cLdH, cLdB, cIndW, cIndH, cIndB, cLdMem, cLdLen = 0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80
	cLdxImm, cLdxMem, cLdxLen, cMsh, cSt, cStx                    = 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03
	cAddK, cSubK, cMulK, cDivK, cOrK, cAndK, cLshK, cRshK         = 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74
	cAddX, cSubX, cMulX, cDivX, cOrX, cAndX, cLshX, cRshX         = 0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c
	cNeg, cModK, cModX, cXorK, cXorX                              = 0x84, 0x94, 0x9c, 0xa4, 0xac
	cJa, cJeqK, cJeqX, cJgtK, cJgtX, cJgeK, cJgeX, cJsetK, cJsetX = 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d
	cRetK, cRetA, cTax, cTxa                                      = 0x06, 0x16, 0x07, 0x87
)

// do is an instruction without branches.
func do(code uint16, k uint32) bpf.RawInstruction { return bpf.RawInstruction{Op: code, K: k} }

// cond is a conditional jump.
func cond(code uint16, k uint32, jt, jf uint8) bpf.RawInstruction {
	return bpf.RawInstruction{Op: code, Jt: jt, Jf: jf, K: k}
}

// ext is a load of an extension.
func ext(e Ext) bpf.RawInstruction { return do(cLdW, AdOff+uint32(e)) }

// runCase is a program, a packet and the verdict, derived by hand from the kernel's semantics. The names in capitals are
// those of lib/test_bpf.c (Linux 6.18) whose theme the case takes up.
type runCase struct {
	name string
	p    Program
	data []byte
	meta *Meta // nil: no link-layer header, network header at 0, no device
	want uint32
}

func (c runCase) packet() *Packet {
	pkt := &Packet{Data: c.data, WireLen: uint32(len(c.data)), Meta: Meta{NoLink: true}}
	if c.meta != nil {
		pkt.Meta = *c.meta
	}
	return pkt
}

func checkRuns(t *testing.T, cases []runCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Run(c.p, c.packet())
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%#x, want %#x: %v", got, c.want, c.p)
		})
	}
}

// allCases are all the cases that need nothing but bytes.
func allCases() []runCase {
	var all []runCase
	for _, some := range [][]runCase{arithmeticCases, registerCases, jumpCases, loadCases, windowCases, mshCases, nlaCases} {
		all = append(all, some...)
	}
	return all
}
