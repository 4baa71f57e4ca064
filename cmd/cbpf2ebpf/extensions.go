package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

func extensionsCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "extensions",
		Short: "Tell where each target has the kernel's extensions from",
		Long: `Tell where each target has the extensions of the Linux kernel from: ld proto, ld vlan_tci and so on.

A field is one of the context, code looks through the packet, registers are A and X, options are told on the
command line. What a target has not is refused; with --target, the reasons are listed, and what to do instead.`,
		Example: `  cbpf2ebpf extensions
  cbpf2ebpf extensions --target xdp`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("no program is read here, but there is %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			targets := packetTargets()
			if name != "" {
				t, err := translate.ParseTarget(name)
				if err != nil {
					return &usageError{err}
				}
				if !slices.Contains(targets, t) {
					return usagef("target %s has no extensions: its programs do not judge packets", t)
				}
				return writeSupport(cmd.OutOrStdout(), t)
			}
			return writeExtensions(cmd.OutOrStdout(), targets)
		},
	}
	cmd.Flags().StringVar(&name, "target", "", "`TARGET` to tell all of")
	complete(cmd, "target", translate.TargetNames()...)
	return cmd
}

// packetTargets are the targets whose programs may load extensions.
func packetTargets() (list []translate.Target) {
	for i := range translate.TargetNames() {
		if t := translate.Target(i); translate.ExtensionSupport(t, cbpf.ExtXorX).How != translate.Refused {
			list = append(list, t)
		}
	}
	return list
}

// writeExtensions writes a line for each extension, with a column for each target.
func writeExtensions(out io.Writer, targets []translate.Target) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := []string{""}
	for _, t := range targets {
		head = append(head, t.String())
	}
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, info := range cbpf.Exts {
		cells := []string{info.Name}
		for _, t := range targets {
			cells = append(cells, translate.ExtensionSupport(t, info.Ext).How.String())
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// writeSupport writes all there is to tell of one target: the ways, and then the refusals.
func writeSupport(out io.Writer, t translate.Target) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var refusals strings.Builder
	for _, info := range cbpf.Exts {
		s := translate.ExtensionSupport(t, info.Ext)
		fmt.Fprintf(w, "%s\t%s\t%s\n", info.Name, info.Macro, s)
		if s.Why != "" {
			fmt.Fprintf(&refusals, "%s%s: %s; %s\n", info.Name, without(s), s.Why, s.Instead)
		}
	}
	if err := w.Flush(); err != nil || refusals.Len() == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "\nRefused:\n%s", &refusals)
	return err
}

// without names the option that would change a refusal.
func without(s translate.Support) string {
	if s.Needs == "" {
		return ""
	}
	return " without " + s.Needs
}
