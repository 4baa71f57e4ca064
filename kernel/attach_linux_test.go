package kernel_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/veth"
)

// newLink makes two namespaces for the test, or skips it where that is impossible.
func newLink(t *testing.T, mtu int) *veth.Link {
	t.Helper()
	err := kernel.Available()
	var l *veth.Link
	if err == nil {
		l, err = veth.New(mtu)
	}
	if err != nil && (os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1" || !errors.Is(err, kernel.ErrUnavailable)) {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("skipped: no namespaces to attach programs in: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// constant loads a program that always ends with n, for the rest of the test.
func constant(t *testing.T, n int32, opts kernel.LoadOptions) *kernel.Filter {
	t.Helper()
	opts.Count = true
	f, err := kernel.Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, n), ebpf.Return()}, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func hook(t *testing.T, text string) kernel.Hook {
	t.Helper()
	h, err := kernel.ParseHook(text)
	require.NoError(t, err)
	return h
}

// attachIn attaches in the namespace of an end.
func attachIn(e *veth.End, f *kernel.Filter, h kernel.Hook) (a *kernel.Attachment, err error) {
	err = e.Do(func() error {
		a, err = f.Attach(h)
		return err
	})
	return a, err
}

func installIn(e *veth.End, f *kernel.Filter, p kernel.Placement) (in *kernel.Installed, err error) {
	err = e.Do(func() error {
		in, err = f.Install(p)
		return err
	})
	return in, err
}

// attachedIn lists what the far end of a link has attached: the number of programs of each kind, and its disciplines.
func attachedIn(t *testing.T, e *veth.End) map[string]int {
	t.Helper()
	found := map[string]int{}
	require.NoError(t, e.Do(func() error {
		for name, at := range map[string]cilium.AttachType{"tcx ingress": cilium.AttachTCXIngress, "tcx egress": cilium.AttachTCXEgress} {
			result, err := link.QueryPrograms(link.QueryOptions{Target: e.Index, Attach: at})
			if err != nil {
				return err
			}
			if n := len(result.Programs); n > 0 {
				found[name] = n
			}
		}
		device, err := netlink.LinkByIndex(e.Index)
		if err != nil {
			return err
		}
		if xdp := device.Attrs().Xdp; xdp != nil && xdp.Attached {
			found["xdp"]++
		}
		qdiscs, err := netlink.QdiscList(device)
		for _, q := range qdiscs {
			if q.Type() == "clsact" || q.Type() == "ingress" {
				found["clsact"]++
			}
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			filters, err := netlink.FilterList(device, parent)
			if err != nil {
				return err
			}
			for range filters {
				found["filter"]++
			}
		}
		return err
	}))
	return found
}

var nothing = map[string]int{}

// arrives sends a frame and says whether it comes as far as the sockets of the far end.
func arrives(t *testing.T, l *veth.Link) bool {
	t.Helper()
	s, err := l.Put(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 1), ebpf.Return()}, veth.CgroupIngress, kernel.LoadOptions{})
	if errors.Is(err, kernel.ErrUnavailable) && os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") != "1" {
		t.Skipf("skipped: %v", err)
	}
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Try(veth.Frame{Data: l.UDP([]byte("are you there?"))})
	if !errors.Is(err, veth.ErrNotRun) {
		require.NoError(t, err)
	}
	return err == nil
}

