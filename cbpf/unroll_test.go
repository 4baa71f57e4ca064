package cbpf_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// protochain6 is what tcpdump -d prints for `ip6 protochain 6`, with libpcap 1.10 and 1.11 alike.
const protochain6 = `(000) ldh      [12]
(001) jeq      #0x86dd          jt 2	jf 35
(002) ldb      [20]
(003) ldx      #0x28
(004) jeq      #0x6             jt 32	jf 5
(005) jeq      #0x3b            jt 32	jf 6
(006) jeq      #0x0             jt 10	jf 7
(007) jeq      #0x3c            jt 10	jf 8
(008) jeq      #0x2b            jt 10	jf 9
(009) jeq      #0x2c            jt 10	jf 19
(010) ldb      [x + 14]
(011) st       M[0]
(012) ldb      [x + 15]
(013) add      #1
(014) mul      #8
(015) add      x
(016) tax
(017) ld       M[0]
(018) ja       4
(019) jeq      #0x33            jt 20	jf 32
(020) txa
(021) ldb      [x + 14]
(022) st       M[0]
(023) txa
(024) add      #1
(025) tax
(026) ldb      [x + 14]
(027) add      #2
(028) mul      #4
(029) tax
(030) ld       M[0]
(031) ja       4
(032) add      #0
(033) jeq      #0x6             jt 34	jf 35
(034) ret      #262144
(035) ret      #0
`

// looping is the state of a machine that runs a program in which jumps may go backwards, as libpcap's does.
type looping struct {
	pc, backwards int
	a, x          uint32
	mem           [16]uint32
}

// runLooping executes a program in which `ja` may go backwards, and counts the jumps backwards. ended is false where there
// are more than most. Every other instruction is left to Run: it gets the registers and the scratch words as constants, and a
// question about one of them as its verdict.
func runLooping(t testing.TB, p cbpf.Program, pkt *cbpf.Packet, most int) (verdict uint32, backwards int, ended bool) {
	var m looping
	for {
		ins := p[m.pc]
		if ins.Op == cbpf.OpJa {
			if int32(ins.K) < 0 {
				if m.backwards++; m.backwards > most {
					return 0, m.backwards, false
				}
			}
			m.pc += 1 + int(int32(ins.K))
			continue
		}
		if ins.Op == cbpf.OpRetK || ins.Op == cbpf.OpRetA {
			verdict, err := cbpf.Run(append(m.setUp(), ins), pkt)
			require.NoError(t, err)
			return verdict, m.backwards, true
		}
		if verdict, ended := m.step(t, ins, pkt); ended {
			return verdict, m.backwards, true
		}
	}
}

// setUp is a program that brings a machine into the state.
func (m *looping) setUp() (p cbpf.Program) {
	for k, v := range m.mem {
		p = append(p, bpf.RawInstruction{Op: 0x00, K: v}, bpf.RawInstruction{Op: 0x02, K: uint32(k)})
	}
	return append(p, bpf.RawInstruction{Op: 0x00, K: m.a}, bpf.RawInstruction{Op: 0x01, K: m.x})
}

// step executes one instruction that is neither a return nor an unconditional jump.
func (m *looping) step(t testing.TB, ins bpf.RawInstruction, pkt *cbpf.Packet) (verdict uint32, ended bool) {
	ask := func(tail ...bpf.RawInstruction) uint32 {
		verdict, err := cbpf.Run(append(append(m.setUp(), ins), tail...), pkt)
		require.NoError(t, err)
		return verdict
	}
	retA, retK := bpf.RawInstruction{Op: 0x16}, func(k uint32) bpf.RawInstruction { return bpf.RawInstruction{Op: 0x06, K: k} }
	if info := cbpf.Info(ins.Op); info.Form == cbpf.FormCondK || info.Form == cbpf.FormCondX {
		skips := [2]int{int(ins.Jt), int(ins.Jf)}
		ins.Jt, ins.Jf = 0, 1
		m.pc += 1 + skips[ask(retK(0), retK(1))]
		return 0, false
	}
	// An instruction that ends the run has the same verdict whatever follows.
	if one := ask(retK(1)); one == ask(retK(2)) {
		return one, true
	}
	a, x := ask(retA), ask(bpf.RawInstruction{Op: 0x87}, retA)
	var mem [16]uint32
	for k := range mem {
		mem[k] = ask(bpf.RawInstruction{Op: 0x60, K: uint32(k)}, retA)
	}
	m.a, m.x, m.mem = a, x, mem
	m.pc++
	return 0, false
}

