package difftest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// search is a program that looks for a netlink attribute: from the offset in the first word of the packet on, for the type in
// the second. It returns the offset, or one more than any offset if X did not survive.
func search(e cbpf.Ext) cbpf.Program {
	return cbpf.Program{
		{Op: cbpf.OpLdAbsW, K: 4}, {Op: 0x07}, // tax
		{Op: cbpf.OpLdAbsW, K: 0},
		extOnly(e)[0],
		{Op: 0x02, K: 5}, // st M[5]
		{Op: cbpf.OpLdAbsW, K: 4}, {Op: 0x1d, Jt: 1}, {Op: cbpf.OpRetK, K: 1 << 31},
		{Op: 0x60, K: 5}, {Op: cbpf.OpRetA},
	}
}

// searched is a packet for search.
func searched(from, kind uint32, attrs []byte) *cbpf.Packet {
	data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, from), kind)
	data = append(data, attrs...)
	return &cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: MetaFor(LinkEthernet, data)}
}

// listStart is where the attributes begin in it.
const listStart = 8

// attr is a netlink attribute; its length field says that it has more bytes of contents than there are, or fewer.
func attr(kind uint16, contents []byte, more int) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(contents)+more))
	b = append(binary.NativeEndian.AppendUint16(b, kind), contents...)
	for len(b)%4 != 0 {
		b = append(b, 0xee)
	}
	return b
}

// genAttrs makes a random list of attributes, some of which hold lists, and some of which lie about their length.
func genAttrs(r *rand.Rand, depth int) (list []byte) {
	for range r.IntN(7) {
		contents := make([]byte, r.IntN(11))
		if depth > 0 && r.IntN(3) == 0 {
			contents = genAttrs(r, depth-1)
		}
		more := 0
		if r.IntN(12) == 0 {
			more = []int{-4, -3, -1, 1, 3, 4, 5, 8, 20, 1000, 65500}[r.IntN(11)]
		}
		list = append(list, attr(uint16(r.IntN(5))|uint16(r.IntN(8)/5)<<14, contents, more)...)
	}
	return list
}

// genStart is an offset to search a list from: of an attribute mostly, sometimes any in the packet, or one beyond all packets.
func genStart(r *rand.Rand, list []byte) uint32 {
	switch r.IntN(10) {
	case 0:
		return r.Uint32N(listStart + uint32(len(list)) + 3)
	case 1:
		return []uint32{0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0xfffffff2, 0xffff0000}[r.IntN(6)]
	}
	return listStart + 4*r.Uint32N(uint32(len(list)/4+2))
}

// tryAttrs lets the engines search lists from everywhere, for everything.
func tryAttrs(t *testing.T, engines []string, lists int) {
	for _, e := range []cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest} {
		c := newTally(t, search(e), engines...)
		r := rand.New(rand.NewPCG(21, uint64(e)))
		for range lists {
			list := genAttrs(r, 2)
			if r.IntN(2) == 0 {
				list = list[:len(list)-min(len(list), r.IntN(5))]
			}
			for range 10 {
				from, kind := genStart(r, list), r.Uint32N(6)
				if r.IntN(8) == 0 {
					kind = []uint32{0x3fff, 0x4001, 0x10001, 0xffffffff}[r.IntN(4)]
				}
				pkt := searched(from, kind, list)
				c.try(fmt.Sprintf("%s of %d from %d", e, kind, from), pkt)
			}
		}
		c.done(5*lists, 15)
	}
}

func TestAttrsOfRandomLists(t *testing.T) {
	t.Parallel()
	tryAttrs(t, withoutKernel, 10_000)
}

func TestKernelFindsAttrsOfRandomLists(t *testing.T) {
	requireKernel(t)
	tryAttrs(t, []string{"kernel-ebpf", "kernel-classic"}, 300)
}

// searchBit is search whose verdict is one bit of the offset.
func searchBit(e cbpf.Ext, bit int) cbpf.Program {
	p := search(e)
	return append(p[:len(p)-1], bpf.RawInstruction{Op: cbpf.OpAndK, K: 1 << bit}, bpf.RawInstruction{Op: cbpf.OpRetA})
}

// tryAttrsAt lets programs at a hook search lists, in one piece and in two.
func tryAttrsAt(t *testing.T, e Engine, lists int) {
	for _, ext := range []cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest} {
		for bit := range 7 {
			c := tallyOf(t, searchBit(ext, bit), []Engine{{Reference, prepareClassic}, e})
			r := rand.New(rand.NewPCG(22, uint64(ext)))
			for range lists {
				list := genAttrs(r, 2)
				from := genStart(r, list)
				c.try(fmt.Sprintf("%s from %d", ext, from), searched(from, r.Uint32N(6), list))
			}
			c.done(lists/3, 1)
		}
	}
}

