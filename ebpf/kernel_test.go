//go:build linux

package ebpf_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// host is the byte order of this machine by its name, which cilium/ebpf wants to compare.
func host() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// load hands the program to the running kernel as a socket filter; the caller has to have called needKernel.
func load(p Program, level cilium.LogLevel) (*cilium.Program, error) {
	return loadAs(p, cilium.SocketFilter, level)
}

// loadAs does so for any type, of programs that are free under the GPL.
func loadAs(p Program, kind cilium.ProgramType, level cilium.LogLevel) (*cilium.Program, error) {
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(Encode(p, host())), host(), "linux")
	if err != nil {
		return nil, err
	}
	spec := &cilium.ProgramSpec{Type: kind, Instructions: insns, License: "GPL"}
	return cilium.NewProgramWithOptions(spec, cilium.ProgramOptions{LogLevel: level, LogSizeStart: 1 << 20})
}

// needKernel skips the test where programs cannot be loaded.
func needKernel(t *testing.T) {
	if os.Getenv("CBPF2EBPF_NO_KERNEL") != "" {
		t.Skip("skipped: the kernel is not to be asked: CBPF2EBPF_NO_KERNEL is set")
	}
	prog, err := load(Program{Mov.Imm(R0, 0), Return()}, 0)
	if err != nil {
		t.Skipf("the kernel does not load a trivial program for us: %v", err)
	}
	prog.Close()
}

// scalars are the registers that random programs compute with; R6 holds the context.
var scalars = []Register{R0, R1, R2, R3, R4, R5, R7, R8, R9}

// edges are the numbers where arithmetic goes wrong.
var edges = []uint64{0, 1, 2, 7, 31, 32, 63, 64, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 2}

// generator makes random programs that the verifier accepts.
type generator struct {
	*rand.Rand
	Builder
	labels []Label // one before each step, one behind the last
	step   int
}

// generate makes a program of n random steps. Its result depends on all bits of all registers.
func generate(seed uint64, n int) Program {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	for range n + 1 {
		g.labels = append(g.labels, g.NewLabel())
	}
	g.Emit(Mov.Reg(R6, R1))
	g.fill(scalars)
	for slot := range 4 {
		g.Emit(Store(8, R10, int16(-8*slot-8), g.scalar()))
	}
	for g.step = range n {
		g.Place(g.labels[g.step])
		g.random()
	}
	g.Place(g.labels[n])
	for i, r := range scalars[1:] {
		g.Emit(Mul.Imm(R0, int32(i)*2+3), Xor.Reg(R0, r))
	}
	g.Emit(Mov.Reg(R1, R0), Rsh.Imm(R1, 32), Xor.Reg(R0, R1), Return())
	p, _, err := g.Program()
	if err != nil {
		panic(err)
	}
	return p
}

func (g *generator) scalar() Register { return scalars[g.IntN(len(scalars))] }

func (g *generator) number() uint64 {
	if g.IntN(2) == 0 {
		return edges[g.IntN(len(edges))]
	}
	return g.Uint64() >> g.IntN(64)
}

// fill gives the registers new numbers.
func (g *generator) fill(registers []Register) {
	for _, r := range registers {
		v := g.number()
		g.Emit(Instruction{Op: OpLoadWide, Dst: r, Imm: int32(v)}, Instruction{Imm: int32(v >> 32)})
	}
}

// random emits one step.
func (g *generator) random() {
	switch k := g.IntN(20); {
	case k < 10:
		g.arithmetic()
	case k < 13:
		g.Branch(g.condition(), g.ahead())
	case k == 13: // over an unconditional jump, lest what follows it be unreachable
		g.Branch(g.condition(), g.labels[g.step+1])
		g.Branch(Jump(), g.ahead())
	case k < 17:
		g.stack()
	case k < 19:
		g.packet()
	default:
		offset, helper := int32(g.IntN(80)), []int32{HelperSkbLoadBytes, HelperSkbLoadBytesRelative}[g.IntN(2)]
		if g.IntN(16) == 0 {
			offset = []int32{-1, -0x200000, 0xffff, 0x10000, 1<<31 - 1}[g.IntN(5)]
		}
		g.Emit(Mov.Reg(R1, R6), Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, -32),
			Mov.Imm(R4, int32(g.IntN(32)+1)), Mov.Imm(R5, int32(g.IntN(2))), CallHelper(helper))
		g.fill(scalars[1:6])
	}
}

// ahead is a label behind the step at hand.
func (g *generator) ahead() Label {
	rest := g.labels[g.step+1:]
	return rest[g.IntN(min(len(rest), 4))]
}

var aluOps = []ALUOp{Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Neg, Mod, Xor, Mov, Arsh, End}

