package jit

import (
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
)

// randomKeys are different numbers, sorted: dense, in clusters, or anywhere.
func randomKeys(g *generator, n int, most uint32) []uint32 {
	keys := map[uint32]bool{}
	base := g.Uint32()
	for len(keys) < n {
		k := g.Uint32() >> g.IntN(20)
		switch g.IntN(3) {
		case 0:
			k = base + uint32(g.IntN(2*n))
		case 1:
			k = base + uint32(g.IntN(8))<<16 + uint32(g.IntN(n))
		}
		keys[k&most] = true
	}
	var list []uint32
	for k := range keys {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func TestPerfectHashing(t *testing.T) {
	g := newGenerator(1)
	for _, n := range []int{4, 5, 16, hashPick, hashPick + 1, 40, 80, 128, 300, 1000, 4000} {
		keys := randomKeys(g, n, ^uint32(0))
		h, cost := wide.hashOf(keys)
		require.NotNil(t, h, "%d numbers", n)
		require.Equal(t, n <= hashPick, cost == costPick)
		_, cost = narrow.hashOf(keys)
		require.Equal(t, n <= 5, cost == costPick)
		for _, k := range keys {
			require.True(t, h.contains(k), "%d of %d", k, n)
		}
		for range 100_000 {
			k := g.Uint32()
			_, in := slices.BinarySearch(keys, k)
			require.Equal(t, in, h.contains(k))
		}
		for _, k := range h.slots {
			_, in := slices.BinarySearch(keys, k)
			require.True(t, in)
		}
	}
	require.Nil(t, perfectHash([]uint32{7, 7}, 4, 100), "the same number twice has no slot of its own")
	require.Nil(t, displacedHash([]uint32{1, 2, 3, 4, 7, 7}))
}

// lookUps makes a program that compares the word at offset 0 of a packet, in network order or not, with each number: as a
// chain, or as a tree. What it ends with says where it left.
func lookUps(g *generator, keys []uint32, size int, swap, tree bool) ebpf.Program {
	return build(func(b *ebpf.Builder) {
		short, found, other := b.NewLabel(), b.NewLabel(), b.NewLabel()
		b.Branch(ebpf.JLt.Imm32(ebpf.R2, uint32(size)), short)
		b.Branch(ebpf.JEq.Imm32(ebpf.R3, 1), found)
		b.Branch(ebpf.JEq.Imm32(ebpf.R3, 2), other)
		b.Emit(ebpf.Load(size, ebpf.R0, ebpf.R1, 0))
		if swap && size > 1 {
			b.Emit(ebpf.ToBE(ebpf.R0, int32(8*size)))
		}
		leaf := func(k uint32) {
			to := found
			if g.IntN(4) == 0 {
				to = other
			}
			b.Branch(ebpf.JEq.Imm32(ebpf.R0, k), to)
		}
		var search func(keys []uint32)
		search = func(keys []uint32) {
			if len(keys) <= 3 {
				for _, k := range keys {
					leaf(k)
				}
				b.Branch(ebpf.Jump(), short)
				return
			}
			half, upper := len(keys)/2, b.NewLabel()
			if g.IntN(2) == 0 {
				b.Branch(ebpf.JGe.Imm32(ebpf.R0, keys[half]), upper)
			} else {
				b.Branch(ebpf.JGt.Imm32(ebpf.R0, keys[half]-1), upper)
			}
			search(keys[:half])
			b.Place(upper)
			search(keys[half:])
		}
		if tree {
			search(keys)
		} else {
			g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			for i, k := range keys {
				leaf(k)
				if i%10 == 9 { // a range, and what was asked before
					b.Branch(pick(g, []ebpf.JumpOp{ebpf.JEq, ebpf.JLt}).Imm32(ebpf.R0, pick(g, keys[:i+1])&0xff), other)
				}
			}
			b.Branch(ebpf.Jump(), short)
		}
		b.Place(found)
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 1), ebpf.Return())
		b.Place(other)
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 2), ebpf.Return())
		b.Place(short)
		b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0), ebpf.Return())
	})
}

// TestListsAndTreesOfComparisons looks numbers up: all that are listed, their neighbours, and others.
func TestListsAndTreesOfComparisons(t *testing.T) { eachShape(t, testListsAndTreesOfComparisons) }

func testListsAndTreesOfComparisons(t *testing.T) {
	joined := 0
	for seed := range uint64(seeds(400)) {
		g := newGenerator(seed)
		size := pick(g, []int{1, 2, 4, 4})
		most := uint32(1<<(8*size) - 1)
		n := pick(g, []int{1, 3, 5, 10, 20, 40, 80, 200})
		if size == 1 {
			n = min(n, 80)
		}
		keys, tree, swap := randomKeys(g, n, most), g.IntN(2) == 0, g.IntN(2) == 0
		p := lookUps(g, slices.Clone(keys), size, swap, tree)
		f := vectored(t, p)
		var asked []uint32
		for _, k := range keys {
			asked = append(asked, k-1, k, k+1, k^0x80000000, k^1<<g.IntN(32), g.Uint32())
		}
		asked = append(asked, slices.Repeat([]uint32{0, 1, most, most - 1}, 4)...)
		var buf []byte
		var descs []Desc
		for _, k := range asked {
			descs = append(descs, Desc{Off: uint32(len(buf)), CapLen: 16, WireLen: uint32(g.IntN(16))})
			if k &= most; swap {
				k = reverse(k, uint8(size))
			}
			buf = append(buf, byte(k), byte(k>>8), byte(k>>16), byte(k>>24))
			buf = append(buf, make([]byte, 12)...)
		}
		sameVerdicts(t, f, p, buf, descs)

		facts, err := ebpf.Check(p, ebpf.User)
		require.NoError(t, err)
		g1, err := vectorGraph(p, facts, ebpf.User, shapes[0])
		require.NoError(t, err)
		reached := 0
		for i := range g1.blocks {
			if g1.reached(i) {
				reached++
			}
		}
		if n >= 40 {
			require.Less(t, reached, n/2, "%d numbers of %d bytes, tree %v", n, size, tree)
			joined++
		}
	}
	require.Greater(t, joined, seeds(400)/4)
}

// TestSplitDividesASpan splits the numbers by a comparison and puts them together again.
func TestSplitDividesASpan(t *testing.T) {
	g := newGenerator(3)
	for range 100_000 {
		s := span{g.Uint32() >> g.IntN(32), g.Uint32() >> g.IntN(32)}
		s.lo, s.hi = min(s.lo, s.hi), max(s.lo, s.hi)
		k := pick(g, []uint32{0, 1, s.lo, s.hi, s.lo - 1, s.hi + 1, g.Uint32(), ^uint32(0)})
		pred := pick(g, []uint32{predLT, predLE, predGE, predGT})
		parts := split(pred, k, s)
		for _, x := range []uint32{s.lo, s.hi, k, k - 1, k + 1, s.lo + (s.hi-s.lo)/2} {
			if x < s.lo || x > s.hi {
				continue
			}
			yes, known := decided(pred, bounds{x, x}, bounds{k, k})
			require.True(t, known)
			for i, want := range []bool{yes, !yes} {
				require.Equal(t, want, parts[i].lo <= x && x <= parts[i].hi, "%d of %v with %d %d: %v", x, s, pred, k, parts)
			}
		}
	}
}
