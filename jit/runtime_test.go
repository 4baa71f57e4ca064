//go:build linux && amd64

package jit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestArgumentsAreWhereTheCodeLooks(t *testing.T) {
	var a args
	for want, got := range map[int]uintptr{
		argBuf: unsafe.Offsetof(a.buf), argBufLen: unsafe.Offsetof(a.bufLen), argDescs: unsafe.Offsetof(a.descs),
		argCount: unsafe.Offsetof(a.count), argOut: unsafe.Offsetof(a.out), argSkb: unsafe.Offsetof(a.skb),
		argSkbStep: unsafe.Offsetof(a.skbStep), argSeed: unsafe.Offsetof(a.seed), argDescEnd: unsafe.Offsetof(a.descEnd),
		argFault: unsafe.Offsetof(a.fault), argAt: unsafe.Offsetof(a.at), argAsk: unsafe.Offsetof(a.ask), argAskLast: unsafe.Offsetof(a.askLast), argStop: unsafe.Offsetof(a.stop),
	} {
		require.Equal(t, uintptr(want), got)
	}
	var pkt ebpf.Packet
	require.Equal(t, uintptr(packetData), unsafe.Offsetof(pkt.Data))
	require.Equal(t, uintptr(packetLen), unsafe.Offsetof(pkt.Data)+unsafe.Sizeof(uintptr(0)))
	require.Equal(t, uintptr(packetWireLen), unsafe.Offsetof(pkt.WireLen))
	require.Equal(t, uintptr(packetSkb), unsafe.Offsetof(pkt.Skb))
	require.Equal(t, unsafe.Sizeof(uintptr(0)), unsafe.Sizeof(Func{}.single.quick), "it is a pointer and nothing else")
	var d Desc
	require.Equal(t, uintptr(descOff), unsafe.Offsetof(d.Off))
	require.Equal(t, uintptr(descCapLen), unsafe.Offsetof(d.CapLen))
	require.Equal(t, uintptr(descWireLen), unsafe.Offsetof(d.WireLen))
	require.Equal(t, uintptr(descSize), unsafe.Sizeof(d))
	require.Equal(t, uintptr(ebpf.SkbSize), unsafe.Sizeof(ebpf.SkBuff{}))
}

// fenced is a page of memory between two that cannot be touched.
func fenced(t *testing.T) []byte {
	page := unix.Getpagesize()
	all, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(all)) })
	require.NoError(t, unix.Mprotect(all[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(all[2*page:], unix.PROT_NONE))
	return all[page : 2*page]
}

// TestNoByteOutsideThePacketIsTouched puts packets flush against both ends of a page whose neighbours fault. The code is
// frameless, so that a fault becomes a panic, and the test fails instead of the process.
func TestNoByteOutsideThePacketIsTouched(t *testing.T) {
	requireJIT(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	page := fenced(t)
	for seed := range uint64(1500) {
		g := newGenerator(seed)
		p := g.program(1 + g.IntN(40))
		f := compiled(t, p)
		pkt := g.packet()
		for _, room := range [][]byte{page[:len(pkt.Data)], page[len(page)-len(pkt.Data):]} {
			copy(room, pkt.Data)
			pkt.Data = room
			sameOutcome(t, f, p, pkt)
		}
	}
}

// TestFenceWorks shows that the test above can fail: a descriptor that lies about the buffer is caught by the fence.
func TestFenceWorks(t *testing.T) {
	requireJIT(t)
	f := compiled(t, tcp())
	page := fenced(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	lie := unsafe.Slice(unsafe.SliceData(page[len(page)-10:]), 24)
	require.Panics(t, func() { _, _ = f.Run(&ebpf.Packet{Data: lie}) })
	runtime.GC()
	r0, err := f.Run(&ebpf.Packet{Data: page[:24]})
	require.NoError(t, err)
	require.Zero(t, r0)
}

// TestUnderStress runs batches and single packets while the collector, the profiler and stack growth do their worst.
func TestUnderStress(t *testing.T) {
	requireJIT(t)
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var profile bytes.Buffer
	require.NoError(t, pprof.StartCPUProfile(&profile))
	f := compiled(t, tcp())
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for id := range 8 {
		wg.Go(func() {
			buf, descs := packets(512, 60)
			for ctx.Err() == nil {
				verdicts := make([]uint32, len(descs))
				if err := f.RunBatch(buf, descs, nil, verdicts); err != nil || verdicts[200] != 200 {
					t.Errorf("goroutine %d: verdict %d, error %v", id, verdicts[200], err)
					return
				}
				if got := deep(f, 40+id*20); got != 7 {
					t.Errorf("goroutine %d: verdict %d on a deep stack", id, got)
					return
				}
			}
		})
	}
	for ctx.Err() == nil {
		runtime.GC()
		runtime.Stack(make([]byte, 1<<16), true)
	}
	wg.Wait()
	pprof.StopCPUProfile()
	require.NotZero(t, profile.Len())
}

// deep runs the program at the bottom of a recursion, on a packet that lies on the stack.
func deep(f *Func, depth int) uint64 {
	var pad [64]byte
	if depth > 0 {
		return deep(f, depth-1) + uint64(pad[depth%64])
	}
	pad[23] = 7
	r0, err := f.Run(&ebpf.Packet{Data: pad[:]})
	if err != nil {
		return ^uint64(0)
	}
	return r0
}

// TestDeniedExecutableMemory runs itself in a child that may make no memory executable any more: New has to interpret.
func TestDeniedExecutableMemory(t *testing.T) {
	const child, setMDWE, refuseExecGain = "CBPF2EBPF_TEST_DENY_EXEC", 65, 1
	if os.Getenv(child) == "" {
		requireJIT(t)
		cmd := exec.Command(os.Args[0], "-test.run=^TestDeniedExecutableMemory$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		if bytes.Contains(out, []byte("--- SKIP")) {
			t.Skipf("skipped: the kernel knows no PR_SET_MDWE")
		}
		return
	}
	if err := unix.Prctl(setMDWE, refuseExecGain, 0, 0, 0); err != nil {
		t.Skipf("skipped: PR_SET_MDWE: %v", err)
	}
	_, err := Compile(tcp())
	var unavailable *UnavailableError
	require.ErrorAs(t, err, &unavailable)
	require.ErrorIs(t, err, unix.EACCES)
	f, err := New(tcp())
	require.NoError(t, err)
	require.True(t, errors.Is(f.Why(), unix.EACCES))
	r0, err := f.Run(&ebpf.Packet{Data: bytes.Repeat([]byte{6}, 60)})
	require.NoError(t, err)
	require.Equal(t, uint64(6), r0)
	require.NoError(t, f.Close())
}