// At each hook and in each mode a program can drop what comes by. Closing the attachment gives free way again, and leaves
// nothing behind.
func TestAttachDrops(t *testing.T) {
	l := newLink(t, 1500)
	for _, test := range []struct {
		hook string
		drop int32
		kind kernel.Type
		took kernel.Mode
		left map[string]int
	}{
		{"tc:far:ingress", 2, kernel.TC, kernel.TCX, map[string]int{"tcx ingress": 1}},
		{"tc:far:ingress:tcx", 2, kernel.TC, kernel.TCX, map[string]int{"tcx ingress": 1}},
		{"tc:far:ingress:clsact", 2, kernel.TC, kernel.ClsAct, map[string]int{"clsact": 1, "filter": 1}},
		{"xdp:far", 1, kernel.XDP, kernel.Native, map[string]int{"xdp": 1}},
		{"xdp:far", 1, kernel.XDPFrags, kernel.Native, map[string]int{"xdp": 1}},
		{"xdp:far:native", 1, kernel.XDP, kernel.Native, map[string]int{"xdp": 1}},
		{"xdp:far:generic", 1, kernel.XDP, kernel.Generic, map[string]int{"xdp": 1}},
	} {
		t.Run(test.hook+", "+test.kind.String(), func(t *testing.T) {
			require.True(t, arrives(t, l))
			f := constant(t, test.drop, kernel.LoadOptions{Type: test.kind})
			a, err := attachIn(l.Far, f, hook(t, test.hook))
			require.NoError(t, err)
			require.Equal(t, test.took, a.Hook().Mode)
			require.Equal(t, test.left, attachedIn(t, l.Far))
			require.False(t, arrives(t, l))
			c, err := f.Counts()
			require.NoError(t, err)
			require.Equal(t, map[int32]uint64{test.drop: 1}, c.Ends)
			require.NoError(t, l.Far.Do(a.Close))
			require.NoError(t, l.Far.Do(a.Close), "closing again does nothing")
			require.Equal(t, nothing, attachedIn(t, l.Far))
			require.True(t, arrives(t, l))
		})
	}
}

// The same on the way out. What is dropped there the far end does not see.
func TestAttachDropsOnTheWayOut(t *testing.T) {
	l := newLink(t, 1500)
	for _, mode := range []string{"tcx", "clsact"} {
		f := constant(t, 2, kernel.LoadOptions{Type: kernel.TC})
		a, err := attachIn(l.Near, f, hook(t, "tc:near:egress:"+mode))
		require.NoError(t, err)
		require.False(t, arrives(t, l), mode)
		require.NoError(t, l.Near.Do(a.Close))
		require.Equal(t, nothing, attachedIn(t, l.Near))
		require.True(t, arrives(t, l), mode)
	}
}

// A discipline that was there stays, and so does one that somebody else has put a filter on.
func TestClsActIsShared(t *testing.T) {
	l := newLink(t, 1500)
	f := constant(t, -1, kernel.LoadOptions{Type: kernel.TC})
	first, err := attachIn(l.Far, f, hook(t, "tc:far:ingress:clsact"))
	require.NoError(t, err)
	second, err := attachIn(l.Far, f, hook(t, "tc:far:ingress:clsact"))
	require.NoError(t, err)
	out, err := attachIn(l.Far, f, hook(t, "tc:far:egress:clsact"))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"clsact": 1, "filter": 3}, attachedIn(t, l.Far))
	require.True(t, arrives(t, l))
	c, err := f.Counts()
	require.NoError(t, err)
	require.EqualValues(t, 2, c.Runs, "both filters run: the first one leaves it to the next")

	require.NoError(t, l.Far.Do(first.Close))
	require.Equal(t, map[string]int{"clsact": 1, "filter": 2}, attachedIn(t, l.Far), "the discipline is the first one's, and in use")
	require.NoError(t, l.Far.Do(second.Close))
	require.NoError(t, l.Far.Do(out.Close))
	require.Equal(t, map[string]int{"clsact": 1}, attachedIn(t, l.Far))
}

// Programs that only look on are attached everywhere, and see the frame.
func TestAttachCounts(t *testing.T) {
	l := newLink(t, 1500)
	for _, text := range []string{"socket:far", "tp_btf:netif_receive_skb", "raw_tp:netif_receive_skb"} {
		h := hook(t, text)
		f := constant(t, 1, kernel.LoadOptions{Type: h.Types()[0], AttachTo: map[string]string{"tp_btf:netif_receive_skb": h.Where}[text], Licence: "GPL"})
		a, err := attachIn(l.Far, f, h)
		require.NoError(t, err, text)
		require.True(t, arrives(t, l))
		c, err := f.Counts()
		require.NoError(t, err)
		require.NotZero(t, c.Ends[1], text)
		require.NoError(t, a.Close())
		before, err := f.Counts()
		require.NoError(t, err)
		require.True(t, arrives(t, l))
		after, err := f.Counts()
		require.NoError(t, err)
		require.Equal(t, before, after, text)
	}
}

