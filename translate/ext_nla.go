package translate

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// attrHeader is the size of struct nlattr: its length, header included, and its type, 16 bits each in the order of the
// host. The two upper bits of the type are flags (linux/netlink.h).
const (
	attrHeader = 4
	attrType   = 0x3fff
)

// attributes is the code of `ld nla` or `ld nlan` in the making (bpf_skb_get_nlattr and bpf_skb_get_nlattr_nest in
// net/core/filter.c, Linux 6.18). The kernel's loop is laid out as often as attributes are to be looked at; where one more
// follows, the program ends with verdict 0.
type attributes struct {
	*emitter
	headers
	at   variable   // offset of the attribute to look at
	end  variable   // where the list ends
	none ebpf.Label // the attribute is not there
	done ebpf.Label // it is at
}

// findAttr leaves in A what `ld nla` yields: the offset of the first attribute whose type is X, from the offset in A on.
func (e *emitter) findAttr(h headers) {
	s := e.newAttributes(h)
	s.captured(e, ebpf.R0)
	s.set(s.end, ebpf.R0)
	s.find(false)
}

// findNestedAttr leaves in A what `ld nlan` yields: that of the first one inside the attribute at the offset in A.
func (e *emitter) findNestedAttr(h headers) {
	s := e.newAttributes(h)
	s.enter()
	s.find(true)
}

// newAttributes begins at the offset in A.
func (e *emitter) newAttributes(h headers) *attributes {
	s := &attributes{emitter: e, headers: h, none: e.b.NewLabel(), done: e.b.NewLabel()}
	s.at, s.end, _ = h.variables(e)
	s.blur(e, s.regA)
	s.set(s.at, s.regA)
	return s
}

// find looks at the attributes from at to end. nested says that more of the packet may follow.
func (s *attributes) find(nested bool) {
	for range s.search.attrs {
		s.valid(nested)
		s.look()
	}
	s.valid(nested)
	s.dropIf(ebpf.Jump())
	s.b.Place(s.none)
	s.clear(s.at, ebpf.R0, ebpf.R5)
	s.b.Place(s.done)
	s.get(s.regA, s.at)
}

// enter moves from the attribute at the offset in at to the first one inside.
func (s *attributes) enter() {
	s.open(s.emitter, s.at, attrHeader, s.none)
	s.captured(s.emitter, ebpf.R5)
	s.size(ebpf.R5)
	s.b.Emit(ebpf.Add.Imm32(ebpf.R0, attrHeader), ebpf.Add.Reg32(ebpf.R0, s.in(s.at, ebpf.R5)))
	s.set(s.end, ebpf.R0)
	s.addImm(s.at, attrHeader, ebpf.R5)
}

// size loads the length of the contents of the attribute that is open into r0, if they end at or before the offset in end,
// which is lost; the header does.
func (s *attributes) size(end ebpf.Register) {
	s.part(s.emitter, ebpf.R0, 0, 2)
	s.b.Emit(ebpf.Sub.Imm32(ebpf.R0, attrHeader), ebpf.Sub.Reg32(end, s.in(s.at, ebpf.R1)), ebpf.Sub.Imm32(end, attrHeader))
	s.only(ebpf.JLe.Reg32(ebpf.R0, end), s.none) // a length of less than 4 has wrapped
}

// valid opens the attribute at the offset in at, with the length of its contents in r0. Where none is there, or it does not
// fit, the search ends.
func (s *attributes) valid(nested bool) {
	if nested {
		s.get(ebpf.R0, s.end)
		s.b.Emit(ebpf.Sub.Reg32(ebpf.R0, s.in(s.at, ebpf.R1)))
		s.only(ebpf.JSGe.Imm32(ebpf.R0, attrHeader), s.none)
	}
	s.open(s.emitter, s.at, attrHeader, s.none)
	s.get(ebpf.R5, s.end)
	s.size(ebpf.R5)
}

// look compares the type of the attribute that is open with X, and goes to the next one.
func (s *attributes) look() {
	s.part(s.emitter, ebpf.R5, 2, 2)
	s.b.Emit(ebpf.And.Imm32(ebpf.R5, attrType))
	s.only(ebpf.JNe.Reg32(ebpf.R5, s.regX), s.done)
	s.b.Emit(ebpf.Add.Imm32(ebpf.R0, attrHeader+3), ebpf.And.Imm32(ebpf.R0, ^uint32(3)))
	s.add(s.at, ebpf.R0, ebpf.R5)
}
