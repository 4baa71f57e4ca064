package kernel

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// What a program finds is what ClassicView says, and what it says is spelt out here.
func TestClassicView(t *testing.T) {
	requireClassic(t)
	given := cbpf.Packet{Data: countingBytes(20), WireLen: 99, Meta: cbpf.Meta{Head: []byte{1}, NetOff: 14, Protocol: 0x800, PktType: 4,
		HasDev: true, IfIndex: 2, HaType: 1, Mark: 3, Queue: 4, RxHash: 5, CPU: 6, VlanPresent: true, VlanTCI: 7, VlanTPID: 0x8100}}
	view := ClassicView(&given)
	require.Equal(t, cbpf.Packet{Data: given.Data, WireLen: 20, Meta: cbpf.Meta{NoLink: true}}, view)

	attr := attributes()
	load := func(op uint16, k uint32) cbpf.Program { return cbpf.Program{ldImm(77), ins(op, 0, 0, k), retA} }
	ext := func(e cbpf.Ext) cbpf.Program { return load(cbpf.OpLdAbsW, cbpf.AdOff+uint32(e)) }
	nla := func(kind uint32) cbpf.Program {
		return cbpf.Program{ldImm(2), ins(opLdxImm, 0, 0, kind), ldExt(cbpf.ExtNlattr), retA}
	}
	ind := func(x, k uint32) cbpf.Program {
		return cbpf.Program{ins(opLdxImm, 0, 0, x), ins(opLdIndH, 0, 0, k), retA}
	}
	for _, test := range []struct {
		name    string
		program cbpf.Program
		data    []byte
		want    uint32
	}{
		{"proto", ext(cbpf.ExtProto), given.Data, 0},
		{"type", ext(cbpf.ExtPktType), given.Data, 0},
		{"ifidx", ext(cbpf.ExtIfIndex), given.Data, 77},
		{"hatype", ext(cbpf.ExtHaType), given.Data, 77},
		{"mark", ext(cbpf.ExtMark), given.Data, 0},
		{"queue", ext(cbpf.ExtQueue), given.Data, 0},
		{"rxhash", ext(cbpf.ExtRxHash), given.Data, 0},
		{"vlan_tci", ext(cbpf.ExtVlanTCI), given.Data, 0},
		{"vlanp", ext(cbpf.ExtVlanPresent), given.Data, 0},
		{"vlan_tpid", ext(cbpf.ExtVlanTPID), given.Data, 0},
		{"poff", ext(cbpf.ExtPayOff), given.Data, 0},
		{"xor_x", cbpf.Program{ldImm(0xf0), ins(opTax, 0, 0, 0), ldImm(0x8000000f), ldExt(cbpf.ExtXorX), retA}, nil, 0x800000ff},
		{"first attribute", nla(3), attr, 2},
		{"second attribute", nla(9), attr, 10},
		{"no attribute", nla(4), attr, 0},
		{"len", cbpf.Program{ins(cbpf.OpLdLen, 0, 0, 0), retA}, given.Data, 20},
		{"network header", load(cbpf.OpLdAbsW, cbpf.NetOff), given.Data, 0x01020304},
		{"network header at the end", load(cbpf.OpLdAbsH, cbpf.NetOff+18), given.Data, 0x1314},
		{"network header over the end", load(cbpf.OpLdAbsH, cbpf.NetOff+19), given.Data, 0},
		{"network header by index", ind(18, cbpf.NetOff), given.Data, 0x1314},
		{"no link-layer header", load(cbpf.OpLdAbsB, cbpf.LLOff), given.Data, 0},
		{"link-layer window up to the network one", load(cbpf.OpLdAbsB, cbpf.NetOff-1), given.Data, 0},
		{"below the windows", load(cbpf.OpLdAbsB, cbpf.LLOff-1), given.Data, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := attachClassic(t, test.program).Verdict(test.data)
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			view := ClassicView(&cbpf.Packet{Data: test.data})
			reference, err := cbpf.Run(test.program, &view)
			require.NoError(t, err)
			require.Equal(t, test.want, reference, "the reference interpreter on the view")
		})
	}
}

// Long data lie in pages: loads of every kind reach all of them, the search for a netlink attribute finds none.
func TestClassicLongData(t *testing.T) {
	requireClassic(t)
	for _, n := range []int{1000, 4096, MaxLinear, MaxLinear + 1, 65535, MaxDatagram} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			data := countingBytes(n)
			copy(data, attributes())
			last := uint32(n - 1)
			found := uint32(10)
			if n > MaxLinear {
				found = 0
			}
			for _, test := range []struct {
				name    string
				program cbpf.Program
				want    uint32
			}{
				{"len", cbpf.Program{ins(cbpf.OpLdLen, 0, 0, 0), retA}, uint32(n)},
				{"last byte", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, last), retA}, uint32(data[last])},
				{"last byte by index", cbpf.Program{ins(opLdxImm, 0, 0, last), ins(opLdIndB, 0, 0, 0), retA}, uint32(data[last])},
				{"behind it", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, last+1), retA}, 0},
				{"last byte by the network header", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, cbpf.NetOff+last), retA}, uint32(data[last])},
				{"behind it by the network header", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, cbpf.NetOff+last+1), retA}, 0},
				{"attribute", cbpf.Program{ldImm(2), ins(opLdxImm, 0, 0, 9), ldExt(cbpf.ExtNlattr), retA}, found},
			} {
				got, err := attachClassic(t, test.program).Verdict(data)
				require.NoError(t, err)
				require.Equal(t, test.want, got, test.name)
			}
		})
	}
	_, err := attachClassic(t, cbpf.Program{ret(1)}).Verdict(make([]byte, MaxDatagram+1))
	require.Equal(t, &TooLongError{Len: MaxDatagram + 1, Limit: MaxDatagram}, err)
}

// attributes returns two netlink attributes, of types 3 and 9, at 2 and 10. Their numbers are in host order.
func attributes() []byte {
	b := []byte{0xaa, 0xaa}
	b = binary.NativeEndian.AppendUint16(b, 6)
	b = binary.NativeEndian.AppendUint16(b, 3)
	b = append(b, 0x77, 0x88, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, 4)
	return binary.NativeEndian.AppendUint16(b, 9)
}
