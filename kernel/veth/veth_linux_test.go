package veth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// newLink makes a link for the test, or skips it where that is impossible.
func newLink(t *testing.T, mtu int) *Link {
	t.Helper()
	err := kernel.Available()
	var l *Link
	if err == nil {
		l, err = New(mtu)
	}
	if err != nil && (os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1" || !errors.Is(err, kernel.ErrUnavailable)) {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("skipped: no namespaces to send packets between: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// put puts a program for the rest of the test, XDP programs as such with fragments. All frames go on.
func put(t *testing.T, l *Link, p ebpf.Program, at Place) *Station {
	t.Helper()
	opts := kernel.LoadOptions{}
	if at.Type() == kernel.XDP {
		opts.Type = kernel.XDPFrags
	}
	if pass := at.Type().Pass(); at.Type().Acts() {
		opts.Result = &pass
	}
	s, err := l.Put(p, at, opts)
	var refused *kernel.VerifierError
	if errors.As(err, &refused) {
		t.Log(refused.Log)
	}
	if errors.Is(err, kernel.ErrUnavailable) && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") != "1" {
		t.Skipf("skipped: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func isCgroup(at Place) bool { return at == CgroupIngress || at == CgroupEgress }

func isTracing(at Place) bool { return at == Tracepoint || at == RawTracepoint }

// Helper functions of the kernel, by number.
const (
	skbLoadBytes = 26
	readKernel   = 113
	getBuffLen   = 188
	xdpLoadBytes = 189
)

// readByte makes a program that ends with the byte at k, or with missing where there is none. Tracing programs count k from
// the link-layer header and do not see an end.
func readByte(t *testing.T, at Place, k uint32, missing int32) ebpf.Program {
	r0, r1, r2, r3, r4, r6, r10 := ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R6, ebpf.R10
	toStack := ebpf.Program{ebpf.Mov.Reg(r3, r10), ebpf.Add.Imm(r3, -8)}
	failed := ebpf.JNe.Imm(r0, 0)
	failed.Off = 2
	end := ebpf.Program{failed, ebpf.Load(1, r0, r10, -8), ebpf.Return(), ebpf.Mov.Imm(r0, missing), ebpf.Return()}
	switch {
	case at == Socket || at.Type() == kernel.TC:
		return ebpf.Program{ebpf.Mov.Reg(r6, r1), ebpf.LoadAbs(1, k), ebpf.Return()}
	case isCgroup(at):
		return slices.Concat(ebpf.Program{ebpf.Mov.Imm(r2, int32(k))}, toStack,
			ebpf.Program{ebpf.Mov.Imm(r4, 1), ebpf.CallHelper(skbLoadBytes)}, end)
	case isTracing(at):
		l := skbLayout(t)
		return slices.Concat(
			ebpf.Program{ebpf.Load(8, r6, r1, 0)},
			member(l.MACHeader, r6), ebpf.Program{ebpf.Mov.Reg(ebpf.R7, r0)},
			member(l.Head, r6),
			ebpf.Program{
				ebpf.Add.Reg(r0, ebpf.R7), ebpf.Add.Imm(r0, int32(k)),
				ebpf.Mov.Reg(r3, r0), ebpf.Mov.Reg(r1, r10), ebpf.Add.Imm(r1, -8), ebpf.Mov.Imm(r2, 1), ebpf.CallHelper(readKernel),
			}, end)
	}
	return slices.Concat(ebpf.Program{ebpf.Mov.Imm(r2, int32(k))}, toStack,
		ebpf.Program{ebpf.Mov.Imm(r4, 1), ebpf.CallHelper(xdpLoadBytes)}, end)
}

func skbLayout(t *testing.T) *ebpf.SkbLayout {
	l, err := kernel.SkbLayout()
	require.NoError(t, err)
	return l
}

// member makes code that loads a member of the structure that a register points at into r0.
func member(m ebpf.Member, from ebpf.Register) ebpf.Program {
	p := ebpf.Program{
		ebpf.Mov.Reg(ebpf.R3, from), ebpf.Add.Imm(ebpf.R3, int32(m.Off)),
		ebpf.Mov.Reg(ebpf.R1, ebpf.R10), ebpf.Add.Imm(ebpf.R1, -8), ebpf.Mov.Imm(ebpf.R2, int32(m.Size)),
		ebpf.CallHelper(readKernel), ebpf.Load(int(m.Size), ebpf.R0, ebpf.R10, -8),
	}
	if m.Bits > 0 {
		p = append(p, ebpf.Rsh.Imm(ebpf.R0, int32(m.Shift)), ebpf.And.Imm(ebpf.R0, 1<<m.Bits-1))
	}
	return p
}

// frames are of all kinds: to every sort of address, with tags, without a protocol, and with UDP for the sockets.
func frames(l *Link) map[string]Frame {
	payload := make([]byte, 200)
	for i := range payload {
		payload[i] = byte(i + 1)
	}
	header := func(dst []byte, rest ...byte) []byte { return slices.Concat(dst, l.Near.MAC, rest, payload) }
	return map[string]Frame{
		"UDP":                  {Data: l.UDP(payload)},
		"UDP in pages":         {Data: l.UDP(payload), Linear: 42},
		"UDP, long":            {Data: l.UDP(slices.Repeat(payload, 40)), Mark: 0x80000001},
		"UDP, long, in pages":  {Data: l.UDP(slices.Repeat(payload, 40)), Linear: 42, Mark: 7},
		"UDP, a bit in pages":  {Data: l.UDP(payload), Linear: 100},
		"to all":               {Data: header([]byte{255, 255, 255, 255, 255, 255}, 0x88, 0xb5)},
		"to many, in pages":    {Data: header([]byte{1, 0, 0x5e, 0, 0, 1}, 0x88, 0xb5), Linear: 14},
		"to another":           {Data: header([]byte{2, 9, 9, 9, 9, 9}, 0x88, 0xb5)},
		"tagged":               {Data: header(l.Far.MAC, 0x81, 0x00, 0xe1, 0x23, 0x88, 0xb5)},
		"tagged, in pages":     {Data: header(l.Far.MAC, 0x81, 0x00, 0x01, 0x23, 0x88, 0xb5), Linear: 14},
		"tagged twice":         {Data: header(l.Far.MAC, 0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x88, 0xb5)},
		"a length":             {Data: header(l.Far.MAC, 0x00, 0x20)},
		"a length, IPX":        {Data: slices.Concat(l.Far.MAC, l.Near.MAC, []byte{0x00, 0x20, 0xff, 0xff}, payload)},
		"nothing but a header": {Data: header(l.Far.MAC, 0x88, 0xb5)[:14]},
	}
}

// comesBy says whether a frame gets to the place.
func comesBy(l *Link, at Place, f Frame) bool {
	if !isCgroup(at) {
		return true
	}
	payload, ok := l.payload(f.Data)
	return ok && (at == CgroupIngress || f.Linear == 0 || f.Linear == len(f.Data)-len(payload))
}

// Every place shows the bytes that its view has, wherever they lie, and none more.
func TestBytes(t *testing.T) {
	l := newLink(t, 9000)
	for _, at := range Places() {
		t.Run(at.String(), func(t *testing.T) {
			compared := 0
			for _, k := range []uint32{0, 12, 13, 14, 19, 47, 150, 213, 241, 7000, 8041} {
				p := readByte(t, at, k, 0)
				s := put(t, l, p, at)
				for name, f := range frames(l) {
					if !comesBy(l, at, f) || isTracing(at) && (f.Linear != 0 || int(k) >= len(f.Data)) {
						continue
					}
					view := s.View(f)
					classic := cbpf.Program{{Op: cbpf.OpLdAbsB, K: k}, {Op: cbpf.OpRetA}}
					want, err := cbpf.Run(classic, &view)
					require.NoError(t, err)
					got, err := s.Try(f)
					require.NoError(t, err, name)
					require.Equal(t, want, got, "%s, byte %d", name, k)
					compared++
				}
				require.NoError(t, s.Close())
				*s = Station{} // closed
			}
			t.Logf("%d bytes compared", compared)
			require.Greater(t, compared, 20)
		})
	}
}

// What programs read in struct __sk_buff, and at the tracepoint in the struct sk_buff itself, is what the view says.
func TestFields(t *testing.T) {
	l := newLink(t, 9000)
	layout := skbLayout(t)
	swap := func(n uint16) uint32 {
		return uint32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
	}
	present := func(v cbpf.Packet) uint32 {
		if v.Meta.VlanPresent {
			return 1
		}
		return 0
	}
	fields := []struct {
		name   string
		off    int16
		member ebpf.Member
		want   func(v cbpf.Packet) uint32
	}{
		{"len", ebpf.SkbLen, ebpf.Member{}, func(v cbpf.Packet) uint32 { return v.WireLen }},
		{"protocol", ebpf.SkbProtocol, layout.Protocol, func(v cbpf.Packet) uint32 { return swap(v.Meta.Protocol) }},
		{"pkt_type", ebpf.SkbPktType, layout.PktType, func(v cbpf.Packet) uint32 { return uint32(v.Meta.PktType) }},
		{"mark", ebpf.SkbMark, layout.Mark, func(v cbpf.Packet) uint32 { return v.Meta.Mark }},
		{"hash", ebpf.SkbHash, layout.Hash, func(v cbpf.Packet) uint32 { return 0 }},
		{"vlan_present", ebpf.SkbVlanPresent, layout.VlanPresent, present},
		{"vlan_tci", ebpf.SkbVlanTCI, layout.VlanTCI, func(v cbpf.Packet) uint32 { return uint32(v.Meta.VlanTCI) }},
		{"vlan_proto", ebpf.SkbVlanProto, layout.VlanProto, func(v cbpf.Packet) uint32 { return swap(v.Meta.VlanTPID) }},
		{"ifindex", ebpf.SkbIfIndex, ebpf.Member{}, func(v cbpf.Packet) uint32 { return v.Meta.IfIndex }},
	}
	for _, at := range Places() {
		if at.Type() == kernel.XDP {
			continue
		}
		for _, field := range fields {
			if isTracing(at) && field.member.Size == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s, %s", at, field.name), func(t *testing.T) {
				read := ebpf.Program{ebpf.Load(4, ebpf.R0, ebpf.R1, field.off)}
				if isTracing(at) {
					read = append(ebpf.Program{ebpf.Load(8, ebpf.R6, ebpf.R1, 0)}, member(field.member, ebpf.R6)...)
				}
				s := put(t, l, append(read, ebpf.Return()), at)
				for name, f := range frames(l) {
					if !comesBy(l, at, f) {
						continue
					}
					got, err := s.Try(f)
					require.NoError(t, err, name)
					require.Equal(t, field.want(s.View(f)), got, name)
				}
			})
		}
	}
}

// As much lies in one piece as the frame says, in front of data_end.
func TestLinear(t *testing.T) {
	l := newLink(t, MaxMTU)
	front := ebpf.Program{
		ebpf.Load(4, ebpf.R0, ebpf.R1, 80), ebpf.Load(4, ebpf.R2, ebpf.R1, 76), ebpf.Sub.Reg(ebpf.R0, ebpf.R2), ebpf.Return(),
	}
	for _, at := range []Place{TCEgress, TCIngress} {
		s := put(t, l, front, at)
		for _, n := range []int{14, 60, 1514, 4096, 9014, 65535} {
			for _, linear := range []int{0, 14, 15, 34, 60, 1000, 65534} {
				if linear > n {
					continue
				}
				got, err := s.Try(Frame{Data: append(l.UDP(nil)[:14:14], make([]byte, n-14)...), Linear: linear})
				require.NoError(t, err)
				want := linear
				if linear == 0 {
					want = n
				}
				require.EqualValues(t, want, got, "%s, %d of %d", at, linear, n)
			}
		}
	}
	// Of what a UDP socket sends, without copying, the headers are in one piece; for cgroups they begin with that of IP.
	for _, at := range []Place{CgroupEgress, CgroupIngress} {
		s := put(t, l, front, at)
		for _, n := range []int{1, 1000, 8000} {
			got, err := s.Try(Frame{Data: l.UDP(make([]byte, n)), Linear: 42})
			require.NoError(t, err)
			require.EqualValues(t, 28, got, "%s, %d bytes", at, n)
			got, err = s.Try(Frame{Data: l.UDP(make([]byte, n))})
			require.NoError(t, err)
			require.EqualValues(t, 28+n, got, "%s, %d bytes", at, n)
		}
	}
}

// A program of one place is not run at others, and a frame that is dropped comes to no later one.
func TestDropped(t *testing.T) {
	l := newLink(t, 1500)
	constant := func(n int32) ebpf.Program { return ebpf.Program{ebpf.Mov.Imm(ebpf.R0, n), ebpf.Return()} }
	tc := put(t, l, constant(0), TCIngress)
	const drop = 1
	s, err := l.Put(constant(drop), XDPNative, kernel.LoadOptions{})
	require.NoError(t, err)
	got, err := s.Try(Frame{Data: l.UDP(nil)})
	require.NoError(t, err)
	require.EqualValues(t, drop, got)
	_, err = tc.Try(Frame{Data: l.UDP(nil)})
	require.ErrorIs(t, err, ErrNotRun)
	c, err := s.Counts()
	require.NoError(t, err)
	require.Equal(t, map[int32]uint64{drop: 2}, c.Ends)
	require.NoError(t, s.Close())
	got, err = tc.Try(Frame{Data: l.UDP(nil)})
	require.NoError(t, err)
	require.EqualValues(t, 0, got)
}

// Frames that cannot be sent are refused.
func TestBadFrames(t *testing.T) {
	l := newLink(t, 1500)
	pass := ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return()}
	in, out := put(t, l, pass, TCIngress), put(t, l, pass, CgroupEgress)
	for _, f := range []Frame{
		{}, {Data: make([]byte, 13)}, {Data: make([]byte, 60), Linear: 13}, {Data: make([]byte, 60), Linear: 61},
		{Data: make([]byte, 1519)}, {Data: make([]byte, 1<<17), Linear: 14},
	} {
		_, err := in.Try(f)
		require.ErrorContains(t, err, "send a frame", "%d bytes, %d in one piece", len(f.Data), f.Linear)
	}
	udp := l.UDP([]byte{1, 2, 3})
	for _, f := range []Frame{{Data: udp[:41]}, {Data: udp, Linear: 43}, {Data: slices.Concat(udp[:23], []byte{6}, udp[24:])}} {
		_, err := out.Try(f)
		require.ErrorContains(t, err, "no UDP socket sends this frame")
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := New(MaxMTU + 1)
	require.EqualError(t, err, "an MTU of 65518, the limit is 65517")
}

// A function that does not return ends its namespace; nobody waits for it for ever.
func TestDo(t *testing.T) {
	l := newLink(t, 1500)
	require.Equal(t, os.ErrInvalid, l.Near.Do(func() error { return os.ErrInvalid }))
	for range 2 {
		require.ErrorIs(t, l.Far.Do(func() error { runtime.Goexit(); return nil }), errGone)
	}
	require.NoError(t, l.Near.Do(func() error { return nil }))
}

// What cannot be loaded leaves nothing behind: the place is free for the next.
func TestPutRefused(t *testing.T) {
	l := newLink(t, 1500)
	for _, at := range Places() {
		_, err := l.Put(ebpf.Program{ebpf.Load(8, ebpf.R0, ebpf.R4, 0), ebpf.Return()}, at, kernel.LoadOptions{})
		var refused *kernel.VerifierError
		require.ErrorAs(t, err, &refused, at.String())
	}
	put(t, l, ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 2), ebpf.Return()}, XDPNative)
	_, err := l.Put(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 2), ebpf.Return()}, XDPGeneric, kernel.LoadOptions{})
	require.Error(t, err, "one way of XDP keeps the other out")
}
