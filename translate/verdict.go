package translate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// What XDP programs return (enum xdp_action in linux/bpf.h).
const (
	XDPAborted  uint32 = 0
	XDPDrop     uint32 = 1
	XDPPass     uint32 = 2
	XDPTx       uint32 = 3
	XDPRedirect uint32 = 4
)

// What TC programs return (linux/pkt_cls.h).
const (
	TCUnspec     uint32 = 0xffffffff // -1: what the filter was attached with, or the next filter
	TCOK         uint32 = 0
	TCReclassify uint32 = 1
	TCShot       uint32 = 2
	TCPipe       uint32 = 3
	TCStolen     uint32 = 4
	TCQueued     uint32 = 5
	TCRepeat     uint32 = 6
	TCRedirect   uint32 = 7
	TCTrap       uint32 = 8
)

// actionNames are the names of actions that ParseAction knows.
var actionNames = map[Target]map[string]uint32{
	TC: {
		"unspec": TCUnspec, "ok": TCOK, "pass": TCOK, "reclassify": TCReclassify, "shot": TCShot, "drop": TCShot, "pipe": TCPipe,
		"stolen": TCStolen, "queued": TCQueued, "repeat": TCRepeat, "redirect": TCRedirect, "trap": TCTrap,
	},
	CGroupSKB: {"allow": 1, "pass": 1, "deny": 0, "drop": 0},
	XDP:       {"aborted": XDPAborted, "drop": XDPDrop, "pass": XDPPass, "tx": XDPTx, "redirect": XDPRedirect},
}

// ParseAction returns the number of an action of the target, given by its name (without TC_ACT_ or XDP_, in small letters) or
// as a number.
func ParseAction(t Target, text string) (uint32, error) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil && n >= math.MinInt32 && n <= math.MaxUint32 {
		return uint32(n), nil
	}
	names := actionNames[t]
	if n, ok := names[text]; ok {
		return n, nil
	}
	if len(names) == 0 {
		return 0, &OptionError{"Actions", t, "the verdict is all that these programs return"}
	}
	return 0, fmt.Errorf("unknown action %q of target %s; the actions are %s", text, t,
		strings.Join(slices.Sorted(maps.Keys(names)), ", "))
}

// DefaultActions are the actions of a target whose options name only one of the two. Programs for TC that return actions let
// pass what matches and drop the rest.
func DefaultActions(t Target) Actions {
	if t == TC {
		return Actions{Match: TCOK, Drop: TCShot}
	}
	if int(t) < len(targets) && targets[t].actions != nil {
		return *targets[t].actions
	}
	return Actions{Match: 1}
}

// of is what to return for a verdict.
func (a *Actions) of(verdict uint32) uint32 {
	switch {
	case a == nil:
		return verdict
	case verdict == 0:
		return a.Drop
	}
	return a.Match
}

// returns ends the program with a verdict known now.
func (e *emitter) returns(verdict uint32) {
	e.b.Emit(ebpf.Mov.Imm32(e.regResult, e.actions.of(verdict)))
	e.exit()
}

// returnsA ends the program with A as its verdict.
func (e *emitter) returnsA() {
	switch {
	case e.actions != nil:
		e.dropIf(ebpf.JEq.Imm32(e.regA, 0))
		e.returns(1)
		return
	case e.regA != e.regResult:
		e.b.Emit(ebpf.Mov.Reg32(e.regResult, e.regA))
	}
	e.exit()
}

// exit ends the program with what is in regResult.
func (e *emitter) exit() {
	if e.leave != nil {
		e.b.Branch(ebpf.Jump(), *e.leave)
		return
	}
	e.b.Emit(ebpf.Return())
}
