package ebpf

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// st stores a constant; ldsx loads with its sign.
func st(size int, dst Register, off int16, imm int32) Instruction {
	i := Store(size, dst, off, R0)
	return Instruction{Op: i.Op&^7 | Opcode(ClassST), Dst: dst, Off: off, Imm: imm}
}

func ldsx(size int, dst, src Register, off int16) Instruction {
	i := Load(size, dst, src, off)
	i.Op = i.Op&^0xe0 | modeMemSX
	return i
}

func jumpBy(off int16) Instruction { return Instruction{Op: OpJump, Off: off} }

var packet = &Packet{
	Data:    []byte{0x80, 0x01, 0x02, 0xf3, 4, 5, 6, 7, 8, 9},
	WireLen: 60,
	Head:    []byte{0xaa, 0xbb, 0xcc},
	NetOff:  4,
	CPU:     3,
	Random:  func() uint32 { return 0xfedcba98 },
}

var withSkb = &Packet{WireLen: 99, Skb: &SkBuff{Len: 60, Mark: 0x11223344, HWTStamp: 0x1122334455667788}}

// Programs and what they yield, worked out by hand.
func TestRun(t *testing.T) {
	tests := []struct {
		name string
		abi  ABI
		pkt  *Packet
		prog Program
		want uint64
	}{
		{"entry of user: captured length", User, packet, Program{Mov.Reg(R0, R2), Return()}, 10},
		{"entry of user: wire length", User, packet, Program{Mov.Reg(R0, R3), Return()}, 60},
		{"packet byte", User, packet, Program{Load(1, R0, R1, 3), Return()}, 0xf3},
		{"packet half in network order", User, packet, Program{Load(2, R0, R1, 2), ToBE(R0, 16), Return()}, 0x02f3},
		{"packet word in network order", User, packet, Program{Load(4, R0, R1, 0), ToBE(R0, 32), Return()}, 0x800102f3},
		{"packet double word", User, packet, Program{Load(8, R0, R1, 2), ToBE(R0, 64), Return()}, 0x02f3040506070809},
		{"sign of a byte", User, packet, Program{ldsx(1, R0, R1, 0), Return()}, math.MaxUint64 - 0x7f},
		{"no sign of a byte", User, packet, Program{ldsx(1, R0, R1, 1), Return()}, 1},
		{"address arithmetic", User, packet, Program{Add.Reg(R1, R2), Load(1, R0, R1, -1), Return()}, 9},
		{"difference of addresses", User, packet,
			Program{Mov.Reg(R0, R1), Add.Imm(R0, 7), Sub.Reg(R0, R1), Return()}, 7},
		{"stack keeps what is stored", User, packet,
			Program{Mov.Imm(R5, -2), Store(8, R10, -512, R5), Load(8, R0, R10, -512), Return()}, math.MaxUint64 - 1},
		{"stack keeps addresses", User, packet,
			Program{Store(8, R10, -8, R1), Load(8, R5, R10, -8), Load(1, R0, R5, 1), Return()}, 1},
		{"store of a part leaves the rest", User, packet,
			Program{st(8, R10, -8, -1), st(2, R10, -8, 0), st(2, R10, -2, 0), Load(4, R0, R10, -6), Return()}, 0xffffffff},
		{"store of a constant extends its sign", User, packet,
			Program{st(8, R10, -8, -3), Load(8, R0, R10, -8), Return()}, math.MaxUint64 - 2},
		{"store of a byte takes the low bits", User, packet,
			Program{st(1, R10, -1, 0x1ff), Load(1, R0, R10, -1), Return()}, 0xff},
		{"sign of a half", User, packet, Program{st(2, R10, -2, 0x8000), ldsx(2, R0, R10, -2), Return()}, 0xffffffff_ffff8000},
		{"sign of a word", User, packet, Program{st(4, R10, -4, -5), ldsx(4, R0, R10, -4), Return()}, math.MaxUint64 - 4},
		{"wide constant", User, packet, join(set64(R0, 0x1122334455667788), Program{Return()}), 0x1122334455667788},
		{"jump backwards", User, packet,
			Program{Mov.Imm(R0, 0), Add.Imm(R0, 3), {Op: 0xa5, Dst: R0, Off: -2, Imm: 10}, Return()}, 12},
		{"long jump", User, packet, Program{{Op: OpJumpLong, Imm: 1}, jumpBy(1), jumpBy(-2), Mov.Imm(R0, 7), Return()}, 7},

		{"user: skb field", User, withSkb, Program{Load(4, R0, R4, SkbMark), Return()}, 0x11223344},
		{"socket: skb field", Socket, withSkb, Program{Load(4, R0, R1, SkbLen), Return()}, 60},
		{"last skb field", Socket, withSkb, Program{Load(8, R0, R1, SkbSize-8), Return()}, 0x1122334455667788},
		{"no skb: the length is that of the wire", Socket, packet, Program{Load(4, R0, R1, SkbLen), Return()}, 60},
		{"no skb: the rest is zero", Socket, packet, Program{Load(8, R0, R1, SkbHash), Return()}, 0},

		{"abs byte", Socket, packet, abs(1, 3), 0xf3},
		{"abs half", Socket, packet, abs(2, 2), 0x02f3},
		{"abs word has no sign", Socket, packet, abs(4, 0), 0x800102f3},
		{"abs at the end", Socket, packet, abs(2, 8), 0x0809},
		{"abs past the end", Socket, packet, abs(2, 9), 0},
		{"abs far past the end", Socket, packet, abs(1, 0x7fffffff), 0},
		{"abs below the windows", Socket, packet, abs(1, 0x80000000), 0},
		{"abs just below LL", Socket, packet, abs(1, 0xffdfffff), 0},
		{"LL window", Socket, packet, abs(1, 0xffe00000), 0xaa},
		{"LL window over the seam", Socket, packet, abs(4, 0xffe00001), 0xbbcc8001},
		{"LL window past the end", Socket, packet, abs(1, 0xffe00000+13), 0},
		{"LL window at the end", Socket, packet, abs(1, 0xffe00000+12), 9},
		{"NET window", Socket, packet, abs(2, 0xfff00000), 0x0405},
		{"NET window at the end", Socket, packet, abs(1, 0xfff00005), 9},
		{"NET window past the end", Socket, packet, abs(2, 0xfff00005), 0},
		{"AD offsets are the NET window", Socket, packet, abs(4, 0xfffff000), 0},
		{"NET window in front of the data", Socket, &Packet{Data: []byte{1}, Head: []byte{7, 8}, NetOff: -2},
			abs(2, 0xfff00000), 0x0708},
		{"NET window in front of the head", Socket, &Packet{Data: []byte{1}, Head: []byte{7, 8}, NetOff: -3},
			abs(1, 0xfff00000), 0},
		{"no link-layer header", Socket, &Packet{Data: []byte{1}, Head: []byte{7}, NoLink: true}, abs(1, 0xffe00000), 0},
		{"no link-layer header, NET", Socket, &Packet{Data: []byte{1}, NoLink: true}, abs(1, 0xfff00000), 1},
		{"ind", Socket, packet, ind(2, 1, 2), 0xf304},
		{"ind drops the upper half", Socket, packet, ind(1, 0x5_00000001, 2), 0xf3},
		{"ind wraps", Socket, packet, ind(1, 0xfffffffc, 7), 0xf3},
		{"ind with a negative constant", Socket, packet, ind(1, 7, 0xfffffffc), 0xf3},
		{"ind below zero", Socket, packet, ind(1, 0, 0xffffffff), 0},
		{"ind in the NET window", Socket, packet, ind(1, 0xfff00000, 1), 5},

		{"random", User, packet, Program{CallHelper(HelperPrandomU32), Return()}, 0xfedcba98},
		{"random without a source", User, nil, Program{CallHelper(HelperPrandomU32), Return()}, 0},
		{"processor", Socket, packet, Program{CallHelper(HelperProcessorID), Return()}, 3},
		{"calls keep r6", User, packet, Program{Mov.Imm(R6, 4), CallHelper(HelperProcessorID), Mov.Reg(R0, R6), Return()}, 4},
		{"load bytes", Socket, packet, loadBytes(2, 4, Load(4, R0, R10, -8), ToBE(R0, 32)), 0x02f30405},
		{"load bytes: result", Socket, packet, loadBytes(6, 4), 0},
		{"load bytes past the end", Socket, packet, loadBytes(7, 4), math.MaxUint64 - 13},
		{"load bytes past the end zeroes", Socket, packet, loadBytes(7, 4, Load(4, R0, R10, -8)), 0},
		{"load bytes at a negative offset", Socket, packet, loadBytes(-1, 4), math.MaxUint64 - 13},
		{"load bytes from LL over the seam", Socket, packet, loadRelative(1, 4, 0, Load(4, R0, R10, -8), ToBE(R0, 32)), 0xbbcc8001},
		{"load bytes from NET", Socket, packet, loadRelative(1, 4, 1, Load(4, R0, R10, -8), ToBE(R0, 32)), 0x05060708},
		{"load bytes from NET at the end", Socket, packet, loadRelative(2, 4, 1), 0},
		{"load bytes from NET past the end", Socket, packet, loadRelative(3, 4, 1), math.MaxUint64 - 13},
		{"load bytes from NET past the end zeroes", Socket, packet, loadRelative(3, 4, 1, Load(4, R0, R10, -8)), 0},
		{"load bytes from NET at a negative offset", Socket, packet, loadRelative(-1, 1, 1), math.MaxUint64 - 13},
		{"load bytes from nowhere", Socket, packet, loadRelative(0, 1, 2), math.MaxUint64 - 13},
		{"load bytes from LL without one", Socket, &Packet{Data: []byte{1}, NoLink: true}, loadRelative(0, 1, 0), math.MaxUint64 - 13},
		{"load bytes from LL, 16 bits", Socket, &Packet{Data: make([]byte, 1<<17)}, loadRelative(0xffff, 8, 0), 0},
		{"load bytes from LL, 17 bits", Socket, &Packet{Data: make([]byte, 1<<17)}, loadRelative(0x10000, 8, 0), math.MaxUint64 - 13},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Run(tt.prog, tt.abi, tt.pkt)
			require.NoError(t, err, "%s", tt.prog)
			require.Equal(t, tt.want, got, "%#x, want %#x\n%s", got, tt.want, tt.prog)
		})
	}
}

