package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Attachment is a program at a hook. It lasts until it is closed, or, once it is kept, until it is detached. It does not need
// the Filter any more. One by clsact is to be ended in the network namespace where it was made.
type Attachment struct {
	hook   Hook
	end    func() error // gives the link up, or detaches what is none; nil once that is done
	link   link.Link    // nil where there is none
	kept   bool
	pinned string // the file that keeps the link
	undo   string // see Undo
}

// Hook is where the program is attached. Its Mode is the one that was taken.
func (a *Attachment) Hook() Hook { return a.hook }

// Close detaches the program, unless it is kept. Closing again does nothing.
func (a *Attachment) Close() error {
	if a.kept && a.link == nil {
		return nil
	}
	return a.finish()
}

// Detach detaches the program even if it is kept, and takes its pin away. It may come after Close.
func (a *Attachment) Detach() error {
	a.kept = false
	if a.pinned == "" {
		return a.finish()
	}
	// The last descriptor has the program detached when it is closed; the last file, some time later.
	if a.end == nil {
		l, err := link.LoadPinnedLink(a.pinned, nil)
		if err != nil {
			return err
		}
		a.end = l.Close
	}
	err := os.Remove(a.pinned)
	a.pinned = ""
	return errors.Join(err, a.finish())
}

// Undo is the command of a shell that detaches what is kept; "" for what is not.
func (a *Attachment) Undo() string {
	switch {
	case a.pinned != "":
		return "rm " + a.pinned
	case a.kept:
		return a.undo
	}
	return ""
}

func (a *Attachment) finish() error {
	if a.end == nil {
		return nil
	}
	end := a.end
	a.end = nil
	return end()
}

// Attach attaches the program to a hook. What is in the way is an *AttachError, a kernel or a privilege that is missing an
// *UnavailableError; nothing is changed then.
func (f *Filter) Attach(h Hook) (*Attachment, error) {
	if !slices.Contains(h.Types(), f.kind) {
		return nil, &AttachError{Reason: ReasonHookType, Detail: fmt.Sprintf("%s, %s", h, f.kind)}
	}
	if f.to != "" && f.to != h.Where {
		return nil, &AttachError{Reason: ReasonHookType, Detail: fmt.Sprintf("%s, loaded for %s", h, f.to)}
	}
	return attachers[h.Kind](f, h)
}

var attachers = [...]func(*Filter, Hook) (*Attachment, error){
	HookSocket:        attachSocket,
	HookTC:            attachTC,
	HookXDP:           attachXDP,
	HookCgroup:        attachCgroup,
	HookFentry:        attachTracing,
	HookTracepoint:    attachTracing,
	HookRawTracepoint: attachRawTracepoint,
	HookKprobe:        attachKprobe,
}

// attached makes an Attachment of a link, or sorts the error.
func attached(h Hook, l link.Link, err error) (*Attachment, error) {
	if err != nil {
		return nil, hookError(h, err)
	}
	return &Attachment{hook: h, link: l, end: l.Close}, nil
}

// attachXDP tries the driver first where it may choose. What would be in the way of the other mode too is told at once.
func attachXDP(f *Filter, h Hook) (*Attachment, error) {
	iface, err := interfaceOf(h)
	if err != nil {
		return nil, err
	}
	modes := []Mode{h.Mode}
	if h.Mode == Auto {
		modes = []Mode{Native, Generic}
	}
	for _, h.Mode = range modes {
		flags := map[Mode]link.XDPAttachFlags{Native: link.XDPDriverMode, Generic: link.XDPGenericMode}[h.Mode]
		var l link.Link
		l, err = link.AttachXDP(link.XDPOptions{Program: f.prog, Interface: iface.Index, Flags: flags})
		if err == nil || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EPERM) {
			return attached(h, l, err)
		}
	}
	return nil, hookError(h, err)
}

func attachCgroup(f *Filter, h Hook) (*Attachment, error) {
	var at unix.Statfs_t
	err := unix.Statfs(h.Where, &at)
	if err != nil || at.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, &AttachError{Reason: ReasonNoCgroup, Detail: h.Where, Err: err}
	}
	l, err := link.AttachCgroup(link.CgroupOptions{Path: h.Where, Attach: kinds[f.kind].attach, Program: f.prog})
	return attached(h, l, err)
}

func attachTracing(f *Filter, h Hook) (*Attachment, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: f.prog, AttachType: kinds[f.kind].attach})
	return attached(h, l, err)
}

func attachRawTracepoint(f *Filter, h Hook) (*Attachment, error) {
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: h.Where, Program: f.prog})
	return attached(h, l, err)
}

func attachKprobe(f *Filter, h Hook) (*Attachment, error) {
	l, err := link.Kprobe(h.Where, f.prog, nil)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &UnavailableError{Op: "attach to " + h.String(), Need: hooks[h.Kind].need, Err: err}
	}
	return attached(h, l, err)
}

// interfaceOf finds the interface of a hook.
func interfaceOf(h Hook) (*net.Interface, error) {
	iface, err := net.InterfaceByName(h.Where)
	if err != nil {
		return nil, &AttachError{Reason: ReasonNoInterface, Detail: h.Where}
	}
	return iface, nil
}

// hookReasons sorts the answers of the kernel. Others are ReasonHookRefused.
var hookReasons = []struct {
	err    error
	reason Reason
}{
	{unix.EBUSY, ReasonBusy},
	{unix.EEXIST, ReasonBusy},
	{unix.ENODEV, ReasonNoInterface},
	{unix.EOPNOTSUPP, ReasonNoMode},
	{unix.ERANGE, ReasonMTU},
	{fs.ErrNotExist, ReasonNoTarget},
}

// hookError sorts the errors of attaching.
func hookError(h Hook, err error) error {
	for _, known := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, cilium.ErrNotSupported} {
		if errors.Is(err, known) {
			return &UnavailableError{Op: "attach to " + h.String(), Need: hooks[h.Kind].need, Err: known}
		}
	}
	for _, row := range hookReasons {
		if errors.Is(err, row.err) {
			return &AttachError{Reason: row.reason, Detail: h.String(), Err: row.err}
		}
	}
	return &AttachError{Reason: ReasonHookRefused, Detail: h.String(), Err: err}
}
