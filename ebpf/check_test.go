package ebpf

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// zero is `w0 = 0; exit`, to end programs with.
var zero = Program{Mov.Imm32(R0, 0), Return()}

func program(insns ...Instruction) Program { return append(Program(insns), zero...) }

// hop aims a jump at the instruction that many behind the next.
func hop(ins Instruction, off int16) Instruction {
	ins.Off = off
	return ins
}

func wideConst(dst Register, n uint64) []Instruction {
	return []Instruction{{Op: OpLoadWide, Dst: dst, Imm: int32(n)}, {Imm: int32(n >> 32)}}
}

var refused = []struct {
	name   string
	abi    ABI
	p      Program
	reason Reason
	pc     int
}{
	{"nothing", User, nil, ReasonEmpty, -1},
	{"no ABI", Trace + 1, zero, ReasonABI, -1},
	{"too long", User, make(Program, MaxInsns+1), ReasonTooLong, -1},
	{"unknown opcode", User, program(Instruction{Op: 0xff}), ReasonBadOpcode, 0},
	{"swap of 8 bits", User, program(ToBE(R0, 8)), ReasonBadOpcode, 0},
	{"map reference", User, program(Instruction{Op: OpLoadWide, Src: 1}, Instruction{}), ReasonBadOpcode, 0},
	{"exit with imm", User, Program{Mov.Imm32(R0, 0), {Op: OpExit, Imm: 1}}, ReasonReserved, 1},
	{"mov with off 7", User, program(hop(Mov.Reg(R0, R2), 7)), ReasonReserved, 0},
	{"mov32 extends 32 bits", User, program(hop(Mov.Reg32(R0, R2), 32)), ReasonReserved, 0},
	{"add with off", User, program(hop(Add.Imm(R2, 1), 1)), ReasonReserved, 0},
	{"r11", User, program(Mov.Imm(11, 0)), ReasonBadRegister, 0},
	{"from r15", User, program(Mov.Reg(R0, 15)), ReasonBadRegister, 0},
	{"write to r10", User, program(Mov.Imm(R10, 0)), ReasonBadRegister, 0},
	{"load to r10", User, program(Load(1, R10, R4, 0)), ReasonBadRegister, 0},
	{"jump past the end", User, program(hop(Jump(), 2)), ReasonJumpRange, 0},
	{"jump before the start", User, program(hop(Jump(), -2)), ReasonJumpRange, 0},
	{"long jump past the end", User, program(Instruction{Op: OpJumpLong, Imm: 1 << 30}), ReasonJumpRange, 0},
	{"jump into a wide constant", User, program(append([]Instruction{hop(JEq.Imm(R2, 0), 1)}, wideConst(R0, 1)...)...), ReasonJumpIntoWide, 0},
	{"wide constant at the end", User, Program{wideConst(R0, 1)[0]}, ReasonWideCut, 0},
	{"wide constant with a full second slot", User, program(wideConst(R0, 1)[0], Mov.Imm32(R0, 0)), ReasonWideCut, 0},
	{"jump to itself", User, program(hop(Jump(), -1)), ReasonBackEdge, 0},
	{"loop", User, program(Mov.Imm(R0, 0), hop(JEq.Imm(R2, 0), -2)), ReasonBackEdge, 1},
	{"code behind a jump", User, program(hop(Jump(), 1), Mov.Imm(R0, 1)), ReasonUnreachable, 1},
	{"code behind an exit", User, append(append(Program{}, zero...), zero...), ReasonUnreachable, 2},
	{"no exit", User, Program{Mov.Imm32(R0, 0)}, ReasonFallsOff, 0},
	{"conditional jump at the end", User, Program{Mov.Imm32(R0, 0), hop(JEq.Imm(R0, 0), 1), Return(), Mov.Imm32(R0, 0)}, ReasonFallsOff, 3},
	{"r0 unset at exit", User, Program{Return()}, ReasonUnset, 0},
	{"r5 unset", User, program(Mov.Reg(R0, R5)), ReasonUnset, 0},
	{"unset on one path", User, Program{hop(JEq.Imm(R2, 0), 1), Mov.Imm32(R0, 1), Return()}, ReasonUnset, 2},
	{"r1 after a call", User, program(CallHelper(HelperPrandomU32), Mov.Reg(R6, R1)), ReasonUnset, 1},
	{"r1 after a packet load", Socket, program(Mov.Reg(R6, R1), LoadAbs(1, 0), Mov.Reg(R7, R1)), ReasonUnset, 2},
	{"arguments of User are not those of Socket", Socket, program(Mov.Reg(R6, R2)), ReasonUnset, 0},
	{"number or pointer", User, program(Mov.Reg(R5, R1), hop(JEq.Imm(R2, 0), 1), Mov.Imm(R5, 1), Add.Imm(R5, 1)), ReasonMixed, 3},
	{"number or pointer on the stack", User, program(Store(8, R10, -8, R1), hop(JEq.Imm(R2, 0), 1), Store(8, R10, -8, R2), Load(8, R5, R10, -8), Add.Imm(R5, 1)), ReasonMixed, 4},
	{"pointer times two", User, program(Mul.Imm(R1, 2)), ReasonPointer, 0},
	{"32-bit sum of a pointer", User, program(Add.Imm32(R1, 2)), ReasonPointer, 0},
	{"pointer plus pointer", User, program(Add.Reg(R1, R4)), ReasonPointer, 0},
	{"number minus pointer", User, program(Sub.Reg(R2, R1)), ReasonPointer, 0},
	{"pointer compared", User, program(hop(JGt.Reg(R1, R2), 0)), ReasonLeak, 0},
	{"pointer returned", User, Program{Mov.Reg(R0, R1), Return()}, ReasonLeak, 1},
	{"pointer sign-extended", User, program(hop(Mov.Reg(R0, R1), 8)), ReasonLeak, 0},
	{"pointer swapped", User, program(ToBE(R1, 64)), ReasonLeak, 0},
	{"half of a pointer stored", User, program(Store(4, R10, -8, R1)), ReasonPointer, 0},
	{"pointer stored askew", User, program(Store(8, R10, -12, R1)), ReasonPointer, 0},
	{"half of a pointer loaded", User, program(Store(8, R10, -8, R1), Load(4, R0, R10, -8)), ReasonPointer, 1},
	{"part of a kept pointer overwritten", User, program(Store(8, R10, -8, R10), Store(1, R10, -8, R2), Load(4, R0, R10, -4)), ReasonLeak, 1},
	{"half of a kept pointer overwritten", User, program(Store(8, R10, -8, R1), Store(8, R10, -12, R2)), ReasonLeak, 1},
	{"kept pointer overwritten by the packet", Socket, program(Store(8, R10, -8, R1), Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, 7), CallHelper(HelperSkbLoadBytes)), ReasonLeak, 5},
	{"pointer as packet offset", Socket, program(Mov.Reg(R6, R1), LoadInd(1, R6, 0)), ReasonLeak, 1},
	{"number as address", User, program(Load(1, R0, R2, 0)), ReasonNotPointer, 0},
	{"store to the packet", User, program(Store(1, R1, 0, R2)), ReasonReadOnly, 0},
	{"store to the context", User, program(Instruction{Op: 0x62, Dst: R4}), ReasonReadOnly, 0},
	{"above the stack", User, program(Load(1, R0, R10, 0)), ReasonStackRange, 0},
	{"below the stack", User, program(Store(8, R10, -520, R2)), ReasonStackRange, 0},
	{"across the lower end", User, program(Store(8, R10, -513, R2)), ReasonStackRange, 0},
	{"stack at a variable offset", User, program(Mov.Reg(R5, R10), Sub.Reg(R5, R2), Store(1, R5, 0, R2)), ReasonUnproved, 2},
	{"stack read at a variable offset", User, program(Mov.Reg(R5, R10), Sub.Reg(R5, R2), Load(1, R0, R5, 0)), ReasonUnproved, 2},
	{"stack unset", User, program(Load(1, R0, R10, -1)), ReasonStackUnset, 0},
	{"stack half set", User, program(Store(4, R10, -8, R2), Load(8, R0, R10, -8)), ReasonStackUnset, 1},
	{"stack set on one path", User, program(hop(JEq.Imm(R2, 0), 1), Store(4, R10, -8, R2), Load(4, R0, R10, -8)), ReasonStackUnset, 2},
	{"behind the context", User, program(Load(4, R0, R4, 189)), ReasonContextRange, 0},
	{"before the context", Socket, program(Load(4, R0, R1, -1)), ReasonContextRange, 0},
	{"division by zero", User, program(Div.Imm(R2, 0)), ReasonZeroDivisor, 0},
	{"remainder by zero", User, program(Mod.Imm32(R2, 0)), ReasonZeroDivisor, 0},
	{"shift by 64", User, program(Lsh.Imm(R2, 64)), ReasonShiftRange, 0},
	{"32-bit shift by 32", User, program(Rsh.Imm32(R2, 32)), ReasonShiftRange, 0},
	{"shift by -1", User, program(Arsh.Imm(R2, -1)), ReasonShiftRange, 0},
	{"unknown helper", User, program(CallHelper(1)), ReasonCall, 0},
	{"function of the program", User, program(Instruction{Op: OpCall, Src: 1}), ReasonCall, 0},
	{"kernel function", Socket, program(Instruction{Op: OpCall, Src: 2, Imm: 3}), ReasonCall, 0},
	{"skb_load_bytes from User", User, program(CallHelper(HelperSkbLoadBytes)), ReasonCall, 0},
	{"skb_load_bytes without arguments", Socket, program(CallHelper(HelperSkbLoadBytes)), ReasonCall, 0},
	{"skb_load_bytes past the stack", Socket, program(Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -4), Mov.Imm(R4, 5), CallHelper(HelperSkbLoadBytes)), ReasonStackRange, 4},
	{"skb_load_bytes_relative from nowhere", Socket, program(Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -4), Mov.Imm(R4, 4), CallHelper(HelperSkbLoadBytesRelative)), ReasonCall, 4},
	{"skb_load_bytes_relative past the stack", Socket, program(Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -4), Mov.Imm(R4, 5), Mov.Imm(R5, 1), CallHelper(HelperSkbLoadBytesRelative)), ReasonStackRange, 5},
	{"packet load from User", User, program(Mov.Reg(R6, R1), LoadAbs(1, 0)), ReasonNoPacketLoads, 1},
	{"atomic operation", User, program(Atomic(8, AtomicAdd, R10, -8, R2)), ReasonNotHere, 0},
	{"store-release to the buffer", Buffer, program(Atomic(1, AtomicStore, R1, 0, R2)), ReasonNotHere, 0},
	{"may_goto", Socket, program(Instruction{Op: OpMayGoto}), ReasonNotHere, 0},
	{"cast of the address space", User, program(hop(Mov.Reg(R0, R2), 1)), ReasonNotHere, 0},
	{"pointer stored to the buffer", Buffer, program(Store(8, R1, 0, R10)), ReasonPointer, 0},
	{"the wire length is not for Buffer", Buffer, program(Mov.Reg(R0, R3)), ReasonUnset, 0},
	{"packet load without context", Socket, program(LoadAbs(1, 0)), ReasonNeedsContext, 0},

	{"packet load from cgroup-skb", CGroupSKB, program(Mov.Reg(R6, R1), LoadAbs(1, 0)), ReasonNoPacketLoads, 1},
	{"packet load from xdp", XDP, program(Mov.Reg(R6, R1), LoadInd(1, R6, 0)), ReasonNoPacketLoads, 1},
	{"data in a socket filter", Socket, program(Load(4, R0, R1, SkbData)), ReasonContextField, 0},
	{"metadata in cgroup-skb", CGroupSKB, program(Load(4, R0, R1, SkbDataMeta)), ReasonContextField, 0},
	{"half of data", TC, program(Load(2, R0, R1, SkbData)), ReasonContextField, 0},
	{"8 bytes of data", TC, program(Load(8, R0, R1, 80)), ReasonContextField, 0},
	{"data with sign", TC, program(Instruction{Op: 0x81, Dst: R0, Src: R1, Off: SkbData}), ReasonContextField, 0},
	{"field askew", Socket, program(Load(4, R0, R1, 2)), ReasonContextField, 0},
	{"half of a field of xdp", XDP, program(Load(2, R0, R1, XDPRxQueueIndex)), ReasonContextField, 0},
	{"egress of xdp", XDP, program(Load(4, R0, R1, XDPEgressIfIndex)), ReasonContextField, 0},
	{"behind xdp_md", XDP, program(Load(4, R0, R1, XDPSize)), ReasonContextRange, 0},
	{"word of a trace askew", Trace, program(Load(8, R0, R1, 4)), ReasonContextField, 0},
	{"behind the words of a trace", Trace, program(Load(8, R0, R1, TraceSize)), ReasonContextRange, 0},
	{"context that was moved", TC, program(Add.Imm(R1, 4), Load(4, R0, R1, 4)), ReasonContextField, 1},
	{"context at a variable offset", TC, program(Load(1, R2, R1, 0), Add.Reg(R1, R2), Load(4, R0, R1, 0)), ReasonContextField, 2},
	{"store to the context of tc", TC, program(Store(4, R1, SkbMark, R10)), ReasonReadOnly, 0},
	{"stack askew", XDP, program(Mov.Imm(R2, 0), Store(4, R10, -6, R2)), ReasonAlignment, 1},
	{"load of a buffer askew", TC, program(Store(8, R10, -8, R1), Load(2, R0, R10, -7)), ReasonAlignment, 1},
	{"pointer behind its packet", TC, direct(TC, Mov.Reg(R6, R2), Mov.Imm(R2, 40), CallHelper(HelperSkbPullData), Load(1, R0, R6, 0)), ReasonStale, 5},
	{"end of a packet that moved", TC, direct(TC, Mov.Reg(R6, R3), Mov.Imm(R2, 0), CallHelper(HelperSkbPullData), Mov.Reg(R7, R6)), ReasonStale, 5},
	{"kept pointer behind its packet", TC, direct(TC, Store(8, R10, -8, R2), Mov.Imm(R2, 0), CallHelper(HelperSkbPullData), Load(8, R2, R10, -8), Add.Imm(R2, 1)), ReasonStale, 6},
	{"far from the packet", XDP, direct(XDP, Add.Imm(R2, 1<<29)), ReasonFar, 2},
	{"far from the packet in two steps", XDP, direct(XDP, Sub.Imm(R2, 1<<28), Sub.Imm(R2, 1<<28)), ReasonFar, 3},
	{"sum of the packet's end", XDP, direct(XDP, Add.Imm(R3, 1)), ReasonPointer, 2},
	{"load at the packet's end", XDP, direct(XDP, Load(1, R0, R3, -1)), ReasonNotPointer, 2},
	{"packet pointer and number compared", XDP, direct(XDP, hop(JGt.Imm(R2, 0), 0)), ReasonLeak, 2},
	{"halves of packet pointers compared", XDP, direct(XDP, hop(JGt.Reg32(R2, R3), 0)), ReasonLeak, 2},
	{"bits of packet pointers compared", XDP, direct(XDP, hop(JSet.Reg(R2, R3), 0)), ReasonLeak, 2},
	{"store to the packet of xdp", XDP, direct(XDP, Store(1, R2, 0, R10)), ReasonReadOnly, 2},
	{"packet pointer and data of User", XDP, direct(XDP, Sub.Reg(R2, R10)), ReasonLeak, 2},
	{"cgroup-skb returns 2", CGroupSKB, Program{Mov.Imm(R0, 2), Return()}, ReasonResult, 1},
	{"cgroup-skb returns anything", CGroupSKB, Program{Load(4, R0, R1, 0), Return()}, ReasonResult, 1},
	{"skb_pull_data from cgroup-skb", CGroupSKB, program(Mov.Imm(R2, 0), CallHelper(HelperSkbPullData)), ReasonCall, 1},
	{"skb_pull_data of no number", TC, program(Mov.Reg(R2, R10), CallHelper(HelperSkbPullData)), ReasonLeak, 1},
	{"get_hash_recalc from a socket filter", Socket, program(CallHelper(HelperGetHashRecalc)), ReasonCall, 0},
	{"skb_load_bytes from xdp", XDP, program(CallHelper(HelperSkbLoadBytes)), ReasonCall, 0},
	{"xdp_load_bytes of nothing", XDP, loadXDP(0, 0), ReasonCall, 4},
	{"xdp_load_bytes that may have failed", XDP, append(loadXDP(0, 4), Load(4, R0, R10, -8), Return()), ReasonStackUnset, 5},
	{"xdp_load_bytes that has failed", XDP, append(loadXDP(0, 4), hop(JEq.Imm(R0, 0), 1), Load(4, R0, R10, -8), Mov.Imm(R0, 0), Return()), ReasonStackUnset, 6},
	{"xdp_load_bytes that may have failed with -22", XDP, append(loadXDP(0, 4), hop(JEq.Imm(R0, -14), 1), Load(4, R0, R10, -8), Mov.Imm(R0, 0), Return()), ReasonStackUnset, 6},
	{"xdp_load_bytes that was called on one path", XDP, append(Program{Load(4, R7, R1, 12), hop(JEq.Imm(R7, 3), 7), Mov.Imm(R0, 0)}, append(loadXDP(0, 4), hop(JNe.Imm(R0, 0), 1), Load(4, R0, R10, -8), Return())...), ReasonStackUnset, 9},
	{"probe_read from xdp", XDP, program(CallHelper(HelperProbeRead)), ReasonCall, 0},
	{"probe_read_kernel to the context", Trace, program(Mov.Imm(R2, 8), Mov.Imm(R3, 0), CallHelper(HelperProbeReadKernel)), ReasonCall, 2},
	{"number of a trace as address", Trace, program(Load(8, R2, R1, 0), Load(8, R0, R2, 0)), ReasonNotPointer, 1},
}

