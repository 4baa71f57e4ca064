package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// quickBench measures next to nothing, and returns what was reported.
func quickBench(t *testing.T, stdin string, args ...string) *benchReport {
	text := succeed(t, stdin, append([]string{"bench", "--json", "--rounds", "2", "--sample", "20us"}, args...)...)
	var r benchReport
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	return &r
}

func (r *benchReport) engine(t *testing.T, name string) benched {
	i := slices.IndexFunc(r.Engines, func(e benched) bool { return e.Engine == name })
	require.GreaterOrEqual(t, i, 0, "%s is not among %v; missing: %v", name, r.Engines, r.Missing)
	return r.Engines[i]
}

func (r *benchReport) whyMissing(name string) string {
	for _, m := range r.Missing {
		if m.Engine == name {
			return m.Why
		}
	}
	return ""
}

// hasJIT reports whether machine code can be had here.
func hasJIT(t *testing.T) bool {
	r := cli("", filter("ip.d"), "--to", "x86")
	return r.status == exitDone
}

func TestBench(t *testing.T) {
	r := quickBench(t, "", filter("tcp-port-80.d"), "-r", longTrace(t))
	require.Equal(t, 2, r.Level)
	require.Equal(t, 2, r.Rounds)
	var names []string
	for _, s := range r.Sets {
		names = append(names, s.Name)
		require.InDelta(t, 70.0/216, float64(s.Matches)/float64(s.Packets), 0.02)
	}
	require.Equal(t, []string{"small", "shuf", "big"}, names)
	require.Equal(t, benchOrders*r.Sets[0].Packets, r.Sets[1].Packets)
	require.Equal(t, 216*100, r.Sets[2].Packets)
	wanted := []string{"interp", "classic", "xnet"}
	if hasJIT(t) {
		wanted = append(wanted, "jit", "jit-scalar", "jit-run")
		require.Equal(t, "jit", r.Engines[0].Engine)
	} else {
		require.Contains(t, r.whyMissing("jit"), "no JIT here")
	}
	for _, name := range wanted {
		e := r.engine(t, name)
		for _, set := range names {
			require.Greater(t, e.Figures[set].Median, 0.0, "%s on %s", name, set)
			require.LessOrEqual(t, e.Figures[set].Least, e.Figures[set].Median)
			require.InDelta(t, e.Figures[set].Median/r.Engines[0].Figures[set].Median, e.Figures[set].Ratio, 1e-6)
		}
	}
	if kernel.Available() == nil {
		require.Len(t, r.engine(t, "kernel").Figures, 1)
	} else {
		require.NotEmpty(t, r.whyMissing("kernel"))
	}
}

// Short traces have no big set, and the table names what the JSON does.
func TestBenchTable(t *testing.T) {
	text := succeed(t, string(readFile(t, pcap("vlan.pcap"))), "bench", filter("vlan.d"), "-r", "-", "--rounds", "1", "--sample", "10us")
	require.Regexp(t, `(?m)^engine +small +least +x +shuf +least +x$`, text)
	require.Regexp(t, `(?m)^interp( +\d+\.\d\d +\d+\.\d\d +\d+\.\d){2}$`, text)
	require.Regexp(t, `(?m)^small: \d+ packets, \d+ KiB, \d+ of \d+ match$`, text)
	require.NotContains(t, text, "big")
}

// C is compiled, runs on the same packets, and comes to the same verdicts.
func TestBenchCompilers(t *testing.T) {
	for _, compiler := range []string{"clang", "gcc"} {
		if _, err := exec.LookPath(compiler); err != nil {
			t.Logf("no %s", compiler)
			continue
		}
		r := quickBench(t, "", filter("http-get.d"), "-r", longTrace(t), "--cc", compiler)
		require.Len(t, r.engine(t, compiler).Figures, 3)
		// Neither has a function of two pointers properties.
		const protocol = "2,40 0 0 4294963200,22 0 0 0"
		r = quickBench(t, protocol, "-r", pcap("mixed.pcap"), "--cc", compiler)
		require.NotEmpty(t, r.whyMissing(compiler))
		require.Contains(t, cli("", "bench", filter("ip.d"), "-r", pcap("mixed.pcap"), "--cc", "no-such-compiler").stderr, "--cc no-such-compiler: ")
		return
	}
	t.Skip("skipped: neither clang nor gcc is installed")
}

