package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// newLink makes two namespaces for the test, or skips it where that is impossible.
func newLink(t *testing.T) *veth.Link {
	t.Helper()
	requireLoading(t)
	l, err := veth.New(1500)
	if err != nil && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") != "1" {
		t.Skipf("skipped: no namespaces to load programs in: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// output is what a command that is still running has said.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// running is a command at work.
type running struct {
	stdout, stderr output
	done           chan int
}

// start runs a command in the namespace of an end, where nothing else can be done meanwhile; nil is where the test is.
func start(e *veth.End, args ...string) *running {
	r := &running{done: make(chan int, 1)}
	work := func() error {
		r.done <- run(args, strings.NewReader(""), &r.stdout, &r.stderr)
		return nil
	}
	if e == nil {
		go work()
	} else {
		go e.Do(work)
	}
	return r
}

// attached waits until the command says that its program is attached.
func (r *running) attached(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.stderr.String(), "attached to ") || len(r.done) > 0 }, 10*time.Second, time.Millisecond)
	require.Empty(t, r.done, r.stderr.String())
}

// ended waits until the command is done, and demands that it ends well.
func (r *running) ended(t *testing.T) {
	t.Helper()
	select {
	case status := <-r.done:
		require.Equal(t, exitDone, status, r.stderr.String())
	case <-time.After(10 * time.Second):
		t.Fatal("the command does not end")
	}
}

// in runs a command in the namespace of an end, to its end.
func in(t *testing.T, e *veth.End, stdin string, args ...string) (r result) {
	t.Helper()
	require.NoError(t, e.Do(func() error {
		r = cli(stdin, args...)
		return nil
	}))
	return r
}

// frames sends IPv4 and other frames from the near end, through a program that sees them leave.
type frames struct {
	l *veth.Link
	s *veth.Station
}

func newFrames(t *testing.T, l *veth.Link) *frames {
	s, err := l.Put(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, -1), ebpf.Return()}, veth.TCEgress, kernel.LoadOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &frames{l, s}
}

func (f *frames) send(t *testing.T, ip, other int) {
	t.Helper()
	for i := range ip + other {
		data := f.l.UDP([]byte("hello"))
		data[5]++ // to another host, so that nobody answers
		if i >= ip {
			data[12], data[13] = 0x88, 0xb5
		}
		_, err := f.s.Try(veth.Frame{Data: data})
		require.NoError(t, err)
	}
}

// The command ends after so many packets that match, and has counted the others too.
func TestLoadCount(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	r := start(l.Far, "load", filter("ip.d"), "--attach", "socket:far", "-c", "3")
	r.attached(t)
	f.send(t, 0, 4)
	f.send(t, 3, 0)
	r.ended(t)
	require.Equal(t, "3 of 7 packets match\n", r.stdout.String())
	require.Regexp(t, `^cbpf2ebpf: loaded a socket filter of \d+ instructions, of which the verifier followed \d+ on all paths, \d+ bytes of machine code
cbpf2ebpf: attached to socket:far; Ctrl-C ends it
$`, r.stderr.String())
}

// At every hook a program looks on and counts, and at those that can it drops what matches, or what does not.
func TestLoadHooks(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	for _, test := range []struct {
		hook string
		args []string
		want string
	}{
		{"tc:far:ingress", nil, "2 of 5 packets match"},
		{"tc:far:ingress:clsact", nil, "2 of 5 packets match"},
		{"tc:far:ingress", []string{"--action", "match=drop"}, "5 packets: 3 unspec, 2 shot"},
		{"tc:far:ingress", []string{"--action", "match=ok,drop=2"}, "5 packets: 2 ok, 3 shot"},
		{"xdp:far", nil, "2 of 5 packets match"},
		{"xdp:far:generic", []string{"--frags"}, "2 of 5 packets match"},
		{"xdp:far", []string{"--action", "drop=drop"}, "5 packets: 3 drop, 2 pass"},
		{"xdp:far", []string{"-O0", "--action", "match=drop"}, "5 packets: 2 drop, 3 pass"},
	} {
		r := start(l.Far, append([]string{"load", filter("ip.d"), "--attach", test.hook, "-c", "2"}, test.args...)...)
		r.attached(t)
		f.send(t, 0, 3)
		f.send(t, 2, 0)
		r.ended(t)
		require.Equal(t, test.want+"\n", r.stdout.String(), "%s %q", test.hook, test.args)
	}
}

