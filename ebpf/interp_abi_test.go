package ebpf

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A packet of 10 bytes, of which 6 are linear.
var split = &Packet{
	Data:    []byte{0x80, 0x01, 0x02, 0xf3, 4, 5, 6, 7, 8, 9},
	Linear:  6,
	Meta:    []byte{0x11, 0x22, 0x33, 0x44},
	WireLen: 10,
	NetOff:  4,
	Skb:     &SkBuff{Len: 10, Hash: 0xcafe, Data: 77, DataEnd: 78, DataMeta: 79},
	XDP:     &XDPBuff{Data: 77, DataEnd: 78, DataMeta: 79, IngressIfIndex: 5, RxQueueIndex: 6, EgressIfIndex: 7},
	Args:    []uint64{0xffff888000001000, 2, math.MaxUint64},
	Kernel: []Region{
		{0xffff888000001000, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{0xffff888000001008, []byte{9, 10}},
		{0xfffffffffffffffc, []byte{1, 2, 3, 4}},
	},
}

const (
	ctxData, ctxEnd, ctxMeta = SkbData, SkbDataEnd, SkbDataMeta
)

// errno is the result of a helper that fails.
func errno(n uint64) uint64 { return -n }

// onStack calls a helper that writes n bytes to r10-8, with r2 and r5 set, or those of probe_read where it is one.
func onStack(helper int32, offset, n, last int32, then ...Instruction) Program {
	return join(Program{Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, n), Mov.Imm(R5, last),
		CallHelper(helper)}, then, Program{Return()})
}

// probe calls a helper that reads n bytes of the kernel's memory to r10-8.
func probe(helper int32, n int32, from uint64, then ...Instruction) Program {
	return join(Program{st(8, R10, -8, -1), Mov.Reg(R1, R10), Add.Imm(R1, -8), Mov.Imm(R2, n)}, set64(R3, from),
		Program{CallHelper(helper)}, then, Program{Return()})
}

