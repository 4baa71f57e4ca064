package difftest

import (
	"errors"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// known returns why an engine may differ from the reference on a run in which the quirks happened, and that ended with the
// error if it is not nil; "" if it may not.
// This is the only place where a difference is excused.
func known(engine string, quirks cbpf.Quirk, err error) string {
	switch {
	case engine == "xnet":
		return knownXNet(quirks)
	case engine != "kernel-classic" && quirks&cbpf.QuirkAttrs != 0:
		return "translations look at so many netlink attributes, and drop packets with more"
	case engine == "interp-tc" || engine == "interp-cgroup":
		return knownPaged(quirks, err)
	case strings.HasPrefix(engine, "interp"):
		return ""
	case quirks&cbpf.QuirkRandom != 0:
		return "every engine has random numbers of its own"
	case quirks&cbpf.QuirkCPU != 0:
		return "the engine tells the CPU that it runs on"
	}
	return ""
}

func knownXNet(quirks cbpf.Quirk) string {
	switch {
	case quirks&cbpf.QuirkNeg != 0:
		return "x/net does not know neg and stops with an error"
	case quirks&cbpf.QuirkShift != 0:
		return "x/net yields 0 for shifts by 32 and more; the kernel takes them modulo 32"
	case quirks&cbpf.QuirkIndex != 0:
		return "x/net does not wrap X+k at 32 bits"
	case quirks&cbpf.QuirkWindow != 0:
		return "x/net has neither LL nor NET window"
	}
	return ""
}

// knownPaged is about engines that run each packet in pieces too.
func knownPaged(quirks cbpf.Quirk, err error) string {
	var split *SplitError
	if quirks&cbpf.QuirkWindow != 0 && errors.As(err, &split) {
		return "helper functions show no more of the windows of a packet in pieces than the first one"
	}
	return ""
}
