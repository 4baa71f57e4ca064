package kernel

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// The views, spelt out; the tests that ask the kernel show that they are true.
func TestViews(t *testing.T) {
	given := cbpf.Packet{
		Data:    []byte{1, 2},
		WireLen: 9,
		Meta: cbpf.Meta{
			Head: []byte{1}, NetOff: 1, NoLink: true, Protocol: 0x800, PktType: 4, HasDev: true, IfIndex: 2, HaType: 1, Mark: 3,
			Queue: 4, RxHash: 5, CPU: 6, VlanPresent: true, VlanTCI: 7, VlanTPID: 0x8100,
			Random: func() uint32 { return 8 },
		},
	}
	require.Equal(t, cbpf.Packet{
		Data:    []byte{1, 2},
		WireLen: 2,
		Meta: cbpf.Meta{
			Head:     []byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0xb5},
			Protocol: 0x88b5, PktType: 3, HasDev: true, IfIndex: 1, HaType: 772, Mark: 3,
		},
	}, SocketFilter.View(&given))
	require.Equal(t, cbpf.Packet{Data: []byte{1, 2}, WireLen: 2, Meta: cbpf.Meta{NoLink: true}}, ClassicView(&given))
}

// What tc and XDP programs find is the frame as it is given.
func TestViewFrames(t *testing.T) {
	frame := func(dst byte, etherType uint16, behind ...byte) []byte {
		f := append([]byte{dst}, make([]byte, 11)...)
		return append(binary.BigEndian.AppendUint16(f, etherType), behind...)
	}
	for _, test := range []struct {
		name  string
		frame []byte
		kind  uint8
		proto uint16
	}{
		{"to us", frame(0, 0x1234), 0, 0x1234},
		{"to many", frame(1, 0x0600), 2, 0x0600},
		{"to another", frame(2, 0x0800, 0x45), 3, 0x0800},
		{"a length", frame(0, 0x05ff, 0xff, 0xfe), 0, 0x0004},
		{"a length and nothing", frame(0, 3, 0xff), 0, 0x0004},
		{"IPX", frame(0, 2, 0xff, 0xff), 0, 0x0001},
		{"not even a header", frame(1, 0x0800)[:13], 0, 0},
	} {
		want := cbpf.Packet{
			Data:    test.frame,
			WireLen: uint32(len(test.frame)),
			Meta:    cbpf.Meta{NetOff: 14, Protocol: test.proto, PktType: test.kind, HasDev: true, IfIndex: 1, HaType: 772},
		}
		given := cbpf.Packet{Data: test.frame, Meta: cbpf.Meta{Mark: 9, Protocol: 1, PktType: 1, Queue: 3}}
		require.Equal(t, want, XDP.View(&given), test.name)
		require.Equal(t, want, XDPFrags.View(&given), test.name)
		want.Meta.Mark = 9
		require.Equal(t, want, TC.View(&given), test.name)
	}
}

// A protocol gets through if the kernel takes it.
func TestViewProtocol(t *testing.T) {
	for _, test := range []struct {
		proto uint16
		data  int
		want  uint16
	}{
		{0, 60, EtherType}, {0x05ff, 60, EtherType}, {0x0600, 0, 0x0600}, {0x8100, 0, 0x8100},
		{0x0800, 19, EtherType}, {0x0800, 20, 0x0800}, {0x86dd, 39, EtherType}, {0x86dd, 40, 0x86dd},
	} {
		for _, kind := range []Type{SocketFilter, CgroupIngress, CgroupEgress} {
			view := kind.View(&cbpf.Packet{Data: make([]byte, test.data), Meta: cbpf.Meta{Protocol: test.proto}})
			require.Equal(t, test.want, view.Meta.Protocol, "%+v", test)
			require.Equal(t, []byte{byte(test.want >> 8), byte(test.want)}, view.Meta.Head[12:], "%+v", test)
		}
	}
}

// Every type has a row, and a number that is none gets an answer too.
func TestTypes(t *testing.T) {
	names := map[string]bool{}
	for _, kind := range Types() {
		names[kind.String()] = true
		require.NotEmpty(t, kind.Section(), kind.String())
		require.Equal(t, kind.Runs(), kind.MaxData() > 0, kind.String())
		require.Equal(t, kind.Acts(), kind.Action(kind.Pass()) != "0", kind.String())
	}
	require.Len(t, names, len(Types()))
	require.NotContains(t, names, "")
	none := Type(len(Types()))
	require.Equal(t, "program type 10", none.String())
	require.Empty(t, none.Section())
	require.False(t, none.Runs())
	require.False(t, none.Acts())
	require.Zero(t, none.Pass())
	require.Equal(t, "7", none.Action(7))
	require.Zero(t, none.MaxData())
	require.Zero(t, none.MinData(nil))
}

func TestViewPktType(t *testing.T) {
	for given, want := range map[uint8]uint8{0: 0, 1: 3, 2: 2, 3: 3, 4: 3, 255: 3} {
		view := SocketFilter.View(&cbpf.Packet{Meta: cbpf.Meta{PktType: given}})
		require.Equal(t, want, view.Meta.PktType, "given %d", given)
	}
}

// Where the kernel cannot be asked, both ways say so in the same manner.
func TestAvailable(t *testing.T) {
	for name, available := range map[string]func() error{"extended": Available, "classic": ClassicAvailable} {
		err := available()
		require.Equal(t, err, available(), name)
		if err != nil {
			require.ErrorIs(t, err, ErrUnavailable, name)
		}
	}
}

func TestErrors(t *testing.T) {
	var err error = &UnavailableError{Op: "load", Need: "root", Err: fs.ErrPermission}
	require.EqualError(t, err, "load: permission denied (needs root)")
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, fs.ErrPermission)

	err = &AttachError{Reason: ReasonMemory, Detail: "9 instructions", Err: errors.New("no memory")}
	require.EqualError(t, err, string(ReasonMemory)+": 9 instructions: no memory")
	require.ErrorIs(t, err, ReasonMemory)
	require.NotErrorIs(t, err, ReasonRefused)

	require.EqualError(t, &TooLongError{Len: 9, Limit: 8}, "9 bytes of packet data, the limit is 8")
	require.EqualError(t, &TooShortError{Len: 7, Limit: 14}, "7 bytes of packet data, it takes 14")
	require.EqualError(t, &VerifierError{PC: 3, Message: "R0 !read_ok"}, "insn 3: the verifier refuses the program: R0 !read_ok")
	require.EqualError(t, &VerifierError{PC: -1, Message: "m"}, "the verifier refuses the program: m")
	require.EqualError(t, &SlotError{PC: 2}, "insn 2: the slot cannot be loaded unaltered: a reserved field is set")
}
