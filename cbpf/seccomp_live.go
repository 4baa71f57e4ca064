package cbpf

// liveness says which places some instruction from here on reads before it writes them: A is bit 0, X is bit 1, M[k] is
// bit 2+k.
type liveness uint32

const (
	liveA   liveness = 1
	liveX   liveness = 2
	liveMem          = 2 // number of the bit of M[0]
)

// livenessOf returns what is live in front of each instruction of a valid program.
func livenessOf(p Program) []liveness {
	live := make([]liveness, len(p)+1)
	for pc := len(p) - 1; pc >= 0; pc-- {
		ins, row := p[pc], Info(p[pc].Op)
		after := live[pc+1]
		switch row.Form {
		case FormJump:
			after = live[pc+1+int(ins.K)]
		case FormCondK, FormCondX:
			after = live[pc+1+int(ins.Jt)] | live[pc+1+int(ins.Jf)]
		case FormRetK, FormRetA:
			after = 0
		}
		live[pc] = after&^places(row.Writes, ins.K) | places(row.Reads, ins.K)
	}
	return live
}

// places returns the bits of what an instruction reads or writes.
func places(r Regs, k uint32) (bits liveness) {
	if r&A != 0 {
		bits |= liveA
	}
	if r&X != 0 {
		bits |= liveX
	}
	if r&Mem != 0 {
		bits |= 1 << (liveMem + k)
	}
	return bits
}

// clear empties the places of a state that are not live.
func (l liveness) clear(s *state) {
	if l&liveA == 0 {
		s.a = nil
	}
	if l&liveX == 0 {
		s.x = nil
	}
	for k := range s.mem {
		if l>>(liveMem+k)&1 == 0 {
			s.mem[k] = nil
		}
	}
}
