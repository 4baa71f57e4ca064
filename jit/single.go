package jit

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// single is the body of a Func that takes one packet a call, without the block of arguments and without counting who runs
// it. It is made when a packet comes by itself for the first time.
//
// Nobody counts its runs: whoever loads the pointer keeps the body alive, and the garbage collector frees it when nobody does.
type single struct {
	make func() (*singleBody, error) // nil where there is no machine code, or none of this kind
	once sync.Once
	body atomic.Pointer[singleBody]
	// quick is the same if it uses no stack: runSingle takes it.
	quick atomic.Pointer[singleBody]

	mu     sync.Mutex // for closed, and the pointers while the body is made
	closed bool
}

// singleBody is machine code in pages of its own.
type singleBody struct {
	code   *pages
	entry  uintptr // where they begin
	least  int     // bytes that a packet must have
	room   uint64  // and how many more it may have
	skb    bool    // the program looks at the properties of a packet
	framed bool    // it uses the frame
}

// fits reports whether the body can take a packet.
func (b *singleBody) fits(pkt *ebpf.Packet) bool {
	return pkt != nil && uint64(len(pkt.Data)-b.least) <= b.room && (pkt.Skb != nil || !b.skb)
}

// singleMaker remembers what a single body is made of.
func singleMaker(p ebpf.Program, facts *ebpf.Facts, least int) func() (*singleBody, error) {
	p = append(ebpf.Program(nil), p...)
	return func() (*singleBody, error) {
		framed := facts.Stack > 0 || divides(p)
		code, ok := generateOne(p, facts, framed)
		if !ok {
			return nil, nil
		}
		sealed, err := seal(code)
		if err != nil {
			return nil, err
		}
		body := &singleBody{
			code: sealed, entry: sealed.entry(), least: least, room: math.MaxUint32 - uint64(least),
			skb: usesSkb(facts), framed: framed,
		}
		runtime.AddCleanup(body, (*pages).free, sealed)
		return body, nil
	}
}

// divides reports whether the program has divisions, which keep two registers in the frame.
func divides(p ebpf.Program) bool {
	for _, ins := range p {
		if op := ins.Op.Info().ALU; op == ebpf.Div || op == ebpf.Mod {
			return true
		}
	}
	return false
}

// ready makes the body if there is none yet. A program that cannot have one does without.
func (s *single) ready() {
	s.once.Do(func() {
		if s.make == nil {
			return
		}
		body, err := s.make()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil && !s.closed {
			s.body.Store(body)
			if body != nil && !body.framed {
				s.quick.Store(body)
			}
		}
	})
}

// close lets go of the body.
func (s *single) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.body.Store(nil)
	s.quick.Store(nil)
}