func abs(size int, k uint32) Program { return Program{Mov.Reg(R6, R1), LoadAbs(size, k), Return()} }

func ind(size int, x uint64, k uint32) Program {
	return join(Program{Mov.Reg(R6, R1)}, set64(R7, x), Program{LoadInd(size, R7, k), Return()})
}

// loadBytes calls skb_load_bytes(skb, offset, r10-8, n).
func loadBytes(offset, n int32, then ...Instruction) Program {
	return join(Program{Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, n),
		CallHelper(HelperSkbLoadBytes)}, then, Program{Return()})
}

// loadRelative calls skb_load_bytes_relative(skb, offset, r10-8, n, start).
func loadRelative(offset, n, start int32, then ...Instruction) Program {
	return join(Program{Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, n), Mov.Imm(R5, start),
		CallHelper(HelperSkbLoadBytesRelative)}, then, Program{Return()})
}

// Every way to go wrong, with the place of it.
func TestRunFaults(t *testing.T) {
	tests := []struct {
		name   string
		abi    ABI
		prog   Program
		reason Reason
		pc     int
	}{
		{"empty", User, nil, ReasonFallsOff, -1},
		{"no exit", User, Program{Mov.Imm(R0, 0)}, ReasonFallsOff, 0},
		{"unknown opcode", User, Program{{Op: 0xff}}, ReasonBadOpcode, 0},
		{"odd swap", User, Program{Mov.Imm(R0, 0), ToBE(R0, 8)}, ReasonBadOpcode, 1},
		{"register 11", User, Program{Mov.Imm(11, 0)}, ReasonBadRegister, 0},
		{"source 15", User, Program{Mov.Reg(R0, 15)}, ReasonBadRegister, 0},
		{"write to r10", User, Program{Mov.Imm(R10, 0)}, ReasonBadRegister, 0},
		{"load to r10", User, Program{Load(1, R10, R1, 0)}, ReasonBadRegister, 0},
		{"reserved field", User, Program{{Op: OpExit, Imm: 1}}, ReasonReserved, 0},
		{"offset of an addition", User, Program{{Op: 0x07, Off: 1}}, ReasonReserved, 0},
		{"32-bit move of 32 bits", User, Program{alu32(Mov, 32)}, ReasonReserved, 0},
		{"unset register", User, Program{Mov.Reg(R0, R7)}, ReasonUnset, 0},
		{"unset register cleared with itself", User, Program{Xor.Reg32(R0, R0)}, ReasonUnset, 0},
		{"exit without a result", User, Program{Return()}, ReasonUnset, 0},
		{"argument after a call", User, Program{CallHelper(7), Mov.Reg(R0, R1)}, ReasonUnset, 1},
		{"argument after a packet load", Socket, Program{Mov.Reg(R6, R1), LoadAbs(1, 0), Mov.Reg(R0, R1)}, ReasonUnset, 2},
		{"jump past the end", User, Program{jumpBy(1), Return()}, ReasonJumpRange, 0},
		{"jump in front of the program", User, Program{jumpBy(-2)}, ReasonJumpRange, 0},
		{"long jump far away", User, Program{{Op: OpJumpLong, Imm: math.MaxInt32}}, ReasonJumpRange, 0},
		{"jump into a wide constant", User, join(Program{jumpBy(1)}, set64(R0, 0), Program{Return()}), ReasonJumpIntoWide, 0},
		{"half a wide constant", User, Program{{Op: OpLoadWide}}, ReasonWideCut, 0},
		{"wide constant with a bad half", User, Program{{Op: OpLoadWide}, Return()}, ReasonWideCut, 0},
		{"wide constant of a map", User, wide(WideMapFD, 1), ReasonBadOpcode, 0},
		{"endless", User, Program{jumpBy(-1)}, ReasonEndless, 0},
		{"packet past the end", User, Program{Load(2, R0, R1, 9)}, ReasonPacketRange, 0},
		{"packet before the start", User, Program{Load(1, R0, R1, -1)}, ReasonPacketRange, 0},
		{"skb past the end", User, Program{Load(4, R0, R4, SkbSize-2)}, ReasonContextRange, 0},
		{"stack at its top", User, Program{st(4, R10, -2, 0)}, ReasonStackRange, 0},
		{"stack below its bottom", User, Program{st(1, R10, -513, 0)}, ReasonStackRange, 0},
		{"stack unset", User, Program{st(4, R10, -8, 0), Load(8, R0, R10, -8)}, ReasonStackUnset, 1},
		{"number as address", User, Program{Load(1, R0, R2, 0)}, ReasonNotPointer, 0},
		{"half an address", User, Program{Mov.Reg32(R1, R1), Load(1, R0, R1, 0)}, ReasonNotPointer, 1},
		{"write to the packet", User, Program{st(1, R1, 0, 0)}, ReasonReadOnly, 0},
		{"write to the skb", Socket, Program{st(4, R1, 8, 0)}, ReasonReadOnly, 0},
		{"packet load in a user program", User, Program{Mov.Reg(R6, R4), LoadAbs(1, 0)}, ReasonNoPacketLoads, 1},
		{"packet load without the context", Socket, Program{Mov.Reg(R6, R10), LoadAbs(1, 0)}, ReasonNeedsContext, 1},
		{"unknown helper", User, Program{CallHelper(1)}, ReasonCall, 0},
		{"local call", User, Program{{Op: OpCall, Src: CallKindLocal, Imm: HelperPrandomU32}}, ReasonJumpRange, 0},
		{"load bytes in a user program", User, loadBytes(0, 4), ReasonCall, 4},
		{"load no bytes", Socket, loadBytes(0, 0), ReasonCall, 4},
		{"load bytes from NET in a user program", User, loadRelative(0, 4, 1), ReasonCall, 5},
		{"load bytes over the top of the stack", Socket, loadBytes(0, 9), ReasonStackRange, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Run(tt.prog, tt.abi, packet)
			require.ErrorIs(t, err, tt.reason)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.pc, e.PC, "%s", err)
		})
	}
}