// Programs for the hooks of the kernel and what they yield, worked out by hand.
func TestRunHooks(t *testing.T) {
	pull := func(n int32) Program {
		return Program{Mov.Reg(R6, R1), Mov.Imm(R2, n), CallHelper(HelperSkbPullData), Mov.Reg(R7, R0),
			Load(4, R2, R6, ctxData), Load(4, R0, R6, ctxEnd), Sub.Reg(R0, R2)}
	}
	tests := []struct {
		name string
		abi  ABI
		pkt  *Packet
		prog Program
		want uint64
	}{
		{"tc: linear length", TC, split, Program{Load(4, R2, R1, ctxData), Load(4, R0, R1, ctxEnd), Sub.Reg(R0, R2), Return()}, 6},
		{"tc: all is linear", TC, packet, Program{Load(4, R2, R1, ctxData), Load(4, R0, R1, ctxEnd), Sub.Reg(R0, R2), Return()}, 10},
		{"tc: more than all", TC, &Packet{Data: []byte{1}, Linear: 2}, Program{Load(4, R2, R1, ctxData), Load(4, R0, R1, ctxEnd), Sub.Reg(R0, R2), Return()}, 1},
		{"tc: nothing is linear", TC, &Packet{Data: []byte{1}, Linear: -1}, Program{Load(4, R2, R1, ctxData), Load(4, R0, R1, ctxEnd), Sub.Reg(R0, R2), Return()}, 0},
		{"tc: last linear byte", TC, split, Program{Load(4, R2, R1, ctxData), Load(1, R0, R2, 5), Return()}, 5},
		{"tc: last linear byte from the end", TC, split, Program{Load(4, R2, R1, ctxEnd), Load(1, R0, R2, -1), Return()}, 5},
		{"tc: metadata", TC, split, Program{Load(4, R2, R1, ctxMeta), Load(4, R0, R2, 0), ToBE(R0, 32), Return()}, 0x11223344},
		{"tc: length of metadata", TC, split, Program{Load(4, R2, R1, ctxMeta), Load(4, R0, R1, ctxData), Sub.Reg(R0, R2), Return()}, 4},
		{"tc: field", TC, split, Program{Load(4, R0, R1, SkbLen), Return()}, 10},
		{"tc: abs in paged data", TC, split, abs(4, 5), 0x05060708},
		{"tc: abs past the end", TC, split, abs(2, 9), 0},
		{"cgroup-skb: byte", CGroupSKB, split, Program{Load(4, R2, R1, ctxData), Load(1, R0, R2, 3), Return()}, 0xf3},
		{"xdp: first buffer", XDP, split, Program{Load(4, R2, R1, XDPData), Load(4, R0, R1, XDPDataEnd), Sub.Reg(R0, R2), Return()}, 6},
		{"xdp: byte", XDP, split, Program{Load(4, R2, R1, XDPData), Load(1, R0, R2, 3), Return()}, 0xf3},
		{"xdp: metadata", XDP, split, Program{Load(4, R2, R1, XDPDataMeta), Load(1, R0, R2, 3), Return()}, 0x44},
		{"xdp: interface", XDP, split, Program{Load(4, R0, R1, XDPIngressIfIndex), Return()}, 5},
		{"xdp: queue", XDP, split, Program{Load(4, R0, R1, XDPRxQueueIndex), Return()}, 6},
		{"xdp: other interface", XDP, split, Program{Load(4, R0, R1, XDPEgressIfIndex), Return()}, 7},
		{"xdp: no context", XDP, packet, Program{Load(4, R0, R1, XDPIngressIfIndex), Return()}, 0},
		{"trace: argument", Trace, split, Program{Load(8, R0, R1, 16), Return()}, math.MaxUint64},
		{"trace: argument that lacks", Trace, split, Program{Load(8, R0, R1, TraceSize-8), Return()}, 0},
		{"trace: half an argument", Trace, split, Program{Load(4, R0, R1, 8), Return()}, 2},

		{"tc: load bytes over the seam", TC, split, onStack(HelperSkbLoadBytes, 5, 4, 0, Load(4, R0, R10, -8), ToBE(R0, 32)), 0x05060708},
		{"tc: load bytes past the end", TC, split, onStack(HelperSkbLoadBytes, 7, 4, 0), errno(14)},
		{"cgroup-skb: load bytes", CGroupSKB, split, onStack(HelperSkbLoadBytes, 6, 4, 0), 0},
		{"tc: relative to the network header", TC, split, onStack(HelperSkbLoadBytesRelative, 0, 2, 1, Load(2, R0, R10, -8), ToBE(R0, 16)), 0x0405},
		{"tc: relative, paged", TC, split, onStack(HelperSkbLoadBytesRelative, 1, 2, 1), errno(14)},
		{"tc: relative, paged, zeroes", TC, split, onStack(HelperSkbLoadBytesRelative, 1, 2, 1, Load(2, R0, R10, -8)), 0},
		{"tc: relative to the link-layer header", TC, split, onStack(HelperSkbLoadBytesRelative, 2, 2, 0, Load(2, R0, R10, -8), ToBE(R0, 16)), 0x02f3},
		{"cgroup-skb: relative to the link-layer header", CGroupSKB, packet, onStack(HelperSkbLoadBytesRelative, 2, 2, 0, Load(2, R0, R10, -8), ToBE(R0, 16)), 0xcc80},
		{"tc: pull less than linear", TC, split, append(pull(3), Return()), 6},
		{"tc: pull more", TC, split, append(pull(8), Return()), 8},
		{"tc: pull all", TC, split, append(pull(10), Return()), 10},
		{"tc: pull none", TC, split, append(pull(0), Return()), 6},
		{"tc: pull too much", TC, split, append(pull(11), Return()), 6},
		{"tc: pull too much: result", TC, split, append(pull(11), Mov.Reg(R0, R7), Return()), errno(12)},
		{"tc: pull takes 32 bits", TC, split, append(pull(-1), Mov.Reg(R0, R7), Return()), errno(12)},
		{"tc: byte that was pulled", TC, split, append(pull(10), Load(1, R0, R2, 9), Return()), 9},
		{"tc: hash", TC, split, Program{CallHelper(HelperGetHashRecalc), Return()}, 0xcafe},
		{"tc: no hash", TC, packet, Program{CallHelper(HelperGetHashRecalc), Return()}, 0},
		{"xdp: length", XDP, split, Program{CallHelper(HelperXDPBuffLen), Return()}, 10},
		{"xdp: load bytes over the seam", XDP, split, onStack(HelperXDPLoadBytes, 5, 4, 0, Load(4, R0, R10, -8), ToBE(R0, 32)), 0x05060708},
		{"xdp: load bytes past the end", XDP, split, onStack(HelperXDPLoadBytes, 7, 4, 0), errno(22)},
		{"xdp: load bytes past the end leaves the stack alone", XDP, split,
			join(Program{st(8, R10, -8, 7)}, onStack(HelperXDPLoadBytes, 7, 4, 0, Load(8, R0, R10, -8))), 7},
		{"xdp: load bytes beyond 16 bits", XDP, &Packet{Data: make([]byte, 1<<17)}, onStack(HelperXDPLoadBytes, 0x10000, 4, 0), errno(14)},
		{"xdp: load bytes at 16 bits", XDP, &Packet{Data: make([]byte, 1<<17)}, onStack(HelperXDPLoadBytes, 0xffff, 4, 0), 0},
		{"xdp: load bytes at a negative offset", XDP, split, onStack(HelperXDPLoadBytes, -1, 4, 0), errno(14)},
		{"xdp: processor", XDP, packet, Program{CallHelper(HelperProcessorID), Return()}, 3},

		{"trace: probe read", Trace, split, probe(HelperProbeReadKernel, 8, 0xffff888000001000, Load(8, R0, R10, -8), ToBE(R0, 64)), 0x0102030405060708},
		{"trace: probe read over a seam", Trace, split, probe(HelperProbeReadKernel, 4, 0xffff888000001006, Load(4, R0, R10, -8), ToBE(R0, 32)), 0x0708090a},
		{"trace: probe read past the end", Trace, split, probe(HelperProbeReadKernel, 4, 0xffff888000001007), errno(14)},
		{"trace: probe read past the end zeroes", Trace, split, probe(HelperProbeReadKernel, 4, 0xffff888000001007, Load(8, R0, R10, -8), ToBE(R0, 64)), 0xffffffff},
		{"trace: probe read in front", Trace, split, probe(HelperProbeReadKernel, 4, 0xffff888000000fff), errno(14)},
		{"trace: probe read of the last bytes", Trace, split, probe(HelperProbeReadKernel, 4, 0xfffffffffffffffc), 0},
		{"trace: probe read beyond the last byte", Trace, split, probe(HelperProbeReadKernel, 8, 0xfffffffffffffffc), errno(14)},
		{"trace: probe read of nothing", Trace, split, probe(HelperProbeReadKernel, 0, 0xffff888000001000, Add.Imm(R0, 1)), 1},
		{"trace: probe read of nothing at a null pointer", Trace, split, probe(HelperProbeReadKernel, 0, 16), errno(34)},
		{"trace: old probe read of nothing at a null pointer", Trace, split, probe(HelperProbeRead, 0, 16, Add.Imm(R0, 1)), 1},
		{"trace: probe read of a null pointer", Trace, split, probe(HelperProbeReadKernel, 4, 16), errno(34)},
		{"trace: probe read of no address", Trace, split, probe(HelperProbeReadKernel, 4, 1<<60), errno(34)},
		{"trace: old probe read", Trace, split, probe(HelperProbeRead, 8, 0xffff888000001000, Load(8, R0, R10, -8), ToBE(R0, 64)), 0x0102030405060708},
		{"trace: old probe read of a null pointer", Trace, split, probe(HelperProbeRead, 4, 16), errno(14)},
		{"trace: old probe read of no address", Trace, split, probe(HelperProbeRead, 4, 1<<60), errno(34)},
		{"tc: probe read", TC, split, probe(HelperProbeReadKernel, 8, 0xffff888000001000), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Run(tt.prog, tt.abi, tt.pkt)
			require.NoError(t, err, "%s", tt.prog)
			require.Equal(t, tt.want, got, "%#x, want %#x\n%s", got, tt.want, tt.prog)
		})
	}
}

