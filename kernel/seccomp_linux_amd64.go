package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// SeccompAvailable says whether SeccompVerdicts works here: nil, or an *UnavailableError. It tries once and remembers.
func SeccompAvailable() error { return seccompAvailable() }

var seccompAvailable = sync.OnceValue(func() error {
	verdict, err := SeccompVerdict(cbpf.Program{{Op: cbpf.OpRetK, K: 0x12345678}}, &cbpf.SeccompData{Arch: cbpf.ArchX86_64})
	return unavailable("run a seccomp filter", needSeccomp, expect(verdict, err, 0x12345678))
})

// SeccompVerdict returns the verdict of a filter, as the kernel has it, on one system call, which is not executed.
func SeccompVerdict(p cbpf.Program, d *cbpf.SeccompData) (uint32, error) {
	verdicts, err := SeccompVerdicts(p, []cbpf.SeccompData{*d})
	if err != nil {
		return 0, err
	}
	return verdicts[0], nil
}

// SeccompVerdicts returns the verdict of a filter, as the kernel has it, on each of some system calls, none of which is
// executed. A refusal is an *AttachError: besides the kernel's own reasons, a program that returns A needs room for four
// instructions more within cbpf.MaxInsns. A kernel that cannot be asked is an *UnavailableError.
//
// A child process installs a variant of the filter that answers every call with an errno, which tells the verdict, and
// makes the calls. Their numbers and arguments are real. What cannot be chosen stands in the variant in place of the loads:
// the instruction pointer, an architecture other than x86-64, and the numbers of uretprobe and uprobe, which never get to a
// filter.
func SeccompVerdicts(p cbpf.Program, data []cbpf.SeccompData) ([]uint32, error) {
	if err := switchedOff(); err != nil {
		return nil, err
	}
	breathe()
	if err := filtered(); err != nil {
		return nil, &UnavailableError{Op: "run a seccomp filter", Need: needSeccomp, Err: err}
	}
	if err := CheckSeccomp(p); err != nil {
		return nil, err
	}
	verdicts := make([]uint32, len(data))
	groups := make(map[scene][]int) // places in data
	for i := range data {
		at := sceneOf(p, &data[i])
		groups[at] = append(groups[at], i)
	}
	for at, places := range groups {
		calls := make([]call, len(places))
		for i, place := range places {
			calls[i] = callOf(at, &data[place])
		}
		answers, err := ask(p, at, calls)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			verdicts[place] = answers[i]
		}
	}
	return verdicts, nil
}

// ask returns the verdicts on calls from one scene.
func ask(p cbpf.Program, at scene, calls []call) ([]uint32, error) {
	coding := codingOf(p)
	codes := make([]uint32, len(calls))
	for shift := 0; shift == 0 || shift < coding.bits; shift += errnoBits {
		v := seccompVariant(p, coding, shift, at)
		if len(v) > cbpf.MaxInsns {
			return nil, &AttachError{Reason: ReasonVariant, Detail: fmt.Sprintf("variant of %d instructions", len(v))}
		}
		results, err := perform(v, calls)
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			if r.killed { // by a division by 0, in the variant as in the original; its code is 0
				continue
			}
			if r.value > 0 || r.value < -maxErrno {
				return nil, fmt.Errorf("call %d: answer %d is no errno", calls[i].nr, r.value)
			}
			codes[i] |= uint32(-r.value) << shift
		}
	}
	for i, code := range codes {
		verdict, ok := coding.verdict(code)
		if !ok {
			return nil, fmt.Errorf("code %d of the verdict: the program has only %d", code, len(coding.values))
		}
		codes[i] = verdict
	}
	return codes, nil
}

// call is what the child reads of one system call, and writes. The assembly knows the layout.
type call struct {
	nr     uint64
	args   [6]uint64
	result int64
}

// callOf returns a call that the child can make. Its number is another one, if the kernel would let it pass: the variant
// has the true one.
func callOf(at scene, d *cbpf.SeccompData) call {
	if at.unheard != 0 {
		return call{nr: unix.SYS_GETPID, args: d.Args}
	}
	return call{nr: uint64(uint32(d.Nr)), args: d.Args}
}

// job is what a child shares with its parent, and is followed by its calls. The assembly knows the layout.
type job struct {
	installed int64  // what seccomp(2) returned
	next      int64  // index of the call being made
	done      uint32 // set when nothing more comes
	_         uint32
	count     int64
	prog      uintptr // struct sock_fprog, in memory of the parent that the child has a copy of
	_         [3]uint64
}

