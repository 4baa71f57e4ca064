package jit

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/sys/unix"
)

// This file holds every unsafe line of the project: the entry into generated code, and the pages that it lies in.

// pages is executable memory. code is what was generated; the rest of the pages is filled with int3.
type pages struct {
	all  []byte
	code []byte
}

// args is the block of arguments of generated code; regs.go has the offsets of its fields.
type args struct {
	buf     unsafe.Pointer
	bufLen  uintptr
	descs   unsafe.Pointer
	count   uintptr
	out     unsafe.Pointer
	skb     unsafe.Pointer
	skbStep uintptr
	seed    unsafe.Pointer
	descEnd uintptr
	fault   int64
	at      uintptr
	ask     int64
	askLast int64
	stop    uintptr
}

// callCode enters generated code and returns what it leaves in RAX.
//
// It is splittable and declares the frame that generated code uses, so that the Go stack has room for it. The pointer is
// typed: the stack may move on entry, and it is then adjusted. Generated code keeps no pointer.
//
//go:noescape
func callCode(code uintptr, a *args) uint64

// runSingle runs the quick single body of f, if there is one and it can take the packet.
//
// It looks at all this itself, because a step from Go to assembly costs as much as a small program. Nobody counts the run, nor is
// the body kept alive by Go: assembly is not preempted, so that the collector cannot have gone through this goroutine's
// stack between the load of the pointer and the end of the run; and a pointer that Close takes away during a collection is
// still followed by it, as all pointers are that are overwritten then.
//
//go:noescape
func runSingle(f *Func, pkt *ebpf.Packet) (r0 uint64, err error)

// callOneFramed enters generated code that takes one packet and uses the frame, and returns r0.
//
//go:noescape
func callOneFramed(code uintptr, data *byte, caplen, wirelen uint32, skb *ebpf.SkBuff) uint64

// callVector does the same with a larger frame.
//
//go:noescape
func callVector(code uintptr, a *args)

// vendor asks the processor who made it.
func vendor() (b, d, c uint32)

// madeByAMD reports whether it was AMD.
func madeByAMD() bool {
	b, d, c := vendor()
	return b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163 // "Auth", "enti", "cAMD"
}

// seal puts code into pages that are written first and made executable then, never both at once.
func seal(code []byte) (*pages, error) {
	const int3 = 0xcc
	page := unix.Getpagesize()
	size := (len(code) + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, &UnavailableError{Op: "mapping memory", Err: err}
	}
	for i := copy(all, code); i < size; i++ {
		all[i] = int3
	}
	if err := unix.Mprotect(all, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		_ = unix.Munmap(all) // the memory was mapped above, so this cannot fail
		return nil, &UnavailableError{Op: "making memory executable", Err: err}
	}
	return &pages{all: all, code: all[:len(code)]}, nil
}

// free unmaps the pages. Nobody may be running them.
func (p *pages) free() {
	_ = unix.Munmap(p.all) // the memory was mapped by seal, so this cannot fail
}

// fill sets the arguments for descs. Generated code reads descriptors behind them where ahead says so. out must be as
// long. The fields are set one by one: a literal would be copied in larger pieces, which have to wait for the smaller ones to
// be written.
func (a *args) fill(buf []byte, descs []Desc, ahead asking, out []uint32) {
	a.buf, a.bufLen = unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf))
	a.descs, a.count = unsafe.Pointer(unsafe.SliceData(descs)), uintptr(len(descs))
	a.out = unsafe.Pointer(unsafe.SliceData(out))
	a.ask, a.askLast = ahead.from, ahead.last
}

// run enters the code once for all descs. skb is the SkBuff of the first packet and step the bytes to the next one. It returns r0 of the last packet.
func (p *pages) run(seed *atomic.Uint64, buf []byte, descs []Desc, ahead asking, skb *ebpf.SkBuff, step int, out []uint32) (uint64, error) {
	var a args
	a.fill(buf, descs, ahead, out)
	a.skb, a.skbStep, a.seed = unsafe.Pointer(skb), uintptr(step), unsafe.Pointer(seed)
	r0 := callCode(p.entry(), &a)
	runtime.KeepAlive(buf)
	runtime.KeepAlive(descs)
	runtime.KeepAlive(out)
	runtime.KeepAlive(skb)
	runtime.KeepAlive(seed)
	runtime.KeepAlive(p)
	switch {
	case a.fault == badDesc:
		return 0, &FaultError{Packet: int(a.at) / descSize, PC: -1}
	case a.fault != 0:
		return 0, &FaultError{Packet: int(a.at) / descSize, PC: int(a.fault) - 1}
	}
	return r0, nil
}

// runFramed enters code made by generateOne that uses the frame. skb may be nil for programs that do not look at it.
func (p *pages) runFramed(data []byte, wirelen uint32, skb *ebpf.SkBuff) uint64 {
	r0 := callOneFramed(p.entry(), unsafe.SliceData(data), uint32(len(data)), wirelen, skb)
	runtime.KeepAlive(p)
	return r0
}

// runVector enters the code of a vector body once for all descs, of which there are at least as many as in a group. It
// returns the number of packets that have their verdict then: all, or those before a group that the body gave up.
func (p *pages) runVector(buf []byte, descs []Desc, ahead asking, out []uint32) int {
	var a args
	a.fill(buf, descs, ahead, out)
	callVector(p.entry(), &a)
	runtime.KeepAlive(buf)
	runtime.KeepAlive(descs)
	runtime.KeepAlive(out)
	runtime.KeepAlive(p)
	if a.fault != 0 {
		return int(a.at) / descSize
	}
	return len(descs)
}

func (p *pages) entry() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p.all))) }