// Every reason comes about, and leaves nothing behind.
func TestAttachReasons(t *testing.T) {
	tested := map[kernel.Reason]bool{}
	for name, test := range map[string]func(*testing.T, map[kernel.Reason]bool){
		"attach": attachRefused, "long packets": xdpLongPackets, "no target": withoutTarget, "install": installUndone, "socket": installSocket,
		"ingress discipline": ingressDiscipline,
	} {
		t.Run(name, func(t *testing.T) { test(t, tested) })
	}
	for name, reason := range attachReasons(t) {
		require.True(t, tested[reason], "no test has produced %s", name)
	}
}

// attachReasons reads the reasons from the source: those of the group that has ReasonHookType.
func attachReasons(t *testing.T) map[string]kernel.Reason {
	tree, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	require.NoError(t, err)
	for _, d := range tree.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		found := map[string]kernel.Reason{}
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec)
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				found[spec.Names[0].Name] = kernel.Reason(text)
			}
		}
		if _, ok := found["ReasonHookType"]; ok {
			return found
		}
	}
	t.Fatal("error.go has no ReasonHookType")
	return nil
}

// What is in the way of attaching, by reason.
func attachRefused(t *testing.T, tested map[kernel.Reason]bool) {
	l := newLink(t, 9000)
	busy, err := attachIn(l.Far, constant(t, 2, kernel.LoadOptions{Type: kernel.XDPFrags}), hook(t, "xdp:far:generic"))
	require.NoError(t, err)
	defer busy.Close()
	before := attachedIn(t, l.Far)
	ordinary := t.TempDir()
	for _, test := range []struct {
		hook   string
		kind   kernel.Type
		to     string
		reason kernel.Reason
	}{
		{"xdp:far", kernel.TC, "", kernel.ReasonHookType},
		{"tc:far:ingress", kernel.XDP, "", kernel.ReasonHookType},
		{"socket:far", kernel.TC, "", kernel.ReasonHookType},
		{"cgroup:" + ordinary + ":ingress", kernel.CgroupEgress, "", kernel.ReasonHookType},
		{"tp_btf:netif_receive_skb", kernel.Tracepoint, "net_dev_queue", kernel.ReasonHookType},
		{"xdp:none", kernel.XDP, "", kernel.ReasonNoInterface},
		{"tc:none:ingress", kernel.TC, "", kernel.ReasonNoInterface},
		{"tc:none:ingress:clsact", kernel.TC, "", kernel.ReasonNoInterface},
		{"socket:none", kernel.SocketFilter, "", kernel.ReasonNoInterface},
		{"xdp:lo:native", kernel.XDP, "", kernel.ReasonNoMode},
		{"xdp:far:generic", kernel.XDP, "", kernel.ReasonBusy},
		{"xdp:far", kernel.XDPFrags, "", kernel.ReasonBusy},
		{"cgroup:" + ordinary + ":ingress", kernel.CgroupIngress, "", kernel.ReasonNoCgroup},
		{"cgroup:" + ordinary + "/none:egress", kernel.CgroupEgress, "", kernel.ReasonNoCgroup},
		{"raw_tp:none", kernel.RawTracepoint, "", kernel.ReasonNoTarget},
	} {
		f := constant(t, 1, kernel.LoadOptions{Type: test.kind, AttachTo: test.to})
		a, err := attachIn(l.Far, f, hook(t, test.hook))
		require.Nil(t, a)
		require.ErrorIs(t, err, test.reason, "%s: %v", test.hook, err)
		require.Equal(t, before, attachedIn(t, l.Far), test.hook)
		tested[test.reason] = true
	}
}

