package veth

import (
	"errors"

	"golang.org/x/sys/unix"
)

// sockets are a UDP socket at either end, both in a cgroup of their own.
type sockets struct {
	group     *cgroup
	near, far int
}

// makeSockets makes them, once.
func (l *Link) makeSockets() error {
	if l.sockets != nil {
		return nil
	}
	group, err := newCgroup()
	if err != nil {
		return err
	}
	s := &sockets{group: group, near: -1, far: -1}
	err = group.inside(func() (err error) {
		if s.near, err = l.Near.newUDP(nearPort); err != nil {
			return err
		}
		s.far, err = l.Far.newUDP(farPort)
		return err
	})
	if err != nil {
		return errors.Join(err, s.close())
	}
	l.sockets = s
	return nil
}

func (s *sockets) close() error {
	var all []error
	for _, fd := range []int{s.near, s.far} {
		if fd >= 0 {
			all = append(all, unix.Close(fd))
		}
	}
	return errors.Join(append(all, s.group.remove())...)
}

// newUDP makes the UDP socket of an end. It belongs to the cgroup in which the process is.
func (e *End) newUDP(port int) (fd int, err error) {
	err = e.Do(func() error {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20),
			unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: addrOf(e.IP)}))
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
			fd = -1
		}
		return err
	})
	return fd, err
}

// sendUDP sends a payload from the near end: in pages behind its headers, if that is wanted.
func (l *Link) sendUDP(f Frame, payload []byte) error {
	fd := l.sockets.near
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(f.Mark)); err != nil {
		return err
	}
	flags := 0
	if f.Linear > 0 {
		flags = unix.MSG_ZEROCOPY
	}
	err := unix.Sendto(fd, payload, flags, &unix.SockaddrInet4{Port: farPort, Addr: addrOf(l.Far.IP)})
	if err != nil && !errors.Is(err, unix.EPERM) { // which is how a program says no
		return err
	}
	return drainErrors(fd)
}

// drainErrors takes the notices that pages have been sent off the socket, before they fill its memory.
func drainErrors(fd int) error {
	for {
		_, _, _, _, err := unix.Recvmsg(fd, nil, make([]byte, 256), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		}
	}
}
