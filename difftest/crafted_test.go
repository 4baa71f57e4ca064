package difftest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCrafted(t *testing.T) {
	packets := Crafted()
	require.GreaterOrEqual(t, len(packets), 300)
	require.Equal(t, packets, Crafted(), "not the same at each call")
	names := map[string]bool{}
	for _, p := range packets {
		require.False(t, names[p.Name], "two packets named %s", p.Name)
		names[p.Name] = true
		require.LessOrEqual(t, uint32(len(p.Data)), p.WireLen, p.Name)
		require.Equal(t, MetaFor(p.Link, p.Data), p.Meta, p.Name)
	}
}

// The headers are written out by hand from RFC 791 and RFC 9293, the checksums calculated elsewhere.
func TestFrameByHand(t *testing.T) {
	got := frame(segment(tcp{src: 40000, dst: 80, seq: 1, flags: syn}, text("x"))...)
	want := "020000000002" + "020000000001" + "0800" +
		"45000029123440004006" + "3c06" + "c0000211" + "c6336450" +
		"9c400050" + "00000001" + "00000000" + "5002faf0" + "b3c9" + "0000" + "78"
	require.Equal(t, want, fmt.Sprintf("%x", got))
}
