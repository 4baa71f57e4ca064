package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

// chain is an Ethernet frame with n extension headers of IPv6 in front of the last one. Some are longer than they need to
// be.
func chain(r *rand.Rand, n int, last byte) []byte {
	frame := make([]byte, 14+40)
	frame[12], frame[13], frame[14] = 0x86, 0xdd, 0x60
	next := 14 + 6
	for range n {
		frame[next] = []byte{0, 0x3c, 0x2b, 0x2c}[r.IntN(4)]
		next = len(frame)
		header := make([]byte, 8)
		if frame[next-len(header)] != 0x2c && r.IntN(3) == 0 {
			header = make([]byte, 8*(1+r.IntN(3)))
			header[1] = byte(len(header)/8 - 1)
		}
		frame = append(frame, header...)
	}
	frame[next] = last
	return append(frame, make([]byte, 20)...)
}

// authenticated is an Ethernet frame of IPv4 with an authentication header in front of the last one.
func authenticated(last byte) []byte {
	frame := make([]byte, 14+20+24+20)
	frame[12], frame[14], frame[14+9], frame[14+20], frame[14+20+1] = 8, 0x45, 0x33, last, 4
	return frame
}

// chains is a trace of such frames, some cut off, and the number of extension headers of each.
func chains(t *testing.T) (trace string, lengths []int) {
	r := rand.New(rand.NewPCG(5, 6))
	var file bytes.Buffer
	w, err := difftest.NewWriter(&file, difftest.LinkEthernet, false)
	require.NoError(t, err)
	write := func(frame []byte, n int) {
		rec := difftest.Record{Link: difftest.LinkEthernet, Time: time.Unix(int64(len(lengths)), 0), Packet: cbpf.Packet{Data: frame, WireLen: uint32(len(frame))}}
		require.NoError(t, w.Write(rec, uint32(len(frame))))
		lengths = append(lengths, n)
	}
	for n := range 13 {
		for _, last := range []byte{6, 17, 58, 59, 50, 132} {
			for range 4 {
				frame := chain(r, n, last)
				write(frame, n)
				write(frame[:14+r.IntN(len(frame)-14)], -1)
			}
		}
	}
	for _, last := range []byte{6, 17, 1} {
		write(authenticated(last), 1)
		write(authenticated(last)[:40], -1)
	}
	trace = filepath.Join(t.TempDir(), "chains.pcap")
	require.NoError(t, os.WriteFile(trace, file.Bytes(), 0o644))
	return trace, lengths
}

// The packets that match are those that tcpdump takes, which runs loops as they are.
func TestUnrollAgreesWithTcpdump(t *testing.T) {
	requireTcpdump(t)
	trace, _ := chains(t)
	matching := map[string]bool{}
	for _, expr := range []string{"ip6 protochain 6", "ip6 protochain 17", "ip protochain 6", "protochain 17", "ip6 protochain 132 or ip6 protochain 58",
		"ip6 protochain 6 and not ip6 protochain 43", "ip6 protochain 6 and len > 120", "not ip6 protochain 6"} {
		for _, optimized := range []string{"-O", ""} {
			args := []string{"-r", trace, "-w", "-", expr}
			listing := []string{"-d", "-y", "EN10MB", expr}
			if optimized == "" { // tcpdump optimises unless it is told not to
				args, listing = append([]string{"-O"}, args...), append([]string{"-O"}, listing...)
			}
			want, err := exec.Command("tcpdump", args...).Output()
			require.NoError(t, err)
			text, err := exec.Command("tcpdump", listing...).Output()
			require.NoError(t, err)
			got := succeed(t, string(text), "run", "-r", trace, "-w", "-", "--unroll", "13")
			require.Equal(t, want[24:], []byte(got[24:]), "%s", expr) // behind the header of the file
			matching[expr] = len(want) > 24
		}
		require.True(t, matching[expr], "%s: nothing matches", expr)
	}
}

// At a depth that is not enough, what has more headers does not match.
func TestUnrollDepth(t *testing.T) {
	requireTcpdump(t)
	trace, lengths := chains(t)
	all := strings.Fields(succeed(t, "", "run", "-e", "ip6 protochain 6", "-r", trace, "--verdicts", "--unroll", "12"))
	for depth := 1; depth <= 4; depth++ {
		for _, engine := range []string{"jit", "classic", "interp"} {
			some := strings.Fields(succeed(t, "", "run", "-e", "ip6 protochain 6", "-r", trace, "--verdicts", "--unroll", fmt.Sprint(depth), "--engine", engine))
			for i, verdict := range some {
				switch {
				case lengths[i] > depth:
					require.Equal(t, "0", verdict)
				case lengths[i] >= 0:
					require.Equal(t, all[i], verdict)
				}
			}
		}
	}
}

// Listings and faults tell of the instructions that were read.
func TestUnrollShowsWhatWasRead(t *testing.T) {
	const loop = "(000) ldb      [0]\n(001) jeq      #0x7             jt 4\tjf 2\n(002) add      #1\n(003) ja       1\n(004) ret      #1\n"
	r := cli(loop, "check")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "stdin: line 4: (003) jump backwards: to (001); the kernel takes forward ones only; unroll the loop")
	require.Contains(t, r.stderr, "\n  4 | (003) ja       1\n    |       ^~~")
	text := succeed(t, loop, "--unroll", "2")
	require.Equal(t, 3, strings.Count(text, "; (001) jeq      #0x7             jt 4\tjf 2\n"), "%s", text)
	require.NotContains(t, text, "; (005)")
	require.Contains(t, succeed(t, loop, "--unroll", "2", "--to", "json"), `"text": "ja       1"`)
	require.Equal(t, "stdin: accepted, 8 instructions of 4096\n", succeed(t, loop, "check", "--unroll", "2"))
	require.Equal(t, "(000) ldb      [0]\n(001) jeq      #0x7             jt 5\tjf 2\n(002) add      #1\n(003) jeq      #0x7             jt 5\tjf 4\n(004) ret      #0\n(005) ret      #1\n",
		succeed(t, loop, "print", "--unroll", "1"))

	r = cli(strings.Replace(loop, "add      #1", "div      #0", 1), "check", "--unroll", "2")
	require.Equal(t, 1, strings.Count(r.stderr, "stdin: line 3: (002) division by zero"), "%s", r.stderr)
	require.Equal(t, 1, strings.Count(succeed(t, strings.Replace(loop, "add      #1", "neg", 1), "check", "--unroll", "3"), "stdin: warning: line 3: (002) negation"))
	r = cli(strings.Replace(loop, "add      #1", "ld [hatype]", 1), "--unroll", "2", "--target", "socket")
	require.Contains(t, r.stderr, `(002) extension "hatype" cannot be had on target socket`)
	r = cli(strings.Replace(loop, "add      #1", "ld [nla]", 1), "--unroll", "2")
	require.Equal(t, 1, strings.Count(r.stderr, `note: (002) "nla" looks at 64 netlink attributes`), "%s", r.stderr)
	require.Equal(t, exitUsage, cli(loop, "check", "--unroll", "-1").status)
	require.Equal(t, exitUsage, cli(loop, "check", "--unroll", "5000").status)
	require.Contains(t, cli(loop, "check", "--unroll", "4096").stderr, "depth 1406 is the most that fits")
}
