package difftest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// xtPrograms are short programs for what the collection does not ask: verdicts of all kinds, and all that a packet has there besides
// its bytes.
func xtPrograms(t *testing.T) (programs []Named) {
	for _, source := range []string{
		"ret #1", "ret #0", "ret #0x80000000",
		"ld len\n jgt #60, y, n\n y: ret a\n n: ret #0",
		"ldb [1]\n ret a",                                              // type of service
		"ldb [100]\n ret #1",                                           // past the end of some
		"ldx 4*([0]&0xf)\n ld [x+16]\n ret #1",                         // likewise
		"ldb [1]\n tax\n ld #100\n div x\n ret #7",                     // by zero, where it ends
		"ldb [1]\n tax\n ld #101\n mod x\n ret a",                      // likewise
		"ldb [8]\n tax\n ld #3\n lsh x\n ret a",                        // by more than 31
		"ldh [0xffe0000c]\n jeq #0x86dd, y, n\n y: ret #1\n n: ret #0", // in front of the packet
		"ldb [0xffe00017]\n jeq #17, y, n\n y: ret #1\n n: ret #0",     // from there into it
		"ldb [0xffefffff]\n ret #1",                                    // in front of that
		"ldb [0xfff00009]\n jeq #6, y, n\n y: ret #1\n n: ret #0",
		"ld proto\n jeq #0x800, y, n\n y: ret #1\n n: ret #0",
		"ld type\n ret a", "ld ifidx\n jgt #0xffffff, y, n\n y: ret #1\n n: ret #0",
		"ld vlan_tpid\n ret a", "ld mark\n ret a", "ld vlan_avail\n ret a",
		"ld poff\n sub #40\n ret a",
		"ldb [9]\n st M[0]\n ldb [8]\n st M[15]\n ldx M[0]\n neg\n add x\n ldx M[15]\n add x\n sub #6\n ret a", // the protocol less 6
		"ld [12]\n tax\n ld [16]\n xor x\n and #1\n ret a",
	} {
		p, err := cbpf.ParseAs(cbpf.Asm, []byte(source))
		require.NoError(t, err, source)
		require.NoError(t, cbpf.Validate(p), source)
		programs = append(programs, Named{strings.ReplaceAll(source, "\n", ";"), p})
	}
	const most = 64 // XT_BPF_MAX_NUM_INSTR
	longest := slices.Repeat(cbpf.Program{{Op: cbpf.OpLdAbsB, K: 1}}, most-1)
	return append(programs, Named{"the longest", append(longest, bpf.RawInstruction{Op: cbpf.OpRetA})})
}

// xtCorpus are the programs of the collection; none where it is absent.
func xtCorpus(t *testing.T) (programs []Named) {
	rows, err := os.ReadFile(corpus + "/xt_bpf.tsv")
	if err != nil {
		t.Logf("without the programs of the collection: %v", err)
		return nil
	}
	for _, row := range strings.Split(strings.TrimSpace(string(rows)), "\n")[1:] {
		cells := strings.Split(row, "\t")
		p, err := cbpf.ParseAs(cbpf.XTBPF, []byte(cells[1]))
		require.NoError(t, err, cells[0])
		programs = append(programs, Named{cells[0], p})
	}
	return programs
}

// TestIPTablesAgrees has iptables run programs on real packets, classic ones and what they are translated to, and holds what it
// matches against the reference on the packet as it is there.
func TestIPTablesAgrees(t *testing.T) {
	requireKernel(t)
	programs := append(xtPrograms(t), xtCorpus(t)...)
	ran := false
	for _, backend := range []string{"legacy", "nft"} {
		t.Run(backend, func(t *testing.T) {
			x := newIPTables(t, backend)
			ran = true
			x.use(programs)
			x.agree(programs)
		})
	}
	if !ran && os.Getenv(kerneltest.RequireEnv) == "1" {
		t.Fatalf("%s=1, but neither iptables-legacy nor iptables-nft has the match bpf", kerneltest.RequireEnv)
	}
}

// agree sends frames, some of which lie in pages behind their headers.
func (x *iptables) agree(programs []Named) {
	matched, frames := make([]int, len(programs)), framesForRules(x.link.Far)
	for i, data := range frames {
		linear := []int{0, 14, 34, 54}[i%4]
		f := veth.Frame{Data: data, Linear: min(linear, len(data))}
		seen, family, _ := atRules(data, x.link.Far)
		got := x.matched(family, f)
		for k, p := range programs {
			want, err := cbpf.Run(p.Program, &seen)
			require.NoError(x.t, err)
			for n, way := range ruleWays {
				require.Equal(x.t, want != 0, got[k*len(ruleWays)+n], "%s, %s: verdict %d on %x, %d bytes of the frame in one piece",
					p.Name, way, want, seen.Data, linear)
			}
			if want != 0 {
				matched[k]++
			}
		}
	}
	both := 0
	for _, n := range matched {
		if 0 < n && n < len(frames) {
			both++
		}
	}
	x.t.Logf("%d programs, of which %d match some, on %d packets, by %d rules", len(programs), both, len(frames), len(x.rules))
	require.Greater(x.t, both, len(programs)/2)
}
