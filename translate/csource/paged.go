package csource

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// paged reads a packet that may lie in several pieces: what is not in the first one, or where that cannot be looked at, a
// helper function fetches.
type paged struct {
	hook    *hook
	windows bool
	netOff  uint32
}

func newPaged(o Options, h *hook) source { return &paged{h, o.Windows, uint32(o.NetOff)} }

func (d *paged) head() string { return d.hook.head() }

func (d *paged) param() string { return d.hook.param() }

func (d *paged) locals() [][2]string {
	if d.hook.direct {
		return d.hook.ends()
	}
	return nil
}

func (d *paged) fixed(w *writer, size int, k uint32) (string, error) {
	if k >= cbpf.LLOff && d.hook.skb {
		return d.value(w, "cbpf_window", false, fmt.Sprintf("%#x", k), size), nil
	}
	k, err := placed(k, d.windows, d.netOff)
	if err != nil {
		return "", err
	}
	return d.load(w, "", literal(k, false), size), nil
}

func (d *paged) indexed(w *writer, size int, k uint32) string {
	if d.hook.skb {
		return d.load(w, "_any", sum(k), size)
	}
	return d.load(w, "", placeOf(w, k, d.windows, d.netOff), size)
}

// load calls the function of the hook that loads.
func (d *paged) load(w *writer, suffix, where string, size int) string {
	if d.hook.direct {
		return d.value(w, "cbpf_load"+suffix, true, where, size)
	}
	return d.value(w, "cbpf_fetch"+suffix, false, where, size)
}

// value calls a function whose result is negative where the packet ends before what it fetches.
func (d *paged) value(w *writer, function string, ends bool, where string, size int) string {
	args := d.hook.ctx
	if ends {
		args += ", data, data_end"
		w.use("data", "data_end")
	}
	w.use("v", d.hook.ctx, function)
	w.printf("v = %s(%s, %s, %d);", function, args, where, size)
	w.printf("if (v < 0)\n\t\treturn 0;")
	return "(uint32_t)v"
}

func (d *paged) length(w *writer) string {
	w.use(d.hook.ctx)
	if d.hook.skb {
		return d.hook.ctx + "->len"
	}
	w.use("cbpf_length")
	return fmt.Sprintf("cbpf_length(%s)", d.hook.ctx)
}

func (d *paged) extension(w *writer, e cbpf.Ext) (string, bool) { return d.hook.extension(w, e) }

func (d *paged) lacks(e cbpf.Ext) (why, instead string) { return d.hook.lacks(e) }
