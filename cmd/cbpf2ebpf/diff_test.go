package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
)

func TestDiff(t *testing.T) {
	out := succeed(t, "", "diff", filter("ip.d"), filter("arp.d"), "-r", pcap("mixed.pcap"), "-r", pcap("vlan.pcap"))
	runs := 2 * (len(packets(t, readFile(t, pcap("mixed.pcap")))) + len(packets(t, readFile(t, pcap("vlan.pcap")))))
	rows := strings.Split(out, "\n")
	require.Equal(t, []string{"engine", "runs", "agree", "known", "cannot", "differ"}, strings.Fields(rows[0]))
	for i, name := range difftest.EngineNames() {
		cells := strings.Fields(rows[i+1])
		require.Equal(t, name, cells[0])
		require.Equal(t, strconv.Itoa(runs), cells[1], name)
		require.Equal(t, "0", cells[3], "%s: known", name)
		require.Equal(t, "0", cells[5], "%s: differ", name)
	}
	require.Equal(t, "no disagreement", rows[len(rows)-2])
}

// Programs and traces come from stdin as well, one of them.
func TestDiffFromStdin(t *testing.T) {
	program, trace := string(readFile(t, filter("ip.d"))), string(readFile(t, pcap("null.pcap")))
	for _, out := range []string{
		succeed(t, program, "diff", "-r", pcap("null.pcap"), "--engine", "interp"),
		succeed(t, program, "diff", "-", "-r", pcap("null.pcap"), "--engine", "interp"),
		succeed(t, program, "diff", "-r", pcap("null.pcap"), "-r", pcap("empty.pcap"), "--engine", "interp"),
		succeed(t, trace, "diff", filter("ip.d"), "-r", "-", "--engine", "interp"),
	} {
		require.Contains(t, out, "no disagreement\n")
	}
	require.Equal(t, "no packets: nothing was compared\n", succeed(t, program, "diff", "-r", pcap("empty.pcap")))
}

// What was compared in front of a fault is shown.
func TestDiffOnFaultyTrace(t *testing.T) {
	path := temp(t, "cut.pcap", readFile(t, pcap("mixed.pcap"))[:20000])
	r := cli("", "diff", filter("ip.d"), "-r", path, "--engine", "interp")
	require.Equal(t, exitRefused, r.status)
	require.Regexp(t, `interp +143 +143 +0 +0 +0`, r.stdout)
	require.NotContains(t, r.stdout, "no disagreement")
	require.Contains(t, r.stderr, "packet 144: the file ends inside the packet")
}

// liar is the reference but for packets longer than 60 bytes.
var liar = difftest.Engine{Name: "liar", Prepare: func(p cbpf.Program, _ difftest.LinkType) (*difftest.Runner, error) {
	return &difftest.Runner{Verdict: func(pkt *cbpf.Packet) (uint32, error) {
		v, err := cbpf.Run(p, pkt)
		if len(pkt.Data) > 60 {
			v++
		}
		return v, err
	}}, nil
}}

// A disagreement is shown with all that is needed to see it again, and the status is 1.
func TestDisagreement(t *testing.T) {
	engines, err := difftest.EnginesByName(nil)
	require.NoError(t, err)
	cmd := diffCommand()
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	f := diffFlags{src: source{from: "auto"}, traces: []string{pcap("mixed.pcap")}}
	err = f.runEngines(cmd, []string{filter("ip.d")}, append(engines, liar))
	require.ErrorIs(t, err, errTold, "status 1, and nothing more to say")

	long := 0
	for _, rec := range packets(t, readFile(t, pcap("mixed.pcap"))) {
		if len(rec.Data) > 60 {
			long++
		}
	}
	out := stdout.String()
	require.Regexp(t, `liar +216 +`+strconv.Itoa(216-long)+` +0 +0 +`+strconv.Itoa(long), out)
	require.Equal(t, "cbpf2ebpf: "+strconv.Itoa(long)+" disagreements\n", stderr.String())
	require.Contains(t, out, "DISAGREEMENT: "+filter("ip.d")+" on packet ")
	require.Contains(t, out, "(000) ldh      [12]\n")
	require.Contains(t, out, "liar            262145      DIFFERS; the reference says 262144\n")
	require.Contains(t, out, "shrunk to 1 instructions and 61 bytes:\n  (000) ret      #0\n  packet, 61 bytes of 61: "+strings.Repeat("00", 61)+"\n")
	require.Contains(t, out, strconv.Itoa(long-20)+" more disagreements are not shown\n")
	require.NotContains(t, out, "no disagreement")
}
