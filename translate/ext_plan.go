package translate

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// searches are the extensions that become code which looks through the packet.
var searches = map[cbpf.Ext]func(*emitter, headers){
	cbpf.ExtPayOff:     (*emitter).loadPayloadOffset,
	cbpf.ExtNlattr:     (*emitter).findAttr,
	cbpf.ExtNlattrNest: (*emitter).findNestedAttr,
}

// searchPlan is what is settled about such code before any is emitted.
type searchPlan struct {
	attrs int // how many attributes to look at
	// payOff is the pc in front of which the offset of the payload is calculated, once for all loads of it: the packet does not
	// change. NoPC where there is one load at most, which does it itself.
	payOff int
	// tooMuch is the pc of the first load with which the program becomes longer than any that can be loaded, or NoPC.
	tooMuch int
	bounds  []Bound
	payOffs int  // loads of the offset of the payload
	kept    bool // it is on the stack, for the loads from here on
}

// any reports whether there is such code.
func (s *searchPlan) any() bool { return s.payOffs > 0 || len(s.bounds) > 0 }

// Limits of Options.MaxAttrs.
const (
	// maxLooks is how many attributes all loads of a program may look at together: as many as fit into 64 KiB. Each takes
	// about 40 of the million instructions that the kernel's verifier follows.
	maxLooks = 1 << 16 / attrHeader
	// maxKernelAttrs is how many one load may look at in programs for the kernel. The time that the verifier needs grows with
	// the square of it: to about a second here, and to minutes at maxLooks.
	maxKernelAttrs = 1024
)

// Lengths of the code, an estimate from above, in units of what other classic instructions become at most.
const (
	payOffLength = 5200 / 6
	attrLength   = 28 / 6 // for each attribute
)

// noSearches is the plan of a program without such extensions.
var noSearches = searchPlan{payOff: NoPC, tooMuch: NoPC}

// planSearches makes the plan, and tells paths how much longer they are for it.
func planSearches(p cbpf.Program, paths *paths, opts Options) searchPlan {
	plan := searchPlan{attrs: opts.maxAttrs(), payOff: NoPC, tooMuch: NoPC}
	for pc, ins := range p {
		ext, _ := cbpf.Extension(ins.K)
		switch {
		case !paths.reached(pc) || !isExtension(cbpf.Info(ins.Op), ins) || searches[ext] == nil:
		case ext == cbpf.ExtPayOff:
			plan.payOff = paths.common(plan.payOff, pc)
			plan.payOffs++
		default:
			plan.bounds = append(plan.bounds, Bound{PC: pc, Ext: ext, Most: plan.attrs})
			paths.weigh(pc, plan.attrs*attrLength)
			if plan.tooMuch == NoPC && (plan.attrs > opts.Target.maxAttrs() || len(plan.bounds)*plan.attrs > maxLooks) {
				plan.tooMuch = pc
			}
		}
	}
	if plan.payOffs > 0 {
		paths.weigh(plan.payOff, payOffLength)
	}
	if plan.payOffs == 1 {
		plan.payOff = NoPC
	}
	return plan
}

// maxAttrs is how many attributes one load may look at.
func (t Target) maxAttrs() int {
	if t == User {
		return maxLooks
	}
	return maxKernelAttrs
}

// searchFor emits the code of an extension.
func (e *emitter) searchFor(pc int, ext cbpf.Ext, h headers) error {
	if pc == e.search.tooMuch {
		return &UnsupportedError{
			PC: pc, Ext: ext, Target: e.target,
			Why: fmt.Sprintf("with %d attributes to look at, the program becomes longer than any that can be loaded", e.search.attrs),
			Instead: fmt.Sprintf("lower Options.MaxAttrs: one load may look at %d attributes, all together at %d",
				e.target.maxAttrs(), maxLooks),
		}
	}
	if d, ok := e.access.(*direct); ok && d.virtual() && ext != cbpf.ExtPayOff {
		return &UnsupportedError{
			PC: pc, Ext: ext, Target: e.target,
			Why:     "packets have no Ethernet header there, which the program expects in front of the attributes",
			Instead: "write the program for packets that begin as they do at the hook",
		}
	}
	searches[ext](e, h)
	return nil
}

// loadPayloadOffset is `ld poff`.
func (e *emitter) loadPayloadOffset(h headers) {
	if e.search.kept {
		e.get(e.regA, e.onStack(payOffSlot))
		return
	}
	e.payloadOffset(h)
}

// payloadOffsetAhead calculates what later loads will find on the stack.
func (e *emitter) payloadOffsetAhead() {
	t, ok := e.access.(searchable)
	if !ok {
		return
	}
	kept := e.onStack(keptASlot)
	e.set(kept, e.regA)
	e.payloadOffset(t.headers())
	e.set(e.onStack(payOffSlot), e.regA)
	e.get(e.regA, kept)
	e.search.kept = true
}