// ip6Chain is an Ethernet frame with IPv6 extension headers: of the given types, one behind the other.
func ip6Chain(headers ...byte) []byte {
	frame := make([]byte, 14+40)
	frame[12], frame[13] = 0x86, 0xdd
	frame[14] = 0x60
	next := 14 + 6
	for _, h := range headers {
		frame[next] = h
		switch h {
		case 0, 0x3c, 0x2b, 0x2c:
			next = len(frame)
			frame = append(frame, make([]byte, 8)...)
		case 0x33:
			next = len(frame)
			frame = append(frame, make([]byte, 16)...)
			frame[next+1] = 2
		default:
			frame = append(frame, make([]byte, 20)...)
		}
	}
	return frame
}

func TestUnrollProtochain(t *testing.T) {
	p, err := cbpf.Parse([]byte(protochain6))
	require.NoError(t, err)
	require.ErrorIs(t, cbpf.Validate(p), cbpf.ReasonJumpBackwards)
	for _, n := range []int{0, 1, 2, 3, 10, 100} {
		unrolled, origins, err := cbpf.Unroll(p, n)
		require.NoError(t, err)
		require.NoError(t, cbpf.Validate(unrolled))
		require.Len(t, origins, len(unrolled))
		for pc, origin := range origins {
			if origin < 0 {
				require.Equal(t, retK, unrolled[pc])
			} else if unrolled[pc].Op != cbpf.OpJa {
				require.Equal(t, p[origin].Op, unrolled[pc].Op)
				require.Equal(t, p[origin].K, unrolled[pc].K)
			}
		}
		for _, length := range []int{0, 1, 2, 3, 4, 9, 10, 11, 99} {
			frame := ip6Chain(append(make([]byte, length), 6)...)
			pkt := &cbpf.Packet{Data: frame, WireLen: uint32(len(frame))}
			want, rounds, ended := runLooping(t, p, pkt, 100)
			require.True(t, ended)
			require.Equal(t, length, rounds)
			require.EqualValues(t, 262144, want)
			if rounds > n {
				want = 0
			}
			got, err := cbpf.Run(unrolled, pkt)
			require.NoError(t, err)
			require.Equal(t, want, got, "%d headers, depth %d", length, n)
		}
	}
	once, _, err := cbpf.Unroll(p, 1)
	require.NoError(t, err)
	twice, _, err := cbpf.Unroll(p, 2)
	require.NoError(t, err)
	require.LessOrEqual(t, len(twice)-len(once), 28, "no more than the loop has")
}

// TestUnrollKeepsOthers returns a program without loops as it is.
func TestUnrollKeepsOthers(t *testing.T) {
	for _, tc := range goodPrograms {
		got, origins, err := cbpf.Unroll(tc.prog, 3)
		require.NoError(t, err)
		require.Equal(t, tc.prog, got)
		for pc, origin := range origins {
			require.Equal(t, pc, origin)
		}
	}
}

// back is a jump from one pc to another.
func back(from, to int) bpf.RawInstruction {
	return bpf.RawInstruction{Op: 0x05, K: uint32(to - from - 1)}
}

var (
	add1   = bpf.RawInstruction{Op: 0x04, K: 1}
	ldb0   = bpf.RawInstruction{Op: 0x30}
	jeq1to = func(jt, jf uint8) bpf.RawInstruction { return bpf.RawInstruction{Op: 0x15, Jt: jt, Jf: jf, K: 1} }
)

