package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// chunk is a run of packets of a trace, laid out as batches want them.
type chunk struct {
	first    int // number of the first packet in the trace
	buf      []byte
	records  []difftest.Record
	descs    []jit.Desc
	skbs     []ebpf.SkBuff
	verdicts []uint32
}

// A chunk is closed when it holds this many packets or bytes.
const (
	chunkPackets = 4096
	chunkBytes   = 1 << 20
)

// fill reads the next packets of the trace. Those in front of an error are there.
func (c *chunk) fill(trace *difftest.Trace) error {
	c.first += len(c.records)
	c.buf, c.records, c.descs = c.buf[:0], c.records[:0], c.descs[:0]
	var err error
	for len(c.records) < chunkPackets && len(c.buf) < chunkBytes {
		var rec difftest.Record
		if rec, err = trace.Next(); err != nil {
			break
		}
		if rec.Link != trace.Link() {
			err = fmt.Errorf("trace %s: packet %d has link type %v, and the trace began with %v: a filter is for one link type",
				trace.Name(), c.first+len(c.records)+1, rec.Link, trace.Link())
			break
		}
		c.add(rec)
	}
	c.ready()
	return err
}

// add appends a packet, whose data it copies.
func (c *chunk) add(rec difftest.Record) {
	c.descs = append(c.descs, jit.Desc{Off: uint32(len(c.buf)), CapLen: uint32(len(rec.Data)), WireLen: rec.WireLen})
	c.buf = append(c.buf, rec.Data...)
	c.records = append(c.records, rec)
}

// ready makes the chunk fit to be judged, when all packets are there.
func (c *chunk) ready() {
	for i, d := range c.descs {
		c.records[i].Data = c.buf[d.Off : d.Off+d.CapLen]
	}
	c.verdicts = slices.Grow(c.verdicts[:0], len(c.records))[:len(c.records)]
}

// engine judges chunks.
type engine struct {
	judge func(c *chunk) error
	close func() error
	note  string // what the user should know of it
}

type engineMaker func(p cbpf.Program, link difftest.LinkType) (*engine, error)

func engineNames() []string { return []string{"jit", "interp", "classic", "kernel"} }

// engineMaker chooses the engine. Each runs translations for some targets only.
func (f *runFlags) engineMaker() (engineMaker, error) {
	targets := map[string][]string{
		"jit":     {translate.User.String()},
		"interp":  {translate.User.String(), translate.Socket.String()},
		"classic": {""},
		"kernel":  {translate.Socket.String()},
	}[f.engine]
	if targets == nil {
		return nil, usagef("unknown engine %q; the engines are %s", f.engine, strings.Join(engineNames(), ", "))
	}
	if f.t.target == "" {
		f.t.target = targets[0]
	}
	if targets[0] == "" && (f.t.target != "" || f.t.optimize != 0) {
		return nil, usagef("engine %s runs the classic program as it is, without --target and -O", f.engine)
	}
	if targets[0] != "" {
		if _, err := f.t.options(difftest.LinkEthernet); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(targets, f.t.target) {
		return nil, usagef("engine %s cannot run programs for target %q; it runs %s", f.engine, f.t.target, strings.Join(targets, " and "))
	}
	if f.engine == "jit" {
		return f.newJIT, nil
	}
	names := map[string]string{"interp user": "interp", "interp socket": "interp-socket", "classic ": difftest.Reference, "kernel socket": "kernel-ebpf"}
	engines, err := difftest.EnginesByName([]string{names[f.engine+" "+f.t.target]})
	if err != nil {
		return nil, err
	}
	return onePacketEngine(engines[len(engines)-1]), nil
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
	e := &engine{close: fn.Close}
	if why := fn.Why(); why != nil {
		e.note = fmt.Sprintf("%v; the program is interpreted", why)
	}
	e.judge = func(c *chunk) error {
		var skbs []ebpf.SkBuff
		if fn.UsesSkb() {
			skbs = c.properties()
		}
		return fn.RunBatch(c.buf, c.descs, skbs, c.verdicts)
	}
	return e, nil
}

// properties lays out the properties of all packets of the chunk.
func (c *chunk) properties() []ebpf.SkBuff {
	c.skbs = c.skbs[:0]
	for i := range c.records {
		c.skbs = append(c.skbs, difftest.SkBuff(&c.records[i].Packet))
	}
	return c.skbs
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
		return &engine{close: r.Close, judge: func(c *chunk) error {
			for i := range c.records {
				v, err := r.Verdict(&c.records[i].Packet)
				var cannot *difftest.CannotError
				if errors.As(err, &cannot) {
					return fmt.Errorf("packet %d: engine %s cannot take it: %w", c.first+i+1, e.Name, err)
				}
				if err != nil {
					return fmt.Errorf("packet %d: %w", c.first+i+1, err)
				}
				c.verdicts[i] = v
			}
			return nil
		}}, nil
	}
}
