package translate

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/net/bpf"
)

// load adds a load of packet bytes or of an extension.
func (b *builder) load(info *cbpf.OpInfo, ins bpf.RawInstruction) {
	if isExtension(info, ins) {
		ext, _ := cbpf.Extension(ins.K)
		b.extension(ext)
		return
	}
	var v value
	if info.Form == cbpf.FormInd {
		v = b.indirect(info.Size, ins.K)
	} else {
		v = b.absolute(info.Size, ins.K)
	}
	switch {
	case b.cur == nil:
	case info.Form == cbpf.FormMSH:
		low := b.define(b.alu(ebpf.And, v, b.constant(0xf)))
		b.at[placeX] = b.define(b.alu(ebpf.Lsh, low, b.constant(2)))
	default:
		b.at[placeA] = v
	}
}

// absolute loads from an offset known now.
func (b *builder) absolute(size int, k uint32) value {
	if b.hook.ends(k, size) {
		b.ret(b.constant(0))
		return noValue
	}
	off, ok := b.hook.place(k)
	if !ok {
		return b.define(b.opaque(size, noValue, k))
	}
	b.append(inst{kind: instGuard, base: noValue, hi: int64(off) + int64(size), most: b.hook.most})
	return b.define(b.values.load(size, noValue, off))
}

// indirect loads from X+k, which wraps at 32 bits. A sum that may be 2^31 and more, where the windows are, is left to the
// slow twin if it is.
func (b *builder) indirect(size int, k uint32) value {
	sum := b.alu(ebpf.Add, b.at[placeX], b.constant(k))
	if at, ok := b.constOf(sum); ok {
		return b.absolute(size, at)
	}
	base, off := b.split(sum)
	far := uint64(b.known[base].hi)+uint64(off) >= 1<<31
	if b.hook.ownIndexed || b.hook.ownFar && far || b.hook.shift != 0 && !b.shiftable(base, off) {
		return b.define(b.opaque(size, b.at[placeX], k))
	}
	off += uint32(b.hook.shift)
	if uint64(b.known[base].hi)+uint64(off) >= 1<<31 {
		base, off = b.define(sum), 0
	}
	return b.define(b.values.load(size, b.address(base, int64(off)+int64(size)), off))
}

// shiftable reports whether an indexed load is one from the packets of the hook, whatever the index.
func (b *builder) shiftable(base value, off uint32) bool {
	lowest, highest := int64(b.known[base].lo)+int64(off)+b.hook.shift, int64(b.known[base].hi)+int64(off)+b.hook.shift
	return int64(off)+b.hook.shift >= 0 && lowest >= 0 && highest < 1<<31
}

// split makes base and constant of a sum.
func (b *builder) split(v value) (base value, off uint32) {
	if e := &b.exprs[v]; e.kind == exprALU && e.fn == ebpf.Add {
		if k, ok := b.constOf(e.b); ok {
			return e.a, k
		}
	}
	return v, 0
}

// address is that of a packet byte behind which hi bytes are there.
func (b *builder) address(base value, hi int64) value {
	p := b.pointer(base, 0)
	known := int64(b.known[base].hi)
	b.far = b.far || known >= 1<<31
	if !b.hook.byAddress {
		if known >= 1<<31 {
			b.append(inst{kind: instSmall, v: base, hi: 1<<31 - 1})
		}
		b.append(inst{kind: instGuard, base: base, hi: hi, most: b.hook.most})
		return b.define(p)
	}
	most := maxOffset - known
	if !b.plainlySmall(base, maxOffset-hi, plainDepth) {
		// What the verifier knows of an address it knows from when that was made: one for each reach.
		p, most = b.pointer(base, uint32(hi)), hi
		b.append(inst{kind: instSmall, v: base, hi: maxOffset - hi})
	}
	b.define(p)
	b.append(inst{kind: instGuard, base: p, hi: hi, most: most})
	return p
}

// maxOffset is the furthest that the kernel's verifier follows a packet pointer (MAX_PACKET_OFF in kernel/bpf/verifier.c).
const maxOffset = 0xffff

// plainDepth is how far plainlySmall looks into an expression.
const plainDepth = 6

// plainlySmall reports whether a value is at most so much, for reasons that the verifier sees too and that are not deep.
func (g *graph) plainlySmall(v value, most int64, depth int) bool {
	e := &g.exprs[v]
	switch {
	case int64(g.known[v].hi) > most || depth == 0:
		return false
	case e.kind == exprLoad:
		return e.size < 4
	case e.kind == exprConst:
		return true
	case e.kind == exprALU && (e.fn == ebpf.And || e.fn == ebpf.Lsh || e.fn == ebpf.Rsh):
		_, isConst := g.constOf(e.b)
		return isConst && (e.fn == ebpf.And || g.plainlySmall(e.a, int64(g.known[e.a].hi), depth-1))
	case e.kind == exprALU && e.fn == ebpf.Add:
		return g.plainlySmall(e.a, most, depth-1) && g.plainlySmall(e.b, most, depth-1)
	}
	return false
}

// extension loads a property of the packet into A.
func (b *builder) extension(ext cbpf.Ext) {
	a, x := b.at[placeA], b.at[placeX]
	switch ext {
	case cbpf.ExtXorX:
		b.at[placeA] = b.define(b.alu(ebpf.Xor, a, x))
	case cbpf.ExtIfIndex:
		b.interfaceKnown()
		b.at[placeA] = b.property(cbpf.ExtIfIndex, noValue, noValue)
	case cbpf.ExtHaType:
		n, ok := b.hook.hatype()
		if !ok {
			b.at[placeA] = b.define(b.property(ext, noValue, noValue)) // which the target will refuse
			return
		}
		b.interfaceKnown()
		b.at[placeA] = b.constant(uint32(n))
	default:
		b.at[placeA] = b.define(b.property(ext, a, x))
	}
}

// interfaceKnown ends the program with what A holds where there is no interface, as the kernel does.
func (b *builder) interfaceKnown() {
	index := b.define(b.property(cbpf.ExtIfIndex, noValue, noValue))
	t := &b.cur.term
	*t = term{kind: termCond, op: ebpf.JEq, a: index, b: b.constant(0), pc: b.pc}
	b.cur = b.newBlock()
	t.yes.to = b.cur
	b.ret(b.at[placeA])
	b.cur = b.newBlock()
	t.no.to = b.cur
}