// Native XDP without fragments does not take packets longer than a page; generic XDP does.
func xdpLongPackets(t *testing.T, tested map[kernel.Reason]bool) {
	l := newLink(t, 9000)
	f := constant(t, 2, kernel.LoadOptions{Type: kernel.XDP})
	_, err := attachIn(l.Far, f, hook(t, "xdp:far:native"))
	require.ErrorIs(t, err, kernel.ReasonMTU)
	require.Equal(t, nothing, attachedIn(t, l.Far))
	a, err := attachIn(l.Far, f, hook(t, "xdp:far"))
	require.NoError(t, err)
	require.Equal(t, kernel.Generic, a.Hook().Mode)
	require.NoError(t, a.Close())
	tested[kernel.ReasonMTU] = true
}

// The older discipline ingress, in the place of clsact, has filters in one direction only.
func ingressDiscipline(t *testing.T, tested map[kernel.Reason]bool) {
	l := newLink(t, 1500)
	require.NoError(t, l.Far.Do(func() error {
		return netlink.QdiscAdd(&netlink.Ingress{QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: l.Far.Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS,
		}})
	}))
	f := constant(t, -1, kernel.LoadOptions{Type: kernel.TC})
	_, err := attachIn(l.Far, f, hook(t, "tc:far:egress:clsact"))
	require.ErrorIs(t, err, kernel.ReasonHookRefused)
	tested[kernel.ReasonHookRefused] = true
	a, err := attachIn(l.Far, f, hook(t, "tc:far:ingress:clsact"))
	require.NoError(t, err)
	require.NoError(t, l.Far.Do(a.Close))
	require.Equal(t, map[string]int{"clsact": 1}, attachedIn(t, l.Far), "the discipline was there before")
}

// A function or tracepoint that there is none of is told when the program is loaded.
func withoutTarget(t *testing.T, tested map[kernel.Reason]bool) {
	newLink(t, 1500) // where that is possible, so is this
	for _, kind := range []kernel.Type{kernel.Fentry, kernel.Tracepoint} {
		_, err := kernel.Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, kernel.LoadOptions{Type: kind, AttachTo: "no_such_place", Licence: "GPL"})
		require.ErrorIs(t, err, kernel.ReasonNoTarget, kind.String())
		tested[kernel.ReasonNoTarget] = true
	}
	_, err := kernel.PacketArgs(hook(t, "tp_btf:sched_switch"))
	require.ErrorIs(t, err, kernel.ReasonNoPacket)
	tested[kernel.ReasonNoPacket] = true
	f := constant(t, 0, kernel.LoadOptions{Type: kernel.Kprobe, Licence: "GPL"})
	_, err = f.Attach(hook(t, "kprobe:no_such_place"))
	require.Error(t, err)
	if !errors.Is(err, kernel.ErrUnavailable) {
		require.ErrorIs(t, err, kernel.ReasonNoTarget)
	}
}

// Where the kernel lets its functions be patched, fentry sees packets; where not, it says so.
func TestAttachFentry(t *testing.T) {
	l := newLink(t, 1500)
	h := hook(t, "fentry:ip_rcv")
	f, err := kernel.Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 7), ebpf.Return()}, kernel.LoadOptions{Type: kernel.Fentry, AttachTo: h.Where, Count: true, Licence: "GPL"})
	if errors.Is(err, kernel.ErrUnavailable) {
		require.ErrorContains(t, err, "leave to patch kernel functions")
		return
	}
	require.NoError(t, err)
	defer f.Close()
	a, err := attachIn(l.Far, f, h)
	require.NoError(t, err)
	defer a.Close()
	require.True(t, arrives(t, l))
	c, err := f.Counts()
	require.NoError(t, err)
	require.NotZero(t, c.Ends[1])
}

// bpffs mounts a bpf file system for the test.
func bpffs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, unix.Mount("bpf", dir, "bpf", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// files lists a directory, without what the kernel itself puts into a bpf file system.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".debug") {
			names = append(names, e.Name())
		}
	}
	return names
}

