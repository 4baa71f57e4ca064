package kernel

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

func loadSocket(t testing.TB, p ebpf.Program) *Filter {
	t.Helper()
	f, err := Load(p, LoadOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// countingBytes returns n bytes 1, 2, 3...: no two of a packet's first 255 are equal, and none is 0.
func countingBytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i%255 + 1)
	}
	return data
}

// skbFields are words of struct __sk_buff, and what the view of a packet says of them.
var skbFields = []struct {
	name string
	off  int16
	want func(v cbpf.Packet) uint32
}{
	{"len", ebpf.SkbLen, func(v cbpf.Packet) uint32 { return v.WireLen }},
	{"pkt_type", ebpf.SkbPktType, func(v cbpf.Packet) uint32 { return uint32(v.Meta.PktType) }},
	{"mark", ebpf.SkbMark, func(v cbpf.Packet) uint32 { return v.Meta.Mark }},
	{"queue_mapping", ebpf.SkbQueue, func(v cbpf.Packet) uint32 { return uint32(v.Meta.Queue) }},
	{"protocol", ebpf.SkbProtocol, func(v cbpf.Packet) uint32 { return netOrder(v.Meta.Protocol) }},
	{"vlan_present", ebpf.SkbVlanPresent, func(v cbpf.Packet) uint32 { return 0 }},
	{"vlan_tci", ebpf.SkbVlanTCI, func(v cbpf.Packet) uint32 { return uint32(v.Meta.VlanTCI) }},
	{"vlan_proto", ebpf.SkbVlanProto, func(v cbpf.Packet) uint32 { return netOrder(v.Meta.VlanTPID) }},
	{"ifindex", ebpf.SkbIfIndex, func(v cbpf.Packet) uint32 { return v.Meta.IfIndex }},
	{"hash", ebpf.SkbHash, func(v cbpf.Packet) uint32 { return v.Meta.RxHash }},
}

// What a program reads in struct __sk_buff is what View says.
func TestViewFields(t *testing.T) {
	requireExtended(t)
	packets := []cbpf.Packet{
		{},
		{Data: countingBytes(1), WireLen: 1000},
		{Data: countingBytes(60), Meta: cbpf.Meta{PktType: 1, Mark: 0x80000001, Queue: 7, RxHash: 8, IfIndex: 9, HasDev: true}},
		{Data: countingBytes(1500), Meta: cbpf.Meta{PktType: 2, Protocol: 0x800, VlanPresent: true, VlanTCI: 5, VlanTPID: 0x8100}},
		{Data: countingBytes(MaxData), Meta: cbpf.Meta{PktType: 3, NoLink: true}},
		{Data: []byte{0x45}, Meta: cbpf.Meta{PktType: 4, Protocol: 0x86dd, Mark: 1}},
	}
	for _, field := range skbFields {
		t.Run(field.name, func(t *testing.T) {
			f := loadSocket(t, ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, field.off), ebpf.Return()})
			for i, pkt := range packets {
				got, err := f.RunPacket(&pkt)
				require.NoError(t, err)
				require.Equal(t, field.want(f.View(&pkt)), got, "packet %d", i)
			}
		})
	}
}

// netOrder is what a field holds that keeps an EtherType in network order.
func netOrder(etherType uint16) uint32 {
	b := binary.BigEndian.AppendUint16(nil, etherType)
	return uint32(binary.NativeEndian.Uint16(b))
}

// Loads through LD_ABS reach data from offset 0, and the header in front of it through the LL window alone.
func TestFilterLoads(t *testing.T) {
	requireExtended(t)
	const ll, net = cbpf.LLOff, cbpf.NetOff
	for _, test := range []struct {
		name string
		k    uint32
		size int
		data int    // bytes of data, counting from 1
		want uint32 // 0: the load ended the program
	}{
		{"first byte", 0, 1, 1, 1},
		{"first word", 0, 4, 4, 0x01020304},
		{"word at the end", 6, 4, 10, 0x0708090a},
		{"word over the end", 7, 4, 10, 0},
		{"nothing there", 0, 1, 0, 0},
		{"last byte of the longest", MaxData - 1, 1, MaxData, (MaxData-1)%255 + 1},
		{"behind the longest", MaxData, 1, MaxData, 0},
		{"network header", net, 4, 4, 0x01020304},
		{"network header at the end", net + 3, 1, 4, 4},
		{"network header over the end", net + 3, 2, 4, 0},
		{"link-layer protocol", ll + 12, 2, 0, EtherType},
		{"link layer into data", ll + 12, 4, 2, EtherType<<16 | 0x0102},
		{"link layer, all data", ll + 14, 4, 4, 0x01020304},
		{"link layer over the end", ll + 15, 4, 4, 0},
		{"below the windows", ll - 1, 1, 4, 0},
		{"end of the link-layer window", net - 1, 1, 4, 0},
		{"end of the network window", 0xffffefff, 1, 4, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := loadSocket(t, ebpf.Program{
				ebpf.Mov.Reg(ebpf.R6, ebpf.R1),
				ebpf.LoadAbs(test.size, test.k),
				ebpf.Return(),
			})
			data := countingBytes(test.data)
			got, err := f.Run(data)
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			// The interpreter of classic programs, run on the view, reads the same.
			op := map[int]uint16{1: cbpf.OpLdAbsB, 2: cbpf.OpLdAbsH, 4: cbpf.OpLdAbsW}[test.size]
			view := SocketFilter.View(&cbpf.Packet{Data: data})
			classic, err := cbpf.Run(cbpf.Program{{Op: op, K: test.k}, {Op: cbpf.OpRetA}}, &view)
			require.NoError(t, err)
			require.Equal(t, test.want, classic)
		})
	}
}

