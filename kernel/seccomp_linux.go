package kernel

import (
	"errors"
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// CheckSeccomp returns nil if seccomp(2) takes the program as a filter, an *AttachError if it refuses, and an
// *UnavailableError where it cannot be asked. Nothing is left behind.
//
// The question is put by a thread of its own that has a filter with a listener already, which lets everything pass. The
// kernel judges a second program with a listener, and then does not install it, for a thread may have one only
// (seccomp_set_mode_filter in kernel/seccomp.c, Linux 6.18).
func CheckSeccomp(p cbpf.Program) error {
	if err := switchedOff(); err != nil {
		return err
	}
	breathe()
	if len(p) > math.MaxUint16 {
		return attachError(p, unix.EINVAL)
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		result <- checkOnThread(p)
	}()
	return <-result
}

// checkOnThread is CheckSeccomp on a thread that is not needed any more.
func checkOnThread(p cbpf.Program) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return &UnavailableError{Op: "renounce privileges", Need: needSeccomp, Err: err}
	}
	allow := cbpf.Program{{Op: cbpf.OpRetK, K: uint32(cbpf.ActionAllow)}}
	listener, err := listen(allow)
	if err != nil {
		return &UnavailableError{Op: "install a seccomp filter", Need: needSeccomp, Err: err}
	}
	defer unix.Close(listener)
	second, err := listen(p)
	switch {
	case err == nil:
		unix.Close(second)
		return &UnavailableError{Op: "judge a seccomp filter", Need: needSeccomp, Err: errors.New("a second listener is taken")}
	case errors.Is(err, unix.EBUSY):
		return nil
	case errors.Is(err, unix.EINVAL):
		return attachError(p, err)
	}
	return &UnavailableError{Op: "judge a seccomp filter", Need: needSeccomp, Err: err}
}

// listen installs a filter with a listener on the calling thread.
func listen(p cbpf.Program) (fd int, err error) {
	filter := sockFilter(p)
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(filter)}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// sockFilter returns a program as the kernel has it.
func sockFilter(p cbpf.Program) []unix.SockFilter {
	filter := make([]unix.SockFilter, len(p))
	for i, ins := range p {
		filter[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	return filter
}
