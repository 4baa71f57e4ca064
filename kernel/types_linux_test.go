package kernel

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// loadAs loads a program for the rest of the test.
func loadAs(t testing.TB, p ebpf.Program, kind Type) *Filter {
	t.Helper()
	f, err := Load(p, LoadOptions{Type: kind})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// runnable lists the types that have test-runs.
func runnable() (list []Type) {
	for _, kind := range Types() {
		if kind.Runs() {
			list = append(list, kind)
		}
	}
	return list
}

// direct lists those whose programs may read the packet through pointers, with the places of these in the context.
var direct = map[Type]struct{ data, end int16 }{
	TC:            {76, 80},
	CgroupIngress: {76, 80},
	CgroupEgress:  {76, 80},
	XDP:           {0, 4},
	XDPFrags:      {0, 4},
}

// readByte makes a program that folds the byte at k into a verdict that every type may give: bit of it, or 0 where there is
// no such byte. Types that are not direct read it through LD_ABS.
func readByte(kind Type, k int32, bit int32) ebpf.Program {
	at, ok := direct[kind]
	if !ok {
		return ebpf.Program{
			ebpf.Mov.Reg(ebpf.R6, ebpf.R1), ebpf.LoadAbs(1, uint32(k)),
			ebpf.Rsh.Imm(ebpf.R0, bit), ebpf.And.Imm(ebpf.R0, 1), ebpf.Return(),
		}
	}
	outside := ebpf.JGt.Reg(ebpf.R4, ebpf.R3)
	outside.Off = 3
	return ebpf.Program{
		ebpf.Load(4, ebpf.R2, ebpf.R1, at.data), ebpf.Load(4, ebpf.R3, ebpf.R1, at.end),
		ebpf.Mov.Imm(ebpf.R0, 0),
		ebpf.Mov.Reg(ebpf.R4, ebpf.R2), ebpf.Add.Imm(ebpf.R4, k+1),
		outside,
		ebpf.Load(1, ebpf.R0, ebpf.R2, int16(k)), ebpf.Rsh.Imm(ebpf.R0, bit), ebpf.And.Imm(ebpf.R0, 1),
		ebpf.Return(),
	}
}

// Every type sees the data that its view says, from the first byte to the last and not beyond.
func TestTypesLoads(t *testing.T) {
	requireExtended(t)
	for _, kind := range runnable() {
		t.Run(kind.String(), func(t *testing.T) {
			lengths := []int{0, 1, 14, 60, 1514, 3520, kind.MaxData()}
			for _, k := range []int32{0, 13, 14, 59} {
				for bit := range int32(3) {
					f := loadAs(t, readByte(kind, k, bit), kind)
					for _, n := range lengths {
						pkt := cbpf.Packet{Data: countingBytes(n)}
						if n < kind.MinData(pkt.Data) || n > kind.MaxData() {
							continue
						}
						got, err := f.RunPacket(&pkt)
						require.NoError(t, err, "%d bytes", n)
						p := cbpf.Program{{Op: cbpf.OpLdAbsB, K: uint32(k)}, {Op: cbpf.OpRshK, K: uint32(bit)}, {Op: cbpf.OpAndK, K: 1}, {Op: cbpf.OpRetA}}
						view := f.View(&pkt)
						want, err := cbpf.Run(p, &view)
						require.NoError(t, err)
						require.Equal(t, want, got, "byte %d of %d, bit %d", k, n, bit)
					}
				}
			}
		})
	}
}

// What a program of each type with a struct __sk_buff reads there is what its view says.
func TestTypesFields(t *testing.T) {
	requireExtended(t)
	var packets []cbpf.Packet
	for _, proto := range []uint16{0x0800, 0x86dd, 0x8100, 0x0806, 3} {
		for dst := range byte(4) {
			frame := append([]byte{dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(proto >> 8), byte(proto)}, countingBytes(60)...)
			packets = append(packets, cbpf.Packet{Data: frame, Meta: cbpf.Meta{Mark: uint32(dst) << 30, Protocol: proto, PktType: dst}})
		}
	}
	for _, kind := range []Type{SocketFilter, TC, CgroupIngress, CgroupEgress} {
		for _, field := range skbFields {
			t.Run(fmt.Sprintf("%s, %s", kind, field.name), func(t *testing.T) {
				for _, pkt := range packets {
					view := kind.View(&pkt)
					f := loadAs(t, equals(field.off, field.want(view)), kind)
					got, err := f.RunPacket(&pkt)
					require.NoError(t, err)
					require.Equal(t, uint32(1), got, "%+v", view.Meta)
				}
			})
		}
	}
}

// equals makes a program that gives 1 if the word at off in the context has that value, 0 otherwise.
func equals(off int16, value uint32) ebpf.Program {
	differs := ebpf.JNe.Imm32(ebpf.R2, value)
	differs.Off = 1
	return ebpf.Program{
		ebpf.Load(4, ebpf.R2, ebpf.R1, off), ebpf.Mov.Imm(ebpf.R0, 0), differs, ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return(),
	}
}

// XDP finds the interface that its view says, on its first receive queue.
func TestTypesXDPContext(t *testing.T) {
	requireExtended(t)
	for _, kind := range []Type{XDP, XDPFrags} {
		view := kind.View(&cbpf.Packet{})
		for off, want := range map[int16]uint32{12: view.Meta.IfIndex, 16: uint32(view.Meta.Queue)} {
			got, err := loadAs(t, equals(off, want), kind).Run(countingBytes(60))
			require.NoError(t, err)
			require.Equal(t, uint32(1), got, "%s, offset %d", kind, off)
		}
	}
}

// What is refused for its length the kernel refuses too. Only of XDP packets that are too long it shows the beginning.
func TestTypesLengths(t *testing.T) {
	requireExtended(t)
	front := map[viewKind]int{viewPulled: headerLen}
	for _, kind := range runnable() {
		f := loadAs(t, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return()}, kind)
		for _, ipv6 := range []bool{false, true} {
			data := make([]byte, kind.MaxData()+1)
			if kind == TC && ipv6 {
				data[12], data[13] = 0x86, 0xdd
			}
			least := kind.MinData(data)
			for n, fits := range map[int]bool{least: true, least - 1: least == 0, kind.MaxData(): true, kind.MaxData() + 1: false} {
				if n < 0 {
					continue
				}
				_, err := f.Run(data[:n])
				require.Equal(t, fits, err == nil, "%s, %d bytes: %v", kind, n, err)
				if kind != XDP || n < least {
					frame := append(make([]byte, front[types[kind].view]), data[:n]...)
					_, kernelErr := f.prog.Run(&cilium.RunOptions{Data: frame})
					require.Equal(t, fits, kernelErr == nil, "%s, %d bytes, to the kernel: %v", kind, n, kernelErr)
				}
				var long *TooLongError
				var short *TooShortError
				if n < least {
					require.ErrorAs(t, err, &short)
					require.Equal(t, TooShortError{Len: n, Limit: least}, *short)
				}
				if n > kind.MaxData() {
					require.ErrorAs(t, err, &long)
					require.Equal(t, TooLongError{Len: n, Limit: kind.MaxData()}, *long)
				}
			}
		}
	}
}

