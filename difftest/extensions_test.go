package difftest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// extensionsFile is what TestExtensionsDocument keeps current.
const extensionsFile = "../docs/extensions.md"

// kernelSays is what the running kernel says of an extension on a target, compared with the reference. TestKernelExtensions proves it.
type kernelSays string

const (
	noWitness  kernelSays = ""                 // no kernel runs it, or there is nothing to run
	equal      kernelSays = "equal"            // on packets with different values
	equalOnce  kernelSays = "equal, one value" // the tests can bring about no other
	ownNumbers kernelSays = "its own numbers"  // no two runs have the same
)

// witnessOf is the claim that TestKernelExtensions has to prove.
func witnessOf(t translate.Target, e cbpf.Ext) kernelSays {
	vlan := e == cbpf.ExtVlanTCI || e == cbpf.ExtVlanPresent || e == cbpf.ExtVlanTPID
	switch {
	case t == translate.User || t == translate.Trace || translate.ExtensionSupport(t, e).How == translate.Refused:
		return noWitness
	case e == cbpf.ExtRandom:
		return ownNumbers
	case e == cbpf.ExtQueue || e == cbpf.ExtRxHash || e == cbpf.ExtHaType || vlan && t == translate.CGroupSKB:
		return equalOnce
	}
	return equal
}

// packetTargets are the targets whose programs may load extensions.
func packetTargets() (list []translate.Target) {
	for i := range translate.TargetNames() {
		if t := translate.Target(i); t != translate.Seccomp {
			list = append(list, t)
		}
	}
	return list
}

// extensionsDocument is what docs/extensions.md has to say.
func extensionsDocument() string {
	var b strings.Builder
	b.WriteString(`# Extensions of the Linux kernel

Absolute loads from SKF_AD_OFF on do not load bytes of the packet but one of sixteen properties of it. This file is made by
` + "`go test ./difftest -run TestExtensionsDocument -update`" + `, out of what package translate tells of itself, and compared by the same test
without -update; what it says of the kernel is proved by TestKernelExtensions.

## Where each target has them from

Fields are those of struct __sk_buff, on xdp of struct xdp_md, on trace of structures inside the kernel. Code looks through the packet. Registers are A and X. Options are fields of
translate.Options; on the command line they are --linktype (HaType), --tags and --object (Trace.Skb).

`)
	table(&b, packetTargets(), func(t translate.Target, e cbpf.Ext) string { return translate.ExtensionSupport(t, e).String() })
	b.WriteString("\n## What is refused, and what to do instead\n\n")
	for _, t := range packetTargets() {
		for _, info := range cbpf.Exts {
			if s := translate.ExtensionSupport(t, info.Ext); s.Why != "" {
				without := ""
				if s.Needs != "" {
					without = ", without " + s.Needs
				}
				fmt.Fprintf(&b, "- `%s` on %s%s: %s; %s\n", info.Name, t, without, s.Why, s.Instead)
			}
		}
	}
	b.WriteString(`
## What the kernel says

The verdict of the kernel on the translation, compared with that of the reference interpreter on the same packet: in test-runs, and on real packets
between two network namespaces, at a packet socket, at tc on the way in and out, in a cgroup on the way in and out, and at XDP in the
driver and in front of the network stack. "One value" means that the tests can bring about no other one. No kernel runs programs for
user; interpreter and machine code are held against the reference there. For trace, which has no test-runs, TestTraceOfRealPackets compares
whole verdicts at a tracepoint, on real packets.

`)
	var judged []translate.Target
	for _, t := range packetTargets() {
		if witnessOf(t, cbpf.ExtXorX) != noWitness {
			judged = append(judged, t)
		}
	}
	table(&b, judged, func(t translate.Target, e cbpf.Ext) string {
		if w := witnessOf(t, e); w != noWitness {
			return string(w)
		}
		return "–"
	})
	fmt.Fprintf(&b, `
## Limits

- %s and %s look at %d netlink attributes unless Options.MaxAttrs (--max-attrs) says otherwise; where more follow, the program ends with
  verdict 0. The kernel finds none in packets of which a part lies in pages; programs do.
- %s needs to know where the network header is. On user and xdp Options.NetOff says so; on cgroup-skb packets begin with it. On socket
  Options.NetOff is where it is looked for first. It is found elsewhere too, if no part of the packet lies in pages; if one does, or if it
  lies in front of the data as on a UDP socket, the program ends with verdict 0.
- On xdp %s counts in the packet as it is there, VLAN tags included.
- On trace only the linear part of a packet is there.
`, "`nla`", "`nlan`", translate.DefaultMaxAttrs, "`poff`", "`poff`")
	return b.String()
}

// table writes a row for each extension and a column for each target.
func table(b *strings.Builder, targets []translate.Target, cell func(translate.Target, cbpf.Ext) string) {
	b.WriteString("| extension | number |")
	for _, t := range targets {
		fmt.Fprintf(b, " %s |", t)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(targets)) + "\n")
	for _, info := range cbpf.Exts {
		fmt.Fprintf(b, "| `%s` | %s |", info.Name, info.Macro)
		for _, t := range targets {
			fmt.Fprintf(b, " %s |", cell(t, info.Ext))
		}
		b.WriteByte('\n')
	}
}

// TestExtensionsDocument makes sure that docs/extensions.md says what is so; -update writes it.
func TestExtensionsDocument(t *testing.T) {
	want := extensionsDocument()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(extensionsFile), 0o777))
		require.NoError(t, os.WriteFile(extensionsFile, []byte(want), 0o666))
	}
	got, err := os.ReadFile(extensionsFile)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "%s is not current: go test ./difftest -run TestExtensionsDocument -update", extensionsFile)
}
