//go:build linux

package cbpf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// AskKernel skips the test where the kernel is not to be asked.
func AskKernel(t *testing.T) {
	t.Helper()
	if os.Getenv("CBPF2EBPF_NO_KERNEL") != "" {
		t.Skip("skipped: the kernel is not to be asked: CBPF2EBPF_NO_KERNEL is set")
	}
}

var given atomic.Int64

// Breathe is called for each filter given to the kernel, and now and then waits until it has begun to free earlier ones.
// It frees each in a work item of its own, and Linux 6.18 can come to a standstill where a thousand of them are due.
func Breathe() {
	const (
		every            = 128
		membarrierGlobal = 1 // MEMBARRIER_CMD_GLOBAL: return after a grace period
	)
	if given.Add(1)%every == 0 {
		_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0)
	}
}

// attachFilter sets the filter of a socket, which is the kernel's own checker and engine of classic programs.
func attachFilter(fd int, p Program) error {
	Breathe()
	rows := make([]unix.SockFilter, len(p))
	for i, ins := range p {
		rows[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	prog := unix.SockFprog{Len: uint16(len(rows)), Filter: &rows[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}

// unixPair is a pair of datagram sockets; the receiving one runs the filter. A packet on it has no link-layer header,
// no device, no protocol, and its network header at 0.
type unixPair struct{ send, receive int }

func newUnixPair(t *testing.T) unixPair {
	t.Helper()
	AskKernel(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no AF_UNIX sockets to ask the kernel with: %v", err)
	}
	t.Cleanup(func() {
		require.NoError(t, unix.Close(fds[0]))
		require.NoError(t, unix.Close(fds[1]))
	})
	return unixPair{send: fds[0], receive: fds[1]}
}

// kept returns how many bytes the kernel keeps of a packet: the lesser of the verdict and the length.
func (u unixPair) kept(p Program, packet []byte) (int, error) {
	if err := attachFilter(u.receive, p); err != nil {
		return 0, fmt.Errorf("attach: %w", err)
	}
	if err := unix.Send(u.send, packet, 0); err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	n, _, err := unix.Recvfrom(u.receive, make([]byte, len(packet)), 0)
	if errors.Is(err, unix.EAGAIN) {
		return 0, nil
	}
	return n, err
}

// unixPacket is what the kernel sees of data that comes over a unixPair.
func unixPacket(data []byte) *Packet {
	return &Packet{Data: data, WireLen: uint32(len(data)), Meta: Meta{NoLink: true}}
}

// lines writes a program and a packet so that a failure can be pasted as a case.
func lines(p Program, data []byte) string {
	s := "packet " + hex.EncodeToString(data) + "\n"
	for _, ins := range p {
		s += fmt.Sprintf("{0x%02x, %d, %d, 0x%x},\n", ins.Op, ins.Jt, ins.Jf, ins.K)
	}
	return s
}

// TestRunMatchesKernel runs random valid programs here and in the kernel. Each one is asked whether A and X end as Run
// says, all bits of them: the tail keeps 2 bytes if they do and 1 if not. An early end shows as another number.
func TestRunMatchesKernel(t *testing.T) {
	pair := newUnixPair(t)
	rounds := 6000
	if testing.Short() {
		rounds = 600
	}
	r := rand.New(rand.NewPCG(1, 2))
	reached := 0
	for i := range rounds {
		data := randomPacket(r)
		body := randomProgram(r, len(data))
		pkt := unixPacket(data)
		a, err := Run(append(body[:len(body):len(body)], do(cRetA, 0)), pkt)
		require.NoError(t, err, lines(body, data))
		x, err := Run(append(body[:len(body):len(body)], do(cTxa, 0), do(cRetA, 0)), pkt)
		require.NoError(t, err, lines(body, data))

		p := append(body[:len(body):len(body)],
			cond(cJeqK, a, 0, 3), do(cTxa, 0), cond(cJeqK, x, 0, 1), do(cRetK, 2), do(cRetK, 1))
		want, err := Run(p, pkt)
		require.NoError(t, err, lines(p, data))
		got, err := pair.kept(p, data)
		require.NoError(t, err, "program %d\n%s", i, lines(p, data))
		require.Equal(t, int(min(want, uint32(len(data)))), got, "program %d\n%s", i, lines(p, data))
		if want == 2 {
			reached++
		}
	}
	t.Logf("%d programs, %d of them ran to the end", rounds, reached)
	require.Greater(t, reached, rounds/3, "too few programs reach the end for the test to mean much")
}

// TestKernelBits observes whole verdicts of single instructions bit by bit, without a word of Run in the program.
func TestKernelBits(t *testing.T) {
	pair := newUnixPair(t)
	for _, c := range bitCases() {
		t.Run(c.name, func(t *testing.T) {
			pkt := unixPacket(c.data)
			want, err := Run(append(c.p[:len(c.p):len(c.p)], do(cRetA, 0)), pkt)
			require.NoError(t, err)
			require.Equal(t, c.want, want, "here")
			var got uint32
			for bit := range uint32(32) {
				p := append(c.p[:len(c.p):len(c.p)], do(cRshK, bit), do(cAndK, 1), do(cRetA, 0))
				n, err := pair.kept(p, c.data)
				require.NoError(t, err)
				got |= uint32(n) << bit
			}
			require.Equal(t, c.want, got, "in the kernel")
		})
	}
}

// bitCases are the programs without their last instruction, which is ret a, whose verdicts were derived by hand.
func bitCases() []runCase {
	var cases []runCase
	for _, c := range allCases() {
		last := c.p[len(c.p)-1]
		if c.meta == nil && last.Op == cRetA {
			c.p = c.p[:len(c.p)-1]
			if c.data == nil { // it reads none
				c.data = []byte{1}
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// randomPacket makes 3 to 90 bytes, the small ones more often, so that netlink attributes come about.
func randomPacket(r *rand.Rand) []byte {
	data := make([]byte, 3+r.IntN(88))
	for i := range data {
		data[i] = byte(r.Uint32())
		if r.IntN(2) == 0 {
			data[i] = byte(r.IntN(8)) * 2
		}
	}
	return data
}

// randomProgram makes a valid program but for its end: a body of up to 24 instructions, which falls through to what the
// caller appends. Scratch words 0 to 3 are initialised at its head.
func randomProgram(r *rand.Rand, size int) Program {
	p := Program{do(cLdxImm, randomWord(r)), do(cLdImm, randomWord(r)), do(cSt, 0), do(cStx, 1), do(cSt, 2), do(cStx, 3)}
	n := 1 + r.IntN(24)
	for i := range n {
		p = append(p, randomInsn(r, size, n-1-i))
	}
	return p
}

// randomInsn makes one instruction; behind it come left others of the body.
func randomInsn(r *rand.Rand, size, left int) bpf.RawInstruction {
	row := Ops[r.IntN(len(Ops))]
	for row.Form == FormRetA || row.Form == FormRetK && r.IntN(8) > 0 {
		row = Ops[r.IntN(len(Ops))]
	}
	k := randomWord(r)
	switch row.Form {
	case FormAbs, FormInd, FormMSH:
		k = randomPlace(r, size, row.Form)
	case FormMem:
		k = uint32(r.IntN(4))
	case FormJump:
		k = uint32(r.IntN(left + 1))
	case FormImm:
		switch row.Fn {
		case Div, Mod:
			k |= 1
		case Lsh, Rsh:
			if row.Code&7 == 4 {
				k &= 31
			}
		}
	}
	return bpf.RawInstruction{Op: row.Code, Jt: uint8(r.IntN(left + 1)), Jf: uint8(r.IntN(left + 1)), K: k}
}

// randomWord prefers the edges.
func randomWord(r *rand.Rand) uint32 {
	switch r.IntN(6) {
	case 0:
		return r.Uint32()
	case 1:
		edges := []uint32{0, 1, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, LLOff, NetOff, AdOff}
		return edges[r.IntN(len(edges))]
	case 2:
		return -uint32(r.IntN(40))
	}
	return uint32(r.IntN(40))
}

// randomPlace is the k of a load: mostly in the packet, now and then around its end, in a window or an extension.
func randomPlace(r *rand.Rand, size int, form Form) uint32 {
	in := uint32(r.IntN(size))
	switch r.IntN(24) {
	case 0:
		return NetOff + in
	case 1:
		if r.IntN(8) == 0 {
			return LLOff + in
		}
		return in
	case 2, 3, 4, 5:
		if form == FormAbs {
			e := Exts[r.IntN(len(Exts))].Ext
			if e != ExtCPU && e != ExtRandom && (e != ExtIfIndex && e != ExtHaType || r.IntN(6) == 0) {
				return AdOff + uint32(e)
			}
		}
		return in
	case 6:
		return uint32(size - r.IntN(4))
	case 7:
		if form != FormAbs {
			return -uint32(r.IntN(8))
		}
		return in
	case 8:
		edges := []uint32{0x7fffffff, 0x80000000, LLOff - 1, NetOff - 1, AdOff - 1}
		if r.IntN(4) == 0 {
			return edges[r.IntN(len(edges))]
		}
		return in
	}
	return in / 2
}