// Programs for fragments find as much in front of data_end as asked for, and all through the helper.
func TestRunSplit(t *testing.T) {
	requireExtended(t)
	front := loadAs(t, ebpf.Program{
		ebpf.Load(4, ebpf.R0, ebpf.R1, 4), ebpf.Load(4, ebpf.R2, ebpf.R1, 0), ebpf.Sub.Reg(ebpf.R0, ebpf.R2), ebpf.Return(),
	}, XDPFrags)
	const getBuffLen = 188
	all := loadAs(t, ebpf.Program{ebpf.CallHelper(getBuffLen), ebpf.Return()}, XDPFrags)
	for _, n := range []int{14, 60, 3520, 9000, 65536} {
		pkt := cbpf.Packet{Data: countingBytes(n)}
		got, err := all.RunPacket(&pkt)
		require.NoError(t, err)
		require.EqualValues(t, n, got)
		for _, linear := range []int{14, 60, 1000, 3520} {
			got, err := front.RunSplit(&pkt, linear)
			if errors.Is(err, unix.EINVAL) && n == linear {
				t.Skip("skipped: needs Linux 6.18, where a test-run says how much of a packet is in one piece")
			}
			require.NoError(t, err, "%d of %d", linear, n)
			require.EqualValues(t, min(n, linear), got)
			got, err = all.RunSplit(&pkt, linear)
			require.NoError(t, err)
			require.EqualValues(t, n, got)
		}
	}
	_, err := loadAs(t, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return()}, XDP).RunSplit(&cbpf.Packet{Data: countingBytes(60)}, 14)
	require.ErrorContains(t, err, "in one piece")
}

