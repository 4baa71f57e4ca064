package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// TestOnlyInterface runs the code over structures in the memory of a kernel.
func TestOnlyInterface(t *testing.T) {
	l, err := runningLayouts()
	requireKernel(t, err)
	const object, rxq, dev, net = 0xffff_8881_0000_0000, 0xffff_8881_0001_0000, 0xffff_8881_0002_0000, 0xffff_8881_0003_0000
	const index, space = 0x81234567, 0xf2345678
	for _, xdp := range []bool{false, true} {
		for _, test := range []struct {
			name         string
			dev          uint64
			index, space uint64
			runs         bool
		}{
			{"ours", dev, index, space, true},
			{"another interface", dev, index + 1, space, false},
			{"another namespace", dev, index, space + 1, false},
			{"no interface", 0, index, space, false},
		} {
			regions := []ebpf.Region{{Addr: object}, {Addr: rxq}, {Addr: dev}, {Addr: net}}
			for i := range regions {
				regions[i].Bytes = make([]byte, 8192)
			}
			put := func(region int, m ebpf.Member, v uint64) {
				b := regions[region].Bytes[m.Off:]
				if m.Size == 8 {
					hostOrder.PutUint64(b, v)
				} else {
					hostOrder.PutUint32(b, uint32(v))
				}
			}
			put(0, l.skb.Dev, test.dev)
			if xdp {
				put(0, l.xdp.RxQ, rxq)
				put(1, l.xdp.RxQDev, test.dev)
			}
			put(2, l.skb.DevIfIndex, test.index)
			put(2, l.devNet, net)
			put(3, l.netInum, test.space)
			front, err := l.only(PacketArg{Word: 3, XDP: xdp}, index, space)
			require.NoError(t, err)
			p := append(front, ebpf.Load(8, ebpf.R0, ebpf.R1, 24), ebpf.Return()) // r1 is as it was
			r0, err := ebpf.Run(p, ebpf.Trace, &ebpf.Packet{Args: []uint64{0, 0, 0, object}, Kernel: regions})
			require.NoError(t, err)
			require.Equal(t, map[bool]uint64{true: object}[test.runs], r0, "%s, xdp %v", test.name, xdp)
		}
	}
}
