package ebpf

// AtomicOp is what a FormAtomic does, its whole imm (RFC 9669, section 5.3; the last two are of Linux 6.15).
type AtomicOp int32

// The atomic operations. AtomicFetch is no operation but the bit that makes the first four yield what was there.
const (
	AtomicFetch   AtomicOp = 0x01
	AtomicAdd     AtomicOp = AtomicOp(Add) // *p += src
	AtomicOr      AtomicOp = AtomicOp(Or)
	AtomicAnd     AtomicOp = AtomicOp(And)
	AtomicXor     AtomicOp = AtomicOp(Xor)
	AtomicXchg    AtomicOp = 0xe0 | AtomicFetch // src, *p = *p, src
	AtomicCmpXchg AtomicOp = 0xf0 | AtomicFetch // if *p == r0 then *p = src; r0 = what *p was
	AtomicLoad    AtomicOp = 0x100              // dst = *(size *)(src + off), before all that follows
	AtomicStore   AtomicOp = 0x110              // *(size *)(dst + off) = src, after all that precedes
)

// atomic is what there is to know of one AtomicOp.
type atomic struct {
	op     AtomicOp
	sign   string // operator of those that do not fetch
	name   string // mnemonic, to be followed by a width
	sized  bool   // it exists for 1 and 2 bytes too, and its mnemonic is followed by the letters of the size
	result result
}

// result says which register an atomic operation writes.
type result uint8

const (
	noResult  result = iota
	srcResult        // src: what was in memory
	r0Result         // R0: what was in memory
	dstResult        // dst: it is a load
)

var atomics = []atomic{
	{op: AtomicAdd, sign: "+=", name: "add"},
	{op: AtomicOr, sign: "|=", name: "or"},
	{op: AtomicAnd, sign: "&=", name: "and"},
	{op: AtomicXor, sign: "^=", name: "xor"},
	{op: AtomicAdd | AtomicFetch, name: "fetch add", result: srcResult},
	{op: AtomicOr | AtomicFetch, name: "fetch or", result: srcResult},
	{op: AtomicAnd | AtomicFetch, name: "fetch and", result: srcResult},
	{op: AtomicXor | AtomicFetch, name: "fetch xor", result: srcResult},
	{op: AtomicXchg, name: "xchg", result: srcResult},
	{op: AtomicCmpXchg, name: "cmpxchg", result: r0Result},
	{op: AtomicLoad, name: "ldacq", sized: true, result: dstResult},
	{op: AtomicStore, name: "strel", sized: true},
}

// atomicRow finds the row of each imm.
var atomicRow = func() (t [AtomicStore + 1]*atomic) {
	for i := range atomics {
		t[atomics[i].op] = &atomics[i]
	}
	return t
}()

// atomic returns the row of an instruction of FormAtomic; nil where its size and imm make no operation.
func (i Instruction) atomic(info *OpInfo) *atomic {
	if i.Imm < 0 || i.Imm > int32(AtomicStore) {
		return nil
	}
	row := atomicRow[i.Imm]
	if row == nil || info.Size < 4 && !row.sized {
		return nil
	}
	return row
}

// Atomic makes the operation on 4 or 8 bytes at dst+off with src as its operand. AtomicLoad and AtomicStore, which take
// sizes 1 and 2 too, are loads and stores like those of Load and Store.
func Atomic(size int, op AtomicOp, dst Register, off int16, src Register) Instruction {
	return Instruction{Op: memOp(size, modeAtomic, ClassSTX), Dst: dst, Src: src, Off: off, Imm: int32(op)}
}

// CallLocal makes the call of a function of the same program, n slots after the next one.
func CallLocal(n int32) Instruction { return Instruction{Op: OpCall, Src: CallKindLocal, Imm: n} }
