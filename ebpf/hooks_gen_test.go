package ebpf_test

import (
	"math/rand/v2"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// role is what a register of a hookGenerator holds.
type role uint8

const (
	rubbish role = iota // nothing that may be read
	scalar
	pointer // into the packet
	end     // data_end
	metadata
)

// roles are those of all registers, and of the four words of stack.
type roles struct {
	regs  [11]role
	stack [4]role
}

// hookGenerator makes random programs that read their packet through pointers: with guards that cover what is read, or
// nearly, and all that may come between. R6 is the context and R9 gathers what is read; the others change.
type hookGenerator struct {
	*rand.Rand
	Builder
	abi   ABI
	has   roles
	fails Label           // where guards go
	ahead map[Label]roles // what registers hold where they jump to a label that is not placed yet
	open  []Label
}

// hookProgram makes a program of n random steps. Its result is a hash of what it read; a single bit of it, chosen by the
// seed, for hooks that take no more.
func hookProgram(abi ABI, seed uint64, n int) Program {
	g := &hookGenerator{Rand: rand.New(rand.NewPCG(seed, 7)), abi: abi, ahead: map[Label]roles{}}
	g.fails = g.NewLabel()
	g.Emit(Mov.Reg(R6, R1), Mov.Imm(R9, 1))
	g.has.regs[R9] = scalar
	for i := range g.has.stack {
		g.Emit(Store(8, R10, stackWord(i), R9))
		g.has.stack[i] = scalar
	}
	g.context()
	for range n {
		g.placeSome()
		g.steps()
	}
	for len(g.open) > 0 {
		g.place(0)
	}
	g.Place(g.fails)
	g.finish(int32(seed % 8))
	p, _, err := g.Program()
	if err != nil {
		panic(err)
	}
	return p
}

func stackWord(i int) int16 { return int16(-8 * (i + 1)) }

func (g *hookGenerator) finish(bit int32) {
	g.Emit(Mov.Reg(R0, R9), Rsh.Imm(R0, 32), Xor.Reg(R0, R9))
	if g.abi == CGroupSKB {
		g.Emit(Rsh.Imm(R0, bit), And.Imm(R0, 1))
	}
	g.Emit(Return())
}

// placeSome places labels now and then, and forgets what differs on the way there.
func (g *hookGenerator) placeSome() {
	for i := len(g.open) - 1; i >= 0; i-- {
		if g.IntN(3) == 0 {
			g.place(i)
		}
	}
}

func (g *hookGenerator) place(i int) {
	label := g.open[i]
	g.open = append(g.open[:i], g.open[i+1:]...)
	g.Place(label)
	there := g.ahead[label]
	for r := range g.has.regs {
		if there.regs[r] != g.has.regs[r] {
			g.has.regs[r] = rubbish
		}
	}
	for i := range g.has.stack {
		if there.stack[i] != g.has.stack[i] {
			g.has.stack[i] = rubbish
		}
	}
}

// branch jumps to the end, or somewhere ahead.
func (g *hookGenerator) branch(i Instruction) {
	if g.IntN(3) > 0 {
		g.Branch(i, g.fails)
		return
	}
	label := g.NewLabel()
	g.open = append(g.open, label)
	g.ahead[label] = g.has
	g.Branch(i, label)
}

// fresh are the registers that may change.
var fresh = []Register{R1, R2, R3, R4, R5, R7, R8}

func (g *hookGenerator) free() Register { return fresh[g.IntN(len(fresh))] }

// one returns a register with the role; ok is false where none has it.
func (g *hookGenerator) one(want role) (r Register, ok bool) {
	for _, i := range g.Perm(len(fresh)) {
		if g.has.regs[fresh[i]] == want {
			return fresh[i], true
		}
	}
	return 0, false
}

// set emits what gives a register something new.
func (g *hookGenerator) set(r Register, to role, insns ...Instruction) {
	g.Emit(insns...)
	g.has.regs[r] = to
}

func (g *hookGenerator) steps() {
	switch g.IntN(16) {
	case 0:
		g.context()
	case 1, 2:
		g.number()
	case 3, 4:
		g.compute()
	case 5, 6:
		g.move()
	case 7:
		g.spill()
	case 8:
		g.compareNumbers()
	case 9:
		g.comparePointers()
	case 10:
		g.call()
	case 11:
		g.read()
	default:
		g.guarded()
	}
}

// fieldsOf are the places of data, data_end and metadata, and of words with numbers.
func (g *hookGenerator) fieldsOf() (data, end, meta int16, numbers []int16) {
	if g.abi == XDP {
		return XDPData, XDPDataEnd, XDPDataMeta, []int16{XDPIngressIfIndex, XDPRxQueueIndex}
	}
	return SkbData, SkbDataEnd, SkbDataMeta, []int16{SkbLen, SkbMark, SkbProtocol, SkbIfIndex, SkbPktType}
}

func (g *hookGenerator) context() {
	data, dataEnd, meta, _ := g.fieldsOf()
	p := g.free()
	if g.abi != CGroupSKB && g.IntN(8) == 0 {
		g.set(p, metadata, Load(4, p, R6, meta))
		return
	}
	e := g.free()
	g.set(p, pointer, Load(4, p, R6, data))
	if e != p {
		g.set(e, end, Load(4, e, R6, dataEnd))
	}
}

func (g *hookGenerator) number() {
	r := g.free()
	_, _, _, numbers := g.fieldsOf()
	switch g.IntN(4) {
	case 0:
		g.set(r, scalar, Mov.Imm(r, int32(g.IntN(70)-6)))
	case 1:
		g.set(r, scalar, Mov.Imm32(r, uint32(g.IntN(1<<g.IntN(32)))))
	case 2:
		g.set(r, scalar, Load(4, r, R6, numbers[g.IntN(len(numbers))]))
	default:
		g.set(r, scalar, Mov.Reg(r, R9))
	}
}

// compute changes a number; mostly so that it becomes small.
func (g *hookGenerator) compute() {
	r, ok := g.one(scalar)
	if !ok {
		g.number()
		return
	}
	small := int32(g.IntN(40))
	other, _ := g.one(scalar)
	g.Emit([]Instruction{
		And.Imm(r, small), And.Imm32(r, uint32(small)), And.Imm32(r, 0xf), Rsh.Imm32(r, uint32(small%32)), Rsh.Imm(r, small),
		Lsh.Imm32(r, uint32(small%6)), Lsh.Imm(r, small%34), Add.Imm32(r, uint32(small-8)), Add.Imm(r, small-8), Sub.Imm(r, small%9),
		Add.Reg(r, other), Add.Reg32(r, other), Sub.Reg(r, other), Sub.Reg32(r, other), Mul.Imm32(r, uint32(small%13)),
		Mul.Reg(r, other), Or.Imm(r, small), Or.Reg32(r, other), Xor.Imm32(r, uint32(small)), Xor.Reg(r, other), Neg32(r),
		ToBE(r, 16<<g.IntN(3)), Div.Imm32(r, uint32(small+1)), Mod.Imm(r, small+1), Mov.Reg32(r, other), Arsh.Imm(r, small),
		And.Reg(r, other), Arsh.Reg32(r, other), Rsh.Reg(r, other), Lsh.Reg32(r, other),
	}[g.IntN(30)])
}

// move makes a pointer of another one: a copy, or one that is further on.
func (g *hookGenerator) move() {
	from, ok := g.one(pointer)
	if !ok {
		g.context()
		return
	}
	to := g.free()
	if to != from || g.IntN(2) == 0 {
		g.set(to, pointer, Mov.Reg(to, from))
	}
	n, some := g.one(scalar)
	switch k := g.IntN(8); {
	case k < 2:
		g.Emit(Add.Imm(to, int32(g.IntN(30))))
	case k == 2:
		g.Emit(Add.Imm(to, int32([]int{0xffff, 0x10000, 0xfff0, 0x8000}[g.IntN(4)])))
	case k == 3:
		g.back(to)
	case some:
		if g.IntN(4) > 0 {
			g.Emit(And.Imm32(n, uint32(g.IntN(30))))
		}
		g.Emit(Add.Reg(to, n))
	}
}

// back makes a pointer in front of data. Others are not moved back: the verifier (seen in 6.18) believes of a pointer that
// it found to be beyond the end that it still is after a subtraction, and removes comparisons of which it then thinks that
// it knows their outcome.
func (g *hookGenerator) back(to Register) {
	data, _, _, _ := g.fieldsOf()
	g.set(to, pointer, Load(4, to, R6, data))
	n, ok := g.one(scalar)
	switch {
	case ok && g.IntN(2) == 0:
		g.Emit(And.Imm32(n, 7), Sub.Reg(to, n))
	case g.IntN(2) == 0:
		g.Emit(Add.Imm(to, -9))
	default:
		g.Emit(Sub.Imm(to, int32(g.IntN(20))))
	}
}

func (g *hookGenerator) spill() {
	i, r := g.IntN(len(g.has.stack)), g.free()
	if g.IntN(2) == 0 {
		if g.has.regs[r] != rubbish {
			g.Emit(Store(8, R10, stackWord(i), r))
			g.has.stack[i] = g.has.regs[r]
		}
		return
	}
	if g.has.stack[i] != rubbish {
		g.set(r, g.has.stack[i], Load(8, r, R10, stackWord(i)))
	}
}

var (
	pointerOps = []JumpOp{JGt, JGe, JLt, JLe}
	jumpOps    = []JumpOp{JEq, JGt, JGe, JSet, JNe, JSGt, JSGe, JLt, JLe, JSLt, JSLe}
)

// comparePointers compares any two of them.
func (g *hookGenerator) comparePointers() {
	kinds := []role{pointer, end, metadata}
	a, ok := g.one(kinds[g.IntN(3)])
	b, ok2 := g.one(kinds[g.IntN(3)])
	if ok && ok2 {
		g.branch(pointerOps[g.IntN(4)].Reg(a, b))
	}
}

func (g *hookGenerator) compareNumbers() {
	a, ok := g.one(scalar)
	if !ok {
		return
	}
	b, _ := g.one(scalar)
	op, n := jumpOps[g.IntN(len(jumpOps))], int32(g.IntN(1<<g.IntN(17)))
	g.branch([]Instruction{op.Imm(a, n), op.Imm(a, n), op.Imm32(a, uint32(n)), op.Reg(a, b), op.Reg32(a, b)}[g.IntN(5)])
}

// keep mixes a number into the result.
func (g *hookGenerator) keep(r Register) { g.Emit(Mul.Imm(R9, 0x01000193), Xor.Reg(R9, r)) }

// read reads through any pointer, guarded or not.
func (g *hookGenerator) read() {
	if p, ok := g.one([]role{pointer, pointer, pointer, metadata}[g.IntN(4)]); ok && g.IntN(3) == 0 {
		g.Emit(Load(1<<g.IntN(4), R0, p, int16(g.IntN(12)-2)))
		g.keep(R0)
	}
}

// guarded reads behind a guard that covers what is read; one time out of eight it falls short of it by a byte.
func (g *hookGenerator) guarded() {
	p, ok := g.one(pointer)
	e, ok2 := g.one(end)
	if !ok || !ok2 {
		g.context()
		return
	}
	q := g.free()
	if q == e || q == p {
		q = R0
	}
	size, off := 1<<g.IntN(4), g.IntN(24)
	n := off + size
	if g.IntN(8) == 0 {
		n--
	}
	s := spellings[g.IntN(len(spellings))]
	cmp := s.cmp
	if cmp.Dst == R4 {
		cmp.Dst, cmp.Src = q, e
	} else {
		cmp.Dst, cmp.Src = e, q
	}
	g.Emit(Mov.Reg(q, p), Add.Imm(q, int32(n-int(s.more))))
	if q != R0 {
		g.has.regs[q] = pointer
	}
	if s.taken {
		inside := g.NewLabel()
		g.Branch(cmp, inside)
		g.Branch(Jump(), g.fails)
		g.Place(inside)
	} else {
		g.branch(cmp)
	}
	if g.IntN(4) == 0 {
		g.steps()
	}
	if g.has.regs[p] == pointer {
		g.Emit(Load(size, R0, p, int16(off)))
		g.keep(R0)
	}
}

// call calls a function of the hook, with results that can be foretold.
func (g *hookGenerator) call() {
	word := g.IntN(len(g.has.stack))
	offset, n := int32(g.IntN(90)), int32(1+g.IntN(8))
	if g.IntN(12) == 0 {
		offset = []int32{-1, 0xffff, 0x10000, 1<<31 - 1}[g.IntN(4)]
	}
	toStack := func(helper, last int32) {
		g.Emit(Mov.Reg(R1, R6), Mov.Imm(R2, offset), Mov.Reg(R3, R10), Add.Imm(R3, int32(stackWord(word))), Mov.Imm(R4, n),
			Mov.Imm(R5, last), CallHelper(helper))
		g.keep(R0)
		g.Emit(Load(8, R0, R10, stackWord(word)))
		g.keep(R0)
		g.has.stack[word] = scalar
	}
	if g.has.stack[word] != scalar { // lest bytes of a pointer be read
		g.Emit(Store(8, R10, stackWord(word), R9))
	}
	switch k := g.IntN(4); {
	case g.abi == XDP && k == 0:
		g.Emit(Mov.Reg(R1, R6), CallHelper(HelperXDPBuffLen))
		g.keep(R0)
	case g.abi == XDP && k < 3:
		toStack(HelperXDPLoadBytes, 0)
	case g.abi == TC && k == 0:
		g.Emit(Mov.Reg(R1, R6), Mov.Imm(R2, []int32{0, 20, offset}[g.IntN(3)]), CallHelper(HelperSkbPullData))
		g.keep(R0)
		g.forgetPointers()
	case g.abi == TC && k == 1:
		window := []uint32{0, 0, 0xfff00000, 0xffe00000}[g.IntN(4)]
		g.Emit(LoadAbs(1<<g.IntN(3), uint32(offset)+window))
		g.keep(R0)
	case g.abi != XDP && k == 2:
		toStack(HelperSkbLoadBytesRelative, int32(g.IntN(3)))
	case g.abi != XDP:
		toStack(HelperSkbLoadBytes, 0)
	default:
		g.Emit(CallHelper(HelperProcessorID), And.Imm(R0, 0))
		g.keep(R0)
	}
	for r := R0; r <= R5; r++ {
		g.has.regs[r] = rubbish
	}
}

// forgetPointers is for calls that move the packet.
func (g *hookGenerator) forgetPointers() {
	for r := range g.has.regs {
		if g.has.regs[r] > scalar {
			g.has.regs[r] = rubbish
		}
	}
	for i := range g.has.stack {
		if g.has.stack[i] > scalar {
			g.has.stack[i] = rubbish
		}
	}
}

// probed reads n bytes at the first argument into words that are full of ones, and hashes them with the result and the second
// argument. A failure to read shows in both.
func probed(helper, n int32) Program {
	p := Program{Load(8, R3, R1, 0), Load(8, R8, R1, 8), Mov.Imm(R6, -1)}
	for word := range int16(4) {
		p = append(p, Store(8, R10, -8*word-8, R6))
	}
	p = append(p, Mov.Reg(R1, R10), Add.Imm(R1, -32), Mov.Imm(R2, n), CallHelper(helper), Xor.Reg(R0, R8))
	for word := range int16(4) {
		p = append(p, Load(8, R1, R10, -8*word-8), Mul.Imm(R0, 0x01000193), Xor.Reg(R0, R1))
	}
	return append(p, Mov.Reg(R1, R0), Rsh.Imm(R1, 32), Xor.Reg(R0, R1), Return())
}
