package difftest

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// hookEngines are the engines of targets whose packets come to a hook.
var hookEngines = map[translate.Target]struct {
	interp, kernel string // their names
	hook           func(LinkType) hook
}{
	translate.TC:        {"interp-tc", "kernel-tc", tcHook},
	translate.CGroupSKB: {"interp-cgroup", "kernel-cgroup", cgroupHook},
	translate.XDP:       {"interp-xdp", "kernel-xdp", xdpHook},
}

// AtLevel yields the usual options of a target, at a level of optimisation.
func AtLevel(target translate.Target, level int) func(LinkType) translate.Options {
	return func(link LinkType) translate.Options {
		opts := link.Options(target)
		opts.Optimize = level
		return opts
	}
}

// Interpreter is the engine that runs the translation for a target in the interpreter of package ebpf. opts yields the options
// for packets of a link type. Where programs return an action, its verdict is 1 for that of a match, and 0.
func Interpreter(target translate.Target, opts func(LinkType) translate.Options) Engine {
	switch h, isHook := hookEngines[target]; {
	case isHook:
		return Engine{h.interp, asVerdicts(prepareHook(func(link LinkType) hook { return hook{opts: opts(link), kind: h.hook(link).kind} }))}
	case target == translate.Trace:
		return Engine{"interp-trace", prepareTrace(func(link LinkType) translate.Options {
			o := opts(link)
			o.Trace = traceOptions(link, o.Trace.XDP != nil).Trace // there is no other memory to look into
			return o
		})}
	}
	return Engine{"interp", prepareInterp(opts(LinkEthernet))}
}

// Kernel is the engine that loads the translation for a target, Socket or one for a hook, into the running kernel. Options and
// verdicts are those of Interpreter.
func Kernel(target translate.Target, opts func(LinkType) translate.Options) Engine {
	h, isHook := hookEngines[target]
	if !isHook {
		return Engine{"kernel-ebpf", prepareKernelExtended(opts(LinkEthernet))}
	}
	return Engine{h.kernel, asVerdicts(prepareKernelHook(func(link LinkType) hook {
		at := hook{opts: opts(link), kind: h.hook(link).kind}
		if at.opts.Frags {
			at.kind = kernel.XDPFrags
		}
		return at
	}))}
}

// asVerdicts turns the actions that programs return into verdicts.
func asVerdicts(prepare func(cbpf.Program, LinkType) (*Runner, error)) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		r, err := prepare(p, link)
		if err != nil || r.Tells == nil {
			return r, err
		}
		run, match := r.Verdict, r.Tells(1)
		r.Tells = func(verdict uint32) uint32 { return min(verdict, 1) }
		r.Verdict = func(pkt *cbpf.Packet) (uint32, error) {
			action, err := run(pkt)
			if action != match {
				return 0, err
			}
			return 1, err
		}
		return r, nil
	}
}