func TestRunHooksFaults(t *testing.T) {
	pulled := Program{Mov.Reg(R6, R1), Load(4, R7, R1, ctxData), Mov.Imm(R2, 8), CallHelper(HelperSkbPullData), Load(1, R0, R7, 0)}
	tests := []struct {
		name   string
		abi    ABI
		prog   Program
		reason Reason
		pc     int
	}{
		{"paged byte", TC, Program{Load(4, R2, R1, ctxData), Load(1, R0, R2, 6)}, ReasonPacketRange, 1},
		{"over the seam", XDP, Program{Load(4, R2, R1, XDPData), Load(4, R0, R2, 3)}, ReasonPacketRange, 1},
		{"in front of the metadata", TC, Program{Load(4, R2, R1, ctxMeta), Load(1, R0, R2, -1)}, ReasonPacketRange, 1},
		{"from metadata to data", TC, Program{Load(4, R2, R1, ctxMeta), Load(2, R0, R2, 3)}, ReasonPacketRange, 1},
		{"metadata in cgroup-skb", CGroupSKB, Program{Load(4, R2, R1, ctxData), Load(1, R0, R2, -1)}, ReasonPacketRange, 1},
		{"pointer to metadata in cgroup-skb", CGroupSKB, Program{Load(4, R2, R1, ctxMeta), Load(1, R0, R2, 0)}, ReasonNotPointer, 1},
		{"half of data", TC, Program{Load(2, R2, R1, ctxData)}, ReasonContextField, 0},
		{"data and more", XDP, Program{Load(8, R2, R1, XDPData)}, ReasonContextField, 0},
		{"data with sign", TC, Program{ldsx(4, R2, R1, ctxData)}, ReasonContextField, 0},
		{"behind xdp_md", XDP, Program{Load(4, R0, R1, XDPSize)}, ReasonContextRange, 0},
		{"behind the arguments", Trace, Program{Load(8, R0, R1, TraceSize)}, ReasonContextRange, 0},
		{"data in a socket filter", Socket, Program{Load(4, R2, R1, ctxData), Load(1, R0, R2, 0)}, ReasonNotPointer, 1},
		{"store to the packet", XDP, Program{Load(4, R2, R1, XDPData), st(1, R2, 0, 0)}, ReasonReadOnly, 1},
		{"packet that was pulled", TC, pulled, ReasonNotPointer, 4},
		{"packet load from cgroup-skb", CGroupSKB, Program{Mov.Reg(R6, R1), LoadAbs(1, 0)}, ReasonNoPacketLoads, 1},
		{"packet load from xdp", XDP, Program{Mov.Reg(R6, R1), LoadAbs(1, 0)}, ReasonNoPacketLoads, 1},
		{"pull in cgroup-skb", CGroupSKB, Program{Mov.Imm(R2, 1), CallHelper(HelperSkbPullData)}, ReasonCall, 1},
		{"pull without the context", TC, Program{Mov.Imm(R1, 1), Mov.Imm(R2, 1), CallHelper(HelperSkbPullData)}, ReasonCall, 2},
		{"pull how much", TC, Program{CallHelper(HelperSkbPullData)}, ReasonUnset, 0},
		{"stack after a failed load", XDP, onStack(HelperXDPLoadBytes, 7, 4, 0, Load(1, R0, R10, -8)), ReasonStackUnset, 6},
		{"load into the packet", XDP, Program{Load(4, R3, R1, XDPData), Mov.Imm(R2, 99), Mov.Imm(R4, 1), CallHelper(HelperXDPLoadBytes)}, ReasonReadOnly, 3},
		{"load over the top of the stack", XDP, onStack(HelperXDPLoadBytes, 7, 9, 0), ReasonStackRange, 5},
		{"probe read over the top of the stack", Trace, probe(HelperProbeReadKernel, 9, 0), ReasonStackRange, 6},
		{"probe read of very much", Trace, probe(HelperProbeReadKernel, -1, 0), ReasonCall, 6},
		{"old probe read from tc", TC, probe(HelperProbeRead, 4, 0), ReasonCall, 6},
		{"argument as address", Trace, Program{Load(8, R2, R1, 0), Load(8, R0, R2, 0)}, ReasonNotPointer, 1},
		{"helper below the first", TC, Program{CallHelper(-1)}, ReasonCall, 0},
		{"helper without a number", TC, Program{CallHelper(0)}, ReasonCall, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Run(tt.prog, tt.abi, split)
			require.ErrorIs(t, err, tt.reason)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.pc, e.PC, "%s", err)
		})
	}
}