// Pins outlast the descriptors: what is attached stays so until the pin is taken away.
func TestInstallPinned(t *testing.T) {
	l := newLink(t, 1500)
	dir := bpffs(t)
	for _, test := range []struct {
		hook string
		drop int32
		pins []string
	}{
		{"tc:far:ingress", 2, []string{"web", "web_tc_far_ingress"}},
		{"tc:far:ingress:clsact", 2, []string{"web"}},
		{"xdp:far", 1, []string{"web", "web_xdp_far"}},
	} {
		h := hook(t, test.hook)
		place := kernel.Placement{Pin: filepath.Join(dir, "web"), Hooks: []kernel.Hook{h}}
		f := constant(t, test.drop, kernel.LoadOptions{Type: h.Types()[0]})
		in, err := installIn(l.Far, f, place)
		require.NoError(t, err)
		require.Len(t, in.Attachments(), 1)
		require.Equal(t, len(test.pins) > 1, in.Attachments()[0].Pinned())
		require.Equal(t, test.pins, files(t, dir))
		require.NoError(t, l.Far.Do(in.Close))
		require.False(t, arrives(t, l), "%s: it must stay", test.hook)
		require.NoError(t, l.Far.Do(in.Remove))
		for _, name := range files(t, dir) {
			t.Errorf("%s is left", name)
		}

		// Close gives the link away; whoever comes later removes the pin.
		in, err = installIn(l.Far, f, place)
		require.NoError(t, err)
		require.NoError(t, l.Far.Do(in.Remove))
		require.Empty(t, files(t, dir))
		require.True(t, arrives(t, l))
		require.Equal(t, nothing, attachedIn(t, l.Far))
	}
}

// Whatever fails, what went before it is undone.
func installUndone(t *testing.T, tested map[kernel.Reason]bool) {
	l := newLink(t, 1500)
	dir := bpffs(t)
	ordinary := t.TempDir()
	f := constant(t, -1, kernel.LoadOptions{Type: kernel.TC})
	taken := filepath.Join(dir, "taken")
	require.NoError(t, f.Pin(taken))
	defer f.Unpin()
	hooks := func(texts ...string) (list []kernel.Hook) {
		for _, text := range texts {
			list = append(list, hook(t, text))
		}
		return list
	}
	linkTaken := kernel.Placement{Pin: filepath.Join(dir, "web"), Hooks: hooks("tc:far:ingress", "tc:far:egress")}
	other := constant(t, 1, kernel.LoadOptions{})
	require.NoError(t, other.Pin(linkTaken.LinkPin(linkTaken.Hooks[1])))
	defer other.Unpin()
	before := files(t, dir)
	for _, test := range []struct {
		name   string
		place  kernel.Placement
		reason kernel.Reason
	}{
		{"bad interface", kernel.Placement{Pin: filepath.Join(dir, "web"), Hooks: hooks("tc:far:ingress", "tc:far:ingress:clsact", "tc:none:ingress")}, kernel.ReasonNoInterface},
		{"bad type", kernel.Placement{Hooks: hooks("tc:far:egress", "xdp:far")}, kernel.ReasonHookType},
		{"pin exists", kernel.Placement{Pin: taken, Hooks: hooks("tc:far:ingress")}, kernel.ReasonPinExists},
		{"pin of a link exists", linkTaken, kernel.ReasonPinExists},
		{"no bpf file system", kernel.Placement{Pin: filepath.Join(ordinary, "web")}, kernel.ReasonPinPlace},
		{"no directory", kernel.Placement{Pin: filepath.Join(dir, "none", "web")}, kernel.ReasonPinPlace},
		{"a dot", kernel.Placement{Pin: filepath.Join(dir, "we.b")}, kernel.ReasonPinRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			fresh := constant(t, -1, kernel.LoadOptions{Type: kernel.TC})
			in, err := installIn(l.Far, fresh, test.place)
			require.Nil(t, in)
			require.ErrorIs(t, err, test.reason)
			require.Equal(t, before, files(t, dir))
			require.Empty(t, files(t, ordinary))
			require.Equal(t, nothing, attachedIn(t, l.Far))
			tested[test.reason] = true
		})
	}
}