// direct is a program that loads data into r2 and data_end into r3, does something, and returns 0.
func direct(abi ABI, insns ...Instruction) Program {
	data, end := SkbData, SkbDataEnd
	if abi == XDP {
		data, end = XDPData, XDPDataEnd
	}
	return append(Program{Load(4, R2, R1, data), Load(4, R3, R1, end)}, program(insns...)...)
}

// loadXDP calls xdp_load_bytes(xdp, offset, r10-8, n).
func loadXDP(offset, n int32) Program {
	return Program{Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, n), CallHelper(HelperXDPLoadBytes)}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			_, err := Check(c.p, c.abi)
			require.ErrorIs(t, err, c.reason)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.pc, e.PC)
		})
	}
}

// TestEveryReasonOfCheckIsTested reads the constants out of check.go, so that a new one cannot be forgotten above.
func TestEveryReasonOfCheckIsTested(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "check.go", nil, 0)
	require.NoError(t, err)
	tested := map[Reason]bool{}
	for _, c := range refused {
		tested[c.reason] = true
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.True(t, tested[Reason(text)], spec.Names[0].Name)
			found++
		}
		return true
	})
	require.Greater(t, found, 15)
}

var proved = []struct {
	name string
	abi  ABI
	p    Program
	want bool // the first load is proved
}{
	{"guard that covers", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 1), Load(2, R0, R1, 12)), true},
	{"guard a byte short", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 13), 1), Load(2, R0, R1, 12)), false},
	{"64-bit guard", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm(R2, 14), 1), Load(2, R0, R1, 12)), true},
	{"guard the other way round", User, program(Mov.Imm32(R0, 0), Mov.Imm32(R5, 14), hop(JGt.Reg(R5, R2), 1), Load(2, R0, R1, 12)), true},
	{"strict guard", User, program(Mov.Imm32(R0, 0), hop(JLe.Imm32(R2, 13), 1), Load(2, R0, R1, 12)), true},
	{"guard by equality", User, program(Mov.Imm32(R0, 0), hop(JNe.Imm32(R2, 14), 1), Load(2, R0, R1, 12)), true},
	{"guard on the taken side", User, program(Mov.Imm32(R0, 0), hop(JGe.Imm32(R2, 14), 1), Return(), Load(2, R0, R1, 12)), true},
	{"signed guard proves nothing", User, program(Mov.Imm32(R0, 0), hop(JSLt.Imm32(R2, 14), 1), Load(2, R0, R1, 12)), false},
	{"guard on the wire length", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R3, 14), 1), Load(2, R0, R1, 12)), false},
	{"no guard", User, program(Load(1, R0, R1, 0)), false},
	{"before the packet", User, program(hop(JLt.Imm32(R2, 14), 1), Load(1, R0, R1, -1)), false},
	{"guard on one path only", User, program(Mov.Imm32(R0, 0), hop(JEq.Imm(R3, 7), 1), hop(JLt.Imm32(R2, 14), 1), Load(2, R0, R1, 12)), false},
	{"variable offset", User, program(Mov.Reg32(R5, R3), Mov.Reg(R0, R5), Add.Imm(R0, 2), hop(JGt.Reg(R0, R2), 2), Add.Reg(R5, R1), Load(2, R0, R5, 0)), true},
	{"variable offset, a byte short", User, program(Mov.Reg32(R5, R3), Mov.Reg(R0, R5), Add.Imm(R0, 1), hop(JGt.Reg(R0, R2), 2), Add.Reg(R5, R1), Load(2, R0, R5, 0)), false},
	{"guard on another number", User, program(Mov.Reg32(R5, R3), Add.Imm32(R5, 1), Mov.Reg(R0, R3), Add.Imm(R0, 2), hop(JGt.Reg(R0, R2), 2), Add.Reg(R5, R1), Load(2, R0, R5, 0)), false},
	{"sum that may wrap", User, program(Mov.Reg(R5, R3), Lsh.Imm(R5, 32), Mov.Reg(R0, R5), Add.Imm(R0, -1), Add.Imm(R0, 3), hop(JGt.Reg(R0, R2), 2), Add.Reg(R5, R1), Load(2, R0, R5, 0)), false},
	{"sum of constants that wraps", User, program(append(wideConst(R5, 1<<63), Add.Reg(R5, R5), Mov.Reg(R0, R5), Add.Imm(R0, 2), hop(JGt.Reg(R0, R2), 2), Add.Reg(R5, R1), Load(2, R0, R5, 0))...), true},
	{"32-bit guard on a 64-bit number", User, program(append(wideConst(R5, 1<<32), Lsh.Imm(R5, 1), Mov.Reg(R0, R5), hop(JGt.Reg32(R0, R2), 2), Add.Reg(R5, R1), Load(1, R0, R5, 0))...), false},
	{"shift by a register of more than its width", User, program(Mov.Imm(R5, 33), Mov.Reg32(R0, R3), Rsh.Reg32(R0, R5), hop(JLt.Reg(R2, R0), 2), Add.Reg(R1, R0), Load(1, R0, R1, 0)), false},
	{"either of two numbers", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 6), Mov.Imm(R5, 3), hop(JEq.Imm(R3, 0), 1), Mov.Imm(R5, 12), Add.Reg(R1, R5), Load(2, R0, R1, 0)), true},
	{"either of two numbers, a byte short", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 6), Mov.Imm(R5, 3), hop(JEq.Imm(R3, 0), 1), Mov.Imm(R5, 13), Add.Reg(R1, R5), Load(2, R0, R1, 0)), false},
	{"either of two numbers, one of them negative", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 6), Mov.Imm(R5, -1), hop(JEq.Imm(R3, 0), 1), Mov.Imm(R5, 2), Add.Reg(R1, R5), Load(1, R0, R1, 0)), false},
	{"either of two pointers", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 4), hop(JEq.Imm(R3, 0), 1), Add.Imm(R1, 4), Load(2, R0, R1, 8), Mov.Imm(R0, 0)), true},
	{"either of two pointers, one in front of the packet", User, program(Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 4), hop(JEq.Imm(R3, 0), 1), Sub.Imm(R1, 4), Load(2, R0, R1, 0), Mov.Imm(R0, 0)), false},
	{"argument kept on the stack", User, program(Store(8, R10, -8, R1), Mov.Imm32(R0, 0), hop(JLt.Imm32(R2, 14), 2), Load(8, R5, R10, -8), Load(2, R0, R5, 12)), true},
	{"last word of seccomp_data", Seccomp, program(Load(4, R0, R1, 60)), true},
	{"behind seccomp_data", Seccomp, program(Load(4, R0, R1, 61)), false},
	{"field of the context", Socket, program(Load(4, R0, R1, SkbMark)), true},
	{"store to the buffer", Buffer, program(hop(JLt.Imm(R2, 14), 1), Store(2, R1, 12, R2)), true},
	{"store past the buffer", Buffer, program(hop(JLt.Imm(R2, 13), 1), Store(2, R1, 12, R2)), false},
	{"context at a variable offset", User, program(And.Imm(R3, 7), Add.Reg(R4, R3), Load(1, R0, R4, 0)), false},
}

