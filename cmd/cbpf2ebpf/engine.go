package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/spf13/cobra"
)

// engine judges batches.
type engine struct {
	// judge finds the verdict of each packet.
	judge func(b *difftest.Batch, verdicts []uint32) error
	close func() error
	whole bool           // verdicts only say whether a packet matches, and not how much of it to keep
	note  string         // what the user should know of it
	code  *jit.Func      // nil for engines without machine code
	label pprof.LabelSet // of what it does, in profiles
}

// writePerfMap leaves a file that tells perf the name of the machine code, and says where.
func (e *engine) writePerfMap(name string, w io.Writer) error {
	m, err := jit.CreatePerfMap()
	if err != nil {
		return err
	}
	err = errors.Join(m.Add(e.code, "cbpf2ebpf:"+name), m.Close())
	if err == nil {
		fmt.Fprintf(w, "cbpf2ebpf: the name of the machine code is in %s, for perf report\n", m.Name())
	}
	return err
}

type engineMaker func(p cbpf.Program, link difftest.LinkType) (*engine, error)

// engineKinds are the engines of the run command.
var engineKinds = []struct {
	name    string
	targets []translate.Target // that it runs translations for, the usual one first; none: it runs the classic program
	maker   func(f *runFlags, target translate.Target) engineMaker
}{
	{"jit", []translate.Target{translate.User}, func(f *runFlags, _ translate.Target) engineMaker { return f.newJIT }},
	{"interp", []translate.Target{
		translate.User, translate.Socket, translate.TC, translate.CGroupSKB, translate.XDP, translate.Trace,
	}, func(f *runFlags, target translate.Target) engineMaker {
		return onePacketEngine(difftest.Interpreter(target, f.optionsOf))
	}},
	{"classic", nil, func(*runFlags, translate.Target) engineMaker { return onePacketEngine(difftest.Engines()[0]) }},
	{"kernel", []translate.Target{
		translate.Socket, translate.TC, translate.CGroupSKB, translate.XDP,
	}, func(f *runFlags, target translate.Target) engineMaker {
		return onePacketEngine(difftest.Kernel(target, f.optionsOf))
	}},
}

func engineNames() []string {
	var names []string
	for _, kind := range engineKinds {
		names = append(names, kind.name)
	}
	return names
}

// engineMaker chooses the engine. Each runs translations for some targets only.
func (f *runFlags) engineMaker(cmd *cobra.Command) (engineMaker, error) {
	i := slices.Index(engineNames(), f.engine)
	if i < 0 {
		return nil, usagef("unknown engine %q; the engines are %s", f.engine, strings.Join(engineNames(), ", "))
	}
	kind := &engineKinds[i]
	if kind.targets == nil {
		if f.t.target != "" || cmd.Flags().Changed("optimize") || cmd.Flags().Changed("max-attrs") {
			return nil, usagef("engine %s runs the classic program as it is, without --target, -O and --max-attrs", f.engine)
		}
		return kind.maker(f, 0), nil
	}
	if f.t.target == "" {
		f.t.target = kind.targets[0].String()
	}
	opts, err := f.t.options(difftest.LinkEthernet)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(kind.targets, opts.Target) {
		return nil, usagef("engine %s cannot run programs for target %q; it runs %s", f.engine, opts.Target, joined(kind.targets))
	}
	return kind.maker(f, opts.Target), nil
}

// optionsOf are the options for packets of a link type. What can be wrong with them engineMaker has found.
func (f *runFlags) optionsOf(link difftest.LinkType) translate.Options {
	opts, _ := f.t.options(link)
	return opts
}

// joined lists targets in a sentence.
func joined(targets []translate.Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.String())
	}
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}

// newJIT translates and compiles; where machine code cannot be had, the note says so.
func (f *runFlags) newJIT(p cbpf.Program, link difftest.LinkType) (*engine, error) {
	opts, err := f.t.options(link)
	if err != nil {
		return nil, err
	}
	r, err := translate.Translate(p, opts)
	if err != nil {
		return nil, err
	}
	fn, err := jit.New(r.Program)
	if err != nil {
		return nil, err
	}
	e := &engine{close: fn.Close, code: fn}
	if why := fn.Why(); why != nil {
		e.note = fmt.Sprintf("%v; the program is interpreted", why)
	}
	var skbs []ebpf.SkBuff
	e.judge = func(b *difftest.Batch, verdicts []uint32) error {
		if fn.UsesSkb() {
			skbs = properties(skbs[:0], b)
		}
		return fn.RunBatch(b.Data, b.Descs, skbs, verdicts)
	}
	return e, nil
}

// properties appends those of all packets of the batch.
func properties(skbs []ebpf.SkBuff, b *difftest.Batch) []ebpf.SkBuff {
	for i := range b.Descs {
		rec := b.Record(i)
		skbs = append(skbs, difftest.SkBuff(&rec.Packet))
	}
	return skbs
}

// onePacketEngine makes an engine out of one that takes packets one by one.
func onePacketEngine(e difftest.Engine) engineMaker {
	return func(p cbpf.Program, link difftest.LinkType) (*engine, error) {
		r, err := e.Prepare(p, link)
		if err != nil {
			return nil, err
		}
		if r.Close == nil {
			r.Close = func() error { return nil }
		}
		return &engine{whole: r.Tells != nil, close: r.Close, judge: func(b *difftest.Batch, verdicts []uint32) error {
			for i := range verdicts {
				rec := b.Record(i)
				v, err := r.Verdict(&rec.Packet)
				var cannot *difftest.CannotError
				if errors.As(err, &cannot) {
					return fmt.Errorf("packet %d: engine %s cannot take it: %w", b.First+i, e.Name, err)
				}
				if err != nil {
					return fmt.Errorf("packet %d: %w", b.First+i, err)
				}
				verdicts[i] = v
			}
			return nil
		}}, nil
	}
}
