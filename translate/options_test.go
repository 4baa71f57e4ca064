package translate_test

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

func TestOptionsThatMakeNoSense(t *testing.T) {
	skb, xdp := layouts()
	changed := func(change func(*ebpf.SkbLayout)) translate.Options {
		l := skb
		change(&l)
		return translate.Options{Target: translate.Trace, Trace: translate.TraceOptions{Skb: &l}}
	}
	p := cbpf.Program{{Op: cbpf.OpRetK}}
	pass := &translate.Actions{Match: 2}
	for option, all := range map[string][]translate.Options{
		"Link": {
			{Link: translate.LinkIP}, {Target: translate.Socket, Link: translate.LinkEthernet}, {Target: translate.TC, Link: 3},
		},
		"HookLink": {
			{HookLink: translate.LinkIP}, {Target: translate.CGroupSKB, HookLink: translate.LinkEthernet},
			{Target: translate.XDP, HookLink: translate.LinkIP}, {Target: translate.TC, HookLink: 9},
		},
		"Actions": {{Actions: pass}, {Target: translate.Socket, Actions: pass}, {Target: translate.CGroupSKB, Actions: pass}},
		"Trace": {
			{Target: translate.Trace}, {Target: translate.Trace, Trace: translate.TraceOptions{Skb: &skb, XDP: &xdp}},
			{Trace: translate.TraceOptions{Skb: &skb}}, {Target: translate.Trace, Trace: translate.TraceOptions{Skb: &skb, Arg: 21}},
			{Target: translate.Trace, Trace: translate.TraceOptions{Skb: &skb, Arg: -1}},
			changed(func(l *ebpf.SkbLayout) { l.Mark = ebpf.Member{} }), changed(func(l *ebpf.SkbLayout) { l.Head.Size = 4 }),
			changed(func(l *ebpf.SkbLayout) { l.MACHeader.Size = 8 }), changed(func(l *ebpf.SkbLayout) { l.Protocol.Size = 4 }),
			changed(func(l *ebpf.SkbLayout) { l.Hash.Size = 3 }), changed(func(l *ebpf.SkbLayout) { l.Hash.Off = -1 }),
			changed(func(l *ebpf.SkbLayout) { l.Hash.Size = 12 }), changed(func(l *ebpf.SkbLayout) { l.Hash.Off = 32767 }),
			changed(func(l *ebpf.SkbLayout) { l.PktType.Shift, l.PktType.Bits = 14, 3 }),
		},
		"Frags": {{Frags: true}, {Target: translate.TC, Frags: true}},
		"Tags":  {{Tags: true}, {Target: translate.CGroupSKB, Tags: true}},
	} {
		for _, opts := range all {
			_, err := translate.Translate(p, opts)
			var wrong *translate.OptionError
			require.ErrorAs(t, err, &wrong, "%+v", opts)
			require.Equal(t, option, wrong.Option, "%+v", opts)
			require.Equal(t, opts.Target, wrong.Target)
			require.NotEmpty(t, wrong.Why)
		}
	}
}

func TestParseAction(t *testing.T) {
	for _, c := range []struct {
		target translate.Target
		text   string
		want   uint32
	}{
		{translate.TC, "ok", 0}, {translate.TC, "shot", 2}, {translate.TC, "unspec", 0xffffffff}, {translate.TC, "-1", 0xffffffff},
		{translate.TC, "pipe", 3}, {translate.XDP, "aborted", 0}, {translate.XDP, "drop", 1}, {translate.XDP, "pass", 2},
		{translate.XDP, "tx", 3}, {translate.XDP, "0x4", 4}, {translate.CGroupSKB, "allow", 1}, {translate.CGroupSKB, "deny", 0},
	} {
		got, err := translate.ParseAction(c.target, c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
	_, err := translate.ParseAction(translate.XDP, "shot")
	require.EqualError(t, err, `unknown action "shot" of target xdp; the actions are aborted, drop, pass, redirect, tx`)
	_, err = translate.ParseAction(translate.XDP, "4294967296")
	require.Error(t, err)
	_, err = translate.ParseAction(translate.Socket, "pass")
	var wrong *translate.OptionError
	require.ErrorAs(t, err, &wrong)
}

// A program for Ethernet packets may not ask for addresses where there are none.
func TestNoAddresses(t *testing.T) {
	opts := translate.Options{Target: translate.CGroupSKB, Link: translate.LinkEthernet}
	for _, ins := range []cbpf.Program{
		{{Op: cbpf.OpLdAbsW, K: 0}}, {{Op: cbpf.OpLdAbsB, K: 11}}, {{Op: cbpf.OpLdAbsH, K: 11}}, {{Op: cbpf.OpLdAbsW, K: cbpf.LLOff + 8}},
		{{Op: cbpf.OpLdxMSH, K: 3}},
	} {
		_, err := translate.Translate(append(ins, cbpf.Program{{Op: cbpf.OpRetA}}...), opts)
		var unsupported *translate.UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Equal(t, 0, unsupported.PC)
		require.Equal(t, "an Ethernet address", unsupported.Load)
	}
	for _, k := range []uint32{12, 13, 14, cbpf.LLOff + 12, cbpf.NetOff} {
		_, err := translate.Translate(cbpf.Program{{Op: cbpf.OpLdAbsH, K: k}, {Op: cbpf.OpRetA}}, opts)
		require.NoError(t, err)
	}
}

func TestKprobeArg(t *testing.T) {
	for _, c := range []struct {
		arg  int
		arch string
		word int
	}{{0, "amd64", 112 / 8}, {1, "amd64", 104 / 8}, {4, "amd64", 72 / 8}, {3, "arm64", 3}} {
		word, err := translate.KprobeArg(c.arg, c.arch)
		require.NoError(t, err)
		require.Equal(t, c.word, word)
	}
	for _, arg := range []int{-1, 6} {
		_, err := translate.KprobeArg(arg, "amd64")
		require.ErrorContains(t, err, "is not in a register")
	}
	_, err := translate.KprobeArg(0, "mips")
	require.ErrorContains(t, err, `"mips"`)
}
