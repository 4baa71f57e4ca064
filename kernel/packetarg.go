package kernel

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf/btf"
)

// PacketArg is an argument of a kernel function or tracepoint that points to a packet.
type PacketArg struct {
	Word int    // where programs find it among the arguments, in words of 8 bytes
	Name string // as in the kernel's source; may be empty
	XDP  bool   // it points to a struct xdp_buff; otherwise to a struct sk_buff
}

// PacketArgs lists the arguments that point to packets at a hook for tracing, by the BTF of the running kernel and its
// modules. Where there are none, and where there is no such function or tracepoint, that is an *AttachError. A kernel without BTF
// is an *UnavailableError.
func PacketArgs(h Hook) ([]PacketArg, error) {
	params, err := params(h)
	if err != nil {
		return nil, err
	}
	var found []PacketArg
	word := 0
	for _, p := range params {
		name := pointsTo(p.Type)
		if name == "sk_buff" || name == "xdp_buff" {
			found = append(found, PacketArg{Word: word, Name: p.Name, XDP: name == "xdp_buff"})
		}
		word += words(p.Type)
	}
	if len(found) == 0 {
		return nil, &AttachError{Reason: ReasonNoPacket, Detail: h.String()}
	}
	return found, nil
}

// params are the parameters at a hook.
func params(h Hook) ([]btf.FuncParam, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, &UnavailableError{Op: "look for the arguments at " + h.String(), Need: needBTF, Err: err}
	}
	params, err := paramsIn(spec, h)
	if !errors.Is(err, btf.ErrNotFound) {
		return params, err
	}
	modules, _ := os.ReadDir("/sys/kernel/btf") // without it there are none
	for _, m := range modules {
		if spec, err = btf.LoadKernelModuleSpec(m.Name()); err == nil {
			params, err = paramsIn(spec, h)
		}
		if err == nil {
			return params, nil
		}
	}
	return nil, &AttachError{Reason: ReasonNoTarget, Detail: h.Where}
}

// paramsIn looks for a function, or for the type that the kernel makes for a tracepoint (__DEFINE_TRACE of linux/tracepoint.h and
// __BPF_DECLARE_TRACE of trace/bpf_probe.h), whose first parameter programs do not see.
func paramsIn(spec *btf.Spec, h Hook) ([]btf.FuncParam, error) {
	switch h.Kind {
	case HookFentry, HookKprobe:
		var f *btf.Func
		if err := spec.TypeByName(h.Where, &f); err != nil {
			return nil, err
		}
		if proto, ok := f.Type.(*btf.FuncProto); ok {
			return proto.Params, nil
		}
	case HookTracepoint, HookRawTracepoint:
		var t *btf.Typedef
		if err := spec.TypeByName("btf_trace_"+h.Where, &t); err != nil {
			return nil, err
		}
		if pointer, ok := t.Type.(*btf.Pointer); ok {
			if proto, ok := pointer.Target.(*btf.FuncProto); ok && len(proto.Params) > 0 {
				return proto.Params[1:], nil
			}
		}
	}
	return nil, fmt.Errorf("%s: there are no arguments", h)
}

// pointsTo is the name of the structure that a pointer points to; "" for all else.
func pointsTo(t btf.Type) string {
	pointer, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return ""
	}
	if s, ok := btf.UnderlyingType(pointer.Target).(*btf.Struct); ok {
		return s.Name
	}
	return ""
}

// words is how many words of the context an argument takes: structures of up to 16 bytes take two.
func words(t btf.Type) int {
	size, err := btf.Sizeof(t)
	if err != nil {
		return 1
	}
	return max(1, (size+7)/8)
}
