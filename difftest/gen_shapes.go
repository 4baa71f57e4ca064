package difftest

import "github.com/cbpf2ebpf/cbpf2ebpf/cbpf"

// shapes draws how often each shape comes up in this program. Each makes one instruction at least.
func (g *generator) shapes() []func() {
	all := []func(){g.anything, g.headers, g.list, g.tree, g.arithmetic, g.indirect, g.exchange, g.longJump}
	// In the order of the above.
	weights := []int{12, 3, 2, 1, 3, 3, 2, 1}
	if g.IntN(3) == 0 { // a program mostly of one kind
		weights[g.IntN(len(weights))] += 40
	}
	var drawn []func() // each shape as often as it weighs
	for i, shape := range all {
		for range weights[i] {
			drawn = append(drawn, shape)
		}
	}
	return drawn
}

// opsByForm has a place for each form, as often as it shall come up, so that a random one of it is a weighted draw.
var opsByForm = func() (drawn [][]*cbpf.OpInfo) {
	weights := map[cbpf.Form]int{
		cbpf.FormAbs: 20, cbpf.FormInd: 6, cbpf.FormMSH: 3, cbpf.FormImm: 16, cbpf.FormMem: 10, cbpf.FormLen: 2, cbpf.FormX: 10,
		cbpf.FormNone: 6, cbpf.FormJump: 1, cbpf.FormCondK: 16, cbpf.FormCondX: 8, cbpf.FormRetK: 1, cbpf.FormRetA: 1,
	}
	for form := cbpf.FormNone; form <= cbpf.FormRetA; form++ {
		var ops []*cbpf.OpInfo
		for i := range cbpf.Ops {
			if cbpf.Ops[i].Form == form {
				ops = append(ops, &cbpf.Ops[i])
			}
		}
		for range weights[form] {
			drawn = append(drawn, ops)
		}
	}
	return drawn
}()

// anything makes one instruction of any opcode.
func (g *generator) anything() { g.instruction(pick(g, pick(g, opsByForm))) }

// instruction makes one of this opcode, with operands that the kernel accepts; a few bring one or two others with them.
func (g *generator) instruction(info *cbpf.OpInfo) {
	switch info.Form {
	case cbpf.FormAbs:
		g.op(info.Code, g.absOffset())
	case cbpf.FormInd:
		g.place()
		g.op(info.Code, g.indOffset())
	case cbpf.FormMSH:
		g.op(info.Code, g.offset())
	case cbpf.FormImm:
		g.op(info.Code, g.immediate(info))
	case cbpf.FormMem:
		g.memory(info)
	case cbpf.FormJump:
		g.jump(info)
	case cbpf.FormX:
		g.byX(info)
	case cbpf.FormCondK:
		g.add(info.Code, g.skip(), g.skip(), g.comparand())
	case cbpf.FormCondX:
		g.add(info.Code, g.skip(), g.skip(), 0)
	case cbpf.FormRetK, cbpf.FormRetA:
		g.ret(info)
	default:
		g.op(info.Code, 0)
	}
}

// immediate keeps to the rules for constants: no division by 0, no shift by 32 or more.
func (g *generator) immediate(info *cbpf.OpInfo) uint32 {
	const classBits, classALU = 7, 4
	if info.Code&classBits != classALU {
		return g.constant()
	}
	switch info.Fn {
	case cbpf.Div, cbpf.Mod:
		return max(1, g.constant())
	case cbpf.Lsh, cbpf.Rsh:
		return g.Uint32N(32)
	}
	return g.constant()
}

// byX makes arithmetic with X. Division by 0 ends a program, so X is mostly given a value first.
func (g *generator) byX(info *cbpf.OpInfo) {
	if (info.Fn == cbpf.Div || info.Fn == cbpf.Mod) && g.IntN(8) != 0 {
		g.op(0x01, max(1, g.constant())) // ldx #k
	}
	g.op(info.Code, 0)
}

// memory makes a store, or a load of a word that is set.
func (g *generator) memory(info *cbpf.OpInfo) {
	k := g.scratch()
	if info.Reads == cbpf.Mem && g.set>>k&1 == 0 {
		g.op(pick(g, []uint16{0x02, 0x03}), k)
		return
	}
	g.op(info.Code, k)
}

// jump leaves code behind that nothing reaches, unless a jump leads there; seldom that does not matter.
func (g *generator) jump(info *cbpf.OpInfo) {
	if g.aimed[len(g.p)+1] || g.IntN(20) == 0 {
		g.op(info.Code, uint32(g.skip()))
		return
	}
	g.op(info.Code, 0)
}

// ret returns, where a jump leads behind it; elsewhere seldom, for all that follows would be dead.
func (g *generator) ret(info *cbpf.OpInfo) {
	if g.aimed[len(g.p)+1] || g.IntN(40) == 0 {
		g.op(info.Code, g.verdict())
		return
	}
	g.op(cbpf.OpLdAbsH, g.absOffset())
}