// attrVariants are the ways for hooks whose packets have all that the program expects.
func attrVariants() (list []variant) {
	for _, v := range variants {
		if !v.takesHeader() {
			list = append(list, v)
		}
	}
	return list
}

func TestHooksFindAttrs(t *testing.T) {
	for _, v := range attrVariants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			tryAttrsAt(t, v.engine(prepareHook, interpNames), 1000)
		})
	}
}

func TestKernelHooksFindAttrs(t *testing.T) {
	requireKernel(t)
	for _, v := range attrVariants() {
		t.Run(v.name, func(t *testing.T) {
			tryAttrsAt(t, v.engine(prepareKernelHook, kernelNames), 300)
		})
	}
}

// A program for Ethernet packets, at a hook that has none, finds no attributes where it expects them.
func TestAttrsBehindMissingHeader(t *testing.T) {
	for _, v := range variants {
		_, err := translate.Translate(search(cbpf.ExtNlattr), v.opts)
		if !v.takesHeader() {
			require.NoError(t, err, v.name)
			continue
		}
		var unsupported *translate.UnsupportedError
		require.ErrorAs(t, err, &unsupported, v.name)
	}
}

// A list is cut at every length.
func TestAttrsOfCutLists(t *testing.T) {
	t.Parallel()
	inner := slices.Concat(attr(1, []byte{1}, 0), attr(2, []byte{1, 2, 3, 4, 5}, 0), attr(3, nil, 0))
	list := slices.Concat(attr(4, nil, 0), attr(5, inner, 0), attr(3, []byte{9}, 0))
	for _, e := range []cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest} {
		c := newTally(t, search(e), withoutKernel...)
		for n := range len(list) + 1 {
			for kind := range uint32(7) {
				for from := range uint32(n + 4) {
					c.try(fmt.Sprintf("%s in %d bytes of type %d from %d", e, n, kind, from), searched(listStart+from, kind, list[:n]))
				}
			}
		}
		c.done(5000, 4)
	}
}

// listOf is a list of n attributes of type 1 and one of type 2.
func listOf(n int) []byte {
	return append(slices.Repeat(attr(1, nil, 0), n), attr(2, nil, 0)...)
}

// Up to so many attributes the answer is that of the kernel. If one more follows, the program ends with verdict 0.
func TestAttrsUpToTheBound(t *testing.T) {
	const found, none = 7, 8
	p := cbpf.Program{
		{Op: cbpf.OpLdImm, K: listStart}, {Op: 0x01, K: 2}, extOnly(cbpf.ExtNlattr)[0],
		{Op: cbpf.OpJeqK, Jt: 1}, {Op: cbpf.OpRetK, K: found}, {Op: cbpf.OpRetK, K: none},
	}
	for _, most := range []int{0, 1, 5, 200} {
		bound := most
		if most == 0 {
			bound = translate.DefaultMaxAttrs
		}
		for _, target := range []translate.Target{translate.User, translate.Socket} {
			r, err := translate.Translate(p, translate.Options{Target: target, MaxAttrs: most})
			require.NoError(t, err)
			require.Equal(t, []translate.Bound{{PC: 2, Ext: cbpf.ExtNlattr, Most: bound}}, r.Bounds)
			verdict := func(list []byte) uint32 {
				v, err := ebpf.Run(r.Program, target.ABI(), (&converter{}).packet(searched(0, 0, list)))
				require.NoError(t, err)
				return uint32(v)
			}
			require.EqualValues(t, found, verdict(listOf(bound-1)), "the last one")
			require.EqualValues(t, none, verdict(slices.Repeat(attr(1, nil, 0), bound)), "the end of the list")
			require.EqualValues(t, none, verdict(append(slices.Repeat(attr(1, nil, 0), bound), attr(2, nil, 1)...)), "one that is cut")
			require.EqualValues(t, 0, verdict(listOf(bound)), "one more")
		}
	}
}

// With as many attributes as fit into 64 KiB the answer is exact for all packets up to there.
func TestAttrsOfLongPackets(t *testing.T) {
	p := search(cbpf.ExtNlattr)
	r, err := translate.Translate(p, translate.Options{MaxAttrs: 1 << 16 / 4})
	require.NoError(t, err)
	f, err := jit.New(r.Program)
	require.NoError(t, err)
	for _, n := range []int{0, 1, 64, 65, 1000, 1<<14 - 3} {
		for kind := range uint32(4) {
			pkt := searched(listStart, kind, listOf(n))
			want, err := cbpf.Run(p, pkt)
			require.NoError(t, err)
			got, err := f.Run((&converter{}).packet(pkt))
			require.NoError(t, err)
			require.EqualValues(t, want, got, "%d attributes, type %d", n, kind)
		}
	}
	require.NoError(t, f.Close())
}
