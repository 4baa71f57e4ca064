package kernel

import (
	"errors"
	"fmt"
	"net"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// attachTC prefers a link, which nobody else can take away by mistake, and which ends with its owner.
func attachTC(f *Filter, h Hook) (*Attachment, error) {
	iface, err := interfaceOf(h)
	if err != nil {
		return nil, err
	}
	if h.Mode == ClsAct {
		return attachClsAct(f, h, iface)
	}
	auto := h.Mode == Auto
	h.Mode = TCX
	at := map[Way]cilium.AttachType{Ingress: cilium.AttachTCXIngress, Egress: cilium.AttachTCXEgress}[h.Way]
	l, err := link.AttachTCX(link.TCXOptions{Interface: iface.Index, Program: f.prog, Attach: at})
	if auto && errors.Is(err, cilium.ErrNotSupported) {
		h.Mode = ClsAct
		return attachClsAct(f, h, iface)
	}
	return attached(h, l, err)
}

// clsAct is a filter of the queueing discipline clsact, in direct action mode.
type clsAct struct {
	qdisc  *netlink.Clsact
	filter *netlink.BpfFilter
	made   bool // the discipline is ours
}

// attachClsAct adds the discipline unless the interface has it, and the filter.
func attachClsAct(f *Filter, h Hook, iface *net.Interface) (*Attachment, error) {
	c := &clsAct{
		qdisc: &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: iface.Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
		}},
		filter: &netlink.BpfFilter{
			FilterAttrs:  netlink.FilterAttrs{LinkIndex: iface.Index, Parent: clsActParents[h.Way], Protocol: unix.ETH_P_ALL},
			Fd:           f.prog.FD(),
			Name:         filterName,
			DirectAction: true,
		},
	}
	if err := c.add(); err != nil {
		return nil, hookError(h, err)
	}
	undo := fmt.Sprintf("tc filter del dev %s %s pref %d", h.Where, wayNames[h.Way], c.filter.Priority)
	return &Attachment{hook: h, end: c.remove, undo: undo}, nil
}

var clsActParents = map[Way]uint32{Ingress: netlink.HANDLE_MIN_INGRESS, Egress: netlink.HANDLE_MIN_EGRESS}

// filterName is what tc shows.
const filterName = "cbpf2ebpf"

// add leaves nothing behind if it fails.
func (c *clsAct) add() error {
	err := netlink.QdiscAdd(c.qdisc)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the clsact discipline: %w", err)
	}
	c.made = err == nil
	if !c.made && c.filter.Parent == netlink.HANDLE_MIN_EGRESS {
		if err := c.bothWays(); err != nil {
			return err
		}
	}
	c.filter.Handle = 1
	if c.filter.Priority, err = c.freePriority(); err == nil {
		err = netlink.FilterAdd(c.filter)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("add the filter: %w", err), c.removeQdisc())
	}
	return nil
}

// bothWays reports an older discipline in the place of clsact, which has one way only: it would take a filter for egress, and
// run it on ingress.
func (c *clsAct) bothWays() error {
	qdiscs, err := netlink.QdiscList(c.device())
	for _, q := range qdiscs {
		if _, ok := q.(*netlink.Ingress); ok {
			return errors.New("the interface has the discipline ingress, which keeps clsact out")
		}
	}
	return err
}

// freePriority is the first from where the kernel begins to number filters that do not say, downwards. Whoever takes it in
// the meantime makes the adding fail.
func (c *clsAct) freePriority() (uint16, error) {
	const first = 0xc000
	filters, err := c.list()
	if err != nil {
		return 0, err
	}
	used := map[uint16]bool{}
	for _, f := range filters {
		used[f.Attrs().Priority] = true
	}
	p := uint16(first)
	for used[p] {
		p--
	}
	return p, nil
}

// list lists the filters on the same way of the interface.
func (c *clsAct) list() ([]netlink.Filter, error) {
	return netlink.FilterList(c.device(), c.filter.Parent)
}

func (c *clsAct) device() netlink.Link {
	return &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: c.filter.LinkIndex}}
}

// remove takes the filter away. It has no descriptor any more: handle and priority tell which it is.
func (c *clsAct) remove() error {
	c.filter.Fd = -1
	err := netlink.FilterDel(c.filter)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return nil // the interface is gone, or somebody else has removed the filter
	}
	return errors.Join(err, c.removeQdisc())
}

// removeQdisc takes the discipline away if it was added, and nobody has put a filter there since.
func (c *clsAct) removeQdisc() error {
	if !c.made {
		return nil
	}
	for _, parent := range clsActParents {
		c.filter.Parent = parent
		if rest, err := c.list(); err != nil || len(rest) > 0 {
			return err
		}
	}
	return netlink.QdiscDel(c.qdisc)
}
