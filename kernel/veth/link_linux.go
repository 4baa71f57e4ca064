package veth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// Link is two namespaces and the pair of devices between them. Frames go from the near end to the far one. Nothing else
// does: there is no IPv6 and no ARP, and each end knows the other's address. It is not safe for concurrent use.
type Link struct {
	Near, Far *End
	longest   int // bytes of a frame that devices forward
	sender    *sender
	sockets   *sockets // nil before a program for cgroups
}

// End is one of the two devices, in its namespace.
type End struct {
	Name  string
	Index int // that of the far end is one that no other device on the machine is likely to have
	MAC   net.HardwareAddr
	IP    net.IP // of 4 bytes
	space *namespace
}

// MaxMTU is the most that New takes: with it the longest frame has 65,535 bytes, as many as can be asked to lie in one piece.
const MaxMTU = 65535 - ethernet - tagSize

// New makes a link whose devices have this MTU: the longest frame less its Ethernet header, and a VLAN tag. Where that is not possible,
// the error is kernel.ErrUnavailable.
func New(mtu int) (*Link, error) {
	if mtu > MaxMTU {
		return nil, fmt.Errorf("an MTU of %d, the limit is %d", mtu, MaxMTU)
	}
	l := &Link{
		Near: &End{Name: near, IP: net.IP{192, 0, 2, 1}, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}},
		Far:  &End{Name: far, IP: net.IP{192, 0, 2, 2}, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, Index: 1<<24 + rand.IntN(1<<24)},
	}
	l.longest = mtu + ethernet + tagSize // is_skb_forwardable, net/core/dev.c
	if err := l.make(mtu); err != nil {
		l.Close()
		return nil, &kernel.UnavailableError{Op: "join two network namespaces", Need: need, Err: err}
	}
	return l, nil
}

const need = "Linux with veth, and root or CAP_SYS_ADMIN with CAP_NET_ADMIN and CAP_NET_RAW"

func (l *Link) make(mtu int) (err error) {
	for _, e := range []*End{l.Near, l.Far} {
		if e.space, err = newNamespace(); err != nil {
			return err
		}
	}
	if err := l.Far.Do(func() error { return l.addDevices(mtu) }); err != nil {
		return fmt.Errorf("add a pair of devices: %w", err)
	}
	if err := l.Near.setUp(l.Far); err != nil {
		return err
	}
	if err := l.Far.setUp(l.Near); err != nil {
		return err
	}
	return l.Near.Do(func() (err error) {
		l.sender, err = newSender(l.Near.Index)
		return err
	})
}

// addDevices makes the pair, from the far end, which has its index chosen.
func (l *Link) addDevices(mtu int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU, attrs.HardwareAddr = l.Far.Name, l.Far.Index, mtu, l.Far.MAC
	return netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: l.Near.Name, PeerMTU: uint32(mtu), PeerHardwareAddr: l.Near.MAC,
		PeerNamespace: netlink.NsFd(int(l.Near.space.file.Fd())),
	})
}

// setUp gives an end its address and the neighbour its own, and turns it on.
func (e *End) setUp(peer *End) error {
	return e.Do(func() error {
		device, err := netlink.LinkByName(e.Name)
		if err != nil {
			return err
		}
		e.Index = device.Attrs().Index
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		steps := []func() error{
			func() error { return netlink.LinkSetUp(lo) },
			func() error { return netlink.LinkSetARPOff(device) },
			func() error {
				return netlink.AddrAdd(device, &netlink.Addr{IPNet: &net.IPNet{IP: e.IP, Mask: net.CIDRMask(24, 32)}})
			},
			func() error { return netlink.LinkSetUp(device) },
			func() error {
				return netlink.NeighAdd(&netlink.Neigh{
					LinkIndex: e.Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: peer.IP, HardwareAddr: peer.MAC,
				})
			},
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return fmt.Errorf("set up %s: %w", e.Name, err)
			}
		}
		return nil
	})
}

// Do runs a function in the namespace of the end, on a thread that is there for it. Sockets that it makes stay in the
// namespace. The function must return: t.FailNow and require do not belong there.
func (e *End) Do(f func() error) error { return e.space.do(f) }

// Send sends a frame from the near device, to whatever is there to see it. It does not wait until it has arrived.
func (l *Link) Send(f Frame) error {
	if err := l.fits(f); err != nil {
		return err
	}
	return l.Near.Do(func() error { return l.sender.send(f) })
}

// fits says what is wrong with the sizes of a frame.
func (l *Link) fits(f Frame) error {
	if len(f.Data) < ethernet || f.Linear != 0 && (f.Linear < ethernet || f.Linear > len(f.Data)) {
		return fmt.Errorf("%d bytes, %d in one piece: %w", len(f.Data), f.Linear, unix.EINVAL)
	}
	if len(f.Data) > l.longest {
		return fmt.Errorf("%d bytes, the devices forward %d: %w", len(f.Data), l.longest, unix.EMSGSIZE)
	}
	return nil
}

// Close takes the devices away, and the namespaces as soon as nobody has a socket in them. Stations must be closed before.
func (l *Link) Close() error {
	var all []error
	if l.sender != nil {
		all = append(all, l.sender.close())
		l.sender = nil
	}
	if l.sockets != nil {
		all = append(all, l.sockets.close())
		l.sockets = nil
	}
	for _, e := range []*End{l.Near, l.Far} {
		if e.space != nil {
			e.space.end()
			e.space = nil
		}
	}
	return errors.Join(all...)
}