// Programs at tracepoints look at the packets of one interface, or at those of the whole machine.
func TestLoadTracepoints(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	for _, hook := range []string{"tp_btf:netif_receive_skb", "raw_tp:netif_receive_skb"} {
		r := start(l.Far, "load", filter("ip.d"), "--attach", hook, "--interface", "far", "-c", "2")
		r.attached(t)
		f.send(t, 0, 3)
		f.send(t, 2, 0)
		r.ended(t)
		require.Equal(t, "2 of 5 packets match\n", r.stdout.String(), hook)
		f.send(t, 1, 0) // which has nobody to count it
	}
}

// Without an interface they see what goes out, what comes in and what is dropped, in all namespaces. One program may be at several
// places.
func TestLoadEverywhere(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	mark := rand.Uint32()
	file := filepath.Join(t.TempDir(), "marked")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "4,32 0 0 42,21 0 1 %d,6 0 0 9,6 0 0 0", mark), 0o666))
	marked := l.UDP(binary.BigEndian.AppendUint32(nil, mark))
	marked[5]++ // so that the far end drops it
	for _, test := range []struct {
		hooks []string
		seen  int // how often each of two frames is
	}{
		{[]string{"tp_btf:net_dev_queue"}, 1},
		{[]string{"tp_btf:kfree_skb"}, 1},
		{[]string{"raw_tp:net_dev_queue", "raw_tp:netif_receive_skb", "raw_tp:kfree_skb"}, 3},
	} {
		args := []string{"load", file, "-c", itoa(2 * test.seen)}
		for _, hook := range test.hooks {
			args = append(args, "--attach", hook)
		}
		r := start(nil, args...)
		r.attached(t)
		for range 2 {
			_, err := f.s.Try(veth.Frame{Data: marked})
			require.NoError(t, err)
		}
		r.ended(t)
		require.Regexp(t, fmt.Sprintf(`^%d of \d+ packets match\n$`, 2*test.seen), r.stdout.String(), "%v", test.hooks)
	}
}

// What cannot work at a tracepoint is told before anything is loaded.
func TestLoadTracepointRefused(t *testing.T) {
	requireLoading(t)
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--attach", "tp_btf:sched_switch"}, exitRefused, "none of its arguments points to a packet: tp_btf:sched_switch\n  what to do: "},
		{[]string{"--attach", "fentry:ip_rcv", "--object", "xdp"}, exitRefused, "none of its arguments points to a packet: fentry:ip_rcv, --object xdp\n  what to do: "},
		{[]string{"--attach", "raw_tp:no_such_place"}, exitRefused, "the kernel has no such function or tracepoint: no_such_place\n  what to do: "},
		{[]string{"--attach", "raw_tp:kfree_skb", "--interface", "none"}, exitRefused, "there is no such interface in this network namespace: none\n"},
		{[]string{"--attach", "tp_btf:kfree_skb", "--attach", "tp_btf:consume_skb"}, exitUsage, "one program cannot be attached to both tp_btf:kfree_skb and tp_btf:consume_skb"},
		{[]string{"--attach", "raw_tp:kfree_skb", "--attach", "raw_tp:tcp_send_reset"}, exitUsage, "they have the packet in different arguments"},
		{[]string{"--attach", "socket:lo", "--interface", "lo"}, exitUsage, "--interface goes with functions and tracepoints"},
		{[]string{"--attach", "raw_tp:kfree_skb", "--object", "mbuf"}, exitUsage, `--object "mbuf": an argument points to skb or xdp`},
	} {
		for _, dry := range [][]string{nil, {"--dry-run"}} {
			r := cli("", append(append([]string{"load", filter("ip.d")}, test.args...), dry...)...)
			require.Equal(t, test.status, r.status, "%q: %s", test.args, r.stderr)
			require.Contains(t, r.stderr, test.want)
			require.Empty(t, r.stdout)
		}
	}
	for _, args := range [][]string{
		{"--attach", "raw_tp:sched_switch", "--arg", "1"}, // which is told, and so believed
		{"--attach", "kprobe:ip_rcv", "--interface", "lo"},
		{"--attach", "kprobe:bpf_prog_run_generic_xdp", "--object", "xdp"},
	} {
		r := cli("", append([]string{"load", filter("ip.d"), "--dry-run"}, args...)...)
		require.Equal(t, exitDone, r.status, r.stderr)
		require.Regexp(t, `^the kernel takes a (raw tracepoint|kprobe) program of .*\nwould attach it to \S+\n$`, r.stdout)
	}
}

