package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

func TestExpression(t *testing.T) {
	requireTcpdump(t)
	require.Equal(t, succeed(t, "", filter("tcp-port-80.d")), succeed(t, "", "-e", "tcp port 80"))
	require.Equal(t, succeed(t, "", filter("all.d")), succeed(t, "", "--expr", ""))
	require.Equal(t, "filter \"tcp port 80\": accepted, 20 instructions of 4096\n", succeed(t, "", "check", "-e", "tcp port 80"))
	require.Contains(t, succeed(t, "", "diff", "-e", "tcp", "-r", pcap("null.pcap"), "--engine", "interp"), "no disagreement\n")
	// Stdin is free for the trace.
	require.Equal(t, "70\n", succeed(t, string(readFile(t, pcap("mixed.pcap"))), "run", "-e", "tcp port 80", "-r", "-", "--count"))
}

// tcpdump's complaints are passed on, without what it says besides.
func TestBadExpression(t *testing.T) {
	requireTcpdump(t)
	for expr, want := range map[string]string{
		"tcp prt 80":                "syntax error",
		"-x":                        "syntax error",
		"--help":                    "syntax error",
		"host nowhere.invalid":      "nowhere.invalid",
		"wlan host 1:2:3:4:5:6 and": "",
	} {
		r := cli("", "-e", expr)
		require.Equal(t, exitRefused, r.status, expr)
		require.Regexp(t, `^cbpf2ebpf: filter "[^"]*": [^\n]*`+want+`[^\n]*\n$`, r.stderr)
		require.NotContains(t, r.stderr, "reading from")
		require.Empty(t, r.stdout)
	}
	require.Contains(t, cli("", "-e", "ether host 1:2:3:4:5:6", "--linktype", "RAW").stderr, "ethernet addresses supported only on ")
}

// A filter is compiled for the link type of the trace that it runs on, which need not have a name.
func TestExpressionForLinkType(t *testing.T) {
	requireTcpdump(t)
	for _, name := range difftest.LinkTypeNames() {
		require.NotEmpty(t, succeed(t, "", "-e", "less 100", "--linktype", name), name)
	}
	require.NotEqual(t, succeed(t, "", "-e", "ip"), succeed(t, "", "-e", "ip", "--linktype", "RAW"))
	for _, name := range []string{"sll.pcap", "raw-ip.pcap", "null.pcap"} {
		require.NotEqual(t, "0\n", succeed(t, "", "run", "-e", "ip", "-r", pcap(name), "--count"), name)
	}
	require.Equal(t, "0\n", succeed(t, "", "run", "-e", "ip", "-r", pcap("raw-ip.pcap"), "--count", "--linktype", "EN10MB"))

	const radiotap = 127
	trace := readFile(t, pcap("empty.pcap"))
	trace[20] = radiotap
	require.Equal(t, "0 of 0 packets match\n", succeed(t, string(trace), "run", "-e", "ip", "-r", "-"))
	// Each trace of diff has a type of its own.
	report := succeed(t, "", "diff", "-e", "ether host 2:0:0:0:0:1", "-r", pcap("mixed.pcap"), "--engine", "interp")
	require.Contains(t, report, "no disagreement")
	r := cli("", "diff", "-e", "ether host 2:0:0:0:0:1", "-r", pcap("mixed.pcap"), "-r", pcap("raw-ip.pcap"), "--engine", "interp")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "ethernet addresses supported only on ")
}

func TestNoTcpdump(t *testing.T) {
	t.Setenv("PATH", "")
	r := cli("", "-e", "ip")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "-e needs tcpdump, which is not installed here: install it (apt-get install tcpdump)")
}