// Packets that are cut are judged by the length that each engine sees.
func TestBenchCutPackets(t *testing.T) {
	const longer = "4,128 0 0 0,37 0 1 70,6 0 0 1,6 0 0 0" // ld #pktlen; jgt #70
	r := quickBench(t, longer, "-r", pcap("truncated.pcap"))
	require.NotEmpty(t, r.engine(t, "xnet").Figures)
	require.NotZero(t, r.Sets[0].Matches)
}

// What an engine is known to do differently is noted, and what it cannot do is not measured.
func TestBenchPeculiarities(t *testing.T) {
	shift := "4,48 0 0 0,7 0 0 0,108 0 0 0,22 0 0 0" // ldb [0]; tax; lsh x; ret a
	r := quickBench(t, shift, "-r", pcap("mixed.pcap"))
	require.Contains(t, r.engine(t, "xnet").Note, "known to differ here: x/net yields 0 for shifts by 32 and more")
	window := "2,48 0 0 4293918720,22 0 0 0" // ldb [net+0]; ret a
	r = quickBench(t, window, "-r", pcap("sll.pcap"))
	require.NotZero(t, r.Sets[0].Matches)
	random := "2,32 0 0 4294963256,22 0 0 0" // ld rand; ret a
	r = quickBench(t, random, "-r", pcap("mixed.pcap"))
	require.NotEmpty(t, r.engine(t, "interp").Figures)
	protocol := "2,40 0 0 4294963200,22 0 0 0" // ld proto; ret a
	r = quickBench(t, protocol, "-r", pcap("mixed.pcap"))
	require.Equal(t, 216, r.Sets[0].Matches)
}

// An engine that is wrong is not measured.
func TestBenchDisagreement(t *testing.T) {
	trace, err := difftest.NewTrace(bytes.NewReader(readFile(t, pcap("mixed.pcap"))), "mixed")
	require.NoError(t, err)
	p, err := cbpf.ParseAs(cbpf.Listing, readFile(t, filter("ip.d")))
	require.NoError(t, err)
	b := &bench{program: difftest.Named{Name: "ip", Program: p}}
	b.sets, err = readBenchSets(trace)
	require.NoError(t, err)
	for _, s := range b.sets {
		s.ready(trace.Link(), false)
	}
	verdict := uint32(0)
	take := func(s *benchSet, at, n int) (time.Duration, error) {
		for i := range s.verdicts {
			s.verdicts[i] = verdict
		}
		return 1, nil
	}
	b.add("liar", func() (*contender, error) { return &contender{take: take}, nil })
	require.EqualError(t, b.check(), "engine liar disagrees on small: 0 matches and verdicts of 0 in sum; the reference has 146 and 38273024")
	verdict = 262144
	require.ErrorContains(t, b.check(), "engine liar disagrees on small: 216 matches")
	b.contenders[0].take = func(*benchSet, int, int) (time.Duration, error) { return 0, errors.New("no more") }
	require.EqualError(t, b.check(), "engine liar: no more")

	// And what difftest finds is shown.
	engine := difftest.Engine{Name: "wrong", Prepare: func(cbpf.Program, difftest.LinkType) (*difftest.Runner, error) {
		return &difftest.Runner{Verdict: func(*cbpf.Packet) (uint32, error) { return 7, nil }}, nil
	}}
	b.contenders[0].engine = &engine
	var shown strings.Builder
	require.Equal(t, errTold, b.compare(&shown))
	require.Contains(t, shown.String(), "wrong")
}

// A shuffled set has each packet as often as it has orders, and not in the order of the trace.
func TestBenchSets(t *testing.T) {
	trace, err := difftest.OpenTrace(longTrace(t))
	require.NoError(t, err)
	defer trace.Close()
	sets, err := readBenchSets(trace)
	require.NoError(t, err)
	small, shuf, big := sets[0], sets[1], sets[2]
	end := small.descs[small.len()-1].Off + small.descs[small.len()-1].CapLen
	require.LessOrEqual(t, end, uint32(benchSmall))
	require.Greater(t, end, uint32(benchSmall*9/10))
	require.Equal(t, small.descs, big.descs[:small.len()])
	seen := map[jit.Desc]int{}
	for _, d := range shuf.descs {
		seen[d]++
	}
	require.Len(t, seen, small.len())
	for _, d := range small.descs {
		require.Equal(t, benchOrders, seen[d])
	}
	require.NotEqual(t, shuf.descs[:small.len()], shuf.descs[small.len():2*small.len()])

	none, err := difftest.OpenTrace(pcap("empty.pcap"))
	require.NoError(t, err)
	defer none.Close()
	_, err = readBenchSets(none)
	require.ErrorContains(t, err, "no packets to measure with")
}
