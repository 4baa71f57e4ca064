//go:build linux

package cbpf

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// link is a pair of virtual Ethernet devices in a network namespace of its own, with a packet socket on either end.
type link struct {
	send, receive int
	index         uint32 // of the receiving device
	mac           net.HardwareAddr
}

// newLink leaves the thread in the new namespace; it ends with the test, and the namespace and the devices with it.
func newLink(t *testing.T) link {
	t.Helper()
	AskKernel(t)
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("the ip command is missing: nothing to make virtual devices with")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		t.Skipf("no privilege for a network namespace: %v", err)
	}
	// No neighbour discovery of our own: the only frames are those of the test.
	err = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Skipf("IPv6 stays on: %v", err)
	}
	for _, args := range [][]string{
		{"link", "add", "near", "type", "veth", "peer", "name", "far"},
		{"link", "set", "lo", "up"},
		{"link", "set", "near", "arp", "off", "up"},
		{"link", "set", "far", "arp", "off", "up"},
	} {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Skipf("ip %v: %v: %s", args, err, out)
		}
	}
	far, err := net.InterfaceByName("far")
	require.NoError(t, err)
	near, err := net.InterfaceByName("near")
	require.NoError(t, err)
	return link{send: packetSocket(t, near.Index), receive: packetSocket(t, far.Index), index: uint32(far.Index), mac: far.HardwareAddr}
}

func packetSocket(t *testing.T, index int) int {
	t.Helper()
	all := int(uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, all)
	if err != nil {
		t.Skipf("no privilege for packet sockets: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: index}))
	require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}))
	return fd
}

// kept returns how many bytes the far end keeps of a frame. The program must not drop it.
func (l link) kept(t *testing.T, p Program, frame []byte) int {
	t.Helper()
	require.NoError(t, attachFilter(l.receive, p))
	l.drain()
	for lost := 0; ; lost++ { // a busy machine may drop a packet between its two ends
		_, err := unix.Write(l.send, frame)
		require.NoError(t, err, "%x", frame)
		n, err := await(l.receive, make([]byte, 1<<16), unix.MSG_TRUNC)
		if errors.Is(err, unix.EAGAIN) && lost < 3 {
			continue
		}
		require.NoError(t, err, "%x", frame)
		return n
	}
}

