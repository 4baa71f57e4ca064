package kerneltest

import (
	"errors"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// RequireVerdicts demands that a loaded program, which goes by name, has the verdicts of p on the packets as see shows them to the
// reference interpreter. Packets that are too long or too short for a test run are left out.
func RequireVerdicts(t testing.TB, name string, f *kernel.Filter, p cbpf.Program, packets []cbpf.Packet, see func(cbpf.Packet) cbpf.Packet) {
	t.Helper()
	for _, pkt := range packets {
		got, err := f.Run(pkt.Data)
		var long *kernel.TooLongError
		var short *kernel.TooShortError
		if errors.As(err, &long) || errors.As(err, &short) {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := see(pkt)
		want, err := cbpf.Run(p, &seen)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != want {
			t.Fatalf("%s: verdict %d, the reference says %d, on packet %x", name, got, want, pkt.Data)
		}
	}
}
