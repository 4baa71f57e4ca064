//go:build !(linux && amd64)

package kernel

import (
	"errors"
	"runtime"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// SeccompAvailable returns an *UnavailableError.
func SeccompAvailable() error {
	err := errors.New("this is " + runtime.GOOS + "/" + runtime.GOARCH)
	return &UnavailableError{Op: "run a seccomp filter", Need: needSeccomp, Err: err}
}

// SeccompVerdict returns an *UnavailableError.
func SeccompVerdict(cbpf.Program, *cbpf.SeccompData) (uint32, error) { return 0, SeccompAvailable() }

// SeccompVerdicts returns an *UnavailableError.
func SeccompVerdicts(cbpf.Program, []cbpf.SeccompData) ([]uint32, error) {
	return nil, SeccompAvailable()
}
