package csource

import (
	"fmt"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"golang.org/x/net/bpf"
)

// source is where a form gets its data from. Its methods emit the statements that it takes, among them those that leave
// the function with 0 where the packet ends before the data, and return an expression for what was asked for.
type source interface {
	// fixed loads size bytes at k, which may lie in a window, but is neither an extension nor nowhere.
	fixed(w *writer, size int, k uint32) (value string, err error)
	// indexed loads size bytes at x + k.
	indexed(w *writer, size int, k uint32) (value string)
	// length is the length on the wire.
	length(w *writer) (value string)
	// extension loads a property other than xor_x; ok is false where there is no such thing.
	extension(w *writer, e cbpf.Ext) (value string, ok bool)
	// lacks says why there is no such thing, and what to do about it.
	lacks(e cbpf.Ext) (why, instead string)
	// head is what has to stand in front of all else.
	head() string
	// param is the list of parameters.
	param() string
	// locals are the variables that stand for parts of the parameters: names and initial values.
	locals() [][2]string
}

// writer makes the C of one program.
type writer struct {
	opts Options
	p    cbpf.Program
	flow flow
	src  source

	b       strings.Builder // the statements
	needed  []bool          // of each pc: something falls into it or jumps to it
	labeled []bool          // something jumps to it
	used    map[string]bool // parameters, locals and pieces that the statements mention
	reading bool            // somebody wants the value of the instruction at hand
	held    uint32          // bytes that the packet is known to have in front of it
}

func newWriter(p cbpf.Program, opts Options, src source) *writer {
	return &writer{
		opts: opts, p: p, src: src, flow: findFlow(p),
		needed: make([]bool, len(p)), labeled: make([]bool, len(p)), used: map[string]bool{},
	}
}

// printf appends a line to the statements.
func (w *writer) printf(format string, args ...any) { fmt.Fprintf(&w.b, "\t"+format+"\n", args...) }

// use notes that the statements mention the name.
func (w *writer) use(names ...string) {
	for _, n := range names {
		w.used[n] = true
	}
}

// unless leaves the function with 0 where the condition does not hold.
func (w *writer) unless(condition string) { w.printf("if (!%s)\n\t\treturn 0;", condition) }

// body makes the statements, in program order.
func (w *writer) body() error {
	w.needed[0] = true
	for pc, ins := range w.p {
		if !w.needed[pc] {
			continue
		}
		if w.labeled[pc] {
			fmt.Fprintf(&w.b, "L%d:\n", pc)
		}
		w.printf("/* %s */", line(pc, ins))
		if err := w.statement(pc, ins); err != nil {
			return err
		}
	}
	return nil
}

// line is the instruction as tcpdump -d shows it, without its columns.
func line(pc int, ins bpf.RawInstruction) string {
	return strings.Join(strings.Fields(cbpf.Line(pc, ins)), " ")
}

// statement makes what one instruction does, and goes where it goes.
func (w *writer) statement(pc int, ins bpf.RawInstruction) error {
	info := cbpf.Info(ins.Op)
	switch info.Form {
	case cbpf.FormJump:
		w.jump(pc, pc+1+int(ins.K))
		return nil
	case cbpf.FormCondK, cbpf.FormCondX:
		w.branch(pc, info, ins)
		return nil
	case cbpf.FormRetK, cbpf.FormRetA:
		w.printf("%s", w.result(pc))
		return nil
	case cbpf.FormAbs, cbpf.FormMSH:
		if !isExtension(info, ins.K) && isNowhere(ins.K) {
			w.printf("return 0;")
			return nil
		}
	}
	w.reading, w.held = writes(ins)&w.flow.live[pc] != 0, w.flow.held[pc]
	value, err := w.value(pc, info, ins)
	if err != nil {
		return err
	}
	if w.reading {
		w.printf("%s%s;", destination(ins), value)
	}
	w.jump(pc, pc+1)
	return nil
}

