package kernel

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// OffEnv is an environment variable that, set to anything, keeps this package from asking the kernel: all is as on a system
// that cannot be asked. It is for machines whose kernel would not answer, which nothing in a process can undo.
const OffEnv = "CBPF2EBPF_NO_KERNEL"

// switchedOff is the *UnavailableError of a package that is not to ask; nil where it may.
func switchedOff() error {
	if os.Getenv(OffEnv) == "" {
		return nil
	}
	return &UnavailableError{Op: "ask the kernel", Need: OffEnv + " to be unset", Err: errors.New("it is switched off")}
}

// given counts the programs that were given to the kernel.
var given atomic.Int64

// breathe is called for each program given to the kernel, and now and then waits until it has freed earlier ones. It frees
// them in the background, one work item each; where a thousand of them wait for the lock of the JIT's memory, whose owner
// waits for a work item behind them, no program can be loaded any more until the machine is started anew (seen on 6.18).
func breathe() {
	const (
		every            = 128
		membarrierGlobal = 1 // MEMBARRIER_CMD_GLOBAL: return after a grace period, in which the freeing begins
	)
	if given.Add(1)%every == 0 {
		_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0)
	}
}
