package cbpf

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// programOf takes a program from bytes, 8 each, without looking at them.
func programOf(b []byte) (p Program) {
	for ; len(b) >= 8; b = b[8:] {
		p = append(p, bpf.RawInstruction{Op: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:])})
	}
	return p
}

// FuzzRun: whatever the program, packet and properties, Run returns, says the same twice, and names a pc of the program.
func FuzzRun(f *testing.F) {
	for _, c := range allCases() {
		var b []byte
		for _, ins := range c.p {
			b = binary.LittleEndian.AppendUint16(b, ins.Op)
			b = binary.LittleEndian.AppendUint32(append(b, ins.Jt, ins.Jf), ins.K)
		}
		f.Add(b, c.data, []byte{1, 2, 3}, 0, uint16(0x0800), false)
	}
	f.Add([]byte{cLdW, 0, 0, 0, 52, 0xf0, 0xff, 0xff, cRetA, 0, 0, 0, 0, 0, 0, 0}, icmpFrame, []byte{}, 14, uint16(0x0800), true)
	f.Fuzz(func(t *testing.T, program, data, head []byte, netOff int, proto uint16, tagged bool) {
		p := programOf(program)
		pkt := &Packet{Data: data, WireLen: uint32(len(data)),
			Meta: Meta{Head: head, NetOff: netOff, Protocol: proto, VlanPresent: tagged, VlanTPID: 0x8100}}
		verdict, _, err := RunTrace(p, pkt)
		again, err2 := Run(p, pkt)
		require.Equal(t, verdict, again)
		require.Equal(t, err, err2)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Less(t, e.PC, max(len(p), 1))
		}
	})
}

// BenchmarkRun takes 20 instructions through the packet of a ping.
func BenchmarkRun(b *testing.B) {
	p := Program{do(cLdH, 12), cond(cJeqK, 0x86dd, 17, 0), cond(cJeqK, 0x0800, 0, 16), do(cLdB, 23), cond(cJeqK, 1, 0, 14),
		do(cLdH, 20), cond(cJsetK, 0x1fff, 12, 0), do(cMsh, 14), do(cIndB, 14), do(cTax, 0), do(cSt, 0), do(cAddX, 0),
		do(cRshK, 1), do(cAndK, 0xff), do(cSt, 1), do(cLdxMem, 1), do(cLdMem, 0), do(cOrX, 0), do(cJa, 0), do(cRetK, 65535), do(cRetK, 0)}
	pkt := &Packet{Data: icmpFrame, WireLen: uint32(len(icmpFrame)), Meta: Meta{NetOff: 14, Protocol: 0x0800}}
	b.ReportAllocs()
	for b.Loop() {
		if verdict, err := Run(p, pkt); verdict != 65535 || err != nil {
			b.Fatal(verdict, err)
		}
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	pkt := &Packet{Data: icmpFrame, Meta: *fixture}
	p := Program{do(cLdImm, 2), ext(ExtPayOff), ext(ExtNlattr), ext(ExtRandom), do(cSt, 0), do(cRetA, 0)}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = Run(p, pkt) }))
}
