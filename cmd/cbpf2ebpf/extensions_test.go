package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

func TestExtensions(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(succeed(t, "", "extensions")), "\n")
	require.Len(t, lines, 1+len(cbpf.Exts))
	require.Regexp(t, `^user +socket +tc +cgroup-skb +xdp`, lines[0])
	require.Regexp(t, `^hatype +option +refused +option +refused +option`, lines[8])

	text := succeed(t, "", "extensions", "--target", "xdp")
	require.Regexp(t, `(?m)^vlanp +SKF_AD_VLAN_TAG_PRESENT +packet Ethernet header, needs Tags$`, text)
	require.Contains(t, text, "\n\nRefused:\nproto without Tags: the kernel has not looked at the packet yet; compare the EtherType")
	require.Contains(t, text, "\nmark: packets have no mark before there is a struct sk_buff; use target tc\n")
	require.Regexp(t, `(?m)^cpu +SKF_AD_CPU +helper bpf_get_smp_processor_id$`, text)

	require.Equal(t, exitUsage, cli("", "extensions", "--target", "seccomp").status)
	require.Equal(t, exitUsage, cli("", "extensions", "--target", "xpd").status)
	require.Equal(t, exitUsage, cli("", "extensions", "too", "many").status)
}