// A run sees nothing of the one before it.
func TestRunsAreIndependent(t *testing.T) {
	_, err := Run(Program{Mov.Imm(R9, 1), st(8, R10, -8, 1), Mov.Imm(R0, 0), Return()}, User, withSkb)
	require.NoError(t, err)
	_, err = Run(Program{Mov.Reg(R0, R9), Return()}, User, packet)
	require.ErrorIs(t, err, ReasonUnset)
	_, err = Run(Program{Load(8, R0, R10, -8), Return()}, User, packet)
	require.ErrorIs(t, err, ReasonStackUnset)
	got, err := Run(Program{Load(4, R0, R4, SkbMark), Return()}, User, packet)
	require.NoError(t, err)
	require.Zero(t, got)
}

// Every row of the table of opcodes must run, lest one be forgotten.
func TestEveryOpcodeRuns(t *testing.T) {
	for code := range 256 {
		i := Instruction{Op: Opcode(code), Dst: R3, Src: R2, Imm: 1}
		switch i.Op.Info().Form {
		case FormInvalid:
			continue
		case FormALUImm, FormCondImm:
			i.Src = 0
		case FormALUReg, FormCondReg:
			i.Imm = 0
		case FormNeg:
			i.Src, i.Imm = 0, 0
		case FormEnd:
			i.Src, i.Imm = 0, 32
		case FormLoad:
			i.Src, i.Off, i.Imm = R10, -8, 0
		case FormStoreImm:
			i.Dst, i.Src, i.Off = R10, 0, -8
		case FormStoreReg:
			i.Dst, i.Off, i.Imm = R10, -8, 0
		case FormLoadAbs:
			i.Dst, i.Src = 0, 0
		case FormLoadInd:
			i.Dst = 0
		case FormLoadWide:
			i.Src = 0
		case FormJump, FormExit:
			i = Instruction{Op: i.Op}
		case FormJumpLong:
			i = Instruction{Op: i.Op}
		case FormCall:
			i = CallHelper(HelperPrandomU32)
		case FormAtomic:
			i.Dst, i.Off, i.Imm = R10, -8, int32(AtomicStore)
		case FormMayGoto:
			i = Instruction{Op: i.Op}
		}
		p := Program{Mov.Reg(R6, R1), st(8, R10, -8, 1), Mov.Imm(R2, 1), Mov.Imm(R3, 5), Mov.Imm(R0, 0), i}
		if i.Op == OpLoadWide {
			p = append(p, Instruction{})
		}
		p = append(p, Return())
		_, err := Run(p, Socket, packet)
		require.NoError(t, err, "opcode %#02x\n%s", code, p)
	}
}

