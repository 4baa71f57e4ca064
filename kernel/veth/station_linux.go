package veth

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// Station is a program at a place of a link. Several may be at work on one link.
type Station struct {
	link   *Link
	place  Place
	filter *kernel.Filter
	at     *kernel.Attachment
	runs   uint64
}

// ErrNotRun says that a frame was sent and the program has not seen it: something before it dropped the frame.
var ErrNotRun = errors.New("the frame did not come to the program")

// patience is how long a frame may be under way.
const patience = 3 * time.Second

// Put loads the program, as what the options say, or else as what the place takes, and attaches it. It counts: see
// kernel.LoadOptions, whose Result makes a station tell all 32 bits of what the program ends with, where the place takes few
// results or would drop the frame. At the tracepoints it has the licence "GPL", because it runs behind code that leaves out the packets
// of other devices.
func (l *Link) Put(p ebpf.Program, at Place, opts kernel.LoadOptions) (*Station, error) {
	row := places[at]
	s := &Station{link: l, place: at}
	if !(opts.Type == kernel.XDPFrags && row.kind == kernel.XDP) {
		opts.Type = row.kind
	}
	opts.Count = true
	hook := row.hook
	switch at {
	case Socket:
		opts.Front = guardSocket()
	case Tracepoint, RawTracepoint:
		err := l.Far.Do(func() (err error) {
			opts.Front, err = kernel.OnlyInterface(far, kernel.PacketArg{})
			return err
		})
		if err != nil {
			return nil, err
		}
		opts.Licence = "GPL"
		if at == Tracepoint {
			opts.AttachTo = hook.Where
		}
	}
	if err := s.put(p, hook, opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Station) put(p ebpf.Program, hook kernel.Hook, opts kernel.LoadOptions) (err error) {
	if hook.Kind == kernel.HookCgroup {
		if err := s.link.makeSockets(); err != nil {
			return &kernel.UnavailableError{Op: "make a cgroup with sockets", Need: "a cgroup v2 file system, and root", Err: err}
		}
		hook.Where = s.link.sockets.group.dir
	}
	if s.filter, err = kernel.Load(p, opts); err != nil {
		return err
	}
	return s.end().Do(func() error {
		s.at, err = s.filter.Attach(hook)
		return err
	})
}

// end is the end at which the program is.
func (s *Station) end() *End {
	if places[s.place].far {
		return s.link.Far
	}
	return s.link.Near
}

// Try sends a frame from the near end and returns the low 32 bits of r0 with which the program ended on it. The frame goes
// on, or not, as the program decides. At CgroupEgress it must be one that Link.UDP made, of which the headers are in
// one piece or all is; and CgroupIngress sees no others.
func (s *Station) Try(f Frame) (r0 uint32, err error) {
	if err := s.send(f); err != nil {
		return 0, fmt.Errorf("send a frame: %w", err)
	}
	for until := time.Now().Add(patience); ; time.Sleep(50 * time.Microsecond) {
		c, err := s.filter.Counts()
		if err != nil {
			return 0, err
		}
		if c.Runs > s.runs {
			s.runs++
			return c.Last, nil
		}
		if time.Now().After(until) {
			return 0, ErrNotRun
		}
	}
}

func (s *Station) send(f Frame) error {
	if s.place != CgroupEgress {
		return s.link.Send(f)
	}
	if err := s.link.fits(f); err != nil {
		return err
	}
	payload, ok := s.link.payload(f.Data)
	if !ok || f.Linear != 0 && f.Linear != len(f.Data)-len(payload) {
		return fmt.Errorf("no UDP socket sends this frame: %w", unix.EINVAL)
	}
	return s.link.Near.Do(func() error { return s.link.sendUDP(f, payload) })
}

// Counts are those of the program.
func (s *Station) Counts() (*kernel.Counts, error) { return s.filter.Counts() }

// View returns the packet that the program finds when the frame comes by. Queue and RxHash are 0.
func (s *Station) View(f Frame) cbpf.Packet {
	e := s.end()
	return seen(s.place, f, uint32(e.Index), e.MAC)
}

// Close takes the program away. The link stays.
func (s *Station) Close() error {
	var all []error
	if s.at != nil {
		all = append(all, s.end().Do(s.at.Close))
	}
	if s.filter != nil {
		all = append(all, s.filter.Close())
	}
	return errors.Join(all...)
}
