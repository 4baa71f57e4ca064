package kernel

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

func ins(op uint16, jt, jf uint8, k uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: op, Jt: jt, Jf: jf, K: k}
}

func ret(k uint32) bpf.RawInstruction { return ins(cbpf.OpRetK, 0, 0, k) }

func ldExt(e cbpf.Ext) bpf.RawInstruction { return ins(cbpf.OpLdAbsW, 0, 0, cbpf.AdOff+uint32(e)) }

func ldImm(k uint32) bpf.RawInstruction { return ins(cbpf.OpLdImm, 0, 0, k) }

var retA = ins(cbpf.OpRetA, 0, 0, 0)

// Opcodes that have no name in cbpf.
const (
	opLdxImm = 0x01
	opLdxLen = 0x81
	opLdIndB = 0x50
	opTax    = 0x07
	opTxa    = 0x87
	opDivX   = 0x3c
	opLshX   = 0x6c
	opLdIndH = 0x48
)

func attachClassic(t testing.TB, p cbpf.Program) *Classic {
	t.Helper()
	c, err := AttachClassic(p)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// The whole verdict is found, whichever way the program ends.
func TestClassicVerdict(t *testing.T) {
	requireClassic(t)
	// protocol: 0x0800 -> 262144, 0x86dd -> 96, 0x0806 -> 1, others -> 0xffffffff
	four := cbpf.Program{
		ins(cbpf.OpLdAbsH, 0, 0, 0),
		ins(cbpf.OpJeqK, 0, 1, 0x800), ret(262144),
		ins(cbpf.OpJeqK, 0, 1, 0x86dd), ret(96),
		ins(cbpf.OpJeqK, 0, 1, 0x806), ret(1),
		ret(0xffffffff),
	}
	mixed := cbpf.Program{ins(cbpf.OpLdAbsW, 0, 0, 0), ins(cbpf.OpJeqK, 0, 1, 0), ret(0x12345678), retA}
	inverse := cbpf.Program{ldImm(8), ins(cbpf.OpLdxMSH, 0, 0, 0), ins(opDivX, 0, 0, 0), retA}
	for _, test := range []struct {
		name    string
		program cbpf.Program
		bits    int // variants that it takes
		data    []byte
		want    uint32
	}{
		{"only 0", cbpf.Program{ret(0)}, 0, []byte{1}, 0},
		{"only one constant", cbpf.Program{ret(0x80000001)}, 1, nil, 0x80000001},
		{"one constant, load outside", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, 3), ret(5)}, 1, []byte{1, 2, 3}, 0},
		{"one constant, load inside", cbpf.Program{ins(cbpf.OpLdAbsB, 0, 0, 3), ret(5)}, 1, []byte{1, 2, 3, 4}, 5},
		{"first of four", four, 3, []byte{8, 0}, 262144},
		{"second of four", four, 3, []byte{0x86, 0xdd, 0}, 96},
		{"third of four", four, 3, []byte{8, 6}, 1},
		{"fourth of four", four, 3, []byte{0, 0}, 0xffffffff},
		{"none of four", four, 3, []byte{0}, 0},
		{"constant beside A", mixed, 32, []byte{0, 0, 0, 0}, 0x12345678},
		{"A beside a constant", mixed, 32, []byte{0x80, 0, 0, 1}, 0x80000001},
		{"load outside beside A", mixed, 32, []byte{1, 2, 3}, 0},
		{"division", inverse, 32, []byte{0x41}, 2},
		{"division by 0", inverse, 32, []byte{0x40}, 0},
		{"A at the start", cbpf.Program{retA}, 32, nil, 0},
		{"A 1", cbpf.Program{ldImm(1), retA}, 32, nil, 1},
		{"A of all ones", cbpf.Program{ldImm(0xffffffff), retA}, 32, nil, 0xffffffff},
		{"A, 0x80000001", cbpf.Program{ldImm(0x80000001), retA}, 32, []byte{1}, 0x80000001},
		{"length of nothing", cbpf.Program{ins(cbpf.OpLdLen, 0, 0, 0), retA}, 32, nil, 0},
		{"length", cbpf.Program{ins(opLdxLen, 0, 0, 0), ins(opTxa, 0, 0, 0), retA}, 32, make([]byte, 300), 300},
		{"shift by 33", cbpf.Program{ldImm(0x80000001), ins(opLdxImm, 0, 0, 33), ins(opLshX, 0, 0, 0), retA}, 32, nil, 2},
		{"index that wraps", cbpf.Program{ins(opLdxImm, 0, 0, 20), ins(opLdIndB, 0, 0, 0xfffffffc), retA}, 32, countingBytes(17), 17},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := attachClassic(t, test.program)
			require.Len(t, c.pairs, test.bits)
			for range 2 { // nothing stays behind in the sockets
				got, err := c.Verdict(test.data)
				require.NoError(t, err)
				require.Equal(t, test.want, got, "%v on %x", test.program, test.data)
			}
		})
	}
}