// A socket cannot be kept. In a placement with a pin it ends with the process, and the program stays.
func installSocket(t *testing.T, tested map[kernel.Reason]bool) {
	l := newLink(t, 1500)
	dir := bpffs(t)
	f := constant(t, 1, kernel.LoadOptions{})
	a, err := attachIn(l.Far, f, hook(t, "socket:far"))
	require.NoError(t, err)
	require.ErrorIs(t, a.Keep(filepath.Join(dir, "socket")), kernel.ReasonNoPin)
	tested[kernel.ReasonNoPin] = true
	require.NoError(t, a.Close())
	in, err := installIn(l.Far, f, kernel.Placement{Pin: filepath.Join(dir, "web"), Hooks: []kernel.Hook{hook(t, "socket:far")}})
	require.NoError(t, err)
	require.Equal(t, []string{"web"}, files(t, dir))
	require.NoError(t, in.Close())
	require.Equal(t, []string{"web"}, files(t, dir))
	require.NoError(t, in.Remove())
	require.Empty(t, files(t, dir))
}

// Whoever comes later finds what a pin keeps, and can take it all away; what only has a similar name stays.
func TestPinned(t *testing.T) {
	l := newLink(t, 1500)
	dir := bpffs(t)
	web := filepath.Join(dir, "web")
	place := kernel.Placement{Pin: web, Hooks: []kernel.Hook{hook(t, "tc:far:ingress:clsact"), hook(t, "tc:far:egress"), hook(t, "tc:far:egress:clsact")}}
	pass := kernel.TC.Pass()
	f := constant(t, 5, kernel.LoadOptions{Type: kernel.TC, Name: "web_filter", Result: &pass})
	in, err := installIn(l.Far, f, place)
	require.NoError(t, err)
	var undo []string
	for _, a := range in.Attachments() {
		undo = append(undo, a.Undo())
	}
	require.Equal(t, []string{
		"tc filter del dev far ingress pref 49152", "rm " + web + "_tc_far_egress", "tc filter del dev far egress pref 49152",
	}, undo)
	other, err := kernel.Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, kernel.LoadOptions{})
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.Pin(web+"_too"))
	defer other.Unpin()
	require.NoError(t, l.Far.Do(in.Close))
	require.True(t, arrives(t, l))

	var p *kernel.Pinned
	require.NoError(t, l.Far.Do(func() (err error) {
		p, err = kernel.ReadPinned(web)
		return err
	}))
	require.Equal(t, "web_filter", p.Name)
	require.Equal(t, kernel.TC, p.Type)
	require.Equal(t, []string{web + "_tc_far_egress"}, p.Links)
	require.Equal(t, []kernel.Hook{place.Hooks[0], place.Hooks[2]}, p.Hooks)
	require.Equal(t, &kernel.Counts{Runs: 1, Last: 5, Ends: map[int32]uint64{1: 1}, Verdicts: true}, p.Counts)

	require.NoError(t, l.Far.Do(func() error { return kernel.RemovePinned(web) }))
	require.Equal(t, []string{"web_too"}, files(t, dir))
	require.Equal(t, map[string]int{"clsact": 1}, attachedIn(t, l.Far), "the discipline might be somebody else's")

	require.NoError(t, l.Far.Do(func() (err error) {
		p, err = kernel.ReadPinned(web + "_too")
		return err
	}))
	require.Nil(t, p.Counts)
	require.Empty(t, p.Links)
	for _, file := range []string{web, dir, t.TempDir()} {
		_, err := kernel.ReadPinned(file)
		require.Error(t, err, file)
		require.Error(t, kernel.RemovePinned(file), file)
	}
}