// A program at a tracepoint is kept, shown with its counts, and taken away.
func TestLoadPinnedTracepoint(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	for _, hook := range []string{"tp_btf:netif_receive_skb", "raw_tp:netif_receive_skb"} {
		file := filepath.Join(mountBPF(t), "web")
		r := in(t, l.Far, "", "load", filter("ip.d"), "--pin", file, "--attach", hook, "--interface", "far")
		require.Equal(t, exitDone, r.status, r.stderr)
		require.Contains(t, r.stdout, "attached to "+hook+" until: rm "+file+"_")
		f.send(t, 2, 1)
		shown := in(t, l.Far, "", "pinned", file)
		require.Equal(t, exitDone, shown.status, shown.stderr)
		require.Contains(t, shown.stdout, "\n2 of 3 packets match\n")
		require.Equal(t, result{}, in(t, l.Far, "", "pinned", file, "--remove"))
		require.Equal(t, exitRefused, in(t, l.Far, "", "pinned", file).status)
	}
}

// Expressions are compiled for the interface: the kernel has taken tags out of the packet by then, but not before XDP.
func TestLoadExpression(t *testing.T) {
	requireTcpdump(t)
	l := newLink(t)
	f := newFrames(t, l)
	tagged := append(l.UDP(nil)[:12:12], 0x81, 0, 0, 5, 0x88, 0xb5)
	for _, hook := range []string{"socket:far", "tc:far:ingress", "xdp:far", "raw_tp:netif_receive_skb"} {
		args := []string{"load", "-e", "vlan 5", "--attach", hook, "-c", "1"}
		if strings.HasPrefix(hook, "raw_tp") {
			args = append(args, "--interface", "far")
		}
		r := start(l.Far, args...)
		r.attached(t)
		f.send(t, 2, 2)
		_, err := f.s.Try(veth.Frame{Data: append(tagged, make([]byte, 42)...)})
		require.NoError(t, err)
		r.ended(t)
		require.Equal(t, "1 of 5 packets match\n", r.stdout.String(), hook)
		require.NotContains(t, r.stderr.String(), "note")
	}
}

// What a program drops at the way out the sender hears of.
func TestLoadCgroup(t *testing.T) {
	l := newLink(t)
	group := cgroup(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "2 of 2 packets match"},
		{[]string{"--action", "match=deny"}, "2 packets: 2 deny"},
		{[]string{"--action", "drop=deny"}, "2 packets: 2 allow"},
	} {
		r := start(nil, append([]string{"load", filter("ip.d"), "--attach", "cgroup:" + group + ":egress", "-c", "2"}, test.args...)...)
		r.attached(t)
		denied := 0
		for range 2 {
			if err := sendFrom(t, l, group); err != nil {
				require.ErrorIs(t, err, unix.EPERM)
				denied++
			}
		}
		r.ended(t)
		require.Equal(t, test.want+"\n", r.stdout.String())
		require.Equal(t, map[bool]int{true: 2}[strings.Contains(test.want, "deny")], denied)
	}
}

