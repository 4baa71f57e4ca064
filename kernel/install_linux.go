package kernel

import (
	"errors"
	"path/filepath"
	"slices"

	cilium "github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Installed is a program in its places.
type Installed struct {
	filter *Filter
	at     []*Attachment
	pinned bool
}

// Install pins the program and attaches it to all hooks of the placement. If one of these steps fails, those before it
// are undone. Errors are those of Attach and Pin.
func (f *Filter) Install(p Placement) (*Installed, error) {
	in := &Installed{filter: f}
	if err := in.put(p); err != nil {
		return nil, errors.Join(err, in.Remove())
	}
	return in, nil
}

func (in *Installed) put(p Placement) error {
	if p.Pin != "" {
		if err := in.filter.Pin(p.Pin); err != nil {
			return err
		}
		in.pinned = true
	}
	for _, h := range p.Hooks {
		a, err := in.filter.Attach(h)
		if err != nil {
			return err
		}
		in.at = append(in.at, a)
		if p.Pin != "" && h.Kind != HookSocket {
			if err := a.Keep(p.LinkPin(h)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Attachments lists where the program is attached, in the order of the hooks.
func (in *Installed) Attachments() []*Attachment { return slices.Clone(in.at) }

// Close ends what is not kept.
func (in *Installed) Close() error {
	var all []error
	for _, a := range slices.Backward(in.at) {
		all = append(all, a.Close())
	}
	return errors.Join(all...)
}

// Remove ends everything, and takes the pins away.
func (in *Installed) Remove() error {
	var all []error
	for _, a := range slices.Backward(in.at) {
		all = append(all, a.Detach())
	}
	if in.pinned {
		in.pinned = false
		all = append(all, in.filter.Unpin())
	}
	return errors.Join(all...)
}

// Pin keeps the program in a file of a bpf file system. What is in the way is an *AttachError.
func (f *Filter) Pin(file string) error {
	if err := pinnable(file); err != nil {
		return err
	}
	return pinError(file, f.prog.Pin(file))
}

// Unpin takes the file away that Pin made.
func (f *Filter) Unpin() error { return f.prog.Unpin() }

// Keep makes the attachment outlast the process. For a link that takes a file in a bpf file system; the filters of clsact
// stay without, and no file is made. Sockets cannot be kept.
func (a *Attachment) Keep(file string) error {
	if a.hook.Kind == HookSocket {
		return &AttachError{Reason: ReasonNoPin, Detail: a.hook.String()}
	}
	if a.link == nil {
		a.kept = true
		return nil
	}
	if err := pinnable(file); err != nil {
		return err
	}
	err := a.link.Pin(file)
	if errors.Is(err, cilium.ErrNotSupported) {
		return &AttachError{Reason: ReasonNoPin, Detail: a.hook.String(), Err: err}
	}
	if err == nil {
		a.kept, a.pinned = true, file
	}
	return pinError(file, err)
}

// Pinned says whether a file keeps the attachment.
func (a *Attachment) Pinned() bool { return a.pinned != "" }

// pinnable reports what keeps a pin from being made.
func pinnable(file string) error {
	var fs unix.Statfs_t
	dir := filepath.Dir(file)
	if err := unix.Statfs(dir, &fs); err != nil {
		return &AttachError{Reason: ReasonPinPlace, Detail: dir, Err: err}
	}
	if fs.Type != unix.BPF_FS_MAGIC {
		return &AttachError{Reason: ReasonPinPlace, Detail: dir}
	}
	return nil
}

// pinError sorts the kernel's answers to BPF_OBJ_PIN; nil stays nil. A name that the file system does not take (one with
// a dot) is EPERM, as a missing privilege is.
func pinError(file string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		return &AttachError{Reason: ReasonPinExists, Detail: file}
	}
	return &AttachError{Reason: ReasonPinRefused, Detail: file, Err: err}
}
