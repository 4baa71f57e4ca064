package cbpf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fixture has the values that lib/test_bpf.c gives its packets.
var fixture = &Meta{
	NetOff: 14, Protocol: 0x0800, PktType: 3, HasDev: true, IfIndex: 577, HaType: 588, Mark: 0x1234aaaa, Queue: 123,
	RxHash: 0x1234aaab, CPU: 5, VlanPresent: true, VlanTCI: 0xffff, VlanTPID: 0x0800,
	Random: func() uint32 { return 0xdeadbeef },
}

func TestRunExtensions(t *testing.T) {
	for _, c := range []struct {
		ext  Ext
		want uint32
	}{
		{ExtProto, 0x0800}, {ExtPktType, 3}, {ExtIfIndex, 577}, {ExtMark, 0x1234aaaa}, {ExtQueue, 123}, {ExtHaType, 588},
		{ExtRxHash, 0x1234aaab}, {ExtCPU, 5}, {ExtVlanTCI, 0xffff}, {ExtVlanPresent, 1}, {ExtRandom, 0xdeadbeef},
		{ExtVlanTPID, 0x0800}, {ExtPayOff, 42}, {ExtNlattr, 0}, {ExtNlattrNest, 0}, {ExtXorX, 10 ^ 300},
	} {
		t.Run(c.ext.String(), func(t *testing.T) {
			for _, size := range []uint16{cLdW, cLdH, cLdB} { // the size does not matter
				p := Program{do(cLdImm, 10), do(cLdxImm, 300), do(size, AdOff+uint32(c.ext)), do(cRetA, 0)}
				pkt := &Packet{Data: icmpFrame, Meta: *fixture}
				got, err := Run(p, pkt)
				require.NoError(t, err)
				require.Equal(t, c.want, got)
				p = append(p[:3:3], do(cTxa, 0), do(cRetA, 0))
				got, err = Run(p, pkt)
				require.NoError(t, err)
				require.Equal(t, uint32(300), got, "X is kept")
			}
		})
	}
}

func TestRunExtensionsOfTheZeroPacket(t *testing.T) {
	for _, e := range Exts {
		got, err := Run(Program{ext(e.Ext), do(cRetA, 0)}, &Packet{})
		require.NoError(t, err)
		require.Equal(t, uint32(0), got, e.Name)
	}
}

func TestRunWithoutDevice(t *testing.T) {
	for _, e := range []Ext{ExtIfIndex, ExtHaType} {
		got, err := Run(Program{do(cLdImm, 5), ext(e), do(cRetK, 9)}, &Packet{Meta: Meta{IfIndex: 3, HaType: 3}})
		require.NoError(t, err)
		require.Equal(t, uint32(5), got, "the verdict is A")
	}
}

func TestRunPktTypeHasThreeBits(t *testing.T) {
	got, err := Run(Program{ext(ExtPktType), do(cRetA, 0)}, &Packet{Meta: Meta{PktType: 0xfc}})
	require.NoError(t, err)
	require.Equal(t, uint32(4), got)
}
