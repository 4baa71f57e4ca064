package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The numbers are counted by hand in the listings of both programs.
func TestReport(t *testing.T) {
	require.Equal(t, `target     socket
classic    4 instructions of 4096, 0 of them dead
           attached as it is: 26 instructions in the kernel, 304 bytes of net.core.optmem_max, which is 131072 mostly
packet     bytes 12 to 13 in 1 load
extended   9 instructions, 7 on the longest path
stack      0 bytes of 512
calls      none
verifier   2 paths, about 9 instructions to be followed, 9 at most
privilege  CAP_BPF
kernel     Linux 5.1
           5.1   comparisons of 32 bits, insn 4
           3.19  socket filters
           3.19  loads from skb by LD_ABS and LD_IND, insn 3
           3.18  extended programs, insn 0
licence    any
loads      yes
`, succeed(t, "", filter("ip.d"), "--target", "socket", "--report"))

	text := succeed(t, "ld rand\njeq #1, aa, bb\naa: ld cpu\nbb: ldx 4*([14]&0xf)\nld [x + 16]\nst M[2]\nld M[2]\nldb [-1048576]\nld #len\nret a\n",
		"translate", "--from", "asm", "--target", "socket", "--report")
	for _, want := range []string{
		"packet     byte 14 to 14 in 1 load, up to byte 79 in 1 load at offsets from the packet, 1 load through the LL or NET window\n           len, cpu, random\n",
		"calls      bpf_get_prandom_u32 in 1 place, 1 on a path at most\n           bpf_get_smp_processor_id in 1 place, 1 on a path at most\n",
		"stack      12 bytes of 512\n", "           4.1   fields of __sk_buff, insn ",
	} {
		require.Contains(t, text, strings.Replace(want, "byte 14 to 14", "bytes 14 to 14", 1))
	}

	text = succeed(t, "", filter("ip.d"), "--report")
	require.Contains(t, text, "loads      no: no hook of the kernel takes such programs: it is for user programs\n")
	require.NotContains(t, text, "Linux")
}

// Whoever asks beforehand is told what the kernel would say, and by the exit status too.
func TestReportRefuses(t *testing.T) {
	r := cli("", filter("ip.d"), "--target", "socket", "--report", "--kernel", "4.19.0-27-amd64")
	require.Equal(t, exitRefused, r.status)
	require.Empty(t, r.stderr)
	require.Contains(t, r.stdout, "loads      no: insn 4: the kernel is too old: comparisons of 32 bits: Linux 5.1, this is 4.19, from (001) jeq #0x800 jt 2 jf 3\n")

	long := "3001" + strings.Repeat(",48 0 0 12", 3000) + ",22 0 0 0"
	require.Equal(t, exitDone, cli(long, "--target", "socket", "--report").status)
	r = cli(long, "--target", "socket", "--report", "--unprivileged", "--unroll", "1")
	require.Equal(t, exitDone, r.status, "%s", r.stdout)
	longer := "4000" + strings.Repeat(",80 0 0 1", 3998) + ",7 0 0 0,22 0 0 0"
	r = cli(longer, "--target", "socket", "--report", "--unprivileged")
	require.Contains(t, r.stdout, "4000 instructions of 4096")

	for _, args := range [][]string{
		{"--report=yaml"}, {"--unprivileged"}, {"--kernel", "6.1"}, {"--report", "--kernel", "six"}, {"--report", "--to", "c"},
	} {
		require.Equal(t, exitUsage, cli("", append([]string{filter("ip.d")}, args...)...).status, args)
	}
}

func TestReportAsJSON(t *testing.T) {
	for _, args := range [][]string{{"--report=json"}, {"--report", "--to", "json"}} {
		text := succeed(t, "", append([]string{filter("tcp-port-80.d"), "--target", "socket"}, args...)...)
		var r struct {
			Target   string
			Loads    bool
			Kernel   string
			Refusals []any
			Packet   struct {
				Last        int
				IndexedLast *int `json:"indexed_last"`
			}
			Extended struct{ Slots int }
		}
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		require.Equal(t, "socket", r.Target)
		require.True(t, r.Loads)
		require.Equal(t, "5.1", r.Kernel)
		require.NotNil(t, r.Refusals)
		require.Equal(t, 57, r.Packet.Last)
		require.Equal(t, 77, *r.Packet.IndexedLast)
		require.Equal(t, strings.Count(succeed(t, "", filter("tcp-port-80.d"), "--target", "socket", "--to", "hex"), "\n"), r.Extended.Slots)
	}
}

// The program goes to a file, and the report to those who look on.
func TestReportBesideTheProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "filter.hex")
	text := succeed(t, "", filter("ip.d"), "--target", "socket", "--report", "--to", "hex", "-o", file)
	require.True(t, strings.HasPrefix(text, "target     socket\n"))
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, succeed(t, "", filter("ip.d"), "--target", "socket", "--to", "hex"), string(got))
}

// A program that cannot be translated has a report in JSON too: it will not load, and why.
func TestReportOfNoTranslation(t *testing.T) {
	tests := []struct{ program, target, reason, detail string }{
		{"ld rxhash\nret a\n", "xdp", "the target cannot express it", "rxhash"},
		{"top: ld [0]\nja top\nret a\n", "socket", "jump backwards", "--unroll"},
	}
	for _, tt := range tests {
		r := cli(tt.program, "translate", "--from", "asm", "--target", tt.target, "--report=json")
		require.Equal(t, exitRefused, r.status)
		require.NotEmpty(t, r.stderr)
		var report struct {
			Loads    *bool
			Refusals []struct{ Reason, Detail string }
		}
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &report), "%s", r.stdout)
		require.False(t, *report.Loads)
		require.Equal(t, tt.reason, report.Refusals[0].Reason)
		require.Contains(t, report.Refusals[0].Detail, tt.detail)
	}
	require.Empty(t, cli("no program", "translate", "--report=json").stdout)
}