// drain takes away what arrived too late for those who waited for it.
func (l link) drain() {
	for {
		if _, _, err := unix.Recvfrom(l.receive, nil, unix.MSG_DONTWAIT|unix.MSG_TRUNC); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// await receives a packet. A signal to the thread, as Go sends them to preempt, ends a wait that has a limit.
func await(fd int, buf []byte, flags int) (n int, err error) {
	for {
		if n, _, err = unix.Recvfrom(fd, buf, flags); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// agree asks the kernel whether the program before the tail leaves in A what Run says, all bits of it. If not, it finds
// out what it does leave, up to the length of the frame.
func (l link) agree(t *testing.T, name string, p Program, frame []byte, pkt *Packet) {
	t.Helper()
	want, err := Run(append(p[:len(p):len(p)], do(cRetA, 0)), pkt)
	require.NoError(t, err)
	tail := append(p[:len(p):len(p)], cond(cJeqK, want, 0, 1), do(cRetK, 1), do(cAddK, 2), do(cRetA, 0))
	if got := l.kept(t, tail, frame); got != 1 {
		require.Equal(t, int(want), got-2, "%s: %v\n%s", name, p, hex.EncodeToString(frame))
		t.Fatalf("%s: the kernel differs from %#x\n%s", name, want, hex.EncodeToString(frame))
	}
}

// received completes what the far end sees of a frame.
func (l link) received(frame []byte) (*Packet, bool) {
	pkt, ok := ethernet(frame)
	if !ok {
		return nil, false
	}
	pkt.Meta.HasDev, pkt.Meta.IfIndex, pkt.Meta.HaType = true, l.index, 1
	pkt.Meta.PktType = 3
	switch {
	case slices.Equal(frame[:6], l.mac):
		pkt.Meta.PktType = 0
	case slices.Equal(frame[:6], []byte{255, 255, 255, 255, 255, 255}):
		pkt.Meta.PktType = 1
	case frame[0]&1 != 0:
		pkt.Meta.PktType = 2
	}
	return pkt, true
}

// TestPayOffMatchesKernel sends every shape of frame, cut at many lengths and with bytes changed at random, and compares
// where the kernel finds the payload.
func TestPayOffMatchesKernel(t *testing.T) {
	l := newLink(t)
	frames, changes := 0, 50
	if testing.Short() {
		changes = 2
	}
	try := func(name string, frame []byte) {
		if pkt, ok := l.received(frame); ok {
			l.agree(t, name, Program{ext(ExtPayOff)}, frame, pkt)
			frames++
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range poffCases {
		try(c.name, c.frame)
		for cut := 14; cut < len(c.frame); cut += 1 + r.IntN(5) {
			try(c.name+", cut", c.frame[:cut])
		}
		for range changes {
			try(c.name+", changed", changed(r, c.frame))
		}
	}
	t.Logf("%d frames", frames)
	require.Greater(t, frames, 300)
}

// changed returns a copy of a frame with one to three bytes behind the addresses set to something that means something
// in one header or the other.
func changed(r *rand.Rand, frame []byte) []byte {
	f := slices.Clone(frame)
	likely := []byte{0, 1, 4, 6, 8, 17, 0x20, 0x21, 41, 43, 44, 0x45, 47, 58, 60, 0x81, 0x86, 0x88, 132, 136, 137, 0xdd, 0xff}
	for range 1 + r.IntN(3) {
		at := 12 + r.IntN(len(f)-12)
		f[at] = likely[r.IntN(len(likely))]
		if r.IntN(3) == 0 {
			f[at] ^= 1 << r.IntN(8)
		}
	}
	return f
}

// TestExtensionsMatchKernel compares the other properties and the windows on frames of several kinds and destinations.
func TestExtensionsMatchKernel(t *testing.T) {
	l := newLink(t)
	require.NoError(t, unix.SetsockoptInt(l.send, unix.SOL_SOCKET, unix.SO_MARK, 0x1234aaaa))
	for _, c := range poffCases {
		for _, to := range []net.HardwareAddr{l.mac, {255, 255, 255, 255, 255, 255}, {1, 0, 0x5e, 0, 0, 1}, {2, 0, 0, 0, 0, 9}} {
			frame := slices.Concat(to, c.frame[6:])
			pkt, ok := l.received(frame)
			require.True(t, ok)
			pkt.Meta.Mark = 0x1234aaaa
			l.agree(t, c.name, propertyMix(), frame, pkt)
		}
		pkt, _ := l.received(c.frame)
		for _, ins := range windowLoads(uint32(len(pkt.Data))) {
			// What is read outside ends with 0, which would drop the frame: ask only about what is inside.
			if v, _ := Run(Program{ins, do(cRetK, 1)}, pkt); v == 1 {
				l.agree(t, c.name, Program{ins}, c.frame, pkt)
			}
		}
	}
}

// propertyMix folds the properties into one word, each at another place.
func propertyMix() Program {
	p := Program{do(cLdxImm, 0)}
	for _, e := range []Ext{ExtProto, ExtPktType, ExtIfIndex, ExtHaType, ExtMark, ExtVlanTCI, ExtVlanPresent, ExtVlanTPID} {
		p = append(p, ext(e), do(cAddX, 0), do(cMulK, 0x9e3779b1), do(cTax, 0))
	}
	return p
}

// windowLoads are loads around the edges of both windows on a packet of n bytes, and of the plain ones.
func windowLoads(n uint32) Program {
	return Program{
		do(cLdW, LLOff), do(cLdB, LLOff+13), do(cLdB, LLOff+n-1), do(cLdH, LLOff+n-2), do(cLdH, LLOff+12),
		do(cLdW, NetOff), do(cLdB, NetOff), do(cLdB, NetOff+n-15), do(cLdH, NetOff+n-16), do(cLdB, n-1), do(cLdH, 12), do(cLdLen, 0),
	}
}

// TestOutsideOfWindowsMatchesKernel: loads outside of both windows drop the frame, which is told by the next one coming
// first.
func TestOutsideOfWindowsMatchesKernel(t *testing.T) {
	l := newLink(t)
	n := uint32(len(icmpFrame))
	pkt, _ := l.received(icmpFrame)
	for _, ins := range []uint32{LLOff + n, NetOff + n - 14, NetOff + n, LLOff - 1, 0x80000000, AdOff - 1, n} {
		for _, code := range []uint16{cLdB, cIndB} {
			p := Program{do(cLdxImm, 0), do(code, ins), do(cRetK, 7)}
			v, err := Run(p, pkt)
			require.NoError(t, err)
			require.Equal(t, uint32(0), v)
			require.NoError(t, attachFilter(l.receive, p))
			_, err = unix.Write(l.send, icmpFrame)
			require.NoError(t, err)
			require.Equal(t, 9, l.kept(t, Program{do(cRetK, 9)}, icmpFrame), "%#x was kept", ins)
		}
	}
}

// TestUDPSocketMatchesKernel: on a UDP socket the data begins at the UDP header; both windows and the payload offset
// start from headers in front of it.
func TestUDPSocketMatchesKernel(t *testing.T) {
	newLink(t) // for its namespace
	receive, to := udpSocket(t)
	send, from := udpSocket(t)
	payload := []byte{1, 2, 3, 4}
	data := join(be16(uint16(from.Port)), be16(uint16(to.Port)), be16(8+4), zeros(2), payload)
	ip := join([]byte{0x45, 0, 0, 32}, zeros(5), []byte{17}, zeros(2), []byte{127, 0, 0, 1, 127, 0, 0, 1})
	pkt := &Packet{Data: data, WireLen: uint32(len(data)), Meta: Meta{
		Head: join(zeros(12), be16(0x0800), ip), NetOff: -20, Protocol: 0x0800, HasDev: true, IfIndex: 1, HaType: 772,
	}}
	for _, ins := range []uint16{cLdB, cLdH, cLdW} {
		for _, k := range []uint32{0, 2, 8, NetOff, NetOff + 12, NetOff + 16, NetOff + 17, NetOff + 19, NetOff + 20, NetOff + 28,
			LLOff, LLOff + 8, LLOff + 10, LLOff + 11, LLOff + 26, LLOff + 33, LLOff + 42} {
			if v, _ := Run(Program{do(ins, k), do(cRetK, 1)}, pkt); v == 1 {
				agreeUDP(t, send, receive, to, Program{do(ins, k)}, payload, pkt)
			}
		}
	}
	for _, p := range []Program{propertyMix(), {ext(ExtPayOff)}, {do(cLdLen, 0)}, {do(cLdB, NetOff+9)}, {do(cMsh, NetOff), do(cTxa, 0)}} {
		agreeUDP(t, send, receive, to, p, payload, pkt)
	}
}

func udpSocket(t *testing.T) (fd int, addr *unix.SockaddrInet4) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}))
	local, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, local.(*unix.SockaddrInet4)
}

// agreeUDP keeps one byte behind the UDP header if A ends as Run says, two if not.
func agreeUDP(t *testing.T, send, receive int, to unix.Sockaddr, p Program, payload []byte, pkt *Packet) {
	t.Helper()
	want, err := Run(append(p[:len(p):len(p)], do(cRetA, 0)), pkt)
	require.NoError(t, err)
	require.NoError(t, attachFilter(receive, append(p[:len(p):len(p)], cond(cJeqK, want, 0, 1), do(cRetK, 9), do(cRetK, 10))))
	require.NoError(t, unix.Sendto(send, payload, 0, to))
	n, err := await(receive, make([]byte, 64), 0)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the kernel differs from %#x: %v", want, p)
}
