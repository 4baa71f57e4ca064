package ebpf

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes are worked out from the drawings of RFC 9669, section 3.
func TestEncode(t *testing.T) {
	tests := []struct {
		name        string
		insn        Instruction
		little, big []byte
	}{
		{
			name:   "registers are nibbles",
			insn:   Instruction{Op: 0x69, Dst: R1, Src: R2, Off: 12},
			little: []byte{0x69, 0x21, 12, 0, 0, 0, 0, 0},
			big:    []byte{0x69, 0x12, 0, 12, 0, 0, 0, 0},
		},
		{
			name:   "negative offset and immediate",
			insn:   Instruction{Op: 0x62, Dst: R10, Off: -4, Imm: -2},
			little: []byte{0x62, 0x0a, 0xfc, 0xff, 0xfe, 0xff, 0xff, 0xff},
			big:    []byte{0x62, 0xa0, 0xff, 0xfc, 0xff, 0xff, 0xff, 0xfe},
		},
		{
			name:   "every field at once",
			insn:   Instruction{Op: 0xff, Dst: 15, Src: 11, Off: 0x1234, Imm: 0x56789abc},
			little: []byte{0xff, 0xbf, 0x34, 0x12, 0xbc, 0x9a, 0x78, 0x56},
			big:    []byte{0xff, 0xfb, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.little, Encode(Program{tt.insn}, binary.LittleEndian))
			require.Equal(t, tt.big, Encode(Program{tt.insn}, binary.BigEndian))
			for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian, binary.NativeEndian} {
				p, err := Decode(Encode(Program{tt.insn, tt.insn}, order), order)
				require.NoError(t, err)
				require.Equal(t, Program{tt.insn, tt.insn}, p)
			}
		})
	}
}

func TestDecodeRefusesBrokenSlots(t *testing.T) {
	for _, n := range []int{1, 7, 9} {
		_, err := Decode(make([]byte, n), binary.LittleEndian)
		require.ErrorIs(t, err, ReasonSize)
	}
	p, err := Decode(nil, binary.LittleEndian)
	require.NoError(t, err)
	require.Empty(t, p)
}

func TestAppendToKeepsWhatIsThere(t *testing.T) {
	b := AppendTo([]byte("x"), Program{Return()}, binary.LittleEndian)
	require.Equal(t, []byte{'x', 0x95, 0, 0, 0, 0, 0, 0, 0}, b)
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(Program{Mov.Imm(R0, -1), Return()}, binary.LittleEndian))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			p, err := Decode(b, order)
			if len(b)%SlotSize != 0 {
				require.ErrorIs(t, err, ReasonSize)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, b, AppendTo([]byte{}, p, order))
		}
	})
}
