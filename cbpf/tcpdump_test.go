package cbpf_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// TestAgainstTcpdump compares all three forms of the installed tcpdump, byte for byte.
func TestAgainstTcpdump(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("no tcpdump is installed")
	}
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"everything", []string{"-y", "EN10MB", ""}},
		{"port", []string{"-y", "EN10MB", "tcp port 80"}},
		{"unoptimised", []string{"-y", "EN10MB", "-O", "tcp port 80 and len > 100"}},
		{"arithmetic", []string{"-y", "EN10MB", "(ip[0] & 0xf) * 4 - 3 ^ 5 > len / 7 % 3"}},
		{"shifts", []string{"-y", "EN10MB", "(ip[0] << 3 | tcp[1]) >> 2 != 0xffffffff - ip[2:2]"}},
		{"negative constants", []string{"-y", "EN10MB", "ip[2:2] + 4294967295 = 7"}},
		{"scratch memory", []string{"-y", "EN10MB", "ip6 protochain 6"}},
		{"many hosts", []string{"-y", "EN10MB", "host " + strings.Repeat("10.0.0.1 or net 10.2.0.0/16 or host ", 60) + "10.0.0.2"}},
		{"raw IP", []string{"-y", "RAW", "icmp6 or udp portrange 1-1023"}},
		{"Linux cooked", []string{"-y", "LINUX_SLL2", "inbound and ether proto 0x88cc"}},
		{"live", []string{"-i", "lo", "vlan 5 and tcp"}},
		{"live, direction", []string{"-i", "lo", "outbound and not ether broadcast"}},
		{"live, interface", []string{"-i", "lo", "ifindex 1 and vlan"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var want cbpf.Program
			for n, flag := range map[cbpf.Notation]string{cbpf.Listing: "-d", cbpf.CStruct: "-dd", cbpf.Decimal: "-ddd"} {
				text, err := exec.Command(tcpdump, append([]string{flag}, tc.args...)...).Output()
				if err != nil {
					t.Skipf("this tcpdump does not compile %q: %v", tc.args, err)
				}
				p := withoutGarbage(requireReprint(t, n, string(text)))
				if want == nil {
					want = p
				}
				require.Equal(t, want, p)
			}
		})
	}
}
