package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Hook is a place in the kernel where a program can be attached. Interfaces are looked up in the network namespace of the
// calling thread.
type Hook struct {
	Kind  HookKind
	Where string // interface, directory of the cgroup, kernel function or tracepoint
	Way   Way    // tc and cgroup only
	Mode  Mode   // tc and XDP only
}

// HookKind says what attaches there.
type HookKind uint8

// The kinds.
const (
	HookSocket        HookKind = iota // a packet socket, on which all packets of an interface can be seen
	HookTC                            // what an interface receives or sends, with its struct sk_buff
	HookXDP                           // what an interface receives, before there is one
	HookCgroup                        // what the sockets of a cgroup receive or send
	HookFentry                        // the entry of a kernel function
	HookTracepoint                    // a tracepoint, with BTF types
	HookRawTracepoint                 // the same without
	HookKprobe                        // an instruction of the kernel
)

// Way is the direction of packets.
type Way uint8

// The ways.
const (
	NoWay Way = iota
	Ingress
	Egress
)

// Mode is how a program is attached, where there is a choice.
type Mode uint8

// The modes. Auto takes the first that works: of TCX and ClsAct, and of Native and Generic.
const (
	Auto    Mode = iota
	TCX          // tc by a link: Linux 6.6
	ClsAct       // tc by a filter of the queueing discipline clsact: Linux 4.5
	Native       // XDP in the driver
	Generic      // XDP in front of the network stack, which every interface has
)

var (
	wayNames  = []string{NoWay: "", Ingress: "ingress", Egress: "egress"}
	modeNames = []string{Auto: "", TCX: "tcx", ClsAct: "clsact", Native: "native", Generic: "generic"}
)

// hooks is the table of what there is to know of each kind.
var hooks = [...]struct {
	name  string
	where string // what Hook.Where is
	ways  bool
	modes []Mode
	types func(Way) []Type
	need  string // what it takes to attach there
}{
	HookSocket:        {"socket", "INTERFACE", false, nil, always(SocketFilter), "root or CAP_NET_RAW"},
	HookTC:            {"tc", "INTERFACE", true, []Mode{TCX, ClsAct}, always(TC), needAdmin},
	HookXDP:           {"xdp", "INTERFACE", false, []Mode{Native, Generic}, always(XDP, XDPFrags), "Linux 5.9, and " + needAdmin},
	HookCgroup:        {"cgroup", "DIRECTORY", true, nil, cgroupTypes, "Linux 4.10, and " + needAdmin},
	HookFentry:        {"fentry", "FUNCTION", false, nil, always(Fentry), "Linux 5.5 with leave to patch kernel functions, and " + needPerfmon},
	HookTracepoint:    {"tp_btf", "TRACEPOINT", false, nil, always(Tracepoint), "Linux 5.5, and " + needPerfmon},
	HookRawTracepoint: {"raw_tp", "TRACEPOINT", false, nil, always(RawTracepoint), "Linux 4.17, and " + needPerfmon},
	HookKprobe:        {"kprobe", "FUNCTION", false, nil, always(Kprobe), "a kernel with kprobes, and " + needPerfmon},
}

const (
	needAdmin   = "root or CAP_BPF with CAP_NET_ADMIN"
	needPerfmon = "root or CAP_BPF with CAP_PERFMON"
)

func always(types ...Type) func(Way) []Type { return func(Way) []Type { return types } }

func cgroupTypes(w Way) []Type {
	if w == Egress {
		return []Type{CgroupEgress}
	}
	return []Type{CgroupIngress}
}

// Types lists the types of programs that can be attached there, the plainest first.
func (h Hook) Types() []Type { return hooks[h.Kind].types(h.Way) }

// String is the text that ParseHook reads.
func (h Hook) String() string {
	text := hooks[h.Kind].name + ":" + h.Where
	if h.Way != NoWay {
		text += ":" + wayNames[h.Way]
	}
	if h.Mode != Auto {
		text += ":" + modeNames[h.Mode]
	}
	return text
}

// HookForms lists the texts that ParseHook reads, in the manner of a manual page.
func HookForms() []string {
	var forms []string
	for _, row := range hooks {
		form := row.name + ":" + row.where
		if row.ways {
			form += ":ingress|egress"
		}
		if row.modes != nil {
			names := make([]string, len(row.modes))
			for i, m := range row.modes {
				names[i] = modeNames[m]
			}
			form += "[:" + strings.Join(names, "|") + "]"
		}
		forms = append(forms, form)
	}
	return forms
}

// ParseHook reads a hook: socket:eth0, tc:eth0:ingress, tc:eth0:egress:clsact, xdp:eth0:generic,
// cgroup:/sys/fs/cgroup/web:egress, fentry:ip_rcv.
func ParseHook(text string) (Hook, error) {
	name, rest, _ := strings.Cut(text, ":")
	for kind := range hooks {
		if hooks[kind].name == name {
			h := Hook{Kind: HookKind(kind)}
			if err := h.parse(rest); err != nil {
				return Hook{}, fmt.Errorf("%q: %w; it is %s", text, err, HookForms()[kind])
			}
			return h, nil
		}
	}
	return Hook{}, fmt.Errorf("%q is no hook; the hooks are %s", text, strings.Join(HookForms(), ", "))
}

// parse reads what stands behind the kind. It goes backwards, because a directory may have a colon in its name.
func (h *Hook) parse(text string) error {
	row := hooks[h.Kind]
	for _, m := range row.modes {
		if rest, ok := strings.CutSuffix(text, ":"+modeNames[m]); ok {
			h.Mode, text = m, rest
			break
		}
	}
	if row.ways {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			return errors.New("ingress or egress is missing")
		}
		way := slices.Index(wayNames, text[i+1:])
		if way <= 0 {
			return fmt.Errorf("%q is neither ingress nor egress", text[i+1:])
		}
		h.Way, text = Way(way), text[:i]
	}
	if text == "" || row.where != "DIRECTORY" && strings.Contains(text, ":") {
		return fmt.Errorf("%q is no %s", text, strings.ToLower(row.where))
	}
	h.Where = text
	return nil
}
