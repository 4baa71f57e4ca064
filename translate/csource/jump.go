package csource

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"golang.org/x/net/bpf"
)

// comparison holds a comparison of C and its opposite.
type comparison struct{ yes, no string }

var comparisons = map[uint16]comparison{
	cbpf.Eq:  {"a == %s", "a != %s"},
	cbpf.Gt:  {"a > %s", "a <= %s"},
	cbpf.Ge:  {"a >= %s", "a < %s"},
	cbpf.Set: {"a & %s", "!(a & %s)"},
}

// branch turns a comparison into an if around a jump to the farther of its targets; the nearer one is fallen into, or where
// something else stands in between jumped to as well.
func (w *writer) branch(pc int, info *cbpf.OpInfo, ins bpf.RawInstruction) {
	onTrue, onFalse := pc+1+int(ins.Jt), pc+1+int(ins.Jf)
	switch taken, known := outcome(info, ins); {
	case known && taken:
		w.jump(pc, onTrue)
		return
	case known:
		w.jump(pc, onFalse)
		return
	}
	operand := "x"
	if info.Form == cbpf.FormCondK {
		operand = literal(ins.K, info.Hex)
	}
	condition, near, far := comparisons[info.Fn].no, onTrue, onFalse
	if onFalse < onTrue {
		condition, near, far = comparisons[info.Fn].yes, onFalse, onTrue
	}
	if w.falls(pc, near) {
		w.needed[near] = true
	}
	w.printf("if (%s)\n\t\t%s", fmt.Sprintf(condition, operand), w.leave(far))
	w.jump(pc, near)
}

// jump goes to target, by falling into it where nothing stands in between.
func (w *writer) jump(pc, target int) {
	if w.falls(pc, target) {
		w.needed[target] = true
		return
	}
	w.printf("%s", w.leave(target))
}

// falls reports whether control would come from pc to target by itself.
func (w *writer) falls(pc, target int) bool {
	for between := pc + 1; between < target; between++ {
		if w.needed[between] {
			return false
		}
	}
	return true
}

// leave is the statement that goes to target: a goto, or the return that stands there.
func (w *writer) leave(target int) string {
	switch cbpf.Info(w.p[target].Op).Form {
	case cbpf.FormRetK, cbpf.FormRetA:
		return fmt.Sprintf("%s /* %s */", w.result(target), line(target, w.p[target]))
	}
	w.needed[target], w.labeled[target] = true, true
	return fmt.Sprintf("goto L%d;", target)
}

// result is the return at pc.
func (w *writer) result(pc int) string {
	if ins := w.p[pc]; cbpf.Info(ins.Op).Form == cbpf.FormRetK {
		return fmt.Sprintf("return %s;", literal(ins.K, false))
	}
	return "return a;"
}