// result is what became of one call.
type result struct {
	value  int64 // what it returned
	killed bool  // the child was killed instead, by SIGSYS
}

// patience is how long a child may take for all of its calls.
const patience = 30 * time.Second

// perform makes calls under a filter, in children: a call that kills one is left to it, and the next child goes on behind
// it.
func perform(p cbpf.Program, calls []call) ([]result, error) {
	results := make([]result, 0, len(calls))
	for len(results) < len(calls) || len(calls) == 0 {
		some, err := performSome(p, calls[len(results):])
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
		if len(calls) == 0 {
			break
		}
	}
	return results, nil
}

// performSome makes calls in one child, up to the one that kills it, and returns a result for each of these.
func performSome(p cbpf.Program, calls []call) ([]result, error) {
	size := int(unsafe.Sizeof(job{})) + len(calls)*int(unsafe.Sizeof(call{}))
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		return nil, &UnavailableError{Op: "share memory with a child process", Need: needSeccomp, Err: err}
	}
	defer unix.Munmap(memory)
	shared := (*job)(unsafe.Pointer(&memory[0]))
	made := unsafe.Slice((*call)(unsafe.Add(unsafe.Pointer(shared), unsafe.Sizeof(job{}))), len(calls))
	copy(made, calls)

	var pin runtime.Pinner
	defer pin.Unpin()
	filter := sockFilter(p)
	prog := &unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(filter)}
	pin.Pin(prog)
	pin.Pin(prog.Filter)
	shared.count, shared.prog = int64(len(calls)), uintptr(unsafe.Pointer(prog))

	status, err := runChild(shared)
	if err != nil {
		return nil, err
	}
	switch {
	case shared.installed < 0:
		return nil, seccompError(p, unix.Errno(-shared.installed))
	case atomic.LoadUint32(&shared.done) == 0 && status.Signal() != unix.SIGSYS:
		return nil, fmt.Errorf("call %d: the child process ended with %v", calls[shared.next].nr, status.Signal())
	}
	killed := atomic.LoadUint32(&shared.done) == 0
	results := make([]result, 0, len(calls))
	for i := range int(shared.next) {
		results = append(results, result{value: made[i].result})
	}
	if killed {
		results = append(results, result{killed: true})
	}
	return results, nil
}

// seccompError sorts the answers of seccomp(2).
func seccompError(p cbpf.Program, err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOMEM) {
		return attachError(p, err)
	}
	return &UnavailableError{Op: "install a seccomp filter", Need: needSeccomp, Err: err}
}

// runChild has a child do a job and waits until it is done, or the child is dead.
func runChild(shared *job) (unix.WaitStatus, error) {
	pid, err := forkBlocked(shared)
	if err != nil {
		return 0, &UnavailableError{Op: "make a child process", Need: needSeccomp, Err: err}
	}
	var status unix.WaitStatus
	wait := func(options int) (int, error) {
		var dead int
		err := retry(func() (err error) {
			dead, err = unix.Wait4(pid, &status, unix.WALL|options, nil)
			return err
		})
		return dead, err
	}
	deadline := time.Now().Add(patience)
	for atomic.LoadUint32(&shared.done) == 0 && time.Now().Before(deadline) {
		if dead, err := wait(unix.WNOHANG); dead != 0 || err != nil {
			return status, err
		}
		time.Sleep(50 * time.Microsecond)
	}
	// It has no way to end by itself: its filter may forbid to exit.
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return 0, err
	}
	_, err = wait(0)
	return status, err
}

// forkBlocked starts a child with all signals blocked, so that no handler of the Go runtime, which is not there, runs in it.
func forkBlocked(shared *job) (pid int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, err
	}
	pid = forkJob(shared)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return 0, err
	}
	if pid < 0 {
		return 0, unix.Errno(-pid)
	}
	return pid, nil
}

// forkJob makes a child process that does a job and then waits to be killed; it gives up after some seconds. It returns
// the child's number, or a negative errno. The child executes nothing but this function.
//
//go:noescape
func forkJob(shared *job) (pid int)

// filtered returns an error if this process is under a seccomp filter, which would mix its verdicts with those asked for.
func filtered() error {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err == nil && mode != 0 {
		err = fmt.Errorf("this process is under a seccomp filter itself (mode %d)", mode)
	}
	return err
}