// destination is the left side of an assignment, as far as it does not depend on the operation.
func destination(ins bpf.RawInstruction) string {
	info := cbpf.Info(ins.Op)
	switch {
	case info.Writes == cbpf.Mem:
		return fmt.Sprintf("m%d = ", ins.K)
	case info.Writes == cbpf.X:
		return "x = "
	case info.Reads&cbpf.A != 0 && info.Fn != cbpf.Neg:
		return "a "
	}
	return "a = "
}

// operators are those of C.
var operators = map[uint16]string{
	cbpf.Add: "+=", cbpf.Sub: "-=", cbpf.Mul: "*=", cbpf.Div: "/=", cbpf.Mod: "%=",
	cbpf.Or: "|=", cbpf.And: "&=", cbpf.Xor: "^=", cbpf.Lsh: "<<=", cbpf.Rsh: ">>=",
}

// value makes the statements that stand in front of an assignment, and returns its right side.
func (w *writer) value(pc int, info *cbpf.OpInfo, ins bpf.RawInstruction) (string, error) {
	switch info.Form {
	case cbpf.FormNone:
		return map[uint16]string{cbpf.Neg: "-a", 0: register(info.Reads)}[info.Fn], nil
	case cbpf.FormImm:
		if info.Reads == 0 {
			return literal(ins.K, info.Hex), nil
		}
		return operators[info.Fn] + " " + literal(ins.K, info.Hex), nil
	case cbpf.FormX:
		return operators[info.Fn] + " " + w.operandX(info), nil
	case cbpf.FormMem:
		if info.Writes == cbpf.Mem {
			return register(info.Reads), nil
		}
		return fmt.Sprintf("m%d", ins.K), nil
	case cbpf.FormLen:
		if !w.reading {
			return "", nil
		}
		return w.src.length(w), nil
	case cbpf.FormInd:
		return w.src.indexed(w, info.Size, ins.K), nil
	case cbpf.FormMSH:
		value, err := w.load(pc, 1, ins.K)
		return fmt.Sprintf("4 * (%s & 0xf)", value), err
	}
	if isExtension(info, ins.K) {
		return w.extension(pc, cbpf.Ext(ins.K-cbpf.AdOff))
	}
	return w.load(pc, info.Size, ins.K)
}

func register(r cbpf.Regs) string {
	if r&cbpf.X != 0 {
		return "x"
	}
	return "a"
}

// operandX is X as the right operand of arithmetic: by 0 nothing is divided, and shifts look at five bits.
func (w *writer) operandX(info *cbpf.OpInfo) string {
	switch info.Fn {
	case cbpf.Div, cbpf.Mod:
		w.unless("x")
	case cbpf.Lsh, cbpf.Rsh:
		return "x & 31"
	}
	return "x"
}

// load loads from the packet, and says of an error where it happened.
func (w *writer) load(pc, size int, k uint32) (string, error) {
	value, err := w.src.fixed(w, size, k)
	if e, ok := err.(*Error); ok {
		e.PC, e.Form = pc, w.opts.Form
	}
	return value, err
}

// extension loads a property of the packet. Where there is no interface, those of it end the function with A.
func (w *writer) extension(pc int, e cbpf.Ext) (string, error) {
	if e == cbpf.ExtXorX {
		return "a ^ x", nil
	}
	if !w.reading && e != cbpf.ExtIfIndex && e != cbpf.ExtHaType {
		return "", nil
	}
	value, ok := w.src.extension(w, e)
	if !ok {
		why, instead := w.src.lacks(e)
		return "", &Error{PC: pc, What: fmt.Sprintf("extension %q", e), Form: w.opts.Form, Why: why, Instead: instead}
	}
	return value, nil
}

// literal writes a number, in hexadecimal where the notation does; unsigned where it is not an int.
func literal(k uint32, hex bool) string {
	text := fmt.Sprint(k)
	if hex {
		text = fmt.Sprintf("%#x", k)
	}
	if int32(k) < 0 {
		text += "u"
	}
	return text
}