// headers checks EtherType, protocol, fragment offset and a port, as tcpdump does.
func (g *generator) headers() {
	fail := g.length - 1 // all checks lead there, as in tcpdump's programs, where a jump is long enough
	check := func(code uint16, k uint32) {
		if g.IntN(12) == 0 { // a check for what shall not be
			g.add(code, g.skipTo(fail), 0, k)
		} else {
			g.add(code, 0, g.skipTo(fail), k)
		}
	}
	g.op(cbpf.OpLdAbsH, 12)
	check(cbpf.OpJeqK, pick(g, []uint32{etherIPv4, etherIPv4, etherIPv6, etherVLAN}))
	g.op(cbpf.OpLdAbsB, 23)
	check(cbpf.OpJeqK, pick(g, []uint32{protoTCP, protoUDP, protoICMP}))
	g.op(cbpf.OpLdAbsH, 20)
	g.add(cbpf.OpJsetK, g.skipTo(fail), 0, 0x1fff)
	g.op(cbpf.OpLdxMSH, 14)
	g.op(0x48, pick(g, []uint32{14, 16, 26}))
	check(cbpf.OpJeqK, pick(g, headerValues))
}

// load makes an absolute load.
func (g *generator) load() {
	g.op(pick(g, []uint16{cbpf.OpLdAbsB, cbpf.OpLdAbsH, cbpf.OpLdAbsW}), g.absOffset())
}

// list compares one value with many: a hit jumps on, to one of two places.
func (g *generator) list() {
	g.load()
	// Two targets, one near and one at the end, if the field can hold that.
	hit := []int{min(g.length-1, len(g.p)+1+g.IntN(250)), g.length - 1}
	code := cbpf.OpJeqK
	if g.IntN(10) == 0 {
		code = cbpf.OpJsetK
	}
	for range 1 + g.IntN(60) {
		g.add(code, g.skipTo(pick(g, hit)), 0, g.comparand())
	}
}

// tree searches a value by halves; its leaves return, or go on behind it.
func (g *generator) tree() {
	g.load()
	high := uint32(1<<(8*g.width) - 1)
	depth := g.IntN(8)
	for depth > 0 && treeSize(depth) > g.room() {
		depth--
	}
	g.branch(0, high, depth, len(g.p)+treeSize(depth))
}

// treeSize is the number of instructions of a tree with 2^depth leaves.
func treeSize(depth int) int { return 2<<depth - 1 }

// branch makes the part of a tree for values of low to high. end is the pc behind the tree.
func (g *generator) branch(low, high uint32, depth, end int) {
	if depth == 0 {
		g.leaf(end)
		return
	}
	middle := low + (high-low)/2
	if low < middle {
		middle = low + g.Uint32N(high-low)
	}
	half := treeSize(depth - 1)
	g.add(pick(g, []uint16{0x25, 0x35}), uint8(half), 0, middle) // jgt, jge
	g.branch(low, middle, depth-1, end)
	g.branch(min(middle, high-1)+1, high, depth-1, end)
}

// leaf ends one path through a tree.
func (g *generator) leaf(end int) {
	if d := end - len(g.p) - 1; d >= 0 && d < g.room() && g.IntN(3) != 0 {
		g.op(cbpf.OpJa, uint32(d))
		return
	}
	g.op(cbpf.OpRetK, g.verdict())
}

// arithmetic calculates with packet bytes and tests the result.
func (g *generator) arithmetic() {
	g.load()
	if g.IntN(2) == 0 { // two values of the packet, one in X
		g.op(0x07, 0) // tax
		g.load()
	}
	for range 1 + g.IntN(5) {
		g.instruction(pick(g, aluOps))
	}
	if g.room() > 0 {
		g.add(pick(g, condOps).Code, g.skip(), g.skip(), g.constant())
	}
}

// aluOps and condOps are the rows of arithmetic and of comparisons.
var aluOps, condOps = func() (alu, cond []*cbpf.OpInfo) {
	for i := range cbpf.Ops {
		switch info := &cbpf.Ops[i]; {
		case info.Form == cbpf.FormCondK, info.Form == cbpf.FormCondX:
			cond = append(cond, info)
		case info.Reads&cbpf.A != 0 && info.Writes == cbpf.A:
			alu = append(alu, info)
		}
	}
	return alu, cond
}()

// indirect loads relative to X, and tests what it gets.
func (g *generator) indirect() {
	g.instruction(cbpf.Info(pick(g, []uint16{0x40, 0x48, 0x50})))
	if g.room() > 0 && g.IntN(2) == 0 {
		g.add(cbpf.OpJeqK, g.skip(), g.skip(), g.comparand())
	}
}

// place makes X a place in a packet; or near the end of the numbers, so that a sum wraps; or leaves it.
func (g *generator) place() {
	switch g.IntN(16) {
	case 0: // whatever is in X
	case 1:
		g.op(0x01, -g.Uint32N(60)) // ldx #k
	case 2, 3, 4, 5:
		g.op(0x01, g.Uint32N(60))
	case 6, 7:
		g.op(cbpf.OpLdAbsB, g.offset())
		g.op(cbpf.OpAndK, 0x3f)
		g.op(0x07, 0) // tax
	default:
		g.op(cbpf.OpLdxMSH, 14)
	}
}

// exchange moves values between A, X and scratch words.
func (g *generator) exchange() {
	moves := []uint16{0x02, 0x03, 0x60, 0x61, 0x07, 0x87, 0x80, 0x81}
	for range 1 + g.IntN(6) {
		g.instruction(cbpf.Info(pick(g, moves)))
	}
}

// longJump goes over a distance that no conditional jump can. What it goes over can be reached by the other way of the
// comparison in front.
func (g *generator) longJump() {
	if g.room() < 3 {
		g.anything()
		return
	}
	g.load()
	g.add(pick(g, condOps).Code, 0, 1, g.constant())
	g.op(cbpf.OpJa, g.Uint32N(uint32(g.room())))
}
