// Package kerneltest is for tests that ask the running kernel.
package kerneltest

import (
	"os"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// RequireEnv is an environment variable that, set to 1, has tests fail where the kernel cannot be asked.
const RequireEnv = "CBPF2EBPF_REQUIRE_KERNEL"

// Require skips a test where the kernel loads no extended programs, or fails it: see RequireEnv.
func Require(t testing.TB) {
	t.Helper()
	err := kernel.Available()
	switch {
	case err == nil:
	case os.Getenv(RequireEnv) == "1":
		t.Fatalf("%s=1, but: %v", RequireEnv, err)
	default:
		t.Skipf("skipped: %v", err)
	}
}