func (g *generator) arithmetic() {
	op, wide := aluOps[g.IntN(len(aluOps))], g.IntN(2) == 0
	i := op.Reg32(g.scalar(), g.scalar())
	bits := 32
	if wide {
		i, bits = op.Reg(i.Dst, i.Src), 64
	}
	switch {
	case op == Neg:
		i = Instruction{Op: i.Op &^ 8, Dst: i.Dst}
	case op == End:
		i = Instruction{Op: []Opcode{0xd4, 0xdc, 0xd7}[g.IntN(3)], Dst: i.Dst, Imm: 16 << g.IntN(3)}
	case op == Mov && g.IntN(2) == 0:
		i.Off = 8 << g.IntN(bits/16-(bits/64))
	case g.IntN(2) == 0:
		i.Op, i.Src, i.Imm = i.Op&^8, 0, int32(g.number())
	}
	constant := i.Op&8 == 0
	switch op {
	case Div, Mod:
		i.Off = int16(g.IntN(2))
		if constant && i.Imm == 0 {
			i.Imm = 3
		}
	case Lsh, Rsh, Arsh:
		if constant {
			i.Imm &= int32(bits - 1)
		}
	}
	g.Emit(i)
}

func (g *generator) condition() Instruction {
	op, dst := jumpOps[g.IntN(len(jumpOps))], g.scalar()
	switch g.IntN(4) {
	case 0:
		return op.Imm(dst, int32(g.number()))
	case 1:
		return op.Imm32(dst, uint32(g.number()))
	case 2:
		return op.Reg(dst, g.scalar())
	}
	return op.Reg32(dst, g.scalar())
}

// stack stores or loads somewhere in the four words that are filled.
func (g *generator) stack() {
	size := 1 << g.IntN(4)
	off := int16(-32 + size*g.IntN(32/size))
	load := Load(size, g.scalar(), R10, off)
	store := Store(size, R10, off, g.scalar())
	switch g.IntN(6) {
	case 0:
		g.Emit(load)
	case 4, 5:
		g.Emit(g.atomic(size, off))
	case 1:
		if size < 8 {
			load.Op = load.Op&^0xe0 | 0x80 // with sign
		}
		g.Emit(load)
	case 2:
		g.Emit(store)
	case 3:
		g.Emit(Instruction{Op: store.Op&^7 | Opcode(ClassST), Dst: R10, Off: off, Imm: int32(g.number())})
	}
}

var atomicOps = []AtomicOp{AtomicAdd, AtomicOr, AtomicAnd, AtomicXor, AtomicAdd | AtomicFetch, AtomicOr | AtomicFetch,
	AtomicAnd | AtomicFetch, AtomicXor | AtomicFetch, AtomicXchg, AtomicCmpXchg, AtomicLoad, AtomicStore}

// atomic is an atomic operation on the stack; on less than 4 bytes there are only load-acquire and store-release.
func (g *generator) atomic(size int, off int16) Instruction {
	op := atomicOps[g.IntN(len(atomicOps))]
	if size < 4 {
		op = atomicOps[len(atomicOps)-1-g.IntN(2)]
	}
	if op == AtomicLoad {
		return Atomic(size, op, g.scalar(), off, R10)
	}
	return Atomic(size, op, R10, off, g.scalar())
}

// packet loads from the packet, mostly inside of it, or through one of the windows.
func (g *generator) packet() {
	k := uint32(g.IntN(50))
	switch g.IntN(8) {
	case 0:
		k += 0xfff00000
	case 1:
		k += 0xffe00000
	case 2:
		k = uint32(g.number())
	}
	size := 1 << g.IntN(3)
	if g.IntN(2) == 0 {
		g.Emit(LoadAbs(size, k))
	} else {
		x := scalars[6+g.IntN(3)]
		g.Emit(And.Imm(x, 31), LoadInd(size, x, k-16))
	}
	g.fill(scalars[1:6])
}

// frame is an Ethernet frame of a type that the kernel does not look into.
func frame() []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = byte(i*37 + 0x81)
	}
	binary.BigEndian.PutUint16(b[12:], 0x88b5)
	return b
}

// The kernel runs socket filters on what follows the Ethernet header (BPF_PROG_TEST_RUN of a socket filter).
func onSocket(frame []byte) *Packet {
	return &Packet{Data: frame[14:], WireLen: uint32(len(frame) - 14), Head: frame[:14]}
}

// The kernel is asked what random programs yield. Its answer has 32 bits.
func TestRunAgreesWithKernel(t *testing.T) {
	needKernel(t)
	n := 2000
	if testing.Short() {
		n = 200
	}
	in, exits := frame(), 0
	for seed := range n {
		p := generate(uint64(seed), 5+seed%40)
		prog, err := load(p, 0)
		require.NoError(t, err, "seed %d\n%s", seed, p)
		want, err := prog.Run(&cilium.RunOptions{Data: in})
		prog.Close()
		require.NoError(t, err)
		got, err := Run(p, Socket, onSocket(in))
		require.NoError(t, err, "seed %d\n%s", seed, p)
		require.Equal(t, want, uint32(got), "seed %d: kernel %#x, we %#x, packet %x\n%s", seed, want, uint32(got), in[14:], p)
		if want != 0 {
			exits++
		}
	}
	require.Greater(t, exits, n/2, "too many programs end early, in a load outside of the packet")
	t.Logf("%d programs, %d of them with a result other than 0", n, exits)
}