// Every slot reaches the kernel unaltered: instructions that older loaders drop parts of do what they should.
func TestLoadFaithful(t *testing.T) {
	requireExtended(t)
	with := func(i ebpf.Instruction, off int16) ebpf.Instruction { i.Off = off; return i }
	set := ebpf.Mov.Imm
	r0, r1, r2 := ebpf.R0, ebpf.R1, ebpf.R2
	for _, test := range []struct {
		name    string
		program ebpf.Program
		want    uint32
	}{
		{"wide constant, upper half", ebpf.Program{{Op: ebpf.OpLoadWide}, {Imm: -2}, ebpf.Rsh.Imm(r0, 32), ebpf.Return()}, 0xfffffffe},
		{"wide constant, lower half", ebpf.Program{{Op: ebpf.OpLoadWide, Imm: -3}, {Imm: 1}, ebpf.Return()}, 0xfffffffd},
		{"long jump", ebpf.Program{set(r0, 1), {Op: ebpf.OpJumpLong, Imm: 1}, ebpf.Return(), set(r0, 2), {Op: ebpf.OpJumpLong, Imm: -3}}, 2},
		{"signed division by a constant", ebpf.Program{set(r0, -7), with(ebpf.Div.Imm(r0, 2), 1), ebpf.Return()}, 0xfffffffd},
		{"signed division", ebpf.Program{set(r0, -7), set(r1, 2), with(ebpf.Div.Reg(r0, r1), 1), ebpf.Return()}, 0xfffffffd},
		{"unsigned division", ebpf.Program{set(r0, -7), ebpf.Div.Imm32(r0, 2), ebpf.Return()}, 0x7ffffffc},
		{"signed modulo", ebpf.Program{set(r0, -7), with(ebpf.Mod.Imm(r0, 2), 1), ebpf.Return()}, 0xffffffff},
		{"sign of a byte", ebpf.Program{set(r1, 0x80), with(ebpf.Mov.Reg(r0, r1), 8), ebpf.Return()}, 0xffffff80},
		{"sign of a half", ebpf.Program{set(r1, 0x8000), with(ebpf.Mov.Reg32(r0, r1), 16), ebpf.Return()}, 0xffff8000},
		{"sign of a word", ebpf.Program{set(r2, -1), ebpf.Mov.Reg32(r1, r2), with(ebpf.Mov.Reg(r0, r1), 32), ebpf.Rsh.Imm(r0, 32), ebpf.Return()}, 0xffffffff},
		{"to big-endian", ebpf.Program{set(r0, 0), ebpf.Store(4, ebpf.R10, -4, r0), set(r0, 0x1234), ebpf.ToBE(r0, 16), ebpf.Return()}, netOrder(0x1234)},
		{"swap", ebpf.Program{set(r0, 0x1234), {Op: 0xd7, Imm: 16}, ebpf.Return()}, 0x3412},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := loadSocket(t, test.program).Run(nil)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// The kernel gives back what it was given, where it has no cause to rewrite.
func TestLoadXlated(t *testing.T) {
	requireExtended(t)
	signed := ebpf.Mov.Reg(ebpf.R0, ebpf.R1)
	signed.Off = 32
	p := ebpf.Program{
		{Op: ebpf.OpLoadWide, Dst: ebpf.R1, Imm: -5}, {Imm: 0x01020304},
		{Op: 0xd7, Dst: ebpf.R1, Imm: 64},
		signed,
		{Op: ebpf.OpJumpLong, Imm: 1},
		ebpf.Return(),
		{Op: ebpf.OpJumpLong, Imm: -2},
	}
	f := loadSocket(t, p)
	info, err := f.Info()
	require.NoError(t, err)
	require.Equal(t, p, info.Xlated)
}

// Of a program with calls the kernel gives back what bpftool reads too.
func TestXlatedCalls(t *testing.T) {
	requireExtended(t)
	const getTime, skbLoadBytes = 5, 26
	f := loadSocket(t, ebpf.Program{
		ebpf.Mov.Reg(ebpf.R6, ebpf.R1),
		{Op: ebpf.OpLoadWide, Dst: ebpf.R7, Imm: -5}, {Imm: 7},
		ebpf.CallHelper(getTime),
		ebpf.Mov.Reg(ebpf.R1, ebpf.R6), ebpf.Mov.Imm(ebpf.R2, 0), ebpf.Mov.Reg(ebpf.R3, ebpf.R10), ebpf.Add.Imm(ebpf.R3, -8), ebpf.Mov.Imm(ebpf.R4, 1),
		ebpf.CallHelper(skbLoadBytes), ebpf.CallHelper(getTime),
		ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return(),
	})
	info, err := f.Info()
	require.NoError(t, err)
	require.NotEmpty(t, info.Jited)
	require.NotEqual(t, info.Xlated[3].Imm, info.Xlated[9].Imm)
	require.Equal(t, info.Xlated[3], info.Xlated[10])
	if _, err := exec.LookPath("bpftool"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	file := filepath.Join(t.TempDir(), "xlated")
	out, err := exec.Command("bpftool", "prog", "dump", "xlated", "id", strconv.Itoa(int(info.ID)), "file", file).CombinedOutput()
	require.NoError(t, err, string(out))
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, raw, ebpf.Encode(info.Xlated, hostOrder))
}

func TestFilterTooLong(t *testing.T) {
	requireExtended(t)
	f := loadSocket(t, ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, ebpf.SkbLen), ebpf.Return()})
	got, err := f.Run(make([]byte, MaxData))
	require.NoError(t, err)
	require.EqualValues(t, MaxData, got)

	_, err = f.prog.Run(&cilium.RunOptions{Data: make([]byte, headerLen+MaxData+1)})
	require.ErrorIs(t, err, unix.EINVAL, "the kernel has the same limit")
	_, err = f.Run(make([]byte, MaxData+1))
	require.Equal(t, &TooLongError{Len: MaxData + 1, Limit: MaxData}, err)
	_, err = f.Bench(make([]byte, MaxData+1), 1)
	require.Equal(t, &TooLongError{Len: MaxData + 1, Limit: MaxData}, err)
}

