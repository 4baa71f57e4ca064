package jit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Func is a program ready to run. It may be used from many goroutines at once.
type Func struct {
	code   *pages         // nil: interpreted
	slow   *ebpf.Prepared // the program for the interpreter, where it is interpreted
	starts []int
	skb    bool // the program looks at the properties of a packet
	batch  int  // packets per entry into generated code
	seed   atomic.Uint64
	why    error

	vectors vectors
	single  single

	// users counts the runs at work, and one more until Close. Whoever takes it to zero frees the pages.
	users   atomic.Int64
	closed  atomic.Bool
	cleanup runtime.Cleanup
}

// Desc places one packet in the buffer of a batch. It holds no pointer, so that the garbage collector need not look.
type Desc struct {
	Off     uint32 // of its first byte in the buffer
	CapLen  uint32 // bytes captured
	WireLen uint32 // bytes on the wire
}

// ErrClosed is returned by runs of a Func after its Close.
var ErrClosed = errors.New("the program is closed")

// UnavailableError says why no machine code can run here.
type UnavailableError struct {
	Op  string // what was tried
	Err error  // what came of it
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("no JIT here: %s: %v", e.Op, e.Err) }

func (e *UnavailableError) Unwrap() error { return e.Err }

// FaultError is an access outside of its memory. Translations never make one.
type FaultError struct {
	Packet int // index of the packet in its batch
	PC     int // slot of the access; -1 where the descriptor itself leaves the buffer, or is too short for the ABI
}

func (e *FaultError) Error() string {
	if e.PC < 0 {
		return fmt.Sprintf("packet %d: its descriptor leaves the buffer, or has fewer bytes than the program is made for", e.Packet)
	}
	return fmt.Sprintf("packet %d: insn %d: the access leaves its memory", e.Packet, e.PC)
}

// Compile makes machine code of a program of the ABI User. It returns an *ebpf.Error for a program that ebpf.Check
// refuses, and an *UnavailableError where machine code cannot be had.
func Compile(p ebpf.Program) (*Func, error) { return compile(p, ebpf.User, 0) }

// CompileSeccomp is Compile for the ABI Seccomp: each packet is a struct seccomp_data in host order. A shorter one is a
// *FaultError.
func CompileSeccomp(p ebpf.Program) (*Func, error) { return compile(p, ebpf.Seccomp, ebpf.SeccompSize) }

// CompileBuffer is Compile for the ABI Buffer: the program may write to the packet.
func CompileBuffer(p ebpf.Program) (*Func, error) { return compile(p, ebpf.Buffer, 0) }

// compile makes machine code that takes packets of at least so many bytes.
func compile(p ebpf.Program, abi ebpf.ABI, least int32) (*Func, error) {
	facts, err := ebpf.Check(p, abi)
	if err != nil {
		return nil, err
	}
	code, starts := generate(p, facts, least)
	sealed, err := seal(code)
	if err != nil {
		return nil, err
	}
	f := newFunc(p, facts)
	f.code, f.starts = sealed, starts
	f.vectors.make = vectorMaker(p, facts, abi)
	f.single.make = singleMaker(p, facts, int(least))
	f.cleanup = runtime.AddCleanup(f, (*pages).free, sealed)
	return f, nil
}

// New compiles p where that is possible, and otherwise returns a Func that interprets it: then Why tells the reason. The
// error is that of a program which ebpf.Check refuses.
func New(p ebpf.Program) (*Func, error) {
	f, err := Compile(p)
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) {
		return interpreted(p, err)
	}
	return f, err
}

// A call into generated code holds up the garbage collector until it returns, so a batch is cut to about this many
// instructions a piece.
const (
	batchInsns = 1 << 16
	batchMin   = 16
	batchMax   = 4096
)

// newFunc makes a Func for the program, without anything to run yet.
func newFunc(p ebpf.Program, facts *ebpf.Facts) *Func {
	f := &Func{skb: usesSkb(facts), batch: min(max(batchInsns/len(p), batchMin), batchMax)}
	f.seed.Store(rand.Uint64())
	f.users.Store(1)
	return f
}

// interpreted makes a Func that interprets a copy of the program.
func interpreted(p ebpf.Program, why error) (*Func, error) {
	facts, err := ebpf.Check(p, ebpf.User)
	if err != nil {
		return nil, err
	}
	f := newFunc(p, facts)
	f.slow, f.why = ebpf.Prepare(slices.Clone(p), ebpf.User), why
	return f, nil
}

// Why returns the reason for which the Func interprets its program; nil if it runs machine code.
func (f *Func) Why() error { return f.why }

// UsesSkb reports whether the program looks at the properties of a packet; RunBatch needs none where it does not.
func (f *Func) UsesSkb() bool { return f.skb }

// Code returns a copy of the machine code, and for each slot of the program the place where its code begins; behind them
// that of what follows the program. Both are nil for a Func that interprets. The loop over packets stands before and behind.
func (f *Func) Code() (code []byte, starts []int) {
	if f.code == nil || f.acquire() != nil {
		return nil, nil
	}
	defer f.release()
	return append([]byte(nil), f.code.code...), append([]int(nil), f.starts...)
}

// Close lets go of the machine code. Runs at work end as if nothing had happened; later ones return ErrClosed.
func (f *Func) Close() error {
	if f.closed.CompareAndSwap(false, true) {
		f.single.close()
		f.release()
	}
	return nil
}