func TestCheckProves(t *testing.T) {
	for _, c := range proved {
		t.Run(c.name, func(t *testing.T) {
			facts, err := Check(c.p, c.abi)
			require.NoError(t, err)
			for pc, m := range facts.Access {
				if m == DataMemory || m == ContextMemory {
					require.Equal(t, c.want, facts.Proved[pc], "insn %d", pc)
				}
			}
			_, some := facts.Unproved()
			require.Equal(t, !c.want, some)
		})
	}
}

func TestCheckMeasuresTheStack(t *testing.T) {
	facts, err := Check(program(Store(4, R10, -64, R2)), User)
	require.NoError(t, err)
	require.Equal(t, 64, facts.Stack)
	require.False(t, facts.Calls)
	facts, err = Check(program(Mov.Reg(R6, R1), Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -16), Mov.Imm(R4, 10), CallHelper(HelperSkbLoadBytes), Load(2, R0, R10, -8)), Socket)
	require.NoError(t, err)
	require.Equal(t, 16, facts.Stack)
	require.True(t, facts.Calls)
}

// TestProvedAccessesNeverFault makes random programs full of guards and loads, and runs them on packets of all lengths: an
// access that Check proves must never fault, and a program that it accepts must fault at nothing else.
func TestProvedAccessesNeverFault(t *testing.T) {
	accepted, provedLoads, faults := 0, 0, 0
	for seed := range uint64(30000) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := guardedProgram(r)
		facts, err := Check(p, User)
		if err != nil {
			continue
		}
		accepted++
		for pc, m := range facts.Access {
			if m == DataMemory && facts.Proved[pc] {
				provedLoads++
			}
		}
		for n := range 40 {
			_, err := Run(p, User, &Packet{Data: make([]byte, n), WireLen: uint32(r.IntN(60)) - uint32(r.IntN(2)*r.IntN(30))})
			var e *Error
			if errors.As(err, &e) {
				faults++
				require.NotEqual(t, NoMemory, facts.Access[e.PC], "%v\n%s", err, p)
				require.False(t, facts.Proved[e.PC], "seed %d, %d bytes: %v\n%s", seed, n, err, p)
			}
		}
	}
	require.Greater(t, accepted, 5000)
	require.Greater(t, provedLoads, 4000)
	require.Greater(t, faults, 5000)
}

