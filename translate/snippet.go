package translate

import (
	"fmt"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/net/bpf"
)

// SnippetOptions say what a snippet may use. All registers are below R10.
type SnippetOptions struct {
	// PacketStart and PacketEnd hold pointers to the first byte of a packet and behind the last one, between which the
	// verifier allows direct access. The snippet reads them and never writes them.
	PacketStart, PacketEnd ebpf.Register
	// Result gets the verdict. It may be a working register.
	Result ebpf.Register
	// Working are registers that the snippet destroys. They must differ from each other and from the two pointers. The first
	// of them is never in use over a load, so whoever replaces loads by calls of a helper function may have R0 there.
	Working [4]ebpf.Register
	// StackOffset is how many bytes of the stack are taken; the scratch word M[n] lies at R10 - StackOffset - 4*(n+1). It is
	// a multiple of 4, as the verifier wants it.
	StackOffset int
	// Windows lets loads through the kernel's LL and NET windows go to packets that begin with the link-layer header and have
	// the network header at NetOff. Without it, fixed loads through them are refused, and indexed ones are outside of the
	// packet.
	Windows bool
	NetOff  uint16
	// Optimize is the level of optimisation, as in Options. Above 0 there are no scratch words, whose values live in registers;
	// for what finds none, there are places of 8 bytes among the 64 below StackOffset.
	Optimize int
	// Access is how the packet is read.
	Access SnippetAccess
}

// SnippetResult is a filter without a beginning and an end, to be put into a program. It calls no functions but what
// its Access says, and uses no more than its options give it. Control falls into it at its first slot, to which nothing in it jumps, and leaves it only by jumps
// to the slot behind its last one, with the verdict in Result.
type SnippetResult struct {
	Program ebpf.Program
	// PCs holds, for each slot of Program, the pc of the classic instruction that it came from, or NoPC.
	PCs []int
	// NoMatch is the first slot of the end with verdict 0 to which failing guards jump; -1 where nothing does.
	NoMatch int
	Stats   Stats // Stack counts from R10, StackOffset included
}

// SnippetError says that there is no way for a snippet to do what an instruction of a valid program asks for.
type SnippetError struct {
	PC   int    // of the classic instruction
	What string // `extension "mark"`, `a load through the NET window`
	Why  string
}

func (e *SnippetError) Error() string {
	return fmt.Sprintf("(%03d) %s cannot be had in a snippet: %s", e.PC, e.What, e.Why)
}

// Snippet turns p into a snippet. It returns cbpf.Errors where the kernel would refuse p, an error for options that
// make no sense, a *SnippetError where a snippet cannot express it. The length on the wire is that of the packet.
func Snippet(p cbpf.Program, opts SnippetOptions) (*SnippetResult, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := cbpf.Validate(p); err != nil {
		return nil, err
	}
	var b ebpf.Builder
	a := &pointers{opts}
	e := makeEmitter(&b, p, opts.access())
	if err := a.expresses(p, e.paths); err != nil {
		return nil, err
	}
	behind := b.NewLabel()
	e.taken, e.leave = opts.taken(), &behind
	e.forget, e.newZero = e.paths.visits > opts.follows(), func() { a.newZero(e) }
	if err := e.translate(opts.Optimize); err != nil {
		return nil, err
	}
	if e.stack > ebpf.StackSize {
		return nil, fmt.Errorf("snippet: StackOffset is %d, and the scratch words below that end at %d; %d is all there is",
			opts.StackOffset, e.stack, ebpf.StackSize)
	}
	b.Place(behind)
	slots, origins, err := b.Program()
	if err != nil {
		return nil, err
	}
	if e.doubtful && !opts.followed(slots) {
		opts.Optimize = 0
		return Snippet(p, opts)
	}
	s := &SnippetResult{Program: slots, PCs: origins, NoMatch: -1}
	if e.dropped {
		s.NoMatch = b.Slot(e.drop)
	}
	s.Stats = Stats{Classic: len(p), Dead: len(p) - e.paths.live(), Slots: len(slots), Stack: e.stack}
	return s, nil
}

func (o *SnippetOptions) access() access {
	if o.Access == AccessProbe {
		return &probing{pointers{*o}}
	}
	return &pointers{*o}
}

// taken is how many bytes of the stack are above the scratch words.
func (o *SnippetOptions) taken() int {
	if o.Access == AccessProbe {
		return -int((&probing{pointers{*o}}).slot())
	}
	return o.StackOffset
}

// follows is how many classic instructions of a snippet the verifier is sure to follow, besides the program around it.
func (o *SnippetOptions) follows() int {
	if o.Access == AccessProbe {
		return verifierInsns / 64
	}
	return verifierInsns / 32
}