func TestUnrollFaults(t *testing.T) {
	far := append(append(cbpf.Program{ldb0}, repeat(add1, 1000)...), jeq1to(0, 1), back(1002, 1), retA)
	for _, tc := range []struct {
		name   string
		prog   cbpf.Program
		depth  int
		reason cbpf.Reason
		says   string
	}{
		{"too deep", cbpf.Program{back(0, 0), retA}, cbpf.MaxUnroll + 1, cbpf.ReasonUnrollDepth, "4097, 0 to 4096 are"},
		{"a negative depth", cbpf.Program{retA}, -1, cbpf.ReasonUnrollDepth, "-1, 0 to 4096"},
		{"too long", append(repeat(add1, 4097), back(4097, 0)), 1, cbpf.ReasonTooManyInsns, "4098, 4096 are the most"},
		{"too long once unrolled", far, 4, cbpf.ReasonUnrolledLarge, "more than 4096, depth 3 is the most that fits"},
		{"too long at any depth", append(append(append(cbpf.Program{ldb0}, repeat(add1, 3000)...), jeq1to(0, 1), back(3002, 1)), retA), 9,
			cbpf.ReasonUnrolledLarge, "even if no loop goes round more than once"},
		{"a jump in front of the program", cbpf.Program{ldb0, back(1, -1), retA}, 1, cbpf.ReasonJumpOutside, "(001) jump past the end: target -1, the last instruction is 2"},
		{"a jump behind it", cbpf.Program{jeq1to(0, 7), back(1, 0), retA}, 1, cbpf.ReasonJumpOutside, "(000) jump past the end: target 8"},
		{"no return", cbpf.Program{jeq1to(1, 0), back(1, 0), ldb0}, 1, cbpf.ReasonNoReturn, "(002) "},
		{"two entries", cbpf.Program{jeq1to(1, 0), add1, add1, jeq1to(0, 1), back(4, 1), retA}, 1, cbpf.ReasonIrreducible, "(004) loop that is entered in more than one place: it goes on at (001)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, origins, err := cbpf.Unroll(tc.prog, tc.depth)
			require.ErrorIs(t, err, tc.reason)
			require.ErrorContains(t, err, tc.says)
			require.Nil(t, p)
			require.Nil(t, origins)
		})
	}
}