// acquire keeps the pages alive until release.
func (f *Func) acquire() error {
	for {
		n := f.users.Load()
		if n == 0 || f.closed.Load() {
			return ErrClosed
		}
		if f.users.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

func (f *Func) release() {
	if f.users.Add(-1) == 0 && f.code != nil {
		f.cleanup.Stop()
		f.code.free()
		f.vectors.free()
	}
}

// Run runs the program on one packet and returns r0; the verdict is its lower half. Head, NetOff, NoLink, CPU and Random
// of the packet are not looked at by machine code: it asks the processor for its number and makes its own random numbers.
// A nil packet is an empty one.
func (f *Func) Run(pkt *ebpf.Packet) (uint64, error) {
	return runSingle(f, pkt)
}

// runGeneral is Run for any packet, any program, and the first time.
func runGeneral(f *Func, pkt *ebpf.Packet) (uint64, error) {
	if body := f.single.body.Load(); body != nil && body.framed && body.fits(pkt) {
		r0 := body.code.runFramed(pkt.Data, pkt.WireLen, pkt.Skb)
		runtime.KeepAlive(body)
		return r0, nil
	}
	if pkt == nil {
		pkt = &ebpf.Packet{}
	}
	if err := f.acquire(); err != nil {
		return 0, err
	}
	defer f.release()
	if f.code == nil {
		r0, err := f.slow.Run(pkt)
		return r0, faultOf(err, 0)
	}
	if uint64(len(pkt.Data)) > math.MaxUint32 {
		return 0, fmt.Errorf("packet of %d bytes, %d is the most", len(pkt.Data), uint32(math.MaxUint32))
	}
	f.single.ready()
	desc := [1]Desc{{CapLen: uint32(len(pkt.Data)), WireLen: pkt.WireLen}}
	var verdict [1]uint32
	if pkt.Skb != nil {
		return f.code.run(&f.seed, pkt.Data, desc[:], asking{from: never}, pkt.Skb, 0, verdict[:])
	}
	skb := ebpf.SkBuff{Len: pkt.WireLen}
	return f.code.run(&f.seed, pkt.Data, desc[:], asking{from: never}, &skb, 0, verdict[:])
}

// RunBatch runs the program on each packet that descs places in buf and writes the verdicts, which must not be shared
// with another goroutine meanwhile. skbs holds the SkBuff of each packet, or is nil for programs that read none of its
// fields; they then find all of them zero. It stops at the first packet with a *FaultError; verdicts before it stand.
func (f *Func) RunBatch(buf []byte, descs []Desc, skbs []ebpf.SkBuff, verdicts []uint32) error {
	switch {
	case len(verdicts) < len(descs):
		return fmt.Errorf("room for %d verdicts, %d packets", len(verdicts), len(descs))
	case skbs != nil && len(skbs) != len(descs):
		return fmt.Errorf("%d properties, %d packets", len(skbs), len(descs))
	}
	if err := f.acquire(); err != nil {
		return err
	}
	defer f.release()
	switch {
	case f.code == nil:
		return f.interpret(buf, descs, skbs, verdicts)
	case len(descs) >= narrow.lanes:
		switch body := f.vectorBody(); {
		case body == nil:
		case f.vectors.mode == VectorAlways:
			return f.runVector(body, buf, descs, verdicts, 0, len(descs))
		default:
			return f.vectors.choice.run(f, body, buf, descs, verdicts)
		}
	}
	return f.runScalar(buf, descs, skbs, verdicts, 0, len(descs))
}

// runScalar runs machine code on one packet after the other, on those of a batch from one index to another.
func (f *Func) runScalar(buf []byte, descs []Desc, skbs []ebpf.SkBuff, verdicts []uint32, from, to int) error {
	shared, step := &ebpf.SkBuff{}, 0
	for done := from; done < to; {
		n := min(to-done, f.batch)
		if skbs != nil {
			shared, step = &skbs[done], ebpf.SkbSize
		}
		if _, err := f.code.run(&f.seed, buf, descs[done:done+n], askingFrom(buf, done, len(descs)), shared, step, verdicts[done:done+n]); err != nil {
			var fault *FaultError
			if errors.As(err, &fault) {
				fault.Packet += done
			}
			return err
		}
		done += n
	}
	return nil
}

// faultOf is what machine code would have made of an error of the interpreter. Check leaves it no other than accesses.
func faultOf(err error, packet int) error {
	var fault *ebpf.Error
	if errors.As(err, &fault) {
		return &FaultError{Packet: packet, PC: fault.PC}
	}
	return err
}

// interpret is RunBatch without machine code.
func (f *Func) interpret(buf []byte, descs []Desc, skbs []ebpf.SkBuff, verdicts []uint32) error {
	var none ebpf.SkBuff
	for i, d := range descs {
		end := uint64(d.Off) + uint64(d.CapLen)
		if end > uint64(len(buf)) {
			return &FaultError{Packet: i, PC: -1}
		}
		pkt := ebpf.Packet{Data: buf[d.Off:end], WireLen: d.WireLen, Skb: &none}
		if skbs != nil {
			pkt.Skb = &skbs[i]
		}
		r0, err := f.slow.Run(&pkt)
		if err != nil {
			return faultOf(err, i)
		}
		verdicts[i] = uint32(r0)
	}
	return nil
}
