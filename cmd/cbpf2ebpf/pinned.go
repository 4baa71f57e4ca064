package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/spf13/cobra"
)

func pinnedCommand() *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "pinned PATH",
		Short: "Show what load --pin has left in the kernel, or take it away",
		Long: `Show the program that load --pin has left in the kernel: what it is, where it is attached, what it has counted.

With --remove it is detached everywhere, and its files are taken away.`,
		Example: `  sudo cbpf2ebpf pinned /sys/fs/bpf/web
  sudo cbpf2ebpf pinned /sys/fs/bpf/web --remove`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("one PATH, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove {
				return advisedPin(kernel.RemovePinned(args[0]))
			}
			p, err := kernel.ReadPinned(args[0])
			if err != nil {
				return advisedPin(err)
			}
			return buffered(cmd.OutOrStdout(), func(w io.Writer) error { return showPinned(w, p) })
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "detach the program, and take its files away")
	return cmd
}

// advisedPin adds to an error what can be done about it.
func advisedPin(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\n  what to do: bpftool prog show --bpffs lists the pins", err)
	}
	if err == nil {
		return nil
	}
	return advised(err)
}

func showPinned(w io.Writer, p *kernel.Pinned) error {
	fmt.Fprintf(w, "%s: a %s, id %d, tag %s", p.Name, p.Type, p.ID, p.Tag)
	if len(p.Jited) > 0 {
		fmt.Fprintf(w, ", %d bytes of machine code", len(p.Jited))
	}
	fmt.Fprintln(w)
	for _, name := range p.Links {
		fmt.Fprintf(w, "attached by %s\n", name)
	}
	for _, h := range p.Hooks {
		fmt.Fprintf(w, "attached to %s\n", h)
	}
	if p.Counts != nil {
		fmt.Fprintln(w, countsText(p.Counts, p.Type))
	}
	return nil
}