// TestUnrollShapes has loops of all shapes, and what comes out of them at depth 1 or 2.
func TestUnrollShapes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		prog  cbpf.Program
		depth int
		want  string // as a listing, without indices
	}{
		{"a jump to itself", cbpf.Program{ldb0, jeq1to(1, 0), back(2, 2), retA}, 3, "ldb [0]\njeq #0x1 jt 3 jf 2\nret #0\nret\n"},
		{"a loop that is tested at its end", cbpf.Program{ldb0, {Op: 0x05, K: 1}, add1, jeq1to(1, 0), back(4, 2), retA}, 1,
			"ldb [0]\njeq #0x1 jt 5 jf 2\nadd #1\njeq #0x1 jt 5 jf 4\nret #0\nret\n"},
		{"a property without which the verdict is A", cbpf.Program{ldb0, {Op: 0x20, K: 0xfffff008}, back(2, 0), retA}, 0,
			"ldb [0]\nld [ifidx]\nret #0\n"},
		{"nothing but a loop", cbpf.Program{ldb0, back(1, 0), retA}, 5, "ret #0\n"},
		{"a loop inside of one", cbpf.Program{ldb0, {Op: 0x07}, jeq1to(1, 0), back(3, 1), jeq1to(1, 0), back(5, 0), retA}, 1,
			"ldb [0]\ntax\njeq #0x1 jt 5 jf 3\ntax\njeq #0x1 jt 5 jf 12\njeq #0x1 jt 13 jf 6\n" +
				"ldb [0]\ntax\njeq #0x1 jt 11 jf 9\ntax\njeq #0x1 jt 11 jf 12\njeq #0x1 jt 13 jf 12\nret #0\nret\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _, err := cbpf.Unroll(tc.prog, tc.depth)
			require.NoError(t, err)
			var got string
			for pc, ins := range p {
				got += listed(pc, ins) + "\n"
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// FuzzUnroll unrolls any instructions whatever. What comes out jumps forward only, and does what went in does.
func FuzzUnroll(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(encode(randomLoops(r)), r.IntN(5), []byte{1, 2, 3, 0})
	}
	p, err := cbpf.Parse([]byte(protochain6))
	require.NoError(f, err)
	f.Add(encode(p), 4, ip6Chain(0, 60, 6))
	addLoops := func(p cbpf.Program) { f.Add(encode(p), 2, []byte{1}) }
	for _, tc := range badPrograms {
		addLoops(tc.prog)
	}
	f.Fuzz(func(t *testing.T, raw []byte, n int, data []byte) {
		p := decode(raw)
		unrolled, origins, err := cbpf.Unroll(p, n)
		if err != nil {
			requireOrder(t, asErrors(t, err), len(p))
			return
		}
		require.Len(t, origins, len(unrolled))
		if cbpf.Validate(unrolled) != nil || n > 20 {
			return
		}
		pkt := &cbpf.Packet{Data: data, WireLen: uint32(len(data))}
		if want, backwards, _ := runLooping(t, p, pkt, n); backwards <= n {
			got, quirks, err := cbpf.RunTrace(unrolled, pkt)
			require.NoError(t, err)
			if quirks&(cbpf.QuirkRandom|cbpf.QuirkCPU) == 0 {
				require.Equal(t, want, got)
			}
		}
	})
}

// requireOrder fails unless faults are in order of pc.
func requireOrder(t *testing.T, all cbpf.Errors, n int) {
	last := -1
	for _, e := range all {
		require.GreaterOrEqual(t, e.PC, last)
		require.Less(t, e.PC, max(n, 1))
		last = e.PC
	}
}

// TestUnrollRandom compares random loops with what goes round in them.
func TestUnrollRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ran, equal, over := 0, 0, 0
	for range 3000 {
		p := randomLoops(r)
		n := r.IntN(4)
		unrolled, _, err := cbpf.Unroll(p, n)
		if err != nil {
			continue
		}
		ran++
		require.NotContains(t, unrolled, bpf.RawInstruction{Op: 0x05, K: 0xffffffff})
		for range 3 {
			data := make([]byte, 8)
			for i := range data {
				data[i] = byte(r.IntN(4))
			}
			pkt := &cbpf.Packet{Data: data, WireLen: 8}
			want, backwards, ended := runLooping(t, p, pkt, 50)
			got, err := cbpf.Run(unrolled, pkt)
			require.NoError(t, err)
			if backwards <= n {
				require.True(t, ended)
				require.Equal(t, want, got, "depth %d\n%v\n%v", n, p, unrolled)
				equal++
			} else {
				require.Contains(t, []uint32{0, want}, got)
				over++
			}
		}
	}
	t.Logf("%d programs, %d runs equal, %d too deep", ran, equal, over)
	require.Greater(t, equal, 1000)
	require.Greater(t, over, 100)
}

// randomLoops is a short program with several jumps backwards. A and X count, so that loops end.
func randomLoops(r *rand.Rand) cbpf.Program {
	n := 4 + r.IntN(20)
	p := make(cbpf.Program, n)
	for pc := range p {
		left := n - pc - 1
		switch r.IntN(8) {
		case 0, 1, 2:
			p[pc] = bpf.RawInstruction{Op: []uint16{0x15, 0x25, 0x35, 0x45}[r.IntN(4)], K: uint32(r.IntN(6)),
				Jt: uint8(r.IntN(max(1, min(left, 8)))), Jf: uint8(r.IntN(max(1, min(left, 8))))}
		case 3:
			if p[pc] = back(pc, r.IntN(pc+1)); r.IntN(3) == 0 {
				p[pc].K = uint32(r.IntN(max(1, left)))
			}
		case 4:
			p[pc] = bpf.RawInstruction{Op: 0x30, K: uint32(r.IntN(9))}
		case 5:
			p[pc] = bpf.RawInstruction{Op: []uint16{0x07, 0x87, 0x0c, 0x02, 0x60}[r.IntN(5)]}
		default:
			p[pc] = bpf.RawInstruction{Op: 0x04, K: uint32(1 + r.IntN(3))}
		}
	}
	p[n-1] = retA
	return p
}

func listed(pc int, ins bpf.RawInstruction) string {
	text := ""
	for i, word := range strings.Fields(cbpf.Line(pc, ins))[1:] {
		if i > 0 {
			text += " "
		}
		text += word
	}
	return text
}