// A packet may be pulled as often as a run allows; its pointers stay apart from all others.
func TestRunPullsForever(t *testing.T) {
	p := Program{
		Mov.Reg(R6, R1), Mov.Imm(R7, 600),
		Mov.Reg(R1, R6), Mov.Imm(R2, 0), CallHelper(HelperSkbPullData), Load(4, R8, R6, ctxData), Load(1, R0, R8, 3), Add.Imm(R7, -1),
		hop(JNe.Imm(R7, 0), -7),
		Return(),
	}
	got, err := Run(p, TC, split)
	require.NoError(t, err)
	require.EqualValues(t, 0xf3, got)
}

// The offsets are those of struct xdp_md in linux/bpf.h.
func TestABIs(t *testing.T) {
	require.Equal(t, "tc", TC.String())
	require.Equal(t, "cgroup-skb", CGroupSKB.String())
	require.Equal(t, "xdp", XDP.String())
	require.Equal(t, "trace", Trace.String())
	require.Equal(t, "unknown", (Trace + 1).String())
	require.True(t, NeedsGPL(HelperProbeReadKernel))
	require.False(t, NeedsGPL(HelperSkbLoadBytes))
	require.False(t, NeedsGPL(-1))
	require.False(t, NeedsGPL(1000))
	_, err := Run(Program{Mov.Imm(R0, 1), Return()}, 200, nil)
	require.NoError(t, err)
	for _, abi := range []ABI{Buffer, Seccomp, 200} {
		_, err = Run(append(set64(R1, contextBase), Load(4, R0, R1, 0), Return()), abi, split)
		require.ErrorIs(t, err, ReasonContextRange)
	}
}
