package difftest

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// iptables is a set of rules at the far end of a link, in the table raw: where a packet has come in, and nothing was done with it
// yet. The match bpf (net/netfilter/xt_bpf.c) runs a classic program on it, or a pinned socket filter, from its IP header on, and
// matches where the verdict is not 0. Each rule counts what matches; the last one counts all, and drops it.
type iptables struct {
	t       *testing.T
	backend string // legacy, or nft
	link    *veth.Link
	rules   []string
	counted [2][]uint64 // of IPv4 and IPv6: of each rule, and of the last
}

// families are the names of the command for IPv4 and IPv6.
var families = [2]string{"iptables", "ip6tables"}

// newIPTables makes a link without rules, or says aloud why there is no match bpf.
func newIPTables(t *testing.T, backend string) *iptables {
	x := &iptables{t: t, backend: backend, link: newVeth(t)}
	for family := range families {
		if err := x.restore(family, []string{`-m bpf --bytecode "1,6 0 0 1"`}); err != nil {
			t.Skipf("skipped: no xt_bpf by iptables-%s: %v", backend, err)
		}
	}
	require.NoError(t, x.link.Far.Do(func() error { // for which New turns IPv6 off
		return os.WriteFile("/proc/sys/net/ipv6/conf/"+x.link.Far.Name+"/disable_ipv6", []byte("0"), 0)
	}))
	return x
}

// use makes the rules for programs.
func (x *iptables) use(programs []Named) {
	dir := x.t.TempDir()
	require.NoError(x.t, unix.Mount("bpf", dir, "bpf", 0, ""))
	x.t.Cleanup(func() { require.NoError(x.t, unix.Unmount(dir, 0)) })
	for _, p := range programs {
		x.add(p, dir)
	}
	for family := range families {
		require.NoError(x.t, x.restore(family, x.rules))
		x.counted[family] = make([]uint64, len(x.rules)+1)
	}
}

// run runs a command of the family at the far end.
func (x *iptables) run(family int, what, stdin string, args ...string) (string, error) {
	var out []byte
	err := x.link.Far.Do(func() (err error) {
		cmd := exec.Command(families[family]+"-"+x.backend+what, args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%s-%s%s: %w: %s", families[family], x.backend, what, err, out)
	}
	return string(out), nil
}

// restore makes the rules of a family, all in one go.
func (x *iptables) restore(family int, rules []string) error {
	text := "*raw\n:PREROUTING ACCEPT [0:0]\n"
	for _, rule := range rules {
		text += "-A PREROUTING " + rule + "\n"
	}
	_, err := x.run(family, "-restore", text+"-A PREROUTING -j DROP\nCOMMIT\n", "-w", "10")
	return err
}

// count matches the line of a rule in what iptables-save -c prints.
var count = regexp.MustCompile(`(?m)^\[(\d+):\d+\] -A PREROUTING `)

// matched sends a frame, waits until the last rule has seen it, and tells of each rule whether it matched.
func (x *iptables) matched(family int, f veth.Frame) []bool {
	require.NoError(x.t, x.link.Send(f))
	before := x.counted[family]
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		out, err := x.run(family, "-save", "", "-c", "-t", "raw")
		require.NoError(x.t, err)
		var now []uint64
		for _, m := range count.FindAllStringSubmatch(out, -1) {
			n, err := strconv.ParseUint(m[1], 10, 64)
			require.NoError(x.t, err)
			now = append(now, n)
		}
		require.Len(x.t, now, len(x.rules)+1, "%s", out)
		if all := len(x.rules); now[all] > before[all] {
			x.counted[family] = now
			matched := make([]bool, all)
			for i := range matched {
				require.LessOrEqual(x.t, now[i]-before[i], uint64(1))
				matched[i] = now[i] > before[i]
			}
			return matched
		}
		require.True(x.t, time.Now().Before(until), "the frame did not come to the rules: %s", hex.EncodeToString(f.Data))
	}
}

// ruleWays are the ways of running a program, each by a rule.
var ruleWays = []string{"classic", "translated", "translated at -O2"}

// add makes a rule for each way of running a program.
func (x *iptables) add(p Named, dir string) {
	text, err := cbpf.Print(p.Program, cbpf.XTBPF)
	require.NoError(x.t, err, p.Name)
	x.rules = append(x.rules, fmt.Sprintf("-m bpf --bytecode %q", strings.TrimSpace(text)))
	for _, level := range []int{0, translate.MaxOptimize} {
		r, err := translate.Translate(p.Program, translate.Options{Target: translate.Socket, Optimize: level})
		require.NoError(x.t, err, p.Name)
		f, err := kernel.Load(r.Program, kernel.LoadOptions{})
		require.NoError(x.t, err, p.Name)
		pin := filepath.Join(dir, strconv.Itoa(len(x.rules)))
		require.NoError(x.t, f.Pin(pin), p.Name)
		require.NoError(x.t, f.Close())
		x.rules = append(x.rules, "-m bpf --object-pinned "+pin)
	}
}
