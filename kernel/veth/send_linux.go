package veth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sender is a packet socket on the near end that sends frames from a ring of pages, of which the kernel copies no more into
// one piece than it is told to.
type sender struct {
	fd   int
	ring []byte
}

// The ring is one slot (struct tpacket2_hdr of linux/if_packet.h, Linux 6.18): a header, whose first words are the status
// and the length, and the data behind it, a struct virtio_net_hdr and the frame.
const (
	ringSize  = 1 << 17
	slotLen   = 4
	slotSnap  = 8
	slotData  = 32
	vnetSize  = 10 // struct virtio_net_hdr of linux/virtio_net.h
	vnetLen   = 2  // its hdr_len: how much lies in one piece
	tpacketV2 = 1
)

func newSender(index int) (*sender, error) {
	s := &sender{fd: -1}
	if err := s.open(index); err != nil {
		return nil, errors.Join(fmt.Errorf("make a socket to send frames: %w", err), s.close())
	}
	return s, nil
}

// open makes a socket of protocol 0, which receives nothing.
func (s *sender) open(index int) (err error) {
	if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		return err
	}
	for _, option := range []struct{ name, value int }{
		{unix.PACKET_VERSION, tpacketV2}, {unix.PACKET_VNET_HDR, 1},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, option.name, option.value); err != nil {
			return err
		}
	}
	ring := unix.TpacketReq{Block_size: ringSize, Block_nr: 1, Frame_size: ringSize, Frame_nr: 1}
	if err := unix.SetsockoptTpacketReq(s.fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &ring); err != nil {
		return err
	}
	s.ring, err = unix.Mmap(s.fd, 0, ringSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

// send puts the frame, which is no longer than devices forward, into the slot and has the kernel send it. It returns when the slot is free again.
func (s *sender) send(f Frame) error {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_MARK, int(f.Mark)); err != nil {
		return err
	}
	linear := f.Linear
	if linear == 0 {
		linear = len(f.Data)
	}
	data := s.ring[slotData:]
	clear(data[:vnetSize])
	binary.NativeEndian.PutUint16(data[vnetLen:], uint16(linear))
	copy(data[vnetSize:], f.Data)
	binary.NativeEndian.PutUint32(s.ring[slotLen:], uint32(vnetSize+len(f.Data)))
	binary.NativeEndian.PutUint32(s.ring[slotSnap:], uint32(vnetSize+len(f.Data)))
	atomic.StoreUint32(s.status(), unix.TP_STATUS_SEND_REQUEST)
	err := unix.Send(s.fd, nil, 0)
	if errors.Is(err, unix.ENOBUFS) {
		return nil // a program on the way dropped it
	}
	return err
}

// status is the word of the slot that goes to and fro between the kernel and here.
func (s *sender) status() *uint32 { return (*uint32)(unsafe.Pointer(unsafe.SliceData(s.ring))) }

func (s *sender) close() error {
	var all []error
	if s.ring != nil {
		all = append(all, unix.Munmap(s.ring))
	}
	if s.fd >= 0 {
		all = append(all, unix.Close(s.fd))
	}
	return errors.Join(all...)
}
