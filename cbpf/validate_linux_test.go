package cbpf_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestValidateAgreesWithTheKernel asks the running kernel about every case of this package and about random programs.
func TestValidateAgreesWithTheKernel(t *testing.T) {
	k := openKernel(t)
	for _, tc := range goodPrograms {
		k.agree(t, tc.prog)
	}
	for _, tc := range badPrograms {
		k.agree(t, tc.prog)
	}
	for code := range 1 << 16 {
		k.agree(t, cbpf.Program{st0, {Op: uint16(code), K: 1}, retK, retK})
	}
	accepted, total := 0, 40000
	rnd := rand.New(rand.NewPCG(3, 4))
	for range total {
		if k.agree(t, randomProgram(rnd)) {
			accepted++
		}
	}
	t.Logf("%d of %d random programs accepted", accepted, total)
	require.Greater(t, accepted, total/5, "too few valid programs to mean anything")
	require.Less(t, accepted, total*4/5, "too few broken programs to mean anything")
}

// kernel is a socket that filters are attached to.
type kernel struct{ fd int }

func openKernel(t *testing.T) kernel {
	cbpf.AskKernel(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no socket to attach a filter to: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	k := kernel{fd}
	if err := k.attach(cbpf.Program{retK}); err != nil {
		t.Skipf("this system does not attach filters to sockets: %v", err)
	}
	return k
}

// attach returns the kernel's answer. The classic rules are checked before memory is charged, so that a lack of memory
// means acceptance.
func (k kernel) attach(p cbpf.Program) error {
	cbpf.Breathe()
	rows := make([]unix.SockFilter, len(p), len(p)+1)
	for i, ins := range p {
		rows[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &rows[:1][0]}
	err := unix.SetsockoptSockFprog(k.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
	if errors.Is(err, unix.ENOMEM) {
		return nil
	}
	return err
}

// agree fails the test unless Validate and the kernel say the same of a program, and returns what they say.
func (k kernel) agree(t *testing.T, p cbpf.Program) bool {
	ours, theirs := cbpf.Validate(p), k.attach(p)
	if (ours == nil) != (theirs == nil) {
		text, err := cbpf.Print(p, cbpf.Listing)
		require.NoError(t, err)
		t.Fatalf("Validate: %v\nkernel: %v\n%s", ours, theirs, text)
	}
	return ours == nil
}

// edges are the values of k around which the rules change.
var edges = []uint32{0, 1, 2, 14, 15, 16, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffe00000, 0xffffefff, 0xfffff000,
	0xfffff004, 0xfffff03c, 0xfffff03d, 0xfffff040, 0xfffffffe, 0xffffffff}

// randomProgram returns a program of up to 60 instructions. It keeps to the rules mostly: each is broken seldom, by
// chance, and scratch memory and jumps are frequent, as their rules are the intricate ones.
func randomProgram(rnd *rand.Rand) cbpf.Program {
	p := make(cbpf.Program, 1+rnd.IntN(60))
	words := uint32(1 + rnd.IntN(16)) // few words make loads of stored ones likely
	for pc := range p {
		p[pc] = randomInsn(rnd, len(p)-1-pc, words)
	}
	for pc := range min(len(p), rnd.IntN(2*int(words))) {
		p[pc] = bpf.RawInstruction{Op: 0x02, K: uint32(pc) % words}
	}
	if rnd.IntN(20) > 0 {
		p[len(p)-1] = [...]bpf.RawInstruction{retK, retA}[rnd.IntN(2)]
	}
	return p
}

// randomInsn returns an instruction that has left others behind it.
func randomInsn(rnd *rand.Rand, left int, words uint32) bpf.RawInstruction {
	if rnd.IntN(300) == 0 {
		return bpf.RawInstruction{Op: uint16(rnd.IntN(0x120)), Jt: uint8(rnd.Uint32()), Jf: uint8(rnd.Uint32()), K: rnd.Uint32()}
	}
	info := cbpf.Ops[rnd.IntN(len(cbpf.Ops))]
	ins := bpf.RawInstruction{Op: info.Code, K: rnd.Uint32N(32) + 1}
	switch {
	case rnd.IntN(200) == 0:
		ins.K = edges[rnd.IntN(len(edges))]
	case info.Form == cbpf.FormMem:
		ins.K = rnd.Uint32N(words)
	case info.Form == cbpf.FormImm:
		ins.K = 1 + rnd.Uint32N(31)
	case info.Form == cbpf.FormJump && left > 0:
		ins.K = rnd.Uint32N(uint32(min(left, 8)))
	}
	if reach := min(left, 8); reach > 0 {
		ins.Jt, ins.Jf = uint8(rnd.IntN(reach)), uint8(rnd.IntN(reach))
	}
	return ins
}
