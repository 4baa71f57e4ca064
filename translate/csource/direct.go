package csource

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// direct reads a packet that lies between two pointers, data and data_end. It serves Function and XDP.
type direct struct {
	windows bool
	netOff  uint32
	hook    *hook // nil for Function
}

func newDirect(o Options, h *hook) source { return &direct{o.Windows, uint32(o.NetOff), h} }

func (d *direct) head() string {
	if d.hook != nil {
		return d.hook.head()
	}
	return ""
}

func (d *direct) param() string {
	if d.hook != nil {
		return d.hook.param()
	}
	return "const uint8_t *data, const uint8_t *data_end"
}

func (d *direct) locals() [][2]string {
	if d.hook != nil {
		return d.hook.ends()
	}
	return nil
}

func (d *direct) fixed(w *writer, size int, k uint32) (string, error) {
	k, err := placed(k, d.windows, d.netOff)
	if err != nil {
		return "", err
	}
	if end := k + uint32(size); end > w.held {
		w.use("data", "data_end", "cbpf_holds")
		w.unless(fmt.Sprintf("cbpf_holds(data, data_end, %s)", literal(end, false)))
	}
	return w.at("data", size, k), nil
}

// placed is where in a packet k is, which may lie in a window, if that can be known.
func placed(k uint32, windows bool, netOff uint32) (uint32, error) {
	e := &Error{Why: "two pointers do not tell where headers are", Instead: "say it, with Options.Windows and Options.NetOff"}
	switch {
	case k < cbpf.LLOff:
		return k, nil
	case windows && k >= cbpf.NetOff:
		return k - cbpf.NetOff + netOff, nil
	case windows:
		return k - cbpf.LLOff, nil
	case k >= cbpf.NetOff:
		e.What = "a load through the NET window"
	default:
		e.What = "a load through the LL window"
	}
	return 0, e
}

// at is the number of size bytes at a constant distance from a pointer.
func (w *writer) at(pointer string, size int, k uint32) string {
	if w.reading {
		w.use(pointer)
	}
	if size == 1 {
		return fmt.Sprintf("%s[%d]", pointer, k)
	}
	return fmt.Sprintf("%s(%s + %d)", w.word(size), pointer, k)
}

// there is the number of size bytes at the pointer p.
func (w *writer) there(size int) string {
	if size == 1 {
		return "*p"
	}
	return w.word(size) + "(p)"
}

// word is the function that reads a number of size bytes.
func (w *writer) word(size int) string {
	name := fmt.Sprintf("cbpf_u%d", 8*size)
	if w.reading {
		w.use(name)
	}
	return name
}

// sum is x + k in 32 bits.
func sum(k uint32) string {
	if k == 0 {
		return "x"
	}
	return "x + " + literal(k, false)
}

func (d *direct) indexed(w *writer, size int, k uint32) string {
	w.use("data", "data_end", "p", "cbpf_at")
	w.unless(fmt.Sprintf("cbpf_at(&p, data, data_end, %s, %d)", placeOf(w, k, d.windows, d.netOff), size))
	return w.there(size)
}

// placeOf is where in a packet x + k is.
func placeOf(w *writer, k uint32, windows bool, netOff uint32) string {
	if !windows {
		return sum(k)
	}
	w.use("cbpf_place")
	return fmt.Sprintf("cbpf_place(%s, %d)", sum(k), netOff)
}

func (d *direct) length(w *writer) string {
	w.use("data", "data_end")
	return "(uint32_t)(data_end - data)"
}

func (d *direct) extension(w *writer, e cbpf.Ext) (string, bool) {
	if d.hook == nil {
		return "", false
	}
	return d.hook.extension(w, e)
}

func (d *direct) lacks(e cbpf.Ext) (why, instead string) {
	if d.hook != nil {
		return d.hook.lacks(e)
	}
	return "two pointers to a packet do not tell it", "take the form packet, or that of a hook"
}
