package kernel

import (
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
	}, View(&given))
	require.Equal(t, cbpf.Packet{Data: []byte{1, 2}, WireLen: 2, Meta: cbpf.Meta{NoLink: true}}, ClassicView(&given))
}

func TestViewPktType(t *testing.T) {
	for given, want := range map[uint8]uint8{0: 0, 1: 3, 2: 2, 3: 3, 4: 3, 255: 3} {
		view := View(&cbpf.Packet{Meta: cbpf.Meta{PktType: given}})
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
	require.EqualError(t, &VerifierError{PC: 3, Message: "R0 !read_ok"}, "insn 3: the verifier refuses the program: R0 !read_ok")
	require.EqualError(t, &VerifierError{PC: -1, Message: "m"}, "the verifier refuses the program: m")
	require.EqualError(t, &SlotError{PC: 2}, "insn 2: the slot cannot be loaded unaltered: a reserved field is set")
}