// cgroup makes a cgroup of version 2 for the test.
func cgroup(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^\S+ (\S+) cgroup2 `).FindSubmatch(mounts)
	if m == nil && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") != "1" {
		t.Skip("skipped: no cgroup v2 file system is mounted")
	}
	require.NotNil(t, m, "no cgroup v2 file system is mounted")
	dir, err := os.MkdirTemp(string(m[1]), "cbpf2ebpf-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	return dir
}

// sendFrom sends a datagram from the near end, by a process in the cgroup.
func sendFrom(t *testing.T, l *veth.Link, group string) error {
	t.Helper()
	dir, err := os.Open(group)
	require.NoError(t, err)
	defer dir.Close()
	return l.Near.Do(func() error {
		cmd := exec.Command("/bin/bash", "-c", "echo hello > /dev/udp/192.0.2.2/9")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "Operation not permitted") {
			return unix.EPERM
		}
		return err
	})
}

// Time ends it as well, and counts are printed meanwhile.
func TestLoadDuration(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	r := start(l.Far, "load", filter("ip.d"), "--attach", "socket:far", "--duration", "500ms", "--interval", "100ms")
	r.attached(t)
	f.send(t, 2, 1)
	r.ended(t)
	lines := strings.Split(strings.TrimSpace(r.stdout.String()), "\n")
	require.Greater(t, len(lines), 1, "counts of the time in between, and those of the end")
	require.Less(t, len(lines), 8)
	require.Equal(t, "2 of 3 packets match", lines[len(lines)-1])
}

// Ctrl-C and its relatives are a good end. A process of its own is interrupted, in a namespace of its own.
func TestLoadInterrupted(t *testing.T) {
	newLink(t) // where that is possible, so is this
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, _ := process(t, "load", filter("ip.d"), "--attach", "socket:lo")
		var stdout bytes.Buffer
		var stderr output
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "attached") }, 10*time.Second, time.Millisecond)
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait(), stderr.String())
		require.Equal(t, "0 of 0 packets match\n", stdout.String())
	}
}

// mountBPF mounts a bpf file system for the test.
func mountBPF(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, unix.Mount("bpf", dir, "bpf", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// A program is pinned, shown, and taken away.
func TestLoadPinned(t *testing.T) {
	requireLoading(t)
	file := filepath.Join(mountBPF(t), "web")
	r := cli("", "load", filter("ip.d"), "--pin", file, "--name", "my_web")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Equal(t, "pinned at "+file+"\ncbpf2ebpf pinned "+file+" shows it, with --remove it takes it away\n", r.stdout)

	again := cli("", "load", filter("ip.d"), "--pin", file)
	require.Equal(t, exitRefused, again.status)
	require.Contains(t, again.stderr, "cbpf2ebpf: something is pinned there already: "+file+"\n  what to do: ")

	require.Regexp(t, `^my_web: a socket filter, id \d+, tag [0-9a-f]{16}, \d+ bytes of machine code\n$`, succeed(t, "", "pinned", file))
	require.Empty(t, succeed(t, "", "pinned", file, "--remove"))
	gone := cli("", "pinned", file)
	require.Equal(t, exitRefused, gone.status)
	require.Contains(t, gone.stderr, "no such file or directory\n  what to do: bpftool prog show")
	require.Equal(t, gone, cli("", "pinned", file, "--remove"))
}

// A socket ends with the command, and what is pinned stays.
func TestLoadPinnedSocket(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	file := filepath.Join(mountBPF(t), "web")
	r := start(l.Far, "load", filter("ip.d"), "--pin", file, "--attach", "socket:far", "-c", "1")
	r.attached(t)
	f.send(t, 1, 0)
	r.ended(t)
	require.Equal(t, "1 of 1 packets match\npinned at "+file+"\ncbpf2ebpf pinned "+file+" shows it, with --remove it takes it away\n", r.stdout.String())
	shown := in(t, l.Far, "", "pinned", file)
	require.Equal(t, exitDone, shown.status, shown.stderr)
	require.Contains(t, shown.stdout, "\n1 of 1 packets match\n")
	require.Equal(t, result{}, in(t, l.Far, "", "pinned", file, "--remove"))
}

// What is pinned at hooks is shown with its counts, and taken away from all of them.
func TestLoadPinnedHooks(t *testing.T) {
	l := newLink(t)
	f := newFrames(t, l)
	file := filepath.Join(mountBPF(t), "web")
	r := in(t, l.Far, "", "load", filter("ip.d"), "--pin", file, "--attach", "tc:far:ingress", "--attach", "tc:far:egress:clsact")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Equal(t, "pinned at "+file+"\nattached to tc:far:ingress:tcx until: rm "+file+"_tc_far_ingress\n"+
		"attached to tc:far:egress:clsact until: tc filter del dev far egress pref 49152\n"+
		"cbpf2ebpf pinned "+file+" shows it, with --remove it takes it away\n", r.stdout)
	f.send(t, 2, 1)
	var shown result // frames are under way for a moment
	require.Eventually(t, func() bool {
		shown = in(t, l.Far, "", "pinned", file)
		return strings.Contains(shown.stdout, " of 3 packets")
	}, 10*time.Second, time.Millisecond, &shown)
	require.Regexp(t, `^filter: a tc program, id \d+, .*\nattached by `+file+`_tc_far_ingress\nattached to tc:far:egress:clsact\n2 of 3 packets match\n$`, shown.stdout)
	require.Equal(t, result{}, in(t, l.Far, "", "pinned", file, "--remove"))
	require.Equal(t, exitRefused, in(t, l.Far, "", "pinned", file).status)
}

// Without a hook it is the program of the target as it is that is pinned.
func TestLoadPinnedTargets(t *testing.T) {
	requireLoading(t)
	file := filepath.Join(mountBPF(t), "web")
	for target, kind := range map[string]string{"tc": "a tc program", "xdp": "a program for XDP", "cgroup-skb": "a cgroup-skb ingress program"} {
		r := cli("", "load", filter("ip.d"), "--pin", file, "--target", target)
		require.Equal(t, exitDone, r.status, r.stderr)
		shown := succeed(t, "", "pinned", file)
		require.Contains(t, shown, kind)
		require.NotContains(t, shown, "packets")
		require.Empty(t, succeed(t, "", "pinned", file, "--remove"))
	}
}

func TestLoadDryRun(t *testing.T) {
	requireLoading(t)
	r := cli("", "load", filter("ip.d"), "--dry-run", "--pin", "/nonexistent/web", "--attach", "socket:lo")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Empty(t, r.stderr)
	require.Regexp(t, `^the kernel takes a socket filter of \d+ instructions, of which the verifier followed \d+ on all paths, \d+ bytes of machine code
would pin it at /nonexistent/web
would attach it to socket:lo
$`, r.stdout)

	r = cli("", "load", filter("ip.d"), "--dry-run", "--verifier-log")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Regexp(t, `(?s)R1=ctx\(\).*\(95\) exit.*processed \d+ insns`, r.stderr)
}

// Who may not load is told what is missing, and a dry run says what it would do.
func TestLoadWithoutPrivilege(t *testing.T) {
	requireLoading(t)
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	command := filepath.Join(dir, "cbpf2ebpf")
	require.NoError(t, os.WriteFile(command, readFile(t, self), 0o755))
	for parent := dir; parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
	nobody := func(args ...string) (string, string, error) {
		cmd := exec.Command(command, args...)
		var stdout, stderr bytes.Buffer
		cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = []string{beMain + "=1", "PATH=" + os.Getenv("PATH")}, dir, bytes.NewReader(readFile(t, filter("ip.d"))), &stdout, &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		err := cmd.Run()
		return stdout.String(), stderr.String(), err
	}
	stdout, stderr, err := nobody("load", "--dry-run", "--attach", "socket:lo")
	require.NoError(t, err, stderr)
	require.Regexp(t, `^a socket filter of \d+ instructions; the kernel was not asked: .*operation not permitted \(needs .*\)
would attach it to socket:lo\n$`, stdout)

	if _, err := exec.LookPath("tcpdump"); err == nil {
		_, stderr, err := nobody("load", "--dry-run", "--attach", "socket:lo", "-e", "ip")
		require.NoError(t, err, stderr)
		require.Contains(t, stderr, "note: filter \"ip\": ")
		require.Contains(t, stderr, "VLAN tags will be looked for in the packets")
	}

	_, stderr, err = nobody("load", "--attach", "socket:lo")
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit))
	require.Equal(t, exitRefused, exit.ExitCode())
	require.Regexp(t, `^cbpf2ebpf: .*operation not permitted \(needs .*\)\n  what to do: run it as root \(sudo\)`, stderr)
}

// A refusal is a sentence, with its place in both programs.
func TestRefusedProgram(t *testing.T) {
	program, err := cbpf.Parse(readFile(t, filter("ip.d")))
	require.NoError(t, err)
	r, err := translate.Translate(program, translate.Options{Target: translate.Socket})
	require.NoError(t, err)
	slot := 0
	for r.PCs[slot] != 1 {
		slot++
	}
	text, _ := r.Program.Line(slot, ebpf.LLVM)
	from := &input{program: program, name: "ip.d"}
	for _, test := range []struct {
		err  kernel.VerifierError
		want string
	}{
		{kernel.VerifierError{PC: slot, Message: "R2 offset is outside of the packet"},
			"ip.d: the verifier refuses the program: it reads packet bytes without having compared their end with the end of the packet\n" +
				"  at slot " + regexp.QuoteMeta(itoa(slot)+": "+text) + "\n" +
				`  which comes from \(001\) jeq      #0x800           jt 2\tjf 3` + "\n" +
				"  the kernel says: R2 offset is outside of the packet\n  what to do: .+"},
		{kernel.VerifierError{PC: 0, Message: "something new"},
			"ip.d: the verifier refuses the program: something new\n  at slot 0: .+"},
		{kernel.VerifierError{PC: -1, Message: "something new"}, "ip.d: the verifier refuses the program: something new"},
		{kernel.VerifierError{PC: 9999, Message: "something new"}, "ip.d: the verifier refuses the program: something new"},
	} {
		got := refusedProgram(from, r, &test.err)
		require.Regexp(t, "^"+test.want+"$", got.Error())
		var refused *kernel.VerifierError
		require.ErrorAs(t, got, &refused)
	}
}

