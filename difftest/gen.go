package difftest

import (
	"math/bits"
	"math/rand/v2"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// GenOptions says what programs GenProgram makes.
type GenOptions struct {
	MaxLen  int        // most instructions; 0 means 64, and none is longer than cbpf.MaxInsns
	Windows bool       // loads by absolute offsets inside the windows of the link-layer and the network header
	Exts    []cbpf.Ext // extensions that absolute loads may read
}

// GenProgram makes a random program that cbpf.Validate accepts. It is made of shapes that filters have (header checks,
// lists of values, search trees, arithmetic) mixed with single instructions of every kind, so that packets of GenPacket go
// deep into it and still every opcode, edge of an operand and distance of a jump comes up. The same source of random
// numbers in the same state makes the same program.
func GenProgram(r *rand.Rand, opts GenOptions) cbpf.Program {
	g := newGenerator(r, opts)
	shapes := g.shapes()
	for g.room() > 0 {
		shapes[r.IntN(len(shapes))]()
	}
	g.last()
	if r.IntN(4) == 0 {
		g.litter()
	}
	return g.p
}

// generator makes one program from the front. It keeps the books of the kernel's check of scratch words (bpf_check_classic
// in net/core/filter.c), so a word that may be unset is never read.
type generator struct {
	*rand.Rand
	opts   GenOptions
	p      cbpf.Program
	length int // what p will have at the end

	set    uint16   // scratch words that are set in front of the next instruction
	atJump []uint16 // of each pc: scratch words that are set at every jump to it
	aimed  []bool   // of each pc: a jump leads to it

	width int // bytes that the value in A fills, as far as the last instructions say
}

// allSet is what the kernel takes for set behind an instruction that never falls through: nothing comes from there.
const allSet = 1<<cbpf.ScratchWords - 1

// newGenerator draws the length of the program to be.
func newGenerator(r *rand.Rand, opts GenOptions) *generator {
	most := opts.MaxLen
	if most <= 0 {
		most = 64
	}
	most = min(most, cbpf.MaxInsns) // the kernel takes no more
	// Short programs find most faults, and fastest: most often each power of two is as likely as the next.
	length := 1 + r.IntN(most)
	if r.IntN(4) != 0 {
		length = 1 + r.IntN(min(most, 2<<r.IntN(bits.Len(uint(most)))))
	}
	g := &generator{Rand: r, opts: opts, length: length, atJump: make([]uint16, length), aimed: make([]bool, length), width: 4}
	for i := range g.atJump {
		g.atJump[i] = allSet
	}
	return g
}

// room is the number of instructions to make in front of the last.
func (g *generator) room() int { return g.length - 1 - len(g.p) }

// add appends an instruction if there is room. Its jumps must stay inside the program.
func (g *generator) add(code uint16, jt, jf uint8, k uint32) {
	if g.room() <= 0 {
		return
	}
	pc := len(g.p)
	g.p = append(g.p, bpf.RawInstruction{Op: code, Jt: jt, Jf: jf, K: k})
	info := cbpf.Info(code)
	switch {
	case info.Writes == cbpf.A && info.Size > 0:
		g.width = info.Size
	case info.Writes == cbpf.A:
		g.width = 4
	}
	switch info.Form {
	case cbpf.FormMem:
		if info.Writes == cbpf.Mem {
			g.set |= 1 << k
		}
	case cbpf.FormJump:
		g.aim(pc + 1 + int(k))
		g.set = allSet
	case cbpf.FormCondK, cbpf.FormCondX:
		g.aim(pc + 1 + int(jt))
		g.aim(pc + 1 + int(jf))
		g.set = allSet
	}
	g.set &= g.atJump[pc+1]
}

// aim notes that the instruction in hand jumps to a pc: what is not set here may be unset there.
func (g *generator) aim(target int) {
	g.atJump[target] &= g.set
	g.aimed[target] = true
}

// op appends an instruction that is not a jump.
func (g *generator) op(code uint16, k uint32) { g.add(code, 0, 0, k) }

// last appends the return that every program ends with.
func (g *generator) last() {
	ret := bpf.RawInstruction{Op: cbpf.OpRetK, K: g.verdict()}
	if g.IntN(6) == 0 {
		ret = bpf.RawInstruction{Op: cbpf.OpRetA}
	}
	g.p = append(g.p, ret)
}

// litter fills fields that mean nothing. The kernel ignores them, and libpcap really leaves such numbers behind (k of tax).
func (g *generator) litter() {
	for i := range g.p {
		ins := &g.p[i]
		form := cbpf.Info(ins.Op).Form
		conditional := form == cbpf.FormCondK || form == cbpf.FormCondX
		if !conditional && g.IntN(2) == 0 {
			ins.Jt, ins.Jf = uint8(g.Uint32()), uint8(g.Uint32())
		}
		switch form {
		case cbpf.FormNone, cbpf.FormX, cbpf.FormCondX, cbpf.FormLen, cbpf.FormRetA:
			ins.K = g.constant()
		}
	}
}