// followed reports whether the verifier comes to an end with an optimised snippet: in a program for XDP, or one at a function
// that has the two addresses for arguments.
func (o *SnippetOptions) followed(snippet ebpf.Program) bool {
	const ctx = ebpf.R1
	abi, size, end := ebpf.XDP, 4, ebpf.XDPDataEnd
	if o.Access == AccessProbe {
		abi, size, end = ebpf.Trace, 8, 8
	}
	first := ebpf.Program{ebpf.Load(size, o.PacketStart, ctx, 0), ebpf.Load(size, o.PacketEnd, ctx, end)}
	if o.PacketStart == ctx {
		slices.Reverse(first)
	}
	return follows(slices.Concat(first, snippet, ebpf.Program{ebpf.Mov.Reg(ebpf.R0, o.Result), ebpf.Return()}), abi)
}

// Blocks returns the first slots of all blocks in their order: control comes to a block by its first slot only, and leaves it
// by its last one only.
func (s *SnippetResult) Blocks() []int {
	leads := make([]bool, len(s.Program)+1)
	leads[0] = true
	for pc, ins := range s.Program {
		if target, ok := ins.Target(pc); ok {
			leads[target], leads[pc+1] = true, true
		}
	}
	var blocks []int
	for pc := range s.Program {
		if leads[pc] {
			blocks = append(blocks, pc)
		}
	}
	return blocks
}

// check says what makes no sense.
func (o *SnippetOptions) check() error {
	used := map[ebpf.Register]string{}
	for _, r := range []struct {
		name string
		reg  ebpf.Register
	}{
		{"PacketStart", o.PacketStart}, {"PacketEnd", o.PacketEnd}, {"Working[0]", o.Working[0]}, {"Working[1]", o.Working[1]},
		{"Working[2]", o.Working[2]}, {"Working[3]", o.Working[3]},
	} {
		if r.reg > ebpf.R9 {
			return fmt.Errorf("snippet: %s is %s; r9 is the last register that it can be", r.name, r.reg)
		}
		if other, ok := used[r.reg]; ok {
			return fmt.Errorf("snippet: %s is used twice, as %s and as %s", r.reg, other, r.name)
		}
		used[r.reg] = r.name
	}
	switch {
	case o.Result > ebpf.R9:
		return fmt.Errorf("snippet: Result is %s; r9 is the last register that it can be", o.Result)
	case o.Access > AccessProbe:
		return fmt.Errorf("snippet: there is no Access %d", o.Access)
	case o.StackOffset < 0 || o.StackOffset%4 != 0 || o.StackOffset > ebpf.StackSize:
		return fmt.Errorf("snippet: StackOffset is %d, it must be a multiple of 4 from 0 to %d", o.StackOffset, ebpf.StackSize)
	case o.Access == AccessProbe:
		return o.checkProbe()
	}
	return nil
}

// pointers reads a packet between two pointers, with four registers for all.
type pointers struct{ SnippetOptions }

func (s *pointers) holds() registers {
	w := s.Working
	return registers{
		regA: w[1], regX: w[2], regTmp: w[0], regZero: w[3], copyA: w[0], copyX: w[3], regResult: s.Result, lost: setOf(w[0]),
	}
}

func (s *pointers) entry(*emitter) {}

func (s *pointers) begin(*emitter) {}

// place is where in the packet k is. A k through a window that is not to be had is beyond any packet.
func (s *pointers) place(k uint32) uint32 {
	switch {
	case !s.Windows || k < cbpf.LLOff:
		return k
	case k < cbpf.NetOff:
		return k - cbpf.LLOff
	}
	return k - cbpf.NetOff + uint32(s.NetOff)
}

// mostDirect is the furthest from the start of a packet that the verifier lets a load end (MAX_PACKET_OFF in
// kernel/bpf/verifier.c); what lies between two pointers is never longer.
const mostDirect = 0xffff

func (s *pointers) ends(k uint32, size int) bool {
	return uint64(s.place(k))+uint64(size) > mostDirect
}

// expresses finds the first instruction that a snippet has no way to do.
func (s *pointers) expresses(p cbpf.Program, paths paths) error {
	for pc, ins := range p {
		info := cbpf.Info(ins.Op)
		if !paths.reached(pc) || info.Form != cbpf.FormAbs && info.Form != cbpf.FormMSH {
			continue
		}
		if err := s.refuses(info, ins); err != nil {
			err.PC = pc
			return err
		}
	}
	return nil
}

