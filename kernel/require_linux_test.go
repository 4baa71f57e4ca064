package kernel

import (
	"os"
	"testing"
)

// requireExtended and requireClassic skip a test where the kernel cannot be asked; with CBPF2EBPF_REQUIRE_KERNEL=1 in the
// environment they fail it instead.
func requireExtended(t testing.TB) { t.Helper(); requireKernel(t, Available()) }

func requireClassic(t testing.TB) { t.Helper(); requireKernel(t, ClassicAvailable()) }

func requireKernel(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1" {
		t.Fatalf("CBPF2EBPF_REQUIRE_KERNEL=1, but: %v", err)
	}
	t.Skipf("skipped: kernel tests need a kernel that can be asked: %v", err)
}
