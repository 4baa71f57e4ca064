package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// loadFlags are what the load command is told.
type loadFlags struct {
	src      source
	t        translation
	attach   []string
	iface    string
	pin      string
	dryRun   bool
	log      bool
	count    uint64
	duration time.Duration
	interval time.Duration
	name     string
	licence  string
}

func loadCommand() *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load [FILE] --attach HOOK | --pin PATH | --dry-run",
		Short: "Load a program into the running kernel, attach it, and count what matches",
		Long: `Load a program into the running kernel, attach it, and count what matches.

The hooks:
` + hookForms() + `
What the hook runs decides the target.

Functions and tracepoints see the packets of the whole machine, in all network namespaces; with --interface the program
looks at those of one interface only. The packet is found in the first argument that points to one, unless --arg and --object
say otherwise: tp_btf:netif_receive_skb is what comes in, tp_btf:net_dev_queue what goes out, tp_btf:kfree_skb what is
dropped. Only the linear part of a packet is there. fentry and kprobe take any function that the kernel lets be patched.

On tc, XDP and cgroups the program looks on: all packets go their way, and those that match are counted. With
--action it acts: --action match=drop drops what matches, and lets the rest pass unless an action for drop says
what becomes of it.

The command runs until it is interrupted, until --duration is over or until --count packets have matched; then
it says how many came by and how many matched, and takes the program away again.

With --pin the program stays: in the file PATH of a bpf file system (/sys/fs/bpf), and attached where it was, each
link in a file beside it whose name begins with PATH_. Packet sockets end with the command all the same. The
command pinned shows what a pin keeps, and takes it away.

With --dry-run the verifier judges the program, and nothing stays in the kernel. Where it cannot be asked, the
command only says what it would do.

It needs root, or CAP_BPF together with CAP_NET_RAW for sockets, CAP_NET_ADMIN for tc, XDP and cgroups, CAP_PERFMON
for tracing.`,
		Example: `  sudo cbpf2ebpf load -e 'tcp port 80' --attach socket:eth0 --duration 10s
  sudo cbpf2ebpf load -e 'udp port 53' --attach tc:eth0:egress --interval 1s
  sudo cbpf2ebpf load -e 'tcp port 80' --attach tp_btf:kfree_skb --interface eth0
  sudo cbpf2ebpf load -e 'tcp port 23' --attach xdp:eth0 --action match=drop --pin /sys/fs/bpf/no_telnet
  tcpdump -d 'tcp port 80' | sudo cbpf2ebpf load --dry-run --target socket
  sudo cbpf2ebpf load filter.d --pin /sys/fs/bpf/web && iptables -A INPUT -m bpf --object-pinned /sys/fs/bpf/web`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.src.flags(cmd)
	f.t.flags(cmd, "", translate.MaxOptimize)
	cmd.Flags().StringArrayVar(&f.attach, "attach", nil, "`HOOK` to attach the program to; may be given more than once")
	cmd.Flags().StringVar(&f.iface, "interface", "", "look at packets of the interface `NAME` only (functions and tracepoints)")
	cmd.Flags().StringVar(&f.pin, "pin", "", "keep program and attachments in the file `PATH` and beside it")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "ask the verifier, and leave nothing in the kernel")
	cmd.Flags().BoolVar(&f.log, "verifier-log", false, "print the verifier's log on stderr, all of it")
	cmd.Flags().Uint64VarP(&f.count, "count", "c", 0, "end after `N` packets that match")
	cmd.Flags().DurationVar(&f.duration, "duration", 0, "end after this `TIME`, such as 10s or 5m")
	cmd.Flags().DurationVar(&f.interval, "interval", 0, "print the counts each `TIME`")
	cmd.Flags().StringVar(&f.name, "name", sourceName, "`NAME` of the program in the kernel, 15 characters at most")
	cmd.Flags().StringVar(&f.licence, "licence", "", "`LICENCE` of the program (default what it needs)")
	return cmd
}

// run is the story of a load: what is wanted, the translation, the kernel's answer, the wait, the counts.
func (f *loadFlags) run(cmd *cobra.Command, args []string) error {
	p, err := f.plan(cmd)
	if err != nil {
		return err
	}
	in, r, err := f.translate(cmd, args, p)
	if err != nil {
		return err
	}
	if f.dryRun {
		return f.tryOut(cmd, in, r, p)
	}
	filter, err := f.load(cmd, in, r, p)
	if err != nil {
		return err
	}
	defer filter.Close()
	// From here on an interruption has the command clean up and end well.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	installed, err := filter.Install(p.place)
	if err != nil {
		return advised(err)
	}
	if !p.waits {
		return tellKept(cmd, installed, p)
	}
	tell(cmd, "attached to %s; Ctrl-C ends it", hookList(installed))
	return f.wait(ctx, cmd, filter, installed, p)
}

// wait prints counts until it is time to end, and takes away what is not pinned.
func (f *loadFlags) wait(ctx context.Context, cmd *cobra.Command, filter *kernel.Filter, installed *kernel.Installed, p *loadPlan) error {
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	err := f.watch(ctx, cmd, filter, p)
	if closed := installed.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := printCounts(cmd, filter, p); err != nil {
		return err
	}
	if p.place.Pin != "" {
		return tellKept(cmd, installed, p)
	}
	return nil
}

// watch returns when the context is done or enough packets have matched.
func (f *loadFlags) watch(ctx context.Context, cmd *cobra.Command, filter *kernel.Filter, p *loadPlan) error {
	const often = 20 * time.Millisecond
	look := time.NewTicker(often)
	defer look.Stop()
	next := time.Now().Add(f.interval)
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			c, err := filter.Counts()
			if err != nil {
				return err
			}
			if f.count > 0 && p.matches(c) >= f.count {
				return nil
			}
			if f.interval > 0 && !now.Before(next) {
				next = next.Add(f.interval)
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), p.counts(c)); err != nil {
					return err
				}
			}
		}
	}
}