// guardedProgram mixes arithmetic on a few mostly small numbers with guards on the captured length and loads behind them.
func guardedProgram(r *rand.Rand) Program {
	any := func(regs ...Register) Register { return regs[r.IntN(len(regs))] }
	number := func() Register { return any(R2, R3, R5, R6, R7) }
	small := func() int32 { return int32(r.IntN(24)) }
	var b Builder
	end := b.NewLabel()
	b.Emit(Mov.Imm32(R0, 0), Mov.Imm(R5, small()), Mov.Reg(R6, R3), Mov.Reg(R7, R2), Mov.Reg(R8, R1))
	b.Emit(Store(8, R10, -8, R8), Store(8, R10, -16, R7))
	guards := []JumpOp{JGt, JGe, JLt, JLe, JEq, JNe, JSGt}
	for range 4 + r.IntN(14) {
		switch r.IntN(11) {
		case 0, 1:
			op := guards[r.IntN(len(guards))]
			b.Branch([]Instruction{op.Imm(R2, small()), op.Imm32(R7, uint32(small())), op.Reg(number(), R2), op.Reg32(R2, number()),
				op.Imm(number(), small()), op.Reg(number(), number())}[r.IntN(6)], end)
		case 2:
			b.Emit([]Instruction{Add.Imm(number(), small()), Sub.Imm(number(), small()), Add.Reg(number(), number()),
				Add.Imm32(number(), uint32(small()-12)), Sub.Reg(number(), number()), Sub.Reg32(number(), number())}[r.IntN(6)])
		case 3:
			b.Emit([]Instruction{Mov.Reg(number(), number()), Mov.Reg32(number(), number()), And.Imm32(number(), 15),
				Lsh.Imm32(number(), 1), Rsh.Imm(number(), 1)}[r.IntN(5)])
		case 4:
			b.Emit(Mov.Reg(R8, R1), Add.Reg(R8, number()))
		case 5:
			over := b.NewLabel()
			b.Branch(JEq.Imm(R3, small()), over)
			b.Emit([]Instruction{Add.Imm(R8, small()-5), Mov.Reg(R8, R1), Mov.Imm(number(), small()-5), Add.Imm(number(), small()-5),
				Mov.Reg(number(), number())}[r.IntN(5)])
			b.Place(over)
		case 6:
			b.Emit([]Instruction{Mul.Imm(number(), small()-3), Mul.Reg32(number(), number()), Or.Imm32(number(), uint32(small())),
				Xor.Reg(number(), number()), Neg32(number()), ToBE(number(), 16), Lsh.Imm(number(), 40), Rsh.Reg(number(), number()),
				Arsh.Imm(number(), 60), Div.Imm(number(), small()+1), Mod.Imm32(number(), uint32(small()+1)), Sub.Reg(R8, number())}[r.IntN(12)])
		case 7:
			b.Emit([]Instruction{Store(8, R10, -8, R8), Load(8, R8, R10, -8), Store(8, R10, -16, number()), Load(8, number(), R10, -16)}[r.IntN(4)])
		default:
			b.Emit(Load(1<<r.IntN(3), R0, any(R1, R8), int16(small())))
		}
	}
	b.Place(end)
	b.Emit(Mov.Imm32(R0, 0), Return())
	p, _, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{16, 256, 4096, 65536} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var p Program
			for len(p) < n {
				p = append(p, hop(JLt.Imm32(R2, 14), 1), Load(2, R0, R1, 12))
			}
			p = append(p, zero...)
			p[0].Off = 0
			p[1] = Mov.Imm32(R0, 1)
			for b.Loop() {
				if _, err := Check(p, User); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
