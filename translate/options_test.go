package translate_test

import (
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

func TestOptionsThatMakeNoSense(t *testing.T) {
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
		"Frags":   {{Frags: true}, {Target: translate.TC, Frags: true}},
		"Tags":    {{Tags: true}, {Target: translate.CGroupSKB, Tags: true}},
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