// As many constants as a program can hold come apart.
func TestClassicManyConstants(t *testing.T) {
	requireClassic(t)
	p := cbpf.Program{ins(cbpf.OpLdAbsH, 0, 0, 0)}
	want := func(i uint32) uint32 { return 0xfffffff0 - i*0x01000193 }
	for i := range uint32(2000) {
		p = append(p, ins(cbpf.OpJeqK, 0, 1, i), ret(want(i)))
	}
	c := attachClassic(t, append(p, ret(0)))
	require.Len(t, c.pairs, 11)
	for _, i := range []uint32{0, 1, 2, 1023, 1024, 1998, 1999} {
		got, err := c.Verdict([]byte{byte(i >> 8), byte(i)})
		require.NoError(t, err)
		require.Equal(t, want(i), got)
	}
	got, err := c.Verdict([]byte{0xff, 0xff})
	require.NoError(t, err)
	require.Zero(t, got)
}

// Without an interface, ifidx and hatype return A. The witness is the unaltered program, which trims what it lets through
// to as many bytes as its verdict says.
func TestClassicHiddenReturn(t *testing.T) {
	requireClassic(t)
	for _, ext := range []cbpf.Ext{cbpf.ExtIfIndex, cbpf.ExtHaType} {
		for _, a := range []uint32{0, 1, 5, 0x80000001} {
			t.Run(fmt.Sprintf("%v A=%#x", ext, a), func(t *testing.T) {
				p := cbpf.Program{ldImm(a), ldExt(ext), ret(9)}
				got, err := attachClassic(t, p).Verdict(make([]byte, 20))
				require.NoError(t, err)
				require.Equal(t, a, got)
				require.Equal(t, min(int(a), 20), deliver(t, p, make([]byte, 20)))
			})
		}
	}
}

// deliver returns how many bytes arrive through a filter, which is unaltered; 0 if the datagram does not arrive.
func deliver(t *testing.T, p cbpf.Program, data []byte) int {
	t.Helper()
	s, err := newPair()
	require.NoError(t, err)
	defer unix.Close(s.in)
	defer unix.Close(s.out)
	require.NoError(t, attach(s.in, p))
	require.NoError(t, unix.Send(s.out, data, 0))
	n, err := unix.Read(s.in, make([]byte, len(data)+1))
	if errors.Is(err, unix.EAGAIN) {
		return 0
	}
	require.NoError(t, err)
	return n
}

// nops returns n instructions that do nothing, and then last.
func nops(n int, last ...bpf.RawInstruction) cbpf.Program {
	var p cbpf.Program
	for range n {
		p = append(p, ins(opTxa, 0, 0, 0))
	}
	return append(p, last...)
}

// times returns n times the instruction, and then last.
func times(n int, one bpf.RawInstruction, last ...bpf.RawInstruction) cbpf.Program {
	p := nops(n)
	for i := range p {
		p[i] = one
	}
	return append(p, last...)
}