// Programs find each field where the struct has it.
func TestContextsAreLaidOut(t *testing.T) {
	var s SkBuff
	var x XDPBuff
	for i, v := range []reflect.Value{reflect.ValueOf(&s).Elem(), reflect.ValueOf(&x).Elem()} {
		size := int(v.Type().Size())
		for f := range v.NumField() {
			if !v.Field(f).CanSet() {
				continue
			}
			v.SetZero()
			v.Field(f).Set(reflect.ValueOf(someValue(v.Field(f).Interface())))
			want, err := binary.Append(nil, binary.NativeEndian, v.Interface())
			require.NoError(t, err)
			got := bytes.Repeat([]byte{0xee}, size)
			if i == 0 {
				s.put(got)
			} else {
				x.put(got)
			}
			require.Equal(t, want, got, v.Type().Field(f).Name)
			require.NotEqual(t, make([]byte, size), got)
		}
	}
}

// someValue is one of the same type of which no byte is like another.
func someValue(v any) any {
	switch v.(type) {
	case uint8:
		return uint8(0x12)
	case uint32:
		return uint32(0x12345678)
	case uint64:
		return uint64(0x123456789abcdef0)
	case [4]uint32:
		return [4]uint32{0x12345678, 0x23456789, 0x3456789a, 0x456789ab}
	}
	return [5]uint32{0x12345678, 0x23456789, 0x3456789a, 0x456789ab, 0x56789abc}
}

