package translate

import (
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// A value has one name wherever it is computed. Between two places that compute it, on ways that do not meet, its register would be
// kept for nothing: so, where registers are few, each web of definitions and of the uses that they reach gets a register of
// its own:
//
//	    if v1 == 6 goto b2            if v1 == 6 goto b2
//	b1: v2 = v1 + 3                   v2 = v1 + 3
//	    ret v2                =>      ret v2
//	b2: v2 = v1 + 3                   v3 = v1 + 3
//	    ret v2                        ret v3

// separate renames the virtual registers of code by webs, and returns how many there are.
func separate(code []vinsn) (out []vinsn, vregs int) {
	w := webs{live: liveAt(code), at: make(map[ebpf.Label]map[vreg]vreg), now: make(map[vreg]vreg), out: slices.Clone(code)}
	for i := range w.out {
		w.insn(&w.out[i])
	}
	for i := range w.out {
		w.out[i].rename(func(v vreg) vreg { return w.find(v) }, func(v vreg) vreg { return w.find(v) })
	}
	return w.out, len(w.same)
}

// webs finds which definitions reach the same use. It goes over the code once and in order, giving each definition a name.
type webs struct {
	live map[ebpf.Label]valueSet
	at   map[ebpf.Label]map[vreg]vreg // the names of what is alive at a label, on the ways there that were met
	now  map[vreg]vreg                // the names here; nil where control does not come
	same []vreg                       // of each name: another one of its web, or itself
	out  []vinsn
}

func (w *webs) find(name vreg) vreg {
	for w.same[name] != name {
		w.same[name] = w.same[w.same[name]]
		name = w.same[name]
	}
	return name
}

func (w *webs) insn(in *vinsn) {
	if in.kind == vLabel {
		w.arrive(in.to)
		w.now = w.at[in.to]
		return
	}
	in.rename(func(v vreg) vreg { return w.now[v] }, func(v vreg) vreg {
		name := vreg(len(w.same))
		w.same = append(w.same, name)
		w.now[v] = name
		return name
	})
	switch {
	case in.ret:
		w.now = nil
	case in.jumps():
		w.arrive(in.to)
		if in.ins.Op.Info().Form == ebpf.FormJump {
			w.now = nil
		}
	}
}

// arrive takes the names of what is alive at a label for those of the same webs as the ones on other ways there.
func (w *webs) arrive(to ebpf.Label) {
	first := w.at[to] == nil
	if first {
		w.at[to] = make(map[vreg]vreg)
	}
	if w.now == nil {
		return
	}
	for _, v := range w.live[to] {
		name := w.now[vreg(v)]
		if other, met := w.at[to][vreg(v)]; met {
			w.same[w.find(name)] = w.find(other)
		} else {
			w.at[to][vreg(v)] = name
		}
	}
}

// liveAt finds what is alive at each label.
func liveAt(code []vinsn) map[ebpf.Label]valueSet {
	at := make(map[ebpf.Label]valueSet)
	var live valueSet
	for i := range slices.Backward(code) {
		in := &code[i]
		switch {
		case in.kind == vLabel:
			at[in.to] = slices.Clone(live)
			continue
		case in.ret:
			live = nil
		case in.jumps():
			if in.ins.Op.Info().Form == ebpf.FormJump {
				live = nil
			}
			for _, v := range at[in.to] {
				live = live.add(v)
			}
		}
		in.operands(func(vreg) {}, func(v vreg) { live = live.remove(value(v)) })
		in.operands(func(v vreg) {
			if v >= 0 {
				live = live.add(value(v))
			}
		}, func(vreg) {})
	}
	return at
}

func (in *vinsn) jumps() bool { return in.kind == vPlain && in.to != noLabel }

// rename gives the virtual registers of an instruction other names: read those that it reads, then written those that it only
// writes. What it reads and writes keeps the name that it had.
func (in *vinsn) rename(read, written func(vreg) vreg) {
	name := func(v *vreg, to func(vreg) vreg) {
		if *v >= 0 {
			*v = to(*v)
		}
	}
	switch in.kind {
	case vMoves:
		in.moves = slices.Clone(in.moves)
		for i := range in.moves {
			name(&in.moves[i].src, read)
		}
		for i := range in.moves {
			name(&in.moves[i].dst, written)
		}
	case vPlain:
		name(&in.src, read)
		if in.readsDst() {
			name(&in.dst, read)
		} else {
			name(&in.dst, written)
		}
	case vOpaque:
		name(&in.src, read)
	}
}
