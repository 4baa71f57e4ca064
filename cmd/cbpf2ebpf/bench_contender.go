package main

import (
	"errors"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// contender is one of the engines that are measured.
type contender struct {
	name string
	note string // what to know of its figures
	// take judges n packets of the set, which may be more than it has, from the one of index at on, and returns the time that
	// this took. The verdict of each is in the set's verdicts then.
	take func(s *benchSet, at, n int) (time.Duration, error)
	// tally is what the verdicts of the set add up to. nil: they are where take wrote them.
	tally func(s *benchSet) (tally, error)
	// sees is how packets look to it. nil: as they are.
	sees func(pkt *cbpf.Packet) cbpf.Packet
	// only is the one set that it can be measured on; empty: all.
	only string
	// engine is the one of difftest that does the same, for those that may see a packet differently or have peculiarities.
	engine *difftest.Engine
	// excused says that its verdicts may differ from those of the reference.
	excused bool
	close   func() error
}

// missing is a contender that cannot be had, and why.
type missing struct {
	name string
	why  error
}

// add adds a contender, or the reason why it cannot be had.
func (b *bench) add(name string, prepare func() (*contender, error)) {
	c, err := prepare()
	if err != nil {
		b.missing = append(b.missing, missing{name, err})
		return
	}
	c.name = name
	b.contenders = append(b.contenders, c)
}

// laps calls judge for n packets of a set from the index at on, in pieces that do not go over its end, and takes the time.
func laps(s *benchSet, at, n int, judge func(from, to int) error) (time.Duration, error) {
	begin := time.Now()
	for n > 0 {
		to := min(at+n, s.len())
		if err := judge(at, to); err != nil {
			return 0, err
		}
		n -= to - at
		at = 0
	}
	return time.Since(begin), nil
}

// batchContender runs machine code on all packets at once. Each set has code of its own, since that chooses a body by what it has seen.
func batchContender(x ebpf.Program, mode jit.VectorMode) (*contender, error) {
	funcs := map[*benchSet]*jit.Func{}
	c := &contender{close: func() (err error) {
		for _, f := range funcs {
			err = errors.Join(err, f.Close())
		}
		return err
	}}
	prepare := func(s *benchSet) error {
		f, err := jit.Compile(x)
		if err != nil {
			return err
		}
		funcs[s] = f
		f.SetVector(mode)
		if lanes, why := f.Vector(); lanes == 1 && mode == jit.VectorAlways {
			return why
		}
		return nil
	}
	c.take = func(s *benchSet, at, n int) (time.Duration, error) {
		if funcs[s] == nil {
			if err := prepare(s); err != nil {
				return 0, err
			}
		}
		return laps(s, at, n, func(from, to int) error {
			skbs := s.skbs
			if skbs != nil {
				skbs = skbs[from:to]
			}
			return funcs[s].RunBatch(s.buf, s.descs[from:to], skbs, s.verdicts[from:to])
		})
	}
	if err := prepare(nil); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// singleContender runs machine code on one packet after the other.
func singleContender(f *jit.Func) *contender {
	return &contender{close: f.Close, take: func(s *benchSet, at, n int) (time.Duration, error) {
		return laps(s, at, n, func(from, to int) error { return runSingly(f, s, from, to) })
	}}
}

// runSingly calls Run by its name, as those who use the library do: by a function value, each call would be two.
func runSingly(f *jit.Func, s *benchSet, from, to int) error {
	var pkt ebpf.Packet
	for i := from; i < to; i++ {
		s.extended(i, &pkt)
		r0, err := f.Run(&pkt)
		if err != nil {
			return err
		}
		s.verdicts[i] = uint32(r0)
	}
	return nil
}

// extendedContender runs an extended program on one packet after the other.
func extendedContender(run func(*ebpf.Packet) (uint64, error), close func() error) *contender {
	return &contender{close: close, take: func(s *benchSet, at, n int) (time.Duration, error) {
		var pkt ebpf.Packet
		return laps(s, at, n, func(from, to int) error {
			for i := from; i < to; i++ {
				s.extended(i, &pkt)
				r0, err := run(&pkt)
				if err != nil {
					return err
				}
				s.verdicts[i] = uint32(r0)
			}
			return nil
		})
	}}
}

// classicContender runs the classic program on one packet after the other.
func classicContender(e difftest.Engine, p cbpf.Program, link difftest.LinkType) (*contender, error) {
	r, err := e.Prepare(p, link)
	if err != nil {
		return nil, err
	}
	return &contender{sees: r.Sees, engine: &e, close: r.Close, take: func(s *benchSet, at, n int) (time.Duration, error) {
		pkt := cbpf.Packet{Meta: s.meta}
		return laps(s, at, n, func(from, to int) error {
			for i := from; i < to; i++ {
				s.packet(i, &pkt)
				v, err := r.Verdict(&pkt)
				if err != nil {
					return err
				}
				s.verdicts[i] = v
			}
			return nil
		})
	}}, nil
}

// addLibrary readies the engines of the library, the one first that run uses. properties says that the program looks at
// more than the bytes of a packet.
func (b *bench) addLibrary(link difftest.LinkType, level int) (properties bool, err error) {
	p := b.program.Program
	opts := link.Options(translate.User)
	opts.Optimize = level
	r, err := translate.Translate(p, opts)
	if err != nil {
		return false, err
	}
	f, err := jit.New(r.Program)
	if err != nil {
		return false, err
	}
	if f.Why() == nil {
		b.addBodies(r.Program)
		b.add("jit-run", func() (*contender, error) { return singleContender(f), nil })
	} else {
		b.missing = append(b.missing, missing{"jit", f.Why()})
	}
	interp := difftest.Interpreter(translate.User, difftest.AtLevel(translate.User, level))
	b.add("interp", func() (*contender, error) {
		c := extendedContender(ebpf.Prepare(r.Program, ebpf.User).Run, nil)
		c.engine = &interp
		return c, nil
	})
	for _, e := range difftest.Engines() {
		if e.Name == difftest.Reference || e.Name == "xnet" {
			b.add(e.Name, func() (*contender, error) { return classicContender(e, p, link) })
		}
	}
	b.add("kernel", func() (*contender, error) { return kernelContender(p, link, level) })
	return f.UsesSkb(), nil
}

// addBodies readies the bodies that the machine code of a program has: first as it chooses itself, then each alone.
func (b *bench) addBodies(x ebpf.Program) {
	for _, body := range []struct {
		name string
		mode jit.VectorMode
	}{{"jit", jit.VectorAuto}, {"jit-vector", jit.VectorAlways}, {"jit-scalar", jit.VectorNever}} {
		b.add(body.name, func() (*contender, error) { return batchContender(x, body.mode) })
	}
}
