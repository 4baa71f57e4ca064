package cbpf_test

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

func TestReadsOf(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       cbpf.Reads
	}{
		{"nothing", "ret #1", cbpf.Reads{}},
		{"EtherType and protocol", "ldh [12]\nldb [23]\nret a", cbpf.Reads{Fixed: 2, First: 12, Last: 23}},
		{"a word", "ld [0]\nret a", cbpf.Reads{Fixed: 1, First: 0, Last: 3}},
		{"ports behind an IP header", "ldx 4*([14]&0xf)\nldh [x + 16]\nret a", cbpf.Reads{Fixed: 1, First: 14, Last: 14, Indexed: 1, IndexedLast: 60 + 17}},
		{"anywhere", "ld [0]\ntax\nldb [x + 1]\nret a", cbpf.Reads{Fixed: 1, Last: 3, Indexed: 1, IndexedLast: cbpf.NoEnd, Windows: 1}},
		{"a negative offset", "ldx #20\nldb [x + -4]\nret a", cbpf.Reads{Indexed: 1, IndexedLast: 16}},
		{"before the packet, perhaps", "ldb [0]\ntax\nldb [x + -4]\nret a", cbpf.Reads{Fixed: 1, Indexed: 1, IndexedLast: cbpf.NoEnd, Windows: 1}},
		{"windows", "ldb [-1048576]\nldb [-2097152]\nret a", cbpf.Reads{Windows: 2}},
		{"extensions", "ld vlan_avail\nld proto\nldb [-4096]\nld len\nret a", cbpf.Reads{Exts: []cbpf.Ext{cbpf.ExtProto, cbpf.ExtVlanPresent}, Length: true}},
		{"dead code", "ret #1\nldb [7]\nret a", cbpf.Reads{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := cbpf.ParseAs(cbpf.Asm, []byte(tc.text))
			require.NoError(t, err)
			require.NoError(t, cbpf.Validate(p))
			require.Equal(t, tc.want, cbpf.ReadsOf(p))
		})
	}
	require.Equal(t, 2, cbpf.Live(cbpf.Program{jeq1to(0, 0), retK, retK}))
}