// The offsets are those of struct __sk_buff in linux/bpf.h, as the kernel's verifier checks them.
func TestSkBuffLayout(t *testing.T) {
	var s SkBuff
	require.EqualValues(t, SkbSize, unsafe.Sizeof(s))
	require.Equal(t, SkbSize, binary.Size(s))
	for name, offsets := range map[string][2]uintptr{
		"len":          {unsafe.Offsetof(s.Len), uintptr(SkbLen)},
		"pkt_type":     {unsafe.Offsetof(s.PktType), uintptr(SkbPktType)},
		"mark":         {unsafe.Offsetof(s.Mark), uintptr(SkbMark)},
		"queue":        {unsafe.Offsetof(s.QueueMapping), uintptr(SkbQueue)},
		"protocol":     {unsafe.Offsetof(s.Protocol), uintptr(SkbProtocol)},
		"vlan_present": {unsafe.Offsetof(s.VlanPresent), uintptr(SkbVlanPresent)},
		"vlan_tci":     {unsafe.Offsetof(s.VlanTCI), uintptr(SkbVlanTCI)},
		"vlan_proto":   {unsafe.Offsetof(s.VlanProto), uintptr(SkbVlanProto)},
		"ifindex":      {unsafe.Offsetof(s.IfIndex), uintptr(SkbIfIndex)},
		"hash":         {unsafe.Offsetof(s.Hash), uintptr(SkbHash)},
		"cb":           {unsafe.Offsetof(s.CB), 48},
		"tc_classid":   {unsafe.Offsetof(s.TCClassID), 72},
		"data_end":     {unsafe.Offsetof(s.DataEnd), 80},
		"family":       {unsafe.Offsetof(s.Family), 88},
		"local_ip6":    {unsafe.Offsetof(s.LocalIP6), 116},
		"data_meta":    {unsafe.Offsetof(s.DataMeta), 140},
		"flow_keys":    {unsafe.Offsetof(s.FlowKeys), 144},
		"tstamp":       {unsafe.Offsetof(s.TStamp), 152},
		"wire_len":     {unsafe.Offsetof(s.WireLen), 160},
		"sk":           {unsafe.Offsetof(s.Sk), 168},
		"tstamp_type":  {unsafe.Offsetof(s.TStampType), 180},
		"hwtstamp":     {unsafe.Offsetof(s.HWTStamp), 184},
	} {
		require.Equal(t, offsets[1], offsets[0], name)
	}
	require.EqualValues(t, 40, SkbIfIndex)
	require.EqualValues(t, 68, SkbHash)
}