func TestClassicLongPrograms(t *testing.T) {
	requireClassic(t)
	got, err := attachClassic(t, nops(cbpf.MaxInsns-1, ret(5))).Verdict(nil)
	require.NoError(t, err)
	require.EqualValues(t, 5, got, "4096 instructions")

	got, err = attachClassic(t, nops(cbpf.MaxInsns-5, ldImm(0x80000001), retA)).Verdict(nil)
	require.NoError(t, err)
	require.EqualValues(t, uint32(0x80000001), got, "4093 instructions, the last of which returns A")

	_, err = AttachClassic(nops(cbpf.MaxInsns-3, retA))
	require.ErrorIs(t, err, ReasonVariant)
	require.NoError(t, CheckClassic(nops(cbpf.MaxInsns-3, retA)), "without variants there is room")
}

func TestCheckClassic(t *testing.T) {
	requireClassic(t)
	msh := ins(cbpf.OpLdxMSH, 0, 0, 0)
	for _, test := range []struct {
		name    string
		program cbpf.Program
		reason  Reason // empty: accepted
	}{
		{"shortest", cbpf.Program{ret(0)}, ""},
		{"longest", nops(cbpf.MaxInsns-1, ret(0)), ""},
		{"longer", nops(cbpf.MaxInsns, ret(0)), ReasonRefused},
		{"length of 16 bits exceeded", nops(1<<16, ret(0)), ReasonRefused},
		{"empty", cbpf.Program{}, ReasonRefused},
		{"nil", nil, ReasonRefused},
		{"no end", cbpf.Program{ldImm(1)}, ReasonRefused},
		{"no such opcode", cbpf.Program{ins(0xffff, 0, 0, 0), ret(0)}, ReasonRefused},
		{"jump outside", cbpf.Program{ins(cbpf.OpJa, 0, 0, 1), ret(0)}, ReasonRefused},
		{"converts to too much", times(4000, msh, ret(0)), ReasonMemory},
		{"far jump over much", append(cbpf.Program{ins(cbpf.OpJa, 0, 0, 1830)}, times(1830, msh, ret(0))...), ReasonRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckClassic(test.program)
			_, attachErr := AttachClassic(test.program)
			if test.reason == "" {
				require.NoError(t, err)
				require.NoError(t, attachErr)
				return
			}
			require.ErrorIs(t, err, test.reason)
			require.ErrorIs(t, attachErr, test.reason)
			require.NotErrorIs(t, err, ErrUnavailable)
		})
	}
}

// Verdicts that might change between the variants are not asked for; one variant is enough for two verdicts.
func TestClassicUnstable(t *testing.T) {
	requireClassic(t)
	for _, ext := range []cbpf.Ext{cbpf.ExtRandom, cbpf.ExtCPU} {
		_, err := AttachClassic(cbpf.Program{ldExt(ext), retA})
		require.ErrorIs(t, err, ReasonUnstable)
		got, err := attachClassic(t, cbpf.Program{ldExt(ext), ret(6)}).Verdict(nil)
		require.NoError(t, err)
		require.EqualValues(t, 6, got)
	}
}

func TestClassicClosed(t *testing.T) {
	requireClassic(t)
	c, err := AttachClassic(cbpf.Program{ldImm(3), retA})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err = c.Verdict(nil)
	require.ErrorIs(t, err, net.ErrClosed)
}

func BenchmarkClassicVerdict(b *testing.B) {
	requireClassic(b)
	for _, bench := range []struct {
		name string
		p    cbpf.Program
	}{{"constants", cbpf.Program{ret(5)}}, {"A", cbpf.Program{ldImm(3), retA}}} {
		b.Run(bench.name, func(b *testing.B) {
			c, data := attachClassic(b, bench.p), countingBytes(60)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Verdict(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAttachClassic(b *testing.B) {
	requireClassic(b)
	for b.Loop() {
		c, err := AttachClassic(cbpf.Program{ldImm(3), retA})
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
