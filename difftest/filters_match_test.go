package difftest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// On each trace the reference interpreter lets pass as many packets as tcpdump does: these filters use nothing in which
// the kernel and libpcap differ.
func TestFiltersMatchTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	if testing.Short() {
		t.Skip("starts tcpdump some hundred times")
	}
	for _, f := range filterFiles(t) {
		p := readFilter(t, f.name)
		for _, trace := range pcaps {
			if trace.link != LinkEthernet {
				continue
			}
			path := filepath.Join(pcapDir, trace.name)
			out, err := exec.Command("tcpdump", "-r", path, "--count", "--", f.expression).Output()
			require.NoError(t, err)
			got := 0
			for _, rec := range readTrace(t, path) {
				if verdict, err := cbpf.Run(p, &rec.Packet); err == nil && verdict != 0 {
					got++
				}
			}
			require.Equal(t, leadingNumber(t, string(out)), got, "%s on %s", f.name, trace.name)
		}
	}
}
