package kernel

import (
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Members of made-up structures, as other kernels have them.
func TestLayoutMembers(t *testing.T) {
	u8 := &btf.Int{Name: "u8", Size: 1}
	u16 := &btf.Int{Name: "u16", Size: 2}
	odd := &btf.Array{Type: u8, Index: u16, Nelems: 3}
	inner := &btf.Union{Size: 4, Members: []btf.Member{
		{Type: &btf.Struct{Size: 4, Members: []btf.Member{
			{Name: "flag", Type: u8, Offset: 5, BitfieldSize: 1},
			{Name: "wide", Type: u16, Offset: 6, BitfieldSize: 3},
			{Name: "deep", Type: u16, Offset: 16},
		}}},
	}}
	s := &btf.Struct{Name: "s", Members: []btf.Member{
		{Name: "first", Type: &btf.Typedef{Name: "t", Type: u8}},
		{Type: inner, Offset: 32},
		{Name: "named", Type: inner, Offset: 64},
		{Name: "odd", Type: odd, Offset: 128},
		{Name: "far", Type: u8, Offset: 8 << 15},
	}}
	little := hostOrder.String() == "LittleEndian"
	shift := func(little8, big8 uint8) uint8 {
		if little {
			return little8
		}
		return big8
	}
	for _, test := range []struct {
		names string
		want  ebpf.Member
		err   string
	}{
		{names: "first", want: ebpf.Member{Size: 1}},
		{names: "deep", want: ebpf.Member{Off: 6, Size: 2}},
		{names: "flag", want: ebpf.Member{Off: 4, Size: 1, Shift: shift(5, 2), Bits: 1}},
		{names: "wide", want: ebpf.Member{Off: 4, Size: 2, Shift: shift(6, 7), Bits: 3}},
		{names: "none|deep", want: ebpf.Member{Off: 6, Size: 2}},
		{names: "none|", want: ebpf.Member{}},
		{names: "none|neither", err: "struct s has no member none or neither"},
		{names: "odd", err: "struct s, member odd: 3 bytes at bit 128 cannot be loaded"},
		{names: "far", err: "struct s, member far: offset 32768 is beyond 32767"},
	} {
		var got ebpf.Member
		err := (&wanted{&got, test.names}).find(s)
		if test.err != "" {
			require.EqualError(t, err, test.err)
			continue
		}
		require.NoError(t, err, test.names)
		require.Equal(t, test.want, got, test.names)
	}
}