// What cannot be attached is told with what to do.
func TestLoadRefused(t *testing.T) {
	l := newLink(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--attach", "socket:none"}, "cbpf2ebpf: there is no such interface in this network namespace: none\n  what to do: ip link lists those that there are\n"},
		{[]string{"--pin", "/nonexistent/web"}, "only a bpf file system can hold pins: /nonexistent: no such file or directory\n  what to do: pin below /sys/fs/bpf"},
		{[]string{"--pin", filepath.Join(t.TempDir(), "web"), "--attach", "socket:far"}, "only a bpf file system can hold pins"},
	} {
		r := in(t, l.Far, "", append([]string{"load", filter("ip.d")}, test.args...)...)
		require.Equal(t, exitRefused, r.status)
		require.Contains(t, r.stderr, test.want)
		require.Empty(t, r.stdout)
	}
	r := in(t, l.Far, "", "load", "/nonexistent/f", "--dry-run")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "no such file")
	r = in(t, l.Far, "1,48 0 0 0", "load", "--dry-run")
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "stdin: line 1: (000) program does not end with a return")
}

// requireLoading skips where the kernel loads no programs for us; with CBPF2EBPF_REQUIRE_KERNEL=1 it fails there.
func requireLoading(t *testing.T) {
	t.Helper()
	err := kernel.Available()
	if err != nil && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1" {
		t.Fatalf("CBPF2EBPF_REQUIRE_KERNEL=1, but: %v", err)
	}
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
}