// Runs share a buffer; nothing of one shows in the next.
func TestFilterRunsApart(t *testing.T) {
	requireExtended(t)
	f := loadSocket(t, ebpf.Program{
		ebpf.Mov.Reg(ebpf.R6, ebpf.R1), ebpf.Load(4, ebpf.R7, ebpf.R1, ebpf.SkbMark),
		ebpf.LoadAbs(1, 0), ebpf.Add.Reg32(ebpf.R0, ebpf.R7), ebpf.Return(),
	})
	for _, run := range []struct {
		pkt  cbpf.Packet
		want uint32
	}{
		{cbpf.Packet{Data: []byte{7}, Meta: cbpf.Meta{Mark: 0x100}}, 0x107},
		{cbpf.Packet{}, 0},
		{cbpf.Packet{Data: []byte{8}}, 8},
		{cbpf.Packet{Data: []byte{9}, Meta: cbpf.Meta{Mark: 0xffffffff}}, 8},
	} {
		got, err := f.RunPacket(&run.pkt)
		require.NoError(t, err)
		require.Equal(t, run.want, got)
	}
}

func TestFilterClosed(t *testing.T) {
	requireExtended(t)
	f, err := Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, LoadOptions{Licence: "GPL"})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = f.Run(nil)
	require.Error(t, err)
}

func TestFilterBench(t *testing.T) {
	requireExtended(t)
	p := ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0)}
	for range 2000 {
		p = append(p, ebpf.Mul.Imm32(ebpf.R0, 3), ebpf.Add.Imm32(ebpf.R0, 1))
	}
	each, err := loadSocket(t, append(p, ebpf.Return())).Bench(countingBytes(60), 1000)
	require.NoError(t, err)
	require.Positive(t, each)
}

func BenchmarkFilterRun(b *testing.B) {
	requireExtended(b)
	f := loadSocket(b, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()})
	pkt := cbpf.Packet{Data: countingBytes(60), Meta: cbpf.Meta{Mark: 1}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.RunPacket(&pkt); err != nil {
			b.Fatal(err)
		}
	}
}
