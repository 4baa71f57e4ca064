package cbpf_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// corpus is a collection of what tcpdump 4.99.3 with libpcap 1.10.3 prints for many filters. It is not in the tree.
const corpus = "../../shared/corpus"

func TestCorpusOfTcpdump(t *testing.T) {
	listings, err := filepath.Glob(filepath.Join(corpus, "programs", "*.d"))
	require.NoError(t, err)
	if len(listings) == 0 {
		t.Skip("the corpus of tcpdump's output is not here")
	}
	for _, path := range listings {
		t.Run(filepath.Base(path), func(t *testing.T) {
			listing, decimal := readFile(t, path), readFile(t, path+"dd")
			p := requireReprint(t, cbpf.Decimal, decimal)
			got, err := cbpf.Parse([]byte(listing))
			require.NoError(t, err)
			require.Equal(t, withoutGarbage(p), got)
			want := strings.ReplaceAll(listing, "unimp    0x81\n", "ldx      #pktlen\n") // the one difference to libpcap 1.10
			text, err := cbpf.Print(got, cbpf.Listing)
			require.NoError(t, err)
			require.Equal(t, want, text)
			requireRoundTrip(t, p)
			requireRoundTrip(t, got)
			require.NoError(t, cbpf.Validate(p))
		})
	}
}

func TestCorpusOfXTBPF(t *testing.T) {
	path := filepath.Join(corpus, "xt_bpf.tsv")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the corpus of iptables bytecode is not here")
	}
	for line := range strings.Lines(readFile(t, path)) {
		columns := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(columns) < 2 {
			continue
		}
		t.Run(columns[0], func(t *testing.T) {
			p := requireReprint(t, cbpf.XTBPF, columns[1]+"\n")
			requireRoundTrip(t, p)
			require.NoError(t, cbpf.Validate(p))
		})
	}
}

// TestCorpusOfSeccomp reads filters as they lie in memory.
func TestCorpusOfSeccomp(t *testing.T) {
	filters, err := filepath.Glob(filepath.Join(corpus, "seccomp", "*.bin"))
	require.NoError(t, err)
	if len(filters) == 0 {
		t.Skip("the corpus of seccomp filters is not here")
	}
	for _, path := range filters {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p := requireReprint(t, cbpf.Raw, readFile(t, path))
			requireRoundTrip(t, p)
			require.NoError(t, cbpf.Validate(p))
		})
	}
}

// withoutGarbage returns the program without what libpcap leaves in k of `tax`: its listing cannot tell of that.
func withoutGarbage(p cbpf.Program) cbpf.Program {
	p = slices.Clone(p)
	for pc := range p {
		if p[pc].Op == 0x07 {
			p[pc].K = 0
		}
	}
	return p
}

// requireReprint fails unless a text is in this notation and is printed again byte for byte.
func requireReprint(t *testing.T, n cbpf.Notation, text string) cbpf.Program {
	sniffed, err := cbpf.Sniff([]byte(text))
	require.NoError(t, err)
	require.Equal(t, n, sniffed)
	p, err := cbpf.Parse([]byte(text))
	require.NoError(t, err)
	again, err := cbpf.Print(p, n)
	require.NoError(t, err)
	require.Equal(t, text, again)
	return p
}

func readFile(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
