package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Capture is a packet socket on an interface behind a socket filter. What the filter keeps can be read, in the length to
// which it was cut; what nobody reads in time is dropped, and counted.
//
// It is not safe for concurrent use, but for Close.
type Capture struct {
	file    *os.File
	conn    syscall.RawConn
	control []byte
	stats   CaptureStats
}

// Listen attaches the program, a SocketFilter, to a new packet socket on an interface. The socket sees no packet that
// the program has not seen. Errors are those of Attach.
func (f *Filter) Listen(name string) (*Capture, error) {
	h := Hook{Kind: HookSocket, Where: name}
	if f.kind != SocketFilter {
		return nil, &AttachError{Reason: ReasonHookType, Detail: fmt.Sprintf("%s, %s", h, f.kind)}
	}
	iface, err := interfaceOf(h)
	if err != nil {
		return nil, err
	}
	// A socket of protocol 0 gets nothing until it is bound, when the filter is there.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, hookError(h, err)
	}
	if err := f.bind(fd, iface.Index); err != nil {
		return nil, hookError(h, errors.Join(err, unix.Close(fd)))
	}
	file := os.NewFile(uintptr(fd), h.String())
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, hookError(h, errors.Join(err, file.Close()))
	}
	return &Capture{file: file, conn: conn, control: make([]byte, unix.CmsgSpace(auxSize))}, nil
}

// bind attaches the program to the socket, and the socket to the interface.
func (f *Filter) bind(fd, index int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, f.prog.FD()); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return err
	}
	all := hostOrder.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})
	return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
}

// SetDeadline bounds the wait of Next. The zero time is no bound.
func (c *Capture) SetDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }

// Next waits for a packet that the filter keeps, and describes it as the filter saw it: with the tag of a VLAN beside the
// data. Data is buf, cut to what was kept; what does not fit into buf is lost. WireLen is the whole length of the packet. An
// error is os.ErrDeadlineExceeded after the deadline, os.ErrClosed after Close.
func (c *Capture) Next(buf []byte) (*cbpf.Packet, error) {
	var n, oobn int
	var from unix.Sockaddr
	var err error
	waited := c.conn.Read(func(fd uintptr) bool {
		n, oobn, _, from, err = unix.Recvmsg(int(fd), buf, c.control, 0)
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	switch {
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return nil, waited
	case waited != nil:
		return nil, fmt.Errorf("%w: %w", os.ErrClosed, waited)
	case err != nil:
		return nil, err
	}
	pkt := &cbpf.Packet{Data: buf[:n], WireLen: uint32(n)}
	if at, ok := from.(*unix.SockaddrLinklayer); ok {
		pkt.Meta = cbpf.Meta{HasDev: true, IfIndex: uint32(at.Ifindex), HaType: at.Hatype, PktType: at.Pkttype, Protocol: swapped(at.Protocol)}
	}
	return pkt, c.auxiliary(pkt, c.control[:oobn])
}

// swapped reads a number in network order that was loaded in host order.
func swapped(n uint16) uint16 {
	var b [2]byte
	hostOrder.PutUint16(b[:], n)
	return uint16(b[0])<<8 | uint16(b[1])
}

// auxSize is the size of struct tpacket_auxdata of linux/if_packet.h: three words and four halves.
const auxSize = 20

// auxiliary reads what does not stand in the data.
func (c *Capture) auxiliary(pkt *cbpf.Packet, control []byte) error {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < auxSize {
			continue
		}
		status, length := hostOrder.Uint32(m.Data), hostOrder.Uint32(m.Data[4:])
		mac, net := hostOrder.Uint16(m.Data[12:]), hostOrder.Uint16(m.Data[14:])
		pkt.WireLen, pkt.Meta.NetOff = length, int(net)-int(mac)
		if status&unix.TP_STATUS_VLAN_VALID != 0 {
			pkt.Meta.VlanPresent = true
			pkt.Meta.VlanTCI, pkt.Meta.VlanTPID = hostOrder.Uint16(m.Data[16:]), hostOrder.Uint16(m.Data[18:])
		}
	}
	return nil
}

// Stats counts what came since Listen.
func (c *Capture) Stats() (CaptureStats, error) {
	var now *unix.TpacketStats
	var err error
	if waited := c.conn.Control(func(fd uintptr) {
		now, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); waited != nil {
		return c.stats, waited
	}
	if err != nil {
		return c.stats, err
	}
	// The kernel counts anew after each question.
	c.stats.Kept += uint64(now.Packets)
	c.stats.Dropped += uint64(now.Drops)
	return c.stats, nil
}

// Close ends the socket, and a Next that waits.
func (c *Capture) Close() error { return c.file.Close() }

// attachSocket attaches to a socket that nobody reads from.
func attachSocket(f *Filter, h Hook) (*Attachment, error) {
	c, err := f.Listen(h.Where)
	if err != nil {
		return nil, err
	}
	return &Attachment{hook: h, end: c.Close}, nil
}
