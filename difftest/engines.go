package difftest

import (
	"errors"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"golang.org/x/net/bpf"
)

func prepareClassic(p cbpf.Program, _ LinkType) (*Runner, error) {
	return &Runner{Verdict: func(pkt *cbpf.Packet) (uint32, error) { return cbpf.Run(p, pkt) }}, nil
}

// Options are those with which programs for packets of the link type are translated: plainly, unless that is changed.
func (l LinkType) Options(target translate.Target) translate.Options {
	opts := translate.Options{Target: target}
	if info := l.info(); info != nil {
		opts.NetOff, opts.HaType = uint16(info.netOff), info.haType
	}
	if target.Links() {
		opts.Link = l.level()
	}
	return opts
}

// level is what packets of the link type begin with, for hooks that have them otherwise.
func (l LinkType) level() translate.Link {
	info := l.info()
	switch {
	case l == LinkEthernet:
		return translate.LinkEthernet
	case info != nil && info.netOff == 0:
		return translate.LinkIP
	}
	return translate.LinkAsHook
}

// prepareTranslated translates for the target. What the target cannot express is no disagreement.
func prepareTranslated(p cbpf.Program, opts translate.Options) (ebpf.Program, error) {
	r, err := translate.Translate(p, opts)
	var unsupported *translate.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, cannot("%v", err)
	}
	if err != nil {
		return nil, err
	}
	return r.Program, nil
}

// optionsLike are those for packets of the link type, with what is not up to the packets as it is said.
func (l LinkType) optionsLike(how translate.Options) translate.Options {
	opts := l.Options(how.Target)
	opts.Optimize, opts.MaxAttrs = how.Optimize, how.MaxAttrs
	return opts
}

// prepareInterp runs translations in the interpreter of package ebpf.
func prepareInterp(how translate.Options) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		opts := link.optionsLike(how)
		x, err := prepareTranslated(p, opts)
		if err != nil {
			return nil, err
		}
		prepared, convert := ebpf.Prepare(x, opts.Target.ABI()), &converter{}
		r := &Runner{Verdict: func(pkt *cbpf.Packet) (uint32, error) {
			r0, err := prepared.Run(convert.packet(pkt))
			return uint32(r0), err
		}}
		switch {
		case opts.Target == translate.User:
			r.Sees = userView(opts)
		case measures(p):
			seesWhole(r)
		}
		return r, nil
	}
}

// measures reports whether the program has extensions that compare with the number of captured bytes.
func measures(p cbpf.Program) bool {
	return slices.ContainsFunc(p, func(ins bpf.RawInstruction) bool {
		ext, ok := cbpf.Extension(ins.K)
		return ok && cbpf.Info(ins.Op).Form == cbpf.FormAbs && slices.Contains([]cbpf.Ext{cbpf.ExtPayOff, cbpf.ExtNlattr, cbpf.ExtNlattrNest}, ext)
	})
}

// seesWhole makes all packets end where their captured bytes end, as they do inside the kernel: a struct sk_buff has one
// length, and a translation that asks for the one asks for the other.
func seesWhole(r *Runner) {
	run := r.Verdict
	r.Sees = func(pkt *cbpf.Packet) cbpf.Packet {
		seen := *pkt
		seen.WireLen = uint32(len(pkt.Data))
		return seen
	}
	r.Verdict = func(pkt *cbpf.Packet) (uint32, error) {
		seen := r.Sees(pkt)
		return run(&seen)
	}
}

// prepareJIT runs the translation for User, at a level of optimisation, in machine code.
func prepareJIT(level int) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		opts := link.Options(translate.User)
		opts.Optimize = level
		x, err := prepareTranslated(p, opts)
		if err != nil {
			return nil, err
		}
		f, err := jit.Compile(x)
		var unavailable *jit.UnavailableError
		if errors.As(err, &unavailable) {
			return nil, cannot("%v", err)
		}
		if err != nil {
			return nil, err
		}
		convert := &converter{}
		return &Runner{
			Verdict: func(pkt *cbpf.Packet) (uint32, error) {
				r0, err := f.Run(convert.packet(pkt))
				return uint32(r0), err
			},
			Sees:  userView(opts),
			Close: f.Close,
		}, nil
	}
}

// prepareKernelClassic attaches the program to sockets of the running kernel.
func prepareKernelClassic(p cbpf.Program, _ LinkType) (*Runner, error) {
	c, err := kernel.AttachClassic(p)
	if errors.Is(err, kernel.ErrUnavailable) || errors.Is(err, kernel.ReasonMemory) || errors.Is(err, kernel.ReasonVariant) ||
		errors.Is(err, kernel.ReasonUnstable) {
		return nil, cannot("%v", err)
	}
	if err != nil {
		return nil, err
	}
	verdict := func(pkt *cbpf.Packet) (uint32, error) { return c.Verdict(pkt.Data) }
	return &Runner{Verdict: wrongLength(verdict), Sees: kernel.ClassicView, Close: c.Close}, nil
}

// prepareKernelExtended loads translations for Socket into the running kernel.
func prepareKernelExtended(how translate.Options) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		how.Target = translate.Socket
		opts := link.optionsLike(how)
		opts.NetOff = 0 // a test-run begins at the network header
		x, err := prepareTranslated(p, opts)
		if err != nil {
			return nil, err
		}
		f, err := kernel.Load(x, kernel.LoadOptions{Type: kernel.SocketFilter})
		if errors.Is(err, kernel.ErrUnavailable) {
			return nil, cannot("%v", err)
		}
		if err != nil {
			return nil, err
		}
		return &Runner{Verdict: wrongLength(f.RunPacket), Sees: f.View, Close: f.Close}, nil
	}
}

// wrongLength turns the kernel's limits on packets into the engine's inability.
func wrongLength(verdict func(*cbpf.Packet) (uint32, error)) func(*cbpf.Packet) (uint32, error) {
	return func(pkt *cbpf.Packet) (uint32, error) {
		v, err := verdict(pkt)
		var long *kernel.TooLongError
		var short *kernel.TooShortError
		switch {
		case errors.As(err, &long):
			return 0, cannot("more than %d bytes of packet data", long.Limit)
		case errors.As(err, &short):
			return 0, cannot("less packet data than a header")
		}
		return v, err
	}
}

// prepareXNet runs the program in the VM of golang.org/x/net/bpf, where that VM reads it as what it is.
func prepareXNet(p cbpf.Program, _ LinkType) (*Runner, error) {
	insns, err := xnetProgram(p)
	if err != nil {
		return nil, err
	}
	vm, err := bpf.NewVM(insns)
	if err != nil {
		return nil, cannot("x/net: %v", err)
	}
	return &Runner{
		Verdict: func(pkt *cbpf.Packet) (uint32, error) {
			v, err := vm.Run(pkt.Data)
			return uint32(v), err
		},
		Sees: func(pkt *cbpf.Packet) cbpf.Packet {
			seen := *pkt
			seen.WireLen = uint32(len(pkt.Data))
			return seen
		},
	}, nil
}

// xnetProgram decodes the program as x/net does, and refuses what that takes for another opcode.
func xnetProgram(p cbpf.Program) ([]bpf.Instruction, error) {
	insns, losses := cbpf.ToXNet(p)
	for _, l := range losses {
		if l.Was.Op != l.Is.Op {
			return nil, cannot("x/net reads opcode %#02x as something else than it is", l.Was.Op)
		}
	}
	return insns, nil
}
