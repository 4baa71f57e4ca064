package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// assembler writes code whose registers are given out to the builder.
type assembler struct {
	*emitter
	*allocation
	spare [2]ebpf.Register // for what lives on the stack, where anything does
	held  [2]vreg          // what these hold a copy of; noReg for nothing
}

// assemble writes the code.
func (a *assembler) assemble(code []vinsn) error {
	a.forget()
	for i := range code {
		in := &code[i]
		a.b.Origin(in.pc)
		switch in.kind {
		case vLabel:
			a.forget()
			a.b.Place(in.to)
		case vMoves:
			a.moves(in.moves)
		case vOpaque:
			if err := a.opaque(in); err != nil {
				return err
			}
		default:
			a.plain(in)
		}
	}
	return nil
}

// opaque has the target write.
func (a *assembler) opaque(in *vinsn) error {
	var src ebpf.Register
	if in.src != noReg {
		src = a.read(in.src, 1)
	}
	a.forget()
	return in.emit(a.emitter, in.pc, src)
}

// plain writes one instruction, with loads and stores around it for operands on the stack.
func (a *assembler) plain(in *vinsn) {
	ins := in.ins
	var keep int16 // where the result has to go
	if in.dst != noReg {
		h, onStack := a.home(in.dst)
		ins.Dst = h.reg
		if onStack {
			ins.Dst = a.spare[0]
			if in.readsDst() {
				a.read(in.dst, 0)
			}
			if in.writesDst() {
				keep = h.slot
			}
		}
	}
	if in.src != noReg {
		ins.Src = a.read(in.src, 1)
	}
	if in.ins.Op.Info().Form == ebpf.FormLoad {
		ins.Src = a.baseFor(ins.Src)
		a.loaded(ins.Dst)
	}
	switch {
	case in.to != noLabel:
		a.b.Branch(ins, in.to)
	case keep != 0 || !isNothing(ins):
		a.b.Emit(ins)
	}
	if keep != 0 {
		size, at := a.stored(keep)
		a.b.Emit(ebpf.Store(size, ebpf.R10, at, ins.Dst))
		a.forget()
		a.held[0] = in.dst
	}
}

// forget lets go of the copies.
func (a *assembler) forget() { a.held = [2]vreg{noReg, noReg} }

// baseFor returns a register for the address of a load: that itself, or a copy. Nothing is in the other one over a load.
func (a *assembler) baseFor(r ebpf.Register) ebpf.Register {
	if a.bases == 0 || a.bases.has(r) {
		return r
	}
	copied := a.lostByLoads.lowest()
	a.b.Emit(ebpf.Mov.Reg(copied, r))
	return copied
}

// loaded lets go of the copies that a load into a register may destroy.
func (a *assembler) loaded(into ebpf.Register) {
	for i, r := range a.spare {
		if r != into && a.lostByLoads.has(r) {
			a.held[i] = noReg
		}
	}
}

// isNothing recognises a move of a register to itself. The upper halves of registers are 0 already.
func isNothing(ins ebpf.Instruction) bool {
	info := ins.Op.Info()
	return info.Form == ebpf.FormALUReg && info.ALU == ebpf.Mov && ins.Dst == ins.Src
}

// home tells where v lives.
func (a *assembler) home(v vreg) (h home, onStack bool) {
	if r, ok := v.fixed(); ok {
		return home{reg: r}, false
	}
	h = a.homes[v]
	return h, h.slot != 0
}

// read returns the register that holds v, which is loaded into that spare one if it lives on the stack.
func (a *assembler) read(v vreg, spare int) ebpf.Register {
	h, onStack := a.home(v)
	if !onStack {
		return h.reg
	}
	if a.held[spare] != v {
		size, at := a.stored(h.slot)
		a.b.Emit(ebpf.Load(size, a.spare[spare], ebpf.R10, at))
		a.loaded(a.spare[spare])
		a.held[spare] = v
	}
	return a.spare[spare]
}

// stored is where in a place on the stack a value is, and its size: all 8 bytes, or the upper half of them, whose contents the
// verifier does not follow.
func (a *assembler) stored(slot int16) (size int, at int16) {
	if a.halves {
		return 4, slot + 4
	}
	return 8, slot
}

// moves writes assignments that happen all at once: in an order in which nothing is overwritten that is still to be read.
// Where registers change places in a circle, three exclusive ors swap two of them.
func (a *assembler) moves(all []vmove) {
	var left []vmove
	for _, m := range all {
		if m.src != noReg && a.place(m.dst) != a.place(m.src) {
			left = append(left, m)
		}
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(m vmove) bool { return !a.awaited(left, m.dst) })
		if i >= 0 {
			a.move(left[i])
			left = slices.Delete(left, i, i+1)
			continue
		}
		left = a.swap(left)
	}
	for _, m := range all {
		if m.src == noReg {
			a.plain(&vinsn{ins: ebpf.Mov.Imm32(0, m.k), dst: m.dst, src: noReg, to: noLabel})
		}
	}
}

func (a *assembler) place(v vreg) home {
	h, _ := a.home(v)
	return h
}

// awaited reports whether one of the moves still reads the place of v.
func (a *assembler) awaited(moves []vmove, v vreg) bool {
	return slices.ContainsFunc(moves, func(m vmove) bool { return a.place(m.src) == a.place(v) })
}

func (a *assembler) move(m vmove) {
	a.plain(&vinsn{ins: ebpf.Mov.Reg(0, 0), dst: m.dst, src: m.src, to: noLabel})
}

// swap makes the places of the first move change what they hold; what was to be read from one is then in the other.
func (a *assembler) swap(moves []vmove) []vmove {
	x, y := moves[0].dst, moves[0].src
	for _, m := range [3]vmove{{dst: x, src: y}, {dst: y, src: x}, {dst: x, src: y}} {
		a.plain(&vinsn{ins: ebpf.Xor.Reg(0, 0), dst: m.dst, src: m.src, to: noLabel})
	}
	moves = moves[1:]
	for i, m := range moves {
		if a.place(m.src) == a.place(x) {
			moves[i].src = y
		}
	}
	return slices.DeleteFunc(moves, func(m vmove) bool { return a.place(m.dst) == a.place(m.src) })
}