// refuses says why the load cannot be had; nil if it can.
func (s *pointers) refuses(info *cbpf.OpInfo, ins bpf.RawInstruction) *SnippetError {
	const noHeader = "two pointers to a packet do not tell where its headers are"
	ext, _ := cbpf.Extension(ins.K)
	switch {
	case isExtension(info, ins) && ext == cbpf.ExtXorX:
	case isExtension(info, ins):
		return &SnippetError{What: fmt.Sprintf("extension %q", ext), Why: "two pointers to a packet are all that it has"}
	case s.Windows || ins.K < cbpf.LLOff:
	case ins.K < cbpf.NetOff:
		return &SnippetError{What: "a load through the LL window", Why: noHeader}
	default:
		return &SnippetError{What: "a load through the NET window", Why: noHeader}
	}
	return nil
}

func (s *pointers) loadFixed(e *emitter, dst ebpf.Register, size int, k uint32, miss ebpf.Label) {
	off := s.place(k)
	e.b.Emit(ebpf.Mov.Reg(e.regTmp, s.PacketStart), ebpf.Add.Imm(e.regTmp, int32(off)+int32(size)))
	e.goUnless(ebpf.JLe.Reg(e.regTmp, s.PacketEnd), miss)
	base := s.PacketStart
	if off > 0x7fff { // what an instruction has room for
		base = e.regTmp
		e.b.Emit(ebpf.Mov.Reg(base, s.PacketStart), ebpf.Add.Imm(base, int32(off)))
		off = 0
	}
	e.b.Emit(ebpf.Load(size, dst, base, int16(off)))
	e.toHost(dst, size)
}

// loadIndexed bounds the sum before it adds it to the pointer: otherwise the verifier does not follow. dst serves to look
// for the end of the packet; it may be index, which is read before.
func (s *pointers) loadIndexed(e *emitter, dst, index ebpf.Register, size int, k uint32, reach reach, miss ebpf.Label) {
	tmp := e.regTmp
	// Not a copy of index, of which the verifier would learn for index; and with a k of 2^29 and more it takes no such pointer.
	e.b.Emit(ebpf.Mov.Imm32(tmp, k), ebpf.Add.Reg32(tmp, index))
	if reach == withWindows && s.Windows {
		e.outOfWindow(tmp, uint32(s.NetOff), miss)
	}
	e.goUnless(ebpf.JLe.Imm(tmp, int32(mostDirect-size)), miss)
	e.b.Emit(
		ebpf.Add.Reg(tmp, s.PacketStart),
		ebpf.Mov.Reg(dst, tmp),
		ebpf.Add.Imm(dst, int32(size)),
	)
	e.goUnless(ebpf.JLe.Reg(dst, s.PacketEnd), miss)
	e.b.Emit(ebpf.Load(size, dst, tmp, 0))
	e.toHost(dst, size)
}

// newZero makes a zero of the length of the packet, which the verifier does not know.
func (s *pointers) newZero(e *emitter) {
	s.length(e, e.regZero)
	e.b.Emit(ebpf.Mov.Reg32(e.regTmp, e.regZero), ebpf.Xor.Reg32(e.regZero, e.regTmp))
}

func (s *pointers) length(e *emitter, dst ebpf.Register) {
	e.b.Emit(ebpf.Mov.Reg(dst, s.PacketEnd), ebpf.Sub.Reg32(dst, s.PacketStart))
}

// property and hatype are for extensions, which expresses has refused.
func (s *pointers) property(*emitter, ebpf.Register, cbpf.Ext) bool { return false }

func (s *pointers) hatype() (uint16, bool) { return 0, false }

func (s *pointers) hook() *hook {
	return &hook{
		ends:       s.ends,
		place:      func(k uint32) (uint32, bool) { return s.place(k), true },
		packetOnly: !s.Windows,
		byAddress:  true,
		most:       maxOffset,
		hatype:     s.hatype,
	}
}

func (s *pointers) layout(_ cbpf.Program, twin bool) layout {
	at := layout{
		data: s.PacketStart, limit: s.PacketEnd, byAddress: true, lengthByLimit: true,
		pinned:      allRegisters &^ setOf(s.Working[:]...) &^ (setOf(s.Result) &^ setOf(s.PacketStart, s.PacketEnd)),
		lostByLoads: setOf(s.Working[0]),
		bases:       setOf(s.PacketStart, s.Working[0], s.Working[3]),
		stack:       -int16((s.StackOffset + 7) &^ 7),
	}
	at.most = s.StackOffset + 4*cbpf.ScratchWords
	if twin { // which has the scratch words there
		at.stack, at.most = at.stack-4*cbpf.ScratchWords, at.most+4*cbpf.ScratchWords
	}
	return at
}