func TestVerify(t *testing.T) {
	requireExtended(t)
	p := ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Store(4, ebpf.R10, -16, ebpf.R0), ebpf.Load(4, ebpf.R0, ebpf.R10, -16), ebpf.Return()}
	s, err := Verify(p, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, len(p), s.Processed)
	require.Equal(t, 16, s.StackDepth)

	_, err = Verify(ebpf.Program{ebpf.Mov.Imm(ebpf.R1, 0), ebpf.Return()}, LoadOptions{})
	var refused *VerifierError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 1, refused.PC, "statistics alone do not name the place: %s", refused.Log)
}

func TestLog(t *testing.T) {
	requireExtended(t)
	p := ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 7), ebpf.Return()}
	for level, want := range map[LogLevel]struct{ stats, insns bool }{LogNone: {}, LogStats: {true, false}, LogAll: {true, true}} {
		f, err := Load(p, LoadOptions{Log: level})
		require.NoError(t, err)
		_, ok := f.Stats()
		require.Equal(t, want.stats, ok)
		require.Equal(t, want.insns, strings.Contains(f.Log(), "r0 = 7"), f.Log())
		require.NoError(t, f.Close())
	}
}

func TestInfo(t *testing.T) {
	requireExtended(t)
	p := ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return()}
	f, err := Load(p, LoadOptions{Type: XDP, Name: "my_filter", Licence: "GPL"})
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Info()
	require.NoError(t, err)
	require.Equal(t, "my_filter", info.Name)
	require.Equal(t, len(p), info.Verified)
	require.Equal(t, p, info.Xlated)
	require.NotZero(t, info.ID)
	require.Len(t, info.Tag, 16)
	require.NotEmpty(t, info.Jited, "the kernels that tests run on have a JIT")
}

// Types without test-runs say so. Not every kernel lets its functions be patched for fentry.
func TestTracing(t *testing.T) {
	requireExtended(t)
	for kind, to := range map[Type]string{Fentry: "ip_rcv", Tracepoint: "netif_receive_skb", RawTracepoint: "", Kprobe: ""} {
		f, err := Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, LoadOptions{Type: kind, AttachTo: to, Licence: "GPL"})
		if kind == Fentry && err != nil {
			require.ErrorIs(t, err, ErrUnavailable)
			require.ErrorContains(t, err, "leave to patch kernel functions")
			continue
		}
		require.NoError(t, err, kind.String())
		_, err = f.Run(countingBytes(60))
		require.ErrorIs(t, err, ErrUnavailable)
		_, err = f.Bench(countingBytes(60), 1)
		require.ErrorIs(t, err, ErrUnavailable)
		require.NoError(t, f.Close())
	}
}

func TestLoadUnknownType(t *testing.T) {
	requireExtended(t)
	_, err := Load(ebpf.Program{ebpf.Return()}, LoadOptions{Type: Type(len(types))})
	require.EqualError(t, err, "unknown program type 10")
}
