package cbpf_test

import (
	"encoding/binary"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

var someCall = cbpf.SeccompData{
	Nr: -2, Arch: cbpf.ArchX86_64, InstructionPointer: 0x1122334455667788,
	Args: [6]uint64{0x0102030405060708, 2, 3, 4, 5, 0xffffffff00000006},
}

// The layout is that of struct seccomp_data, written out by hand.
func TestSeccompData(t *testing.T) {
	b := someCall.Bytes()
	require.Len(t, b, cbpf.SeccompLen)
	require.Equal(t, []byte{0xfe, 0xff, 0xff, 0xff, 0x3e, 0, 0, 0xc0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 8, 7, 6, 5, 4, 3, 2, 1}, b[:24])
	require.Equal(t, []byte{6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, b[56:])
	pkt := someCall.Packet()
	require.EqualValues(t, 64, pkt.WireLen)
	for i := 0; i < cbpf.SeccompLen; i += 4 {
		require.Equal(t, binary.LittleEndian.Uint32(b[i:]), binary.BigEndian.Uint32(pkt.Data[i:]), "offset %d", i)
	}
}

func TestRunSeccomp(t *testing.T) {
	for name, want := range map[uint32]uint32{0: 0xfffffffe, 4: 0xc000003e, 8: 0x55667788, 12: 0x11223344, 16: 0x05060708, 60: 0xffffffff} {
		got, err := cbpf.RunSeccomp(cbpf.Program{{Op: cbpf.OpLdAbsW, K: name}, retA}, &someCall)
		require.NoError(t, err)
		require.Equal(t, want, got, "offset %d", name)
	}
	got, err := cbpf.RunSeccomp(cbpf.Program{{Op: cbpf.OpLdLen}, retA}, &someCall)
	require.NoError(t, err)
	require.EqualValues(t, 64, got)
}

func TestAction(t *testing.T) {
	for _, tc := range []struct {
		action    cbpf.Action
		text      string
		effective cbpf.Action
	}{
		{0x7fff0000, "ALLOW", cbpf.ActionAllow},
		{0x7fff1234, "ALLOW", cbpf.ActionAllow},
		{0x00050001, "ERRNO(1)", 0x00050001},
		{0x00050fff, "ERRNO(4095)", 0x00050fff},
		{0x0005ffff, "ERRNO(4095)", 0x00050fff},
		{0x80000000, "KILL_PROCESS", cbpf.ActionKillProcess},
		{0x80000007, "KILL_PROCESS", cbpf.ActionKillProcess},
		{0, "KILL_THREAD", cbpf.ActionKillThread},
		{7, "KILL_THREAD", cbpf.ActionKillThread},
		{0x00030007, "TRAP(7)", 0x00030007},
		{0x7ff0ffff, "TRACE(65535)", 0x7ff0ffff},
		{0x7ffc0001, "LOG", cbpf.ActionLog},
		{0x7fc00001, "USER_NOTIF", cbpf.ActionUserNotif},
		{0x00010002, "KILL_PROCESS(unknown 0x00010002)", cbpf.ActionKillProcess},
		{0xffffffff, "KILL_PROCESS(unknown 0xffffffff)", cbpf.ActionKillProcess},
	} {
		require.Equal(t, tc.text, tc.action.String())
		require.Equal(t, tc.effective, tc.action.Effective(), tc.text)
	}
}

// seccompOps are the opcodes that seccomp_check_filter lets pass, copied from its switch.
var seccompOps = []uint16{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25,
	0x2c, 0x2d, 0x34, 0x35, 0x3c, 0x3d, 0x44, 0x45, 0x4c, 0x4d, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84,
	0x87, 0xa4, 0xac}

func TestValidateSeccompOpcodes(t *testing.T) {
	allowed := make(map[uint16]bool)
	for _, code := range seccompOps {
		allowed[code] = true
	}
	for code := range 1 << 16 {
		ins := bpf.RawInstruction{Op: uint16(code)}
		if code == 0x34 || code == 0x94 { // no division by 0
			ins.K = 1
		}
		err := cbpf.ValidateSeccomp(cbpf.Program{st0, ins, retK})
		require.Equal(t, allowed[ins.Op], err == nil, "%#x: %v", code, err)
	}
}

func TestValidateSeccomp(t *testing.T) {
	ld := func(k uint32) cbpf.Program { return cbpf.Program{{Op: cbpf.OpLdAbsW, K: k}, retK} }
	one := func(op uint16, k uint32) cbpf.Program { return cbpf.Program{{Op: op, K: k}, retK} }
	for _, tc := range []struct {
		name    string
		prog    cbpf.Program
		reasons []cbpf.Reason
	}{
		{"first word", ld(0), nil},
		{"last word", ld(60), nil},
		{"behind the last word", ld(64), []cbpf.Reason{cbpf.ReasonSeccompOffset}},
		{"across words", ld(2), []cbpf.Reason{cbpf.ReasonSeccompOffset}},
		{"extension", ld(cbpf.AdOff), []cbpf.Reason{cbpf.ReasonSeccompOffset}},
		{"no extension", ld(cbpf.AdOff + 64), []cbpf.Reason{cbpf.ReasonUnknownExtension, cbpf.ReasonSeccompOffset}},
		{"half word", one(cbpf.OpLdAbsH, 0), []cbpf.Reason{cbpf.ReasonSeccompOpcode}},
		{"byte", one(cbpf.OpLdAbsB, 0), []cbpf.Reason{cbpf.ReasonSeccompOpcode}},
		{"indirect", one(0x40, 0), []cbpf.Reason{cbpf.ReasonSeccompOpcode}},
		{"header length", one(cbpf.OpLdxMSH, 0), []cbpf.Reason{cbpf.ReasonSeccompOpcode}},
		{"remainder", one(0x94, 1), []cbpf.Reason{cbpf.ReasonSeccompOpcode}},
		{"remainder by 0", one(0x94, 0), []cbpf.Reason{cbpf.ReasonDivisionByZero, cbpf.ReasonSeccompOpcode}},
		{"length", one(cbpf.OpLdLen, 7), nil},
		{"length to X", one(0x81, 7), nil},
		{"empty", nil, []cbpf.Reason{cbpf.ReasonEmpty}},
		{"internal form", one(0x21, 0), []cbpf.Reason{cbpf.ReasonUnknownOpcode}},
		{"two faults", cbpf.Program{{Op: cbpf.OpLdAbsH}, {Op: 0x9c}, retK}, []cbpf.Reason{cbpf.ReasonSeccompOpcode, cbpf.ReasonSeccompOpcode}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.reasons, reasonsOf(cbpf.ValidateSeccomp(tc.prog)))
		})
	}
}

// filter returns a program of instructions written {code, jt, jf, k}.
func filter(rows ...[4]uint32) cbpf.Program {
	p := make(cbpf.Program, len(rows))
	for i, row := range rows {
		p[i] = bpf.RawInstruction{Op: uint16(row[0]), Jt: uint8(row[1]), Jf: uint8(row[2]), K: row[3]}
	}
	return p
}