// The kernel calls programs at functions and at tracepoints alike; their links tell them apart.
func TestPinnedTypes(t *testing.T) {
	l := newLink(t, 1500)
	dir := bpffs(t)
	for _, text := range []string{"tp_btf:netif_receive_skb", "raw_tp:netif_receive_skb", "tc:far:ingress"} {
		h := hook(t, text)
		opts := kernel.LoadOptions{Type: h.Types()[0], Licence: "GPL"}
		if h.Kind == kernel.HookTracepoint {
			opts.AttachTo = h.Where
		}
		web := filepath.Join(dir, "web")
		in, err := installIn(l.Far, constant(t, 0, opts), kernel.Placement{Pin: web, Hooks: []kernel.Hook{h}})
		require.NoError(t, err, text)
		if in.Attachments()[0].Pinned() {
			p, err := kernel.ReadPinned(web)
			require.NoError(t, err, text)
			require.Equal(t, h.Types()[0], p.Type, text)
		}
		require.NoError(t, l.Far.Do(in.Remove))
	}
	require.Empty(t, files(t, dir))
}

func TestInterfaceType(t *testing.T) {
	l := newLink(t, 1500)
	for name, want := range map[string]uint16{"far": 1, "lo": 772} {
		require.NoError(t, l.Far.Do(func() error {
			got, err := kernel.InterfaceType(name)
			if err == nil && got != want {
				err = fmt.Errorf("%s has type %d", name, got)
			}
			return err
		}))
	}
	for _, name := range []string{"none", "", "a name that is longer than names are"} {
		_, err := kernel.InterfaceType(name)
		require.ErrorIs(t, err, kernel.ReasonNoInterface, name)
	}
}

// What the filter keeps is delivered as it saw it, cut to its verdict.
func TestListen(t *testing.T) {
	l := newLink(t, 9000)
	f, err := kernel.Load(ebpf.Program{ // keep 20 bytes of what is not IPv4
		ebpf.Load(4, ebpf.R2, ebpf.R1, ebpf.SkbProtocol),
		ebpf.Mov.Imm(ebpf.R0, 0),
		func() ebpf.Instruction { i := ebpf.JEq.Imm(ebpf.R2, 8); i.Off = 1; return i }(),
		ebpf.Mov.Imm(ebpf.R0, 20),
		ebpf.Return(),
	}, kernel.LoadOptions{})
	require.NoError(t, err)
	defer f.Close()
	var c *kernel.Capture
	require.NoError(t, l.Far.Do(func() (err error) {
		c, err = f.Listen("far")
		return err
	}))
	defer c.Close()
	through, err := l.Put(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, veth.TCIngress, kernel.LoadOptions{})
	require.NoError(t, err)
	defer through.Close()
	tagged := slices.Concat(l.Far.MAC, l.Near.MAC, []byte{0x81, 0, 0xa1, 0x23, 0x88, 0xb5}, make([]byte, 46))
	for _, frame := range [][]byte{l.UDP([]byte("not this one")), tagged} {
		_, err := through.Try(veth.Frame{Data: frame})
		require.NoError(t, err)
	}
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	got, err := c.Next(make([]byte, 100))
	require.NoError(t, err)
	want := through.View(veth.Frame{Data: tagged})
	want.Data = want.Data[:20]
	require.Equal(t, want, *got)

	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = c.Next(make([]byte, 100))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	s, err := c.Stats()
	require.NoError(t, err)
	require.Equal(t, kernel.CaptureStats{Kept: 1}, s)

	// Nobody reads: the socket's memory fills up, and what has no room is counted.
	for range 400 {
		_, err := through.Try(veth.Frame{Data: slices.Concat(tagged, make([]byte, 4000))})
		require.NoError(t, err)
	}
	s, err = c.Stats()
	require.NoError(t, err)
	require.EqualValues(t, 401, s.Kept)
	require.NotZero(t, s.Dropped)

	require.NoError(t, c.SetDeadline(time.Time{}))
	woken := make(chan error)
	go func() {
		for {
			if _, err := c.Next(make([]byte, 100)); err != nil {
				woken <- err
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-woken, os.ErrClosed)
}
